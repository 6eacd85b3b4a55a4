//! Votes and proposals through the device, and what it does not sign.

use crate::app::{PUBLIC_KEY, RELEASE, SIGN, Slot, Version};
use crate::scene::{Running, Scene, refusal};
use crate::validator::{ProposalRequest, VoteRequest};

/// A device that was initialised below everything.
fn used(scene: Scene) -> Scene {
    scene.app.set_watermark(Slot {
        kind: 2,
        height: 0,
        round: 0,
    });
    scene
}

fn on_chain(name: &str, chain: &str, more: &str) -> Running {
    used(Scene::with(name, chain, more, RELEASE)).run()
}

#[test]
fn a_height_is_signed() {
    let mut running = Scene::new("height").run();
    for height in 1..4 {
        running.proposes(&running.scene.proposal(height, 0));
        running.signs(&running.scene.prevote(height));
        running.signs(&running.scene.precommit(height));
    }
    let (scene, lines) = running.ends();
    assert_eq!(scene.app.signed().len(), 9);
    assert!(lines.iter().all(|line| !line.contains("ledger_transport")));
}

#[test]
fn the_same_vote_is_answered_again_without_the_device() {
    let mut running = Scene::new("again").run();
    let vote = running.scene.prevote(1);
    let first = running.signs(&vote);
    assert_eq!(running.signs(&vote), first);
    assert_eq!(running.scene.app.signed().len(), 1);
}

#[test]
fn what_is_too_long_for_the_app_is_refused_by_it_with_its_version() {
    let mut running = on_chain("long", "twenty-characters-20", "");
    for (kind, request) in [
        ("first", VoteRequest::prevote("twenty-characters-20", 1, 0)),
        (
            "nil",
            VoteRequest::prevote("twenty-characters-20", 1, 1).with_block(None),
        ),
    ] {
        let request = request.at((1_800_000_000, 999_999_999));
        let reply = running.link.sign_vote(&request).unwrap();
        assert!(reply.error.is_none(), "{kind}: {reply:?}");
    }
    let later =
        VoteRequest::precommit("twenty-characters-20", 1, 1).at((1_800_000_000, 999_999_999));
    let text = running.refused(&later);
    assert!(
        text.contains("version 0.9.1 of its app does not sign this (6984): it has 130 bytes"),
        "{text}"
    );
    let proposal = ProposalRequest::new("twenty-characters-20", 2, 0);
    let reply = running
        .link
        .sign_proposal(&proposal.at((1_800_000_000, 999_999_999)))
        .unwrap();
    assert!(refusal(&reply).contains("127 is the most"));
}

#[test]
fn rounds_above_127_are_refused() {
    let mut running = Scene::new("rounds").run();
    running.signs(&VoteRequest::prevote("led-1", 1, 127));
    for round in [128, 256, i32::MAX] {
        let text = running.refused(&VoteRequest::prevote("led-1", 1, round));
        assert!(text.contains("its round is above 127"), "{round}: {text}");
    }
    running.signs(&running.scene.prevote(2));
}

#[test]
fn an_empty_extension_is_left_unsigned_with_a_warning_and_another_refused() {
    let mut running = Scene::new("extensions").run();
    let reply = running.signs(&running.scene.precommit(1));
    assert_eq!(reply.extension_signature, b"");

    let before = running.scene.app.seen().len();
    let text = running.refused(&running.scene.precommit(2).with_extension(b"data"));
    assert!(
        text.contains("version 0.9.1 of its app signs no vote extensions"),
        "{text}"
    );
    assert_eq!(
        running.scene.app.seen().len(),
        before,
        "the device was asked"
    );

    running.signs(&running.scene.prevote(3));
    let (_, lines) = running.ends();
    let warnings = lines
        .iter()
        .filter(|line| line.contains("signs no vote extensions: empty ones"));
    assert_eq!(warnings.count(), 1, "{lines:#?}");
}

#[test]
fn with_sign_extensions_every_precommit_for_a_block_is_refused() {
    let mut running = on_chain("extensions-on", "led-1", "sign_extensions = true");
    let text = running.refused(&running.scene.precommit(1));
    assert!(
        text.contains("version 0.9.1 of its app signs no vote extensions"),
        "{text}"
    );
    running.signs(&running.scene.precommit(2).with_block(None));
    let mut skipped = running.scene.precommit(3);
    skipped.skip_extension_signing = true;
    running.signs(&skipped);
}

#[test]
fn without_sign_extensions_no_extension_matters() {
    let mut running = on_chain("extensions-off", "led-1", "sign_extensions = false");
    running.signs(&running.scene.precommit(1).with_extension(b"data"));
    let (_, lines) = running.ends();
    assert!(
        lines.iter().all(|line| !line.contains("empty ones")),
        "{lines:#?}"
    );
}

#[test]
fn versions_that_nodes_cannot_verify_do_not_start() {
    for (name, number, message) in [
        (
            "v11",
            [0, 11, 0],
            "version 0.11.0 of its app signs the SHA-512 of a vote",
        ),
        (
            "v12",
            [0, 12, 0],
            "version 0.12.0 of its app signs the SHA-512 of a vote",
        ),
        ("v05", [0, 5, 0], "version 0.5.0 of its app is too old"),
    ] {
        let version = Version {
            number,
            hashes: true,
            ..RELEASE
        };
        let scene = Scene::with(name, "led-1", "", version);
        let (code, printed) = scene.ends(&["start", "-c", "tmkms.toml"]);
        assert_eq!(code, 7, "{printed}");
        assert!(printed.contains(message), "{printed}");
    }
}

#[test]
fn a_later_version_is_spoken_to_as_it_wants_and_judged_by_its_signatures() {
    let version = Version {
        number: [0, 13, 0],
        marks_packets: true,
        hashes: false,
    };
    let mut running = used(Scene::with("marked", "led-1", "", version)).run();
    running.signs(&running.scene.prevote(1));
    running.signs(&running.scene.precommit(1));

    running.scene.app.set_version(Version {
        hashes: true,
        ..version
    });
    let text = running.refused(&running.scene.prevote(2));
    assert!(
        text.contains("version 0.13.0 of its app signs the SHA-512"),
        "{text}"
    );
    let signs = running
        .scene
        .app
        .seen()
        .iter()
        .filter(|apdu| apdu[1] == SIGN)
        .count();
    assert_eq!(signs, 1 + 3 * 2, "one try in the old style");
    assert_eq!(
        running
            .scene
            .app
            .seen()
            .iter()
            .filter(|apdu| apdu[1] == PUBLIC_KEY)
            .count(),
        2
    );
}
