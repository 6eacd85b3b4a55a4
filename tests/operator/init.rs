//! `init` with what the operator knows: nothing is left to fill in, and nothing is written twice.

use std::fs;
use std::path::{Path, PathBuf};

use ct_codecs::{Base64, Encoder, Hex};
use tmkms::keys::SigningKey;

use crate::scene::{PATIENCE, Scene, accept, assert_signs};
use crate::validator::{Validator, VoteRequest};

const SEED: [u8; 32] = [0x2a; 32];
const CHAIN: &str = "metaos_99237-1";

fn base64(bytes: &[u8]) -> String {
    Base64::encode_to_string(bytes).unwrap()
}

fn public_key() -> [u8; 32] {
    SigningKey::from_seed(&SEED).unwrap().public_key().0
}

/// A node's directory with its key; `signed`: its last prevote, at 7/0.
fn node_key(scene: &Scene, signed: Option<&VoteRequest>) -> PathBuf {
    let node = scene.home.path("node");
    for name in ["config", "data"] {
        fs::create_dir_all(node.join(name)).unwrap();
    }
    let key = node.join("config/priv_validator_key.json");
    let public = public_key();
    let pair = base64(&[SEED, public].concat());
    let text = format!(
        r#"{{"pub_key":{{"type":"tendermint/PubKeyEd25519","value":"{}"}},"priv_key":{{"type":"tendermint/PrivKeyEd25519","value":"{pair}"}}}}"#,
        base64(&public)
    );
    fs::write(&key, text).unwrap();
    if let Some(vote) = signed {
        let bytes = vote.sign_bytes();
        let signature = SigningKey::from_seed(&SEED).unwrap().sign(&bytes);
        let state = format!(
            r#"{{"height":"7","round":0,"step":2,"signature":"{}","signbytes":"{}"}}"#,
            base64(&signature.0),
            Hex::encode_to_string(&bytes).unwrap().to_uppercase()
        );
        fs::write(node.join("data/priv_validator_state.json"), state).unwrap();
    }
    key
}

