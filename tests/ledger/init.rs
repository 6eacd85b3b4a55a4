//! `ledger init`: the state first, then the device and the person at it.

use crate::app::{RELEASE, Screen, Slot};
use crate::scene::{PATIENCE, Scene};

fn fresh(name: &str) -> Scene {
    Scene::with(name, "led-1", "", RELEASE)
}

/// Height, round and step of the state.
fn shown(scene: &Scene) -> String {
    let printed = scene.tmkms(&["state", "show", "-c", "tmkms.toml"]);
    let row = printed
        .lines()
        .find(|line| line.starts_with("led-1"))
        .unwrap();
    let columns: Vec<&str> = row.split_whitespace().collect();
    columns[1..4].join("/")
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in: {text}");
}

#[test]
fn the_state_is_raised_before_the_device_is_asked() {
    let scene = fresh("init");
    let mut init = scene.spawn(&["ledger", "init", "-c", "tmkms.toml", "-H", "10", "-r", "3"]);
    let asked = scene.app.asks(PATIENCE).unwrap();
    assert_eq!(
        asked,
        Slot {
            kind: 0x20,
            height: 10,
            round: 3
        }
    );
    init.wait_for("`Init validation` with height 10 and round 3", PATIENCE)
        .unwrap();
    has(&shown(&scene), "10/3");
    assert_eq!(scene.app.watermark(), None);

    scene.app.press(true);
    assert_eq!(init.wait(PATIENCE).unwrap().unwrap().code(), Some(0));
    let mut running = scene.run();
    let text = running.refused(&running.scene.prevote(9));
    has(&text, "10/3");
    running.signs(&crate::validator::VoteRequest::prevote("led-1", 10, 3));
    running.signs(&running.scene.prevote(11));
}

#[test]
fn a_state_says_where_to_go_on() {
    let scene = fresh("init-on");
    scene.tmkms(&[
        "state",
        "init",
        "-c",
        "tmkms.toml",
        "-H",
        "77",
        "-r",
        "1",
        "--step",
        "precommit",
    ]);
    scene.app.agree();
    let printed = scene.tmkms(&["ledger", "init", "-c", "tmkms.toml", "led-1"]);
    has(&printed, "height 77 and round 1");
    assert_eq!(scene.app.watermark().unwrap().height, 77);
    has(&shown(&scene), "77/1");
}

#[test]
fn nothing_is_set_below_the_state() {
    let scene = fresh("init-below");
    scene.tmkms(&["state", "init", "-c", "tmkms.toml", "-H", "50"]);
    let before = scene.app.seen().len();
    for arguments in [&["-H", "49"][..], &["-H", "49", "-r", "127"]] {
        let all = [&["ledger", "init", "-c", "tmkms.toml"], arguments].concat();
        let (code, printed) = scene.ends(&all);
        assert_eq!(code, 5, "{printed}");
        has(&printed, "is signed up to height 50");
    }
    assert_eq!(scene.app.seen().len(), before, "the device was asked");
}

#[test]
fn without_a_state_the_height_has_to_be_said() {
    let scene = fresh("init-none");
    let (code, printed) = scene.ends(&["ledger", "init", "-c", "tmkms.toml"]);
    assert_eq!(code, 5, "{printed}");
    has(&printed, "give --height");
    assert_eq!(scene.app.watermark(), None);
}

#[test]
fn what_the_person_or_the_device_refuses_is_said_and_the_state_stays_raised() {
    let scene = fresh("init-no");
    let arguments = ["ledger", "init", "-c", "tmkms.toml", "-H", "10"];
    let mut init = scene.spawn(&arguments);
    scene.app.asks(PATIENCE).unwrap();
    scene.app.press(false);
    assert_eq!(init.wait(PATIENCE).unwrap().unwrap().code(), Some(7));
    has(&init.lines().join("\n"), "rejected it (6986)");
    has(&shown(&scene), "10/0");

    // Used already, and higher.
    scene.app.set_watermark(Slot {
        kind: 1,
        height: 11,
        round: 0,
    });
    let (code, printed) = scene.ends(&arguments);
    assert_eq!(code, 7, "{printed}");
    has(&printed, "it refuses (6985)");
    has(&printed, "quit and open it");

    scene.app.show(Screen::Locked);
    let (code, printed) = scene.ends(&arguments);
    assert_eq!(code, 7, "{printed}");
    has(&printed, "it is locked");
}

#[test]
fn an_app_that_is_lower_is_raised_without_a_question() {
    let scene = Scene::new("init-up");
    scene.tmkms(&["ledger", "init", "-c", "tmkms.toml", "-H", "1000"]);
    assert_eq!(scene.app.watermark().unwrap().height, 1000);
}

#[test]
fn a_signer_that_runs_is_in_the_way() {
    let mut running = Scene::new("init-runs").run();
    running.signs(&running.scene.prevote(1));
    let (code, printed) = running
        .scene
        .ends(&["ledger", "init", "-c", "tmkms.toml", "-H", "10"]);
    assert_eq!(code, 6, "{printed}");
    running.signs(&running.scene.prevote(2));
}

#[test]
fn another_device_is_not_set() {
    let scene = fresh("init-other");
    scene.tmkms(&["state", "init", "-c", "tmkms.toml"]);
    scene.app.set_key([8; 32]);
    let (code, printed) = scene.ends(&["ledger", "init", "-c", "tmkms.toml"]);
    assert_eq!(code, 7, "{printed}");
    has(&printed, "holds another key than the state of led-1");
    assert_eq!(scene.app.watermark(), None);
}

#[test]
fn command_lines_that_are_none() {
    let scene = fresh("init-usage");
    for (arguments, message) in [
        (&["-r", "1"][..], "--round goes with --height"),
        (&["-H", "-1"], "not negative"),
        (&["-H", "1", "-r", "128"], "rounds from 0 to 127"),
        (&["-H", "x"], "\"x\""),
        (&["other-1"], "name one chain"),
    ] {
        let all = [&["ledger", "init", "-c", "tmkms.toml"], arguments].concat();
        let (code, printed) = scene.ends(&all);
        assert_eq!(code, 2, "{printed}");
        has(&printed, message);
    }
}
