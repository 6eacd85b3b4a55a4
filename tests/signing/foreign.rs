//! States of other programs at `state_file`: taken over, never lowered, the original kept.

use std::fs;
use std::path::PathBuf;

use tmkms::keys::SigningKey;

use crate::node_files::{file_pv_state, tmkms_state};
use crate::scene::{Chain, Running, Scene, Socket, assert_signs, other_block, read_key, refusal};
use crate::validator::Validator;

/// A chain that has another program's state.
struct Moved {
    scene: Scene,
    chain: Chain,
    key: SigningKey,
    node: Validator,
}

impl Moved {
    fn new(name: &str, state: impl FnOnce(&Chain, &SigningKey) -> String) -> Self {
        let scene = Scene::new(name);
        let chain = scene.chain(&format!("{name}-1"), "");
        let key = read_key(&scene.home.key_file(&chain.id));
        let text = state(&chain, &key);
        fs::write(scene.home.state_file(&chain.id), text).unwrap();
        let node = scene.node(&chain, Socket::Unix, "");
        Self {
            scene,
            chain,
            key,
            node,
        }
    }

    fn start(&self) -> Running {
        Running::new(&self.scene, &self.node)
    }

    fn kept(&self, word: &str) -> PathBuf {
        let name = format!("state/{}-consensus.json.old-{word}", self.chain.id);
        self.scene.home.path(&name)
    }
}

#[test]
fn the_state_of_a_node_is_taken_over_with_what_it_signed() {
    let mut text = String::new();
    let moved = Moved::new("file_pv", |chain, key| {
        text = file_pv_state(key, &chain.precommit(12, 3).at((5, 6)));
        text.clone()
    });
    // The second start finds a state of ours, and takes nothing over.
    for start in 0..2 {
        let mut running = moved.start();
        let link = &mut running.link;
        let stored = moved.chain.precommit(12, 3).at((5, 6));
        let reply = link.sign_vote(&stored.clone().at((9, 9))).unwrap();
        assert_eq!(reply.time, (5, 6));
        assert_eq!(reply.signature, moved.key.sign(&stored.sign_bytes()).0);
        let other = stored.with_block(Some(other_block()));
        assert_eq!(refusal(&link.sign_vote(&other).unwrap()).0, 2);
        let below = moved.chain.precommit(11, 9);
        assert_eq!(refusal(&link.sign_vote(&below).unwrap()).0, 0);
        assert_eq!(fs::read_to_string(moved.kept("filepv")).unwrap(), text);
        assert!(!moved.kept("filepv.1").exists(), "start {start}");
    }
    let mut running = moved.start();
    let link = &mut running.link;
    let vote = moved.chain.proposal(13, 0);
    let reply = link.sign_proposal(&vote).unwrap();
    assert_signs(&reply, &moved.chain.key, &vote.sign_bytes());
}

#[test]
fn the_state_of_tmkms_is_taken_over_with_its_own_count_of_steps() {
    let text = tmkms_state(12, 3, 1);
    let moved = Moved::new("tmkms", |_, _| text.clone());
    let mut running = moved.start();
    let link = &mut running.link;
    assert_eq!(fs::read_to_string(moved.kept("tmkms")).unwrap(), text);
    // 1 is a prevote. What was signed is not known, so nothing is signed there.
    let at = moved.chain.prevote(12, 3);
    let (code, said) = refusal(&link.sign_vote(&at).unwrap());
    assert_eq!(code, 0);
    assert!(said.contains("12/3/1"), "{said}");
    let vote = moved.chain.precommit(12, 3);
    let reply = link.sign_vote(&vote).unwrap();
    assert_signs(&reply, &moved.chain.key, &vote.sign_bytes());
}

#[test]
fn a_state_that_is_not_this_chains_or_not_whole_stops_the_start() {
    type Write = fn(&Chain, &SigningKey) -> String;
    let cases: [(&str, Write, &str); 6] = [
        ("of_nothing", |_, _| String::new(), "empty"),
        ("of_zeros", |_, _| "\0".repeat(12_288), "damaged"),
        ("of_text", |_, _| "{\"height\":".to_owned(), ""),
        (
            "of_a_chain",
            |_, key| {
                let vote = crate::validator::VoteRequest::prevote("elsewhere-1", 1, 0);
                file_pv_state(key, &vote)
            },
            "another chain, elsewhere-1",
        ),
        (
            "of_a_key",
            |chain, _| {
                let key = SigningKey::from_seed(&[7; 32]).unwrap();
                file_pv_state(&key, &chain.prevote(1, 0))
            },
            "another key",
        ),
        (
            "of_a_mixture",
            |_, _| {
                r#"{"height":"1","round":"0","step":1,"block_id":null,"signbytes":"00"}"#.to_owned()
            },
            "",
        ),
    ];
    for (name, state, said) in cases {
        let moved = Moved::new(name, state);
        let path = moved.scene.home.state_file(&moved.chain.id);
        let before = fs::read(&path).unwrap();
        let (code, printed) = moved.scene.start_ends();
        assert_eq!(code, 5, "{name}: {printed}");
        assert!(printed.contains(said), "{name}: {printed}");
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
        let mark = format!("{}.begin-once", moved.scene.key_file(&moved.chain.id));
        assert!(fs::exists(mark).unwrap(), "{name}: the mark is used up");
    }
}

#[test]
fn an_import_raises_and_never_lowers() {
    let moved = Moved::new("raise", |_, _| tmkms_state(100, 0, 2));
    drop(moved.start());
    let input = moved.scene.home.path("input.json");
    let import = || {
        let path = input.to_str().unwrap();
        let arguments = ["state", "import", "-c", "tmkms.toml", &moved.chain.id, path];
        moved.scene.tmkms(&arguments)
    };
    for (state, height) in [
        (tmkms_state(99, 0, 2), 100),
        (tmkms_state(0, 0, 0), 100),
        (file_pv_state(&moved.key, &moved.chain.prevote(150, 0)), 150),
        (tmkms_state(120, 9, 2), 150),
    ] {
        fs::write(&input, state).unwrap();
        import();
        let mut running = moved.start();
        let link = &mut running.link;
        let vote = moved.chain.prevote(height, 0).with_block(None);
        assert!(link.sign_vote(&vote).unwrap().error.is_some());
        let shown = ["state", "show", "-c", "tmkms.toml"];
        let shown = moved.scene.tmkms(&shown);
        assert!(shown.contains(&format!(" {height} ")), "{shown}");
    }
}
