//! Signing, when all is well.

use crate::proxy::Fault;
use crate::scene::{PATIENCE, SERIAL, Scene, accept, block, key, signs};
use crate::validator::VoteRequest;

#[test]
fn a_chain_signs_with_its_key_in_the_device() {
    let scene = Scene::new("signs", &["ed25519:1"]);
    scene.provider(&[("signs-a", 1)], "serial_number = \"0123456789\"");
    let node = scene.chain("signs-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    assert_eq!(
        link.pub_key("signs-a").unwrap().ed25519,
        Some(key(1).to_vec())
    );
    for height in 1..20 {
        signs(&mut link, "signs-a", &key(1), height);
    }
    let hex: String = key(1).iter().map(|byte| format!("{byte:02X}")).collect();
    let line = format!("[keyring:yubihsm] added consensus Ed25519 key: {hex}");
    signer.find(&[&line], PATIENCE).unwrap();
}

#[test]
fn several_chains_and_keys_share_one_device() {
    let scene = Scene::new("several", &["ed25519:1", "ed25519:2"]);
    scene.provider(&[("several-a", 1), ("several-b", 2), ("several-c", 2)], "");
    let nodes = ["several-a", "several-b", "several-c"].map(|id| (id, scene.chain(id)));
    scene.begin();
    let mut signer = scene.start();
    std::thread::scope(|scope| {
        for (id, node) in &nodes {
            let mut link = accept(node, &mut signer);
            let key = key(if *id == "several-a" { 1 } else { 2 });
            scope.spawn(move || {
                for height in 1..50 {
                    signs(&mut link, id, &key, height);
                }
            });
        }
    });
}

#[test]
fn a_precommit_and_its_extension_are_signed_in_one_turn() {
    let scene = Scene::new("extension", &["ed25519:1"]);
    scene.provider(&[("extension-a", 1)], "");
    let node = scene.chain("extension-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    signs(&mut link, "extension-a", &key(1), 1);
    let before = scene.proxy.commands().len();
    let request = VoteRequest::precommit("extension-a", 2, 0)
        .with_block(Some(block()))
        .with_extension(b"extension");
    let reply = link.sign_vote(&request).unwrap();
    assert!(reply.signs(&key(1), &request.sign_bytes()));
    assert!(reply.signs_extension(&key(1), &request.extension_sign_bytes()));
    // Two commands in the session, and nothing else.
    assert_eq!(scene.proxy.commands()[before..], [5, 5]);
}

#[test]
fn an_extension_that_the_device_cannot_take_is_refused_and_nothing_is_lost() {
    let scene = Scene::new("long", &["ed25519:1"]);
    scene.provider(&[("long-a", 1)], "");
    let node = scene.chain("long-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    let longest = |len: usize| {
        VoteRequest::precommit("long-a", i64::try_from(len).unwrap(), 0)
            .with_block(Some(block()))
            .with_extension(&vec![1; len])
    };
    let fits = longest(1_990);
    assert!(fits.extension_sign_bytes().len() <= 2_026);
    let reply = link.sign_vote(&fits).unwrap();
    assert!(reply.signs_extension(&key(1), &fits.extension_sign_bytes()));
    let why = crate::scene::refusal(&link.sign_vote(&longest(3_000)).unwrap());
    assert!(why.contains("a YubiHSM 2 signs 2026 at most"), "{why}");
    signs(&mut link, "long-a", &key(1), 4_000);
}

#[test]
fn the_password_may_be_in_a_file() {
    let scene = Scene::new("file", &["ed25519:1"]);
    let file = scene.home.path("secrets/yubihsm-password");
    std::fs::write(&file, "password\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let auth = format!(
        "auth = {{ key = 1, password_file = \"{}\" }}",
        file.display()
    );
    scene.provider(&[("file-a", 1)], &auth);
    let node = scene.chain("file-a");
    scene.begin();
    let mut signer = scene.start();
    signs(&mut accept(&node, &mut signer), "file-a", &key(1), 1);
}

#[test]
fn answers_in_pieces_and_headers_in_lower_case_are_answers() {
    let scene = Scene::new("pieces", &["ed25519:1"]);
    scene.proxy.set(Fault::Pieces);
    scene.provider(&[("pieces-a", 1)], "");
    let node = scene.chain("pieces-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    for height in 1..10 {
        signs(&mut link, "pieces-a", &key(1), height);
    }
    assert!(
        !signer
            .lines()
            .iter()
            .any(|line| line.contains("WARN tmkms::keyring"))
    );
}

#[test]
fn an_idle_session_is_kept_alive() {
    let scene = Scene::new("idle", &["ed25519:1"]);
    scene.provider(&[("idle-a", 1)], "");
    let node = scene.chain("idle-a");
    scene.begin();
    let mut signer = scene.start();
    let _link = accept(&node, &mut signer);
    let before = scene.proxy.requests();
    let since = std::time::Instant::now();
    while scene.proxy.requests() == before {
        assert!(since.elapsed() < PATIENCE, "nothing was asked");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(scene.proxy.commands()[before..], [5]);
}

#[test]
fn check_says_what_is_sound_and_what_could_be_sounder() {
    let scene = Scene::new("check", &["ed25519:1:exportable:sign-ecdsa", "ed25519:2"]);
    scene.provider(
        &[("check-a", 1), ("check-b", 2)],
        &format!("serial_number = \"{SERIAL}\""),
    );
    let nodes = ["check-a", "check-b"].map(|id| scene.chain(id));
    scene.begin();
    let printed = scene.tmkms(&["check"]);
    for text in [
        "key 0x0001 has the capability exportable-under-wrap",
        "by its capabilities sign-ecdsa",
        "the authentication key 0x0001 may do more than sign, by its capabilities reset-device, ",
    ] {
        assert!(printed.contains(text), "no {text:?} in:\n{printed}");
    }
    assert!(!printed.contains("key 0x0002"), "{printed}");
    drop(nodes);
}

#[test]
fn forced_auditing_without_a_place_for_the_log_is_a_warning() {
    let scene = Scene::new("audit", &["ed25519:1", "audit:on"]);
    scene.provider(&[("audit-a", 1)], "");
    let node = scene.chain("audit-a");
    scene.begin();
    let printed = scene.tmkms(&["check"]);
    assert!(printed.contains("set `audit_log`"), "{printed}");
    drop(node);
}
