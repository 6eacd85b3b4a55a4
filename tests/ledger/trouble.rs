//! What goes wrong with a device, what the node is told, and the way back.

use std::time::Duration;

use crate::app::{Fault, GET_VERSION, PUBLIC_KEY, RELEASE, SIGN, Screen, Slot};
use crate::scene::{PATIENCE, Scene, accept, refusal, seed};

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in: {text}");
}

#[test]
fn the_first_signature_waits_for_a_button_and_the_node_is_told() {
    let mut running = Scene::with("button", "led-1", "", RELEASE).run();
    let first = running.scene.prevote(5);
    let text = running.refused(&first);
    has(&text, "has not answered for 2.5 s");
    has(&text, "look at its screen");
    let shown = running.scene.app.asks(PATIENCE).unwrap();
    assert_eq!((shown.kind, shown.height, shown.round), (1, 5, 0));
    // Whoever asks next does not wait again.
    has(
        &running.refused(&running.scene.precommit(5)),
        "waits for a button",
    );

    running.scene.app.press(true);
    let refusals = running.signs_again(6);
    assert!(
        refusals
            .iter()
            .all(|text| text.contains("waits for a button")),
        "{refusals:#?}"
    );
    let (_, lines) = running.ends();
    assert!(
        lines.iter().any(|line| line.contains("] answered after")),
        "{lines:#?}"
    );
    assert!(
        lines.iter().all(|line| !line.contains("is away")),
        "{lines:#?}"
    );
}

#[test]
fn a_signature_that_comes_late_is_kept_for_who_asks_again() {
    let mut running = Scene::new("late").run();
    running
        .scene
        .app
        .fault(SIGN, Fault::Delay(Duration::from_millis(3_500)));
    let vote = running.scene.prevote(1);
    has(&running.refused(&vote), "has not answered");
    let mut reply = running.link.sign_vote(&vote).unwrap();
    while reply.error.is_some() {
        has(&refusal(&reply), "has not answered");
        std::thread::sleep(Duration::from_millis(100));
        reply = running.link.sign_vote(&vote).unwrap();
    }
    assert!(reply.signs(&running.scene.app.public_key(), &vote.sign_bytes()));
    assert_eq!(running.scene.app.signed().len(), 1);
}

#[test]
fn what_a_person_rejects_is_refused_and_asked_anew() {
    let mut running = Scene::with("reject", "led-1", "", RELEASE).run();
    has(
        &running.refused(&running.scene.prevote(5)),
        "waits for a button",
    );
    running.scene.app.asks(PATIENCE).unwrap();
    running.scene.app.press(false);
    // The next request makes it ask again.
    let mut height = 6;
    let shown = loop {
        let reply = running
            .link
            .sign_vote(&running.scene.prevote(height))
            .unwrap();
        refusal(&reply);
        match running.scene.app.asks(Duration::from_millis(100)) {
            Some(shown) if shown.height > 5 => break shown,
            _ => height += 1,
        }
    };
    assert!(shown.height <= height);
    running.scene.app.press(true);
    running.signs_again(height + 1);
    let (_, lines) = running.ends();
    assert!(
        lines.iter().any(|line| line.contains("was rejected after")),
        "{lines:#?}"
    );
}

#[test]
fn a_rejection_while_the_vote_waits_says_so() {
    let mut running = Scene::with("reject-now", "led-1", "", RELEASE).run();
    let vote = running.scene.prevote(5);
    running.link.send(&vote.body()).unwrap();
    running.scene.app.asks(PATIENCE).unwrap();
    running.scene.app.press(false);
    let reply = running.link.receive().unwrap();
    let reply = crate::validator::Reply::read(4, &reply).unwrap();
    has(&refusal(&reply), "rejected it (6986)");
}

