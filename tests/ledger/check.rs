//! What `check` says before a chain relies on the device.

use crate::app::{RELEASE, Screen};
use crate::scene::Scene;

fn check(name: &str, chain: &str, more: &str) -> (i32, String) {
    let scene = Scene::with(name, chain, more, RELEASE);
    if scene.ends(&["state", "init", "-c", "tmkms.toml"]).0 != 0 {
        // A chain that cannot be signed for at all.
        return scene.ends(&["check", "-c", "tmkms.toml"]);
    }
    scene.ends(&["check", "-c", "tmkms.toml"])
}

#[test]
fn what_the_app_does_not_sign_for_a_chain_id_is_said() {
    let kinds = [
        "no votes for a block of",
        "no votes for a block in rounds above 0 of",
        "no proposals of",
        "no proposals without a proof of lock in rounds above 0 of",
        "no proposals with a proof of lock of",
    ];
    for (name, len, code, said) in [
        ("c6", 6, 0, [false, false, false, false, false]),
        ("c7", 7, 0, [false, false, false, true, false]),
        ("c16", 16, 0, [false, false, true, true, true]),
        ("c18", 18, 0, [false, true, true, true, true]),
        ("c27", 27, 3, [true, true, true, true, true]),
    ] {
        let (ended, printed) = check(name, &"x".repeat(len), "sign_extensions = false");
        assert_eq!(ended, code, "{printed}");
        for (kind, is_said) in kinds.iter().zip(said) {
            assert_eq!(printed.contains(kind), is_said, "{kind}, {len}: {printed}");
        }
    }
}

#[test]
fn that_extensions_are_not_signed_is_said() {
    for (name, more, message) in [
        ("x-unset", "", "empty ones of led-1 are left unsigned"),
        (
            "x-true",
            "sign_extensions = true",
            "every precommit of led-1 with one is refused",
        ),
    ] {
        let (code, printed) = check(name, "led-1", more);
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains(message), "{printed}");
    }
}

#[test]
fn a_device_that_is_away_is_a_warning() {
    let scene = Scene::new("check-away");
    scene.tmkms(&["state", "init", "-c", "tmkms.toml"]);
    scene.app.show(Screen::Unplugged);
    let printed = scene.tmkms(&["check", "-c", "tmkms.toml"]);
    assert!(printed.contains("is away"), "{printed}");
}

#[test]
fn the_device_is_left_alone_while_a_signer_runs() {
    let mut running = Scene::new("check-runs").run();
    running.signs(&running.scene.prevote(1));
    let before = running.scene.app.seen().len();
    let printed = running.scene.tmkms(&["check", "-c", "tmkms.toml"]);
    assert!(printed.contains("a signer is running on it"), "{printed}");
    // It looks after its device meanwhile, and opens it no second time.
    let after = running.scene.app.seen().split_off(before);
    assert!(
        after.iter().all(|apdu| apdu[1] == crate::app::GET_VERSION),
        "{after:?}"
    );
    running.signs(&running.scene.prevote(2));
}
