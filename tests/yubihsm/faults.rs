//! What cables, connectors and time do to a device: its chains refuse, others go on, and it comes back by itself.

use crate::proxy::Fault;
use crate::scene::{Mock, PATIENCE, Scene, accept, key, refuses, signs, signs_in_the_end};

/// The device says that it knows no such session: it was restarted, or idle for 30 s.
fn stale_session() -> Fault {
    Fault::Answer(vec![0x7f, 0, 1, 3])
}

#[test]
fn a_lost_session_costs_one_repetition_and_no_vote() {
    let scene = Scene::new("stale", &["ed25519:1"]);
    scene.provider(&[("stale-a", 1)], "");
    let node = scene.chain("stale-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    for height in (1..20).step_by(2) {
        signs(&mut link, "stale-a", &key(1), height);
        scene.proxy.set_for(stale_session(), 1);
        signs(&mut link, "stale-a", &key(1), height + 1);
    }
    signer.find(&["the session is lost"], PATIENCE).unwrap();
}

#[test]
fn an_answer_that_is_cut_off_costs_one_repetition_and_no_vote() {
    let scene = Scene::new("cut", &["ed25519:1"]);
    scene.provider(&[("cut-a", 1)], "");
    let node = scene.chain("cut-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    for height in (1..20).step_by(2) {
        signs(&mut link, "cut-a", &key(1), height);
        scene.proxy.set_for(Fault::CutBeforeAnswer, 1);
        signs(&mut link, "cut-a", &key(1), height + 1);
    }
}

#[test]
fn no_answer_whatever_it_is_ends_the_signer() {
    let scene = Scene::new("garbage", &["ed25519:1"]);
    scene.provider(&[("garbage-a", 1)], "");
    let node = scene.chain("garbage-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    let long = [&[0x85, 0x0f, 0xf0][..], &[0; 4080]].concat();
    let answers: Vec<Fault> = [
        &[][..],
        &[0x85],
        &[0x85, 0, 0],
        &[0x85, 0, 1, 1],
        &[0x85, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        &[0x83, 0, 1, 1],
        &[
            0x83, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
        ],
        &[0x84, 0, 0],
        &[0x7f, 0, 0],
        &[0x7f, 0, 1, 0xff],
        &[0xff; 64],
        &long,
    ]
    .iter()
    .map(|bytes| Fault::Answer(bytes.to_vec()))
    .chain(
        [
            &b""[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff0\r\n",
            &[b'a'; 100_000],
            &[0xff; 1000],
        ]
        .iter()
        .map(|bytes| Fault::Raw(bytes.to_vec())),
    )
    .collect();
    for (height, answer) in (1..).zip(answers) {
        // The fake device has 16 sessions, and never ends one.
        let fresh = Mock::new(&["ed25519:1"]);
        scene.proxy.behind(&fresh.address);
        // In the middle of a session, at its beginning, and when it is proven.
        for requests in 1..4 {
            scene.proxy.set_for(answer.clone(), requests);
            signs_in_the_end(
                &mut link,
                "garbage-a",
                &key(1),
                height * 10 + i64::try_from(requests).unwrap(),
            );
        }
    }
    assert!(!signer.lines().iter().any(|line| line.contains("panicked")));
}

#[test]
fn a_device_that_is_away_costs_only_its_own_chains() {
    let scene = Scene::new("away", &["ed25519:1"]);
    scene.provider(&[("away-a", 1)], "");
    let node = scene.chain("away-a");
    let id = "away-soft";
    let seed = [0x55; 32];
    scene
        .home
        .write_key("away-soft-consensus.key", &seed)
        .unwrap();
    scene.home.chain(id, "").unwrap();
    let soft = crate::validator::Validator::listen_tcp().unwrap();
    scene.home.validator(id, &soft.addr(), "").unwrap();
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    let mut other = accept(&soft, &mut signer);
    let soft_key = key(0x55);
    signs(&mut link, "away-a", &key(1), 1);
    scene.proxy.set(Fault::Away);
    let why = refuses(&mut link, "away-a", 2);
    assert!(why.contains("YubiHSM 2 0123456789"), "{why}");
    for height in 1..20 {
        signs(&mut other, id, &soft_key, height);
    }
    let why = refuses(&mut link, "away-a", 3);
    assert!(
        why.contains("is away") && why.contains("the connector did not answer as one"),
        "{why}"
    );
    scene.proxy.set(Fault::None);
    // No restart.
    signs_in_the_end(&mut link, "away-a", &key(1), 4);
    signer
        .find(&["[YubiHSM 2 0123456789] is back after"], PATIENCE)
        .unwrap();
}

#[test]
fn a_silent_device_is_given_up_in_time_and_taken_up_again() {
    let scene = Scene::new("silent", &["ed25519:1"]);
    scene.provider(&[("silent-a", 1)], "");
    let node = scene.chain("silent-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    signs(&mut link, "silent-a", &key(1), 1);
    scene.proxy.set(Fault::Silent);
    let why = refuses(&mut link, "silent-a", 2);
    assert!(
        why.contains("did not answer within") || why.contains("no answer within"),
        "{why}"
    );
    scene.proxy.set(Fault::None);
    signs_in_the_end(&mut link, "silent-a", &key(1), 3);
}

#[test]
fn a_signer_starts_while_the_device_is_away() {
    let scene = Scene::new("absent", &["ed25519:1"]);
    scene.provider(&[("absent-a", 1)], "");
    let node = scene.chain("absent-a");
    scene.begin();
    scene.proxy.set(Fault::Away);
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    assert_eq!(
        link.pub_key("absent-a").unwrap().ed25519,
        Some(key(1).to_vec())
    );
    assert!(refuses(&mut link, "absent-a", 1).contains("is away"));
    scene.proxy.set(Fault::None);
    signs_in_the_end(&mut link, "absent-a", &key(1), 2);
}

#[test]
fn another_device_in_its_place_signs_nothing_for_the_chain() {
    let scene = Scene::new("swapped", &["ed25519:1"]);
    scene.provider(&[("swapped-a", 1)], "");
    let node = scene.chain("swapped-a");
    scene.begin();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    signs(&mut link, "swapped-a", &key(1), 1);
    let other = Mock::new(&["ed25519:2"]);
    // The same number, another key.
    scene.proxy.behind(&other.address);
    let why = refuses(&mut link, "swapped-a", 2);
    assert!(why.contains("no asymmetric key 0x0001"), "{why}");
    scene.proxy.behind(&scene.mock.address);
    signs_in_the_end(&mut link, "swapped-a", &key(1), 3);
}

#[test]
fn what_the_device_says_of_a_frame_is_said_in_words() {
    for (code, words) in [
        (0x05_u8, "all 16 sessions of the device are taken"),
        (0x0a, "audit log is full"),
        (0x04, "refuses the password"),
        (0x06, "error 0x06"),
    ] {
        let scene = Scene::new(&format!("code{code}"), &["ed25519:1"]);
        let chain = format!("code-{code}");
        scene.provider(&[(&chain, 1)], "");
        let node = scene.chain(&chain);
        scene.begin();
        let mut signer = scene.start();
        let mut link = accept(&node, &mut signer);
        scene.proxy.set(Fault::Answer(vec![0x7f, 0, 1, code]));
        let why = refuses(&mut link, &chain, 1);
        assert!(why.contains(words), "{code}: {why}");
        scene.proxy.set(Fault::None);
        signs_in_the_end(&mut link, &chain, &key(1), 2);
    }
}