#[test]
fn a_lost_reply_is_a_refusal_until_the_next_slot() {
    for (name, fault) in [("lose", Fault::Lose), ("half", Fault::Half)] {
        let mut running = Scene::new(name).run();
        running.signs(&running.scene.prevote(1));
        running.scene.app.fault(SIGN, fault);
        let vote = running.scene.precommit(1);
        for _ in 0..2 {
            let text = running.refused(&vote);
            has(&text, "it has signed this, the reply was lost on the way");
            has(&text, "the next slot is signed");
        }
        running.signs(&running.scene.prevote(2));
        assert_eq!(running.scene.app.signed().len(), 3, "{name}");
        let (_, lines) = running.ends();
        assert!(
            lines.iter().any(|line| line.contains("is back after")),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_request_that_is_lost_is_repeated_at_once() {
    let mut running = Scene::new("cut").run();
    for height in 1..5 {
        running.scene.app.fault(SIGN, Fault::Cut);
        running.signs(&running.scene.prevote(height));
    }
}

#[test]
fn a_slot_below_the_watermark_of_the_app_is_refused_with_the_cure() {
    let mut running = Scene::new("above").run();
    running.scene.app.set_watermark(Slot {
        kind: 1,
        height: 9,
        round: 0,
    });
    let text = running.refused(&running.scene.prevote(9));
    has(&text, "signed this slot or a later one already");
    has(&text, "`tmkms ledger init`");
    running.signs(&running.scene.precommit(9));
}

#[test]
fn each_status_has_its_sentence() {
    let mut running = Scene::new("status").run();
    let mut height = 1;
    for (status, data, sentence) in [
        (0x6985, &[][..], "it refuses (6985)"),
        (0x6986, &[], "rejected it (6986)"),
        (0x6984, &[1], "(6984): it takes the message for cut short"),
        (0x6984, &[2], "(6984): a field is not where it expects it"),
        (0x6984, &[3], "(6984): a field is not of the kind"),
        (0x6984, &[4], "(6984): it is neither a vote nor a proposal"),
        (0x6984, &[5], "(6984): its round is above 127"),
        (0x6984, &[6], "(6984): its round is above 127"),
        (0x6984, &[7], "(6984): it has 96 bytes, and 127"),
        (0x6984, &[99], "(6984): unknown code 99"),
        (0x6984, &[], "(6984): it gives no reason"),
        (0x6984, &[1, 2], "(6984): it gives no reason"),
    ] {
        running.scene.app.fault(SIGN, Fault::Answer(data, status));
        has(&running.refused(&running.scene.prevote(height)), sentence);
        height += 1;
    }
    // After these it is opened again and asked once more: one that stays is refused.
    for (status, sentence) in [
        (0x6e00, "another app is open on it, or none (6e00)"),
        (0x6e01, "another app is open on it, or none (6e01)"),
        (0x6d00, "another app is open on it, or none (6d00)"),
        (0x6511, "another app is open on it, or none (6511)"),
        (0x5515, "it is locked (5515)"),
        (0x530c, "it is locked (530c)"),
        (0x6804, "it is locked (6804)"),
        (0x6700, "does not understand the request (6700)"),
        (0x6982, "does not understand the request (6982)"),
        (0x6983, "does not understand the request (6983)"),
        (0x6400, "failed to sign (6400)"),
        (0x6f00, "the unknown status 6f00"),
        (0x1234, "the unknown status 1234"),
    ] {
        running.scene.app.fault(SIGN, Fault::Answer(&[], status));
        running.scene.app.fault(SIGN, Fault::Answer(&[], status));
        has(&running.refused(&running.scene.prevote(height)), sentence);
        running.signs_again(height + 1);
        height += 1_000;
    }
}

#[test]
fn replies_that_are_none_are_survived() {
    const LONG: [u8; 300] = [0x55; 300];
    let mut running = Scene::new("malformed").run();
    let mut height = 1;
    for (instruction, faults) in [
        (
            SIGN,
            &[
                Fault::Answer(&[], 0x9000),
                Fault::Answer(&[1; 63], 0x9000),
                Fault::Answer(&[1; 64], 0x9000),
                Fault::Answer(&[1; 65], 0x9000),
                Fault::Answer(&[1; 256], 0x9000),
                Fault::Answer(&LONG, 0x9000),
                Fault::Send(b"\xff\xff\xff\xff garbage"),
                Fault::Send(b"\0\0\0\0"),
                Fault::Stall,
            ][..],
        ),
        (
            GET_VERSION,
            &[
                Fault::Answer(&[], 0x9000),
                Fault::Answer(&[0; 5], 0x9000),
                Fault::Answer(&LONG, 0x9000),
                Fault::Send(b"\0\0\0\x04"),
                Fault::Half,
                Fault::Lose,
            ],
        ),
        (
            PUBLIC_KEY,
            &[
                Fault::Answer(&[], 0x9000),
                Fault::Answer(&[2; 31], 0x9000),
                Fault::Answer(&[2; 33], 0x9000),
                Fault::Answer(&[2; 32], 0x6985),
                Fault::Stall,
            ],
        ),
    ] {
        for fault in faults {
            // The others are met where the device is opened again.
            if instruction != SIGN {
                running.scene.app.fault(SIGN, Fault::Cut);
            }
            running.scene.app.fault(instruction, *fault);
            let reply = running
                .link
                .sign_vote(&running.scene.prevote(height))
                .unwrap();
            let text = refusal(&reply);
            assert!(text.contains("Ledger"), "{fault:?}: {text}");
            running.signs_again(height + 1);
            height += 1_000;
        }
    }
    running.link.ping().unwrap();
}

#[test]
fn a_device_that_is_locked_left_or_unplugged_comes_back_without_a_restart() {
    let mut running = Scene::new("away").run();
    running.signs(&running.scene.prevote(1));
    let mut height = 2;
    for (screen, sentence, forgets) in [
        (Screen::Locked, "it is locked", false),
        (
            Screen::Dashboard,
            "another app is open on it, or none",
            true,
        ),
        (
            Screen::Unplugged,
            "the exchange with the emulator failed",
            true,
        ),
    ] {
        running.scene.app.show(screen);
        // The first may still meet the line that was cut just now.
        running.refused(&running.scene.prevote(height));
        for _ in 0..3 {
            height += 1;
            let text = running.refused(&running.scene.prevote(height));
            has(&text, sentence);
        }
        height += 1;
        running.scene.app.show(Screen::App);
        if forgets {
            running.scene.app.agree();
        }
        running.signs_again(height);
        height += 1_000;
    }
    let (_, lines) = running.ends();
    let back = lines
        .iter()
        .filter(|line| line.contains("is back after"))
        .count();
    assert!(back >= 3, "{lines:#?}");
}

#[test]
fn a_loss_is_noticed_before_a_vote_is_asked_for() {
    let mut running = Scene::new("idle").run();
    running.signs(&running.scene.prevote(1));
    running.scene.app.show(Screen::Dashboard);
    running
        .signer
        .wait_for("another app is open", PATIENCE)
        .unwrap();
    running.scene.app.show(Screen::App);
    running.signer.wait_for("is back after", PATIENCE).unwrap();
}

#[test]
fn another_device_in_its_place_signs_nothing() {
    let mut running = Scene::new("other").run();
    running.signs(&running.scene.prevote(1));
    running.scene.app.show(Screen::Unplugged);
    running.scene.app.set_key([8; 32]);
    running.scene.app.show(Screen::App);
    running.scene.app.agree();
    let mut height = 2;
    loop {
        let text = running.refused(&running.scene.prevote(height));
        if text.contains("it holds another key than this chain's") {
            break;
        }
        has(&text, "the exchange with the emulator failed");
        height += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    running.scene.app.show(Screen::Unplugged);
    running.scene.app.set_key(seed("other"));
    running.scene.app.show(Screen::App);
    running.signs_again(height + 1);
}

#[test]
fn a_signer_starts_without_its_device_and_waits_for_it() {
    let scene = Scene::new("absent");
    scene.tmkms(&["state", "init", "-c", "tmkms.toml"]);
    scene.app.show(Screen::Unplugged);
    let mut running = scene.run();
    has(&running.refused(&running.scene.prevote(1)), "is away");
    running.scene.app.show(Screen::App);
    running.scene.app.agree();
    running.signs_again(2);
}

#[test]
fn without_device_and_state_nothing_starts() {
    let scene = Scene::new("nothing");
    scene.app.show(Screen::Unplugged);
    let (code, printed) = scene.ends(&["start", "-c", "tmkms.toml"]);
    assert_eq!(code, 7, "{printed}");
    has(&printed, "no state of led-1 says which key it holds");
}

#[test]
fn a_signer_that_starts_while_the_device_waits_for_a_button_waits_too() {
    let mut running = Scene::with("owed", "led-1", "", RELEASE).run();
    has(
        &running.refused(&running.scene.prevote(5)),
        "waits for a button",
    );
    running.signer.kill().unwrap();
    running.signer = running.scene.spawn(&["start", "-c", "tmkms.toml"]);
    running.link = accept(&running.scene.node, &mut running.signer);
    has(
        &running.refused(&running.scene.prevote(6)),
        "waits for a button",
    );
    running.scene.app.press(true);
    running.signs_again(7);
}
