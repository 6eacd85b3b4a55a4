//! The commands: a device from empty to signing, its keys moved, and what is never done to it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::scene::{SERIAL, Scene, accept, key, signs};

/// BIP-39's phrase of 32 bytes 0x7f.
const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title";
const VALIDATOR: &str = "kms-validator-password-1vr3dtk5ksemam3469t8cse4p9s04zymm";
const OPERATOR: &str = "kms-operator-password-17pwe2mf0quzu9lvgy5ca8vnequl8k7zz";

/// Runs a command with `input` as its standard input.
fn fed(scene: &Scene, arguments: &[&str], input: &str) -> (i32, String) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(crate::scene::BINARY)
        .args(arguments)
        .current_dir(scene.home.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

fn password(scene: &Scene, name: &str, text: &str) -> String {
    let file = scene.home.path(&format!("secrets/{name}"));
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn an_empty_device_is_set_up_and_signs() {
    let scene = Scene::new("setup", &[]);
    scene.provider(&[("setup-a", 1)], "serial_number = \"0123456789\"");
    let node = scene.chain("setup-a");
    let report = scene.home.path("report.json");
    let report = report.to_str().unwrap();
    // The number has to be typed, in full.
    for wrong in ["", "y", "yes", "0123456780", "123456789"] {
        let (code, printed) = fed(
            &scene,
            &["yubihsm", "setup", "-r"],
            &format!("{WORDS}\n{wrong}\n"),
        );
        assert_eq!(code, 1, "{printed}");
        assert!(printed.contains("nothing was changed"), "{printed}");
    }
    let arguments = ["yubihsm", "setup", "--restore", "-w", report];
    let (code, printed) = fed(&scene, &arguments, &format!("{WORDS}\n{SERIAL}\n"));
    assert_eq!(code, 0, "{printed}");
    for text in [
        "This process will *ERASE* the configured YubiHSM2",
        "- YubiHSM serial: 0123456789",
        "    legal winner thank year wave sausage worth useful legal winner thank year\n    wave sausage worth useful legal winner thank year wave sausage worth title\n",
        "- authkey 0x0004 [validator]: kms-validator-password-1vr3dtk5ksemam3469t8cse4p9s04zymm",
        "- wrapkey 0x0001 [primary]:   7aabab367d5fdf8a49e647a736c4578c2f93f5ba5e1a219bd7f193207d452447",
    ] {
        assert!(printed.contains(text), "no {text:?} in:\n{printed}");
    }
    let written = fs::read_to_string(report).unwrap();
    assert!(
        written.contains("\"device_serial_number\":\"0123456789\""),
        "{written}"
    );
    // The first password opens it no more.
    let (code, printed) = scene.ends(&["yubihsm", "keys", "list"]);
    assert_eq!(code, 7, "{printed}");
    assert!(printed.contains("refuses the password"), "{printed}");
    // The operator makes a key, the validator signs with it, and is not warned about.
    let operator = password(&scene, "operator", OPERATOR);
    let as_operator = ["--auth-key", "2", "--password-file", &operator];
    let backup = scene.home.path("backup");
    let make = [
        "yubihsm",
        "keys",
        "generate",
        "1",
        "-b",
        backup.to_str().unwrap(),
    ];
    let printed = scene.tmkms(&[&make[..], &as_operator].concat());
    let hex = printed
        .split("key 0x0001: ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    assert_eq!(hex.len(), 64, "{printed}");
    let validator = password(&scene, "validator", VALIDATOR);
    let file = scene.home.config();
    let text = fs::read_to_string(&file).unwrap();
    let with_file = format!("auth = {{ key = 4, password_file = \"{validator}\" }}");
    fs::write(
        &file,
        text.replace("auth = { key = 1, password = \"password\" }", &with_file),
    )
    .unwrap();
    let printed = scene.tmkms(&["state", "init"]);
    assert!(!printed.contains("may do more than sign"), "{printed}");
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    let public = link.pub_key("setup-a").unwrap().ed25519.unwrap();
    let shown: String = public.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(shown.to_lowercase(), hex.to_lowercase());
    signs(&mut link, "setup-a", &public.try_into().unwrap(), 1);
}

#[test]
fn a_device_is_erased_for_whoever_knows_its_number() {
    let scene = Scene::new("yes", &["ed25519:7"]);
    scene.provider(&[], "");
    let before = scene.tmkms(&["yubihsm", "keys", "list"]);
    assert!(before.contains("- 0x0007: [cons] "), "{before}");
    let (code, printed) = scene.ends(&["yubihsm", "setup", "--yes", "0123456780"]);
    assert_eq!(code, 1, "{printed}");
    assert_eq!(scene.tmkms(&["yubihsm", "keys", "list"]), before);
    let printed = scene.tmkms(&["yubihsm", "setup", "--yes", SERIAL]);
    let admin: Vec<&str> = printed
        .lines()
        .filter(|line| line.starts_with("    "))
        .collect();
    let words = admin
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(words.split(' ').count(), 24, "{printed}");
    let admin = password(&scene, "admin", &words);
    let printed = scene.tmkms(&[
        "yubihsm",
        "keys",
        "list",
        "--auth-key",
        "1",
        "--password-file",
        &admin,
    ]);
    assert!(
        printed.contains("no keys in this YubiHSM (#0123456789)"),
        "{printed}"
    );
    // Other words each time.
    let (_, again) = fed(
        &scene,
        &["yubihsm", "setup", "-p", "--password-file", &admin],
        "",
    );
    assert!(
        again.contains("randomly generated 24-word") && !again.contains(&words),
        "{again}"
    );
}

#[test]
fn what_words_stand_for_is_printed_without_a_device() {
    let scene = Scene::new("print", &[]);
    let (code, printed) = fed(
        &scene,
        &["yubihsm", "setup", "-p", "-r"],
        &format!("{WORDS}\n"),
    );
    assert_eq!(code, 0, "{printed}");
    assert!(
        printed.contains(VALIDATOR) && printed.contains(OPERATOR),
        "{printed}"
    );
    assert_eq!(scene.proxy.requests(), 0);
    for (words, why) in [
        (WORDS.replace("title", "winner"), "checksum does not fit"),
        (WORDS.replace(" title", ""), "there are 23 words"),
        (
            WORDS.replace("title", "titel"),
            "word 24 is not in the list",
        ),
    ] {
        let (code, printed) = fed(&scene, &["yubihsm", "setup", "-p", "-r"], &words);
        assert_eq!(code, 4, "{printed}");
        assert!(printed.contains(why), "{printed}");
    }
}

#[test]
fn keys_are_listed_with_what_they_may_do() {
    let scene = Scene::new("list", &["ed25519:1:exportable", "ed25519:10", "p256:3"]);
    scene.provider(&[("list-a", 1)], "");
    let _node = scene.chain("list-a");
    let printed = scene.tmkms(&["yubihsm", "keys", "list"]);
    let hex: String = key(1).iter().map(|byte| format!("{byte:02X}")).collect();
    for text in [
        "Listing keys in YubiHSM #0123456789:\n".to_owned(),
        format!(
            "- 0x0001: [cons] {hex}\n   label: \"ed25519:1:exportable\"\n   may: exportable-under-wrap, sign-eddsa; Imported\n   signs for: list-a\n"
        ),
        "- 0x0003: [EcP256] no key for a validator\n".to_owned(),
        "- 0x000a: [cons] ".to_owned(),
    ] {
        assert!(printed.contains(&text), "no {text:?} in:\n{printed}");
    }
}

#[test]
fn a_key_is_never_made_or_put_where_one_is() {
    let scene = Scene::new("taken", &["ed25519:1"]);
    scene.provider(&[], "");
    let before = scene.tmkms(&["yubihsm", "keys", "list"]);
    let seed = scene.home.write_key("consensus.key", &[9; 32]).unwrap();
    let seed = seed.to_str().unwrap();
    for arguments in [
        &["yubihsm", "keys", "generate", "0x0001"][..],
        &["yubihsm", "keys", "import", "-i", "1", seed],
    ] {
        let (code, printed) = scene.ends(arguments);
        assert_eq!(code, 7, "{printed}");
        assert!(printed.contains("has a key 0x0001 already"), "{printed}");
    }
    assert_eq!(scene.tmkms(&["yubihsm", "keys", "list"]), before);
}

#[test]
fn keys_are_exported_and_imported_in_the_form_of_tmkms() {
    let scene = Scene::new("backup", &[]);
    scene.provider(&[], "");
    let (code, printed) = fed(
        &scene,
        &["yubihsm", "setup", "-r", "--yes", SERIAL],
        &format!("{WORDS}\n"),
    );
    assert_eq!(code, 0, "{printed}");
    let admin = password(&scene, "admin", WORDS);
    let login = ["--auth-key", "1", "--password-file", &admin];
    scene.tmkms(
        &[
            &["yubihsm", "keys", "generate", "5", "-l", "five"][..],
            &login,
        ]
        .concat(),
    );
    let backup = scene.home.path("five.backup");
    let path = backup.to_str().unwrap();
    let export = [&["yubihsm", "keys", "export", "-i", "5", path][..], &login].concat();
    scene.tmkms(&export);
    let text = fs::read_to_string(&backup).unwrap();
    assert!(text.len() > 100 && !text.contains('\n'), "{text}");
    assert_eq!(
        fs::metadata(&backup).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // A backup is never written over.
    let (code, printed) = scene.ends(&export);
    assert_eq!(code, 1, "{printed}");
    assert_eq!(fs::read_to_string(&backup).unwrap(), text);
    // Restored into a second device of the same words. The fake exports the public half, so that another key
    // comes back; a real device gives the same.
    let other = crate::scene::Mock::new(&[]);
    scene.proxy.next(&other.address);
    let (code, printed) = fed(
        &scene,
        &["yubihsm", "setup", "-r", "--yes", SERIAL],
        &format!("{WORDS}\n"),
    );
    assert_eq!(code, 0, "{printed}");
    let printed = scene.tmkms(&[&["yubihsm", "keys", "import", path][..], &login].concat());
    assert!(printed.contains("Imported key 0x0005: "), "{printed}");
    let listed = scene.tmkms(&[&["yubihsm", "keys", "list"][..], &login].concat());
    assert!(listed.contains("label: \"five\""), "{listed}");
    // What is no backup reaches no device.
    fs::write(&backup, &text[..40]).unwrap();
    let (code, printed) = scene.ends(
        &[
            &["yubihsm", "keys", "import", "-t", "wrap", path][..],
            &login,
        ]
        .concat(),
    );
    assert_ne!(code, 0, "{printed}");
}

#[test]
fn a_validators_key_is_imported_and_signs() {
    let scene = Scene::new("import", &[]);
    scene.provider(&[("import-a", 3)], "");
    let node = scene.chain("import-a");
    let seed = scene.home.write_key("consensus.key", &[9; 32]).unwrap();
    let (code, printed) = scene.ends(&["yubihsm", "keys", "import", seed.to_str().unwrap()]);
    assert_eq!(code, 2, "{printed}");
    let arguments = [
        "yubihsm",
        "keys",
        "import",
        "-i",
        "0x3",
        "-l",
        "mine",
        seed.to_str().unwrap(),
    ];
    let printed = scene.tmkms(&arguments);
    let hex: String = key(9).iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(
        printed.contains(&format!("Imported key 0x0003: {hex}")),
        "{printed}"
    );
    assert!(printed.contains("tmkms state init import-a"), "{printed}");
    scene.begin();
    let mut signer = scene.start();
    signs(&mut accept(&node, &mut signer), "import-a", &key(9), 1);
}

#[test]
fn the_self_test_uses_a_key_of_its_own_and_leaves_none() {
    let scene = Scene::new("test", &["ed25519:1", "ed25519:2"]);
    scene.provider(&[("test-a", 1)], "");
    let _node = scene.chain("test-a");
    let before = scene.tmkms(&["yubihsm", "keys", "list"]);
    let printed = scene.tmkms(&["yubihsm", "test", "--count", "3"]);
    for text in [
        "made key 0xff00",
        "signature 3: verified",
        "3 signatures, ",
        "deleted key 0xff00",
    ] {
        assert!(printed.contains(text), "no {text:?} in:\n{printed}");
    }
    assert_eq!(scene.tmkms(&["yubihsm", "keys", "list"]), before);
    let (code, printed) = scene.ends(&["yubihsm", "test", "1"]);
    assert_eq!(code, 4, "{printed}");
    assert!(printed.contains("never used for a test"), "{printed}");
    let printed = scene.tmkms(&["yubihsm", "test", "2", "--count", "1"]);
    assert!(
        printed.contains("1 signatures, ") && !printed.contains("made key"),
        "{printed}"
    );
}

#[test]
fn detect_says_what_is_behind_the_connector() {
    let scene = Scene::new("detect", &[]);
    scene.provider(&[], "");
    let printed = scene.tmkms(&["yubihsm", "detect"]);
    assert!(
        printed.contains("- Serial #0123456789 (firmware 2.2.0)"),
        "{printed}"
    );
    scene.proxy.set(crate::proxy::Fault::Away);
    let (code, printed) = scene.ends(&["yubihsm", "detect"]);
    assert_eq!(code, 7, "{printed}");
    assert!(printed.contains("error: "), "{printed}");
}

#[test]
fn the_script_for_a_real_device_leaves_it_as_it_was() {
    let scene = Scene::new("script", &["ed25519:1"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/yubihsm/real-device.sh");
    let output = std::process::Command::new("sh")
        .args([script, "-s", SERIAL, "-c", &scene.proxy.address])
        .args(["-b", crate::scene::BINARY])
        .env("IDLE", "0")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("# all well"), "{printed}");
    assert_eq!(printed.matches("-> ok").count(), 8, "{printed}");
}