fn init(scene: &Scene, arguments: &[&str]) -> String {
    scene.tmkms(&[&["init"], arguments].concat())
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Every file below a directory, with what is in it.
fn listing(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(listing(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn one_command_sets_a_signer_up_that_signs() {
    let scene = Scene::new("init_one");
    let vote = VoteRequest::prevote(CHAIN, 7, 0);
    let key = node_key(&scene, Some(&vote));
    let node = Validator::listen_tcp().unwrap();
    let printed = init(
        &scene,
        &[
            "--chain-id",
            CHAIN,
            "--addr",
            &node.addr(),
            "--key",
            key.to_str().unwrap(),
            "kms",
        ],
    );
    assert!(
        printed.contains("signed up to 7/0/1 by the node"),
        "{printed}"
    );
    assert!(!printed.contains("softsign import"), "{printed}");
    let config = text(&scene.home.path("kms/tmkms.toml"));
    assert!(
        config.contains("\nkey_format = { type = \"cosmos-json\" }\n"),
        "{config}"
    );
    fs::copy(scene.home.path("kms/tmkms.toml"), scene.home.config()).unwrap();

    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    let reply = link.sign_vote(&VoteRequest::prevote(CHAIN, 6, 0)).unwrap();
    assert!(reply.error.is_some());
    let next = VoteRequest::precommit(CHAIN, 7, 0);
    let reply = link.sign_vote(&next).unwrap();
    assert_signs(&reply, &public_key(), &next.sign_bytes());
    let line = signer
        .find(&["added consensus Ed25519 key: {"], PATIENCE)
        .unwrap();
    assert!(line.contains("/cosmos.crypto.ed25519.PubKey"), "{line}");
}

#[test]
fn the_chain_is_seen_from_what_the_node_has_signed() {
    let scene = Scene::new("init_seen");
    let vote = VoteRequest::prevote("osmosis-1", 7, 0);
    let key = node_key(&scene, Some(&vote));
    init(&scene, &["--key", key.to_str().unwrap(), "kms"]);
    let config = text(&scene.home.path("kms/tmkms.toml"));
    assert!(config.contains("id = \"osmosis-1\""), "{config}");
    assert!(config.contains("osmovalconspub"), "{config}");
    assert!(
        scene
            .home
            .path("kms/secrets/osmosis-1-consensus.key")
            .exists()
    );
    assert!(!config.contains('<'), "{config}");
}

#[test]
fn without_a_chain_the_key_waits_for_the_id_to_be_filled_in() {
    let scene = Scene::new("init_unnamed");
    let key = node_key(&scene, None);
    let printed = init(&scene, &["--key", key.to_str().unwrap(), "kms"]);
    assert!(printed.contains("fill in the chain's id"), "{printed}");
    let path = scene.home.path("kms/tmkms.toml");
    fs::write(&path, text(&path).replace("<chain-id>", CHAIN)).unwrap();
    scene.tmkms(&["state", "init", "-c", "kms/tmkms.toml"]);
    let shown = scene.tmkms(&["state", "show", "-c", "kms/tmkms.toml"]);
    assert!(shown.contains("kms/state/consensus.json"), "{shown}");
}

#[test]
fn the_same_command_again_changes_nothing() {
    let scene = Scene::new("init_again");
    let key = node_key(&scene, Some(&VoteRequest::prevote(CHAIN, 7, 0)));
    let arguments = ["--chain-id", CHAIN, "--key", key.to_str().unwrap(), "kms"];
    init(&scene, &arguments);
    let before = listing(&scene.home.path("kms"));
    let printed = init(&scene, &arguments);
    assert_eq!(listing(&scene.home.path("kms")), before);
    assert!(printed.contains("holds this key already"), "{printed}");
}

#[test]
fn a_key_goes_nowhere_that_an_older_configuration_does_not_look() {
    let scene = Scene::new("init_older");
    let key = node_key(&scene, None);
    init(&scene, &["-n", "osmosis", "kms"]);
    let before = listing(&scene.home.path("kms"));
    let arguments = [
        "init",
        "--chain-id",
        CHAIN,
        "--key",
        key.to_str().unwrap(),
        "kms",
    ];
    let (code, printed) = scene.ends(&arguments);
    assert_eq!(code, 3, "{printed}");
    assert!(printed.contains("the key was not imported"), "{printed}");
    assert!(printed.contains("tmkms softsign import "), "{printed}");
    assert_eq!(listing(&scene.home.path("kms")), before);
}

#[test]
fn a_key_that_is_none_is_said_and_the_home_is_whole() {
    let scene = Scene::new("init_no_key");
    let (code, printed) = scene.ends(&["init", "--chain-id", CHAIN, "--key", "absent", "kms"]);
    assert_eq!(code, 4, "{printed}");
    assert!(printed.contains("absent"), "{printed}");
    assert!(scene.home.path("kms/tmkms.toml").exists());
}

#[test]
fn what_contradicts_itself_makes_nothing() {
    let scene = Scene::new("init_usage");
    for (arguments, said) in [
        (
            &["--chain-id", "a-1", "-n", "osmosis"][..],
            "give one of them",
        ),
        (&["--chain-id", ""], "is no chain id"),
        (&["--addr", "127.0.0.1:26658x"], "is no address"),
        (
            &["-n", "osmosis,cosmoshub", "--addr", "tcp://127.0.0.1:1"],
            "are for one chain",
        ),
        (
            &["-n", "osmosis,cosmoshub", "--key", "a"],
            "are for one chain",
        ),
    ] {
        let (code, printed) = scene.ends(&[&["init"], arguments, &["kms"]].concat());
        assert_eq!(code, 2, "{arguments:?}: {printed}");
        assert!(printed.contains(said), "{printed}");
        assert!(!scene.home.path("kms").exists());
    }
}
