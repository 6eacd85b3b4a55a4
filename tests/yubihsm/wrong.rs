//! What waiting does not mend: a start refuses, and says what to do.

use crate::scene::{Scene, accept, key, signs};

/// A start that must refuse with the exit code for devices.
#[track_caller]
fn refused(scene: &Scene, words: &[&str]) {
    let (code, printed) = scene.ends(&["start", "-c", "tmkms.toml"]);
    assert_eq!(code, 7, "{printed}");
    for words in words {
        assert!(printed.contains(words), "no {words:?} in:\n{printed}");
    }
    let (code, printed) = scene.ends(&["check"]);
    assert_eq!(code, 7, "{printed}");
}

#[test]
fn a_wrong_password() {
    let scene = Scene::new("password", &["ed25519:1"]);
    scene.provider(
        &[("password-a", 1)],
        "auth = { key = 1, password = \"passwort\" }",
    );
    let _node = scene.chain("password-a");
    refused(
        &scene,
        &[
            "refuses the password of the authentication key",
            "correct `auth`",
        ],
    );
}

#[test]
fn a_wrong_serial_number() {
    let scene = Scene::new("serial", &["ed25519:1"]);
    scene.provider(&[("serial-a", 1)], "serial_number = \"0123456780\"");
    let _node = scene.chain("serial-a");
    refused(
        &scene,
        &[
            "has the serial number 0123456789, not 0123456780",
            "correct `serial_number`",
        ],
    );
}

#[test]
fn a_key_that_is_not_there() {
    let scene = Scene::new("missing", &["ed25519:1"]);
    scene.provider(&[("missing-a", 2)], "");
    let _node = scene.chain("missing-a");
    refused(&scene, &["no asymmetric key 0x0002", "correct `key`"]);
}

#[test]
fn a_key_of_another_algorithm() {
    let scene = Scene::new("algorithm", &["p256:1"]);
    scene.provider(&[("algorithm-a", 1)], "");
    let _node = scene.chain("algorithm-a");
    refused(&scene, &["key 0x0001 is of the algorithm EcP256"]);
}

#[test]
fn a_key_that_is_not_the_states() {
    let scene = Scene::new("states", &["ed25519:1", "ed25519:2"]);
    scene.provider(&[("states-a", 1)], "");
    let node = scene.chain("states-a");
    scene.begin();
    let file = scene.home.config();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("key = 1 }]", "key = 2 }]")).unwrap();
    let (code, printed) = scene.ends(&["start", "-c", "tmkms.toml"]);
    assert_eq!(code, 5, "{printed}");
    std::fs::write(&file, text).unwrap();
    let mut signer = scene.start();
    signs(&mut accept(&node, &mut signer), "states-a", &key(1), 1);
}

#[test]
fn a_password_file_that_others_may_read() {
    let scene = Scene::new("modes", &["ed25519:1"]);
    let file = scene.home.path("secrets/yubihsm-password");
    std::fs::write(&file, "password\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let auth = format!(
        "auth = {{ key = 1, password_file = \"{}\" }}",
        file.display()
    );
    scene.provider(&[("modes-a", 1)], &auth);
    let _node = scene.chain("modes-a");
    let (code, printed) = scene.ends(&["start", "-c", "tmkms.toml"]);
    assert_eq!(code, 4, "{printed}");
    assert!(printed.contains("chmod 600"), "{printed}");
}
