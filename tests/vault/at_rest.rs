//! Keys under a passphrase: made, opened, damaged, and never lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sha2::{Digest, Sha256};

use super::{PASSPHRASE, Place, Ran, SEED, TMKMS, WORK, base64, key};

const FILE: [&str; 2] = ["--passphrase-file", "passphrase"];

fn encrypt(place: &Place, name: &str) -> Ran {
    place.run(&[
        "softsign", "encrypt", name, "--work", WORK, FILE[0], FILE[1],
    ])
}

fn decrypt(place: &Place, name: &str) -> Ran {
    place.run(&["softsign", "decrypt", name, FILE[0], FILE[1]])
}

fn holds_the_seed(bytes: &[u8]) -> bool {
    let text = base64(&SEED);
    bytes.windows(SEED.len()).any(|window| window == SEED)
        || bytes
            .windows(20)
            .any(|window| window == &text.as_bytes()[..20])
}

#[test]
fn a_key_is_encrypted_and_decrypted_in_its_place() {
    let place = Place::new("round_trip");
    place.key("a.key");
    let ran = encrypt(&place, "a.key").succeeded();
    assert!(ran.out.contains("overwritten"), "{}", ran.out);
    assert!(!holds_the_seed(&place.read("a.key")));
    assert_eq!(place.mode("a.key"), 0o600);
    assert_eq!(place.names(), ["a.key", "passphrase"]);
    decrypt(&place, "a.key").succeeded();
    assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
    assert_eq!(place.mode("a.key"), 0o600);
    assert_eq!(place.names(), ["a.key", "passphrase"]);
}

#[test]
fn the_same_key_is_never_encrypted_alike() {
    let place = Place::new("fresh_salt");
    place.encrypted_key("a.key");
    place.encrypted_key("b.key");
    assert_ne!(place.read("a.key"), place.read("b.key"));
}

#[test]
fn the_old_bytes_are_gone_from_the_file_that_held_them() {
    use std::io::Read as _;
    let place = Place::new("wiped");
    let path = place.key("a.key");
    let mut old = fs::File::open(path).unwrap();
    encrypt(&place, "a.key").succeeded();
    let mut left = Vec::new();
    old.read_to_end(&mut left).unwrap();
    assert_eq!(left, vec![0; 44]);
}

#[test]
fn encrypting_twice_and_decrypting_a_plain_key_change_nothing() {
    let place = Place::new("twice");
    place.encrypted_key("a.key");
    let sealed = place.read("a.key");
    let ran = encrypt(&place, "a.key").succeeded();
    assert!(ran.out.contains("encrypted already"));
    assert_eq!(place.read("a.key"), sealed);
    place.key("b.key");
    decrypt(&place, "b.key").failed(4, "is not encrypted");
    assert_eq!(place.read("b.key"), base64(&SEED).as_bytes());
}

#[test]
fn a_passphrase_comes_from_a_descriptor_a_file_or_a_credential() {
    let place = Place::new("sources");
    place.write("tmkms-passphrase", PASSPHRASE.as_bytes());
    let script = |words: &str| {
        let mut shell = std::process::Command::new("setsid");
        shell
            .args([
                "--wait",
                "sh",
                "-c",
                &format!("exec {TMKMS} softsign decrypt a.key {words}"),
            ])
            .current_dir(&place.0)
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("TMKMS_PASSPHRASE_FILE");
        shell
    };
    let sources = [
        script("--passphrase-fd 3 3<passphrase"),
        script("--passphrase-fd 0 <passphrase"),
        script("--passphrase-fd=9 9<<END\ncorrect horse battery staple\nand more\nEND"),
        script("--passphrase-file passphrase </dev/null"),
    ];
    let mut by_environment = script("</dev/null");
    by_environment.env("TMKMS_PASSPHRASE_FILE", place.path("passphrase"));
    let mut by_credential = script("</dev/null");
    by_credential.env("CREDENTIALS_DIRECTORY", &place.0);
    for mut command in sources.into_iter().chain([by_environment, by_credential]) {
        place.encrypted_key("a.key");
        Ran::of(&command.output().unwrap()).succeeded();
        assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
    }
}

#[test]
fn without_any_source_it_says_which_there_are() {
    let place = Place::new("no_source");
    place.encrypted_key("a.key");
    let sealed = place.read("a.key");
    let decrypt = |more: &[&str]| place.run(&[&["softsign", "decrypt", "a.key"], more].concat());
    let ran = decrypt(&[]).failed(4, "no terminal");
    for way in [
        "--passphrase-fd",
        "--passphrase-file",
        "TMKMS_PASSPHRASE_FILE",
        "credential",
    ] {
        assert!(ran.err.contains(way), "{}", ran.err);
    }
    decrypt(&["--passphrase-fd", "77"]).failed(2, "descriptor 77");
    decrypt(&["--passphrase-fd", "-1"]).failed(2, "");
    decrypt(&["--passphrase-fd", "0", FILE[0], FILE[1]]).failed(2, "two ways");
    decrypt(&[FILE[0], "absent"]).failed(4, "absent");
    place.write("empty", b"\n");
    decrypt(&[FILE[0], "empty"]).failed(4, "is empty");
    place.write("long", &[b'x'; 1025]);
    decrypt(&[FILE[0], "long"]).failed(4, "more than 1024 bytes");
    fs::set_permissions(place.path("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    decrypt(&FILE).failed(4, "chmod 600");
    assert_eq!(place.read("a.key"), sealed);
}

#[test]
fn a_wrong_passphrase_is_told_and_changes_nothing() {
    let place = Place::new("wrong");
    place.encrypted_key("a.key");
    let sealed = place.read("a.key");
    place.write("passphrase", b"incorrect horse");
    decrypt(&place, "a.key").failed(4, "is encrypted with another passphrase");
    assert_eq!(place.read("a.key"), sealed);
}

#[test]
fn every_damaged_byte_is_told_and_changes_nothing() {
    let place = Place::new("damaged");
    place.encrypted_key("a.key");
    let good = place.read("a.key");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        place.write("a.key", &bad);
        let ran = place.run(&["softsign", "show", "a.key"]);
        assert_eq!(ran.code, 4, "byte {at}");
        let ran = decrypt(&place, "a.key");
        assert_eq!(ran.code, 4, "byte {at}: {}", ran.out);
        assert!(
            !ran.err.contains("another passphrase"),
            "byte {at}: {}",
            ran.err
        );
        assert_eq!(place.read("a.key"), bad);
    }
    for len in [0, 1, good.len() / 2, good.len() - 3] {
        place.write("a.key", &good[..len]);
        assert_eq!(decrypt(&place, "a.key").code, 4, "length {len}");
    }
}

/// An encrypted key whose checksum fits, whatever it asks for.
fn forged(log_n: u32, r: u32, p: u32, kdf: &str) -> String {
    let (public, salt) = (key().public_key().to_base64(), base64(&[1; 32]));
    let header =
        format!("tmkms_encrypted_key 1 {public} {kdf} {log_n} {r} {p} {salt} chacha20-poly1305");
    let checksum = Sha256::new()
        .chain_update(header)
        .chain_update([2; 48])
        .finalize();
    format!(
        r#"{{"tmkms_encrypted_key":1,"public_key":"{public}","kdf":"{kdf}","log_n":{log_n},"r":{r},"p":{p},"salt":"{salt}","cipher":"chacha20-poly1305","sealed":"{}","checksum":"{}"}}"#,
        base64(&[2; 48]),
        base64(&checksum)
    )
}

#[test]
fn a_hostile_file_cannot_take_the_memory_or_the_time() {
    let place = Place::new("hostile");
    for (file, complaint) in [
        (forged(31, 8, 1, "scrypt"), "more work than is allowed"),
        (forged(19, 8, 1, "scrypt"), "more work than is allowed"),
        (forged(9, 8, 1, "scrypt"), "less or more work"),
        (forged(300, 8, 1, "scrypt"), "damaged"),
        (
            forged(10, 1_000_000, 1, "scrypt"),
            "more work than is allowed",
        ),
        (
            forged(10, 8, 1_000_000, "scrypt"),
            "more work than is allowed",
        ),
        (forged(10, 8, 1, "argon3"), "later version"),
        (forged(10, 8, 1, "scrypt"), "another passphrase"),
    ] {
        place.write("a.key", file.as_bytes());
        decrypt(&place, "a.key").failed(4, complaint);
    }
    place.write("a.key", b"{\"tmkms_encrypted_key\":2}");
    decrypt(&place, "a.key").failed(4, "later version");
}

#[test]
fn work_is_what_was_asked_for() {
    let place = Place::new("work");
    place.key("a.key");
    for work in ["9", "19", "x"] {
        let ran = place.run(&[
            "softsign", "encrypt", "a.key", "--work", work, FILE[0], FILE[1],
        ]);
        ran.failed(2, "");
    }
    assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
    place
        .run(&[
            "softsign", "encrypt", "a.key", "--work", "11", FILE[0], FILE[1],
        ])
        .succeeded();
    assert!(
        String::from_utf8(place.read("a.key"))
            .unwrap()
            .contains("\"log_n\": 11")
    );
    place
        .run(&["softsign", "keygen", "b.key", "--work", "11"])
        .failed(2, "--encrypt");
    assert!(!place.path("b.key").exists());
}

#[test]
fn only_own_key_files_are_encrypted_in_place() {
    let place = Place::new("own_files");
    let node = format!(
        r#"{{"address":"{}","priv_key":{{"type":"tendermint/PrivKeyEd25519","value":"{}"}}}}"#,
        key().public_key().address_hex(),
        base64(&super::pair())
    );
    place.write("priv_validator_key.json", node.as_bytes());
    encrypt(&place, "priv_validator_key.json").failed(4, "import --encrypt");
    assert_eq!(place.read("priv_validator_key.json"), node.as_bytes());
}

#[test]
fn a_key_with_two_names_wide_bits_or_no_file_is_left_alone() {
    let place = Place::new("left_alone");
    let path = place.key("a.key");
    fs::hard_link(&path, place.path("b.key")).unwrap();
    encrypt(&place, "a.key").failed(4, "hard link");
    assert_eq!(place.read("b.key"), base64(&SEED).as_bytes());
    fs::remove_file(place.path("b.key")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    encrypt(&place, "a.key").failed(4, "chmod 600");
    encrypt(&place, "absent.key").failed(4, "absent.key");
    assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
    assert_eq!(place.names(), ["a.key", "passphrase"]);
}

#[test]
fn a_command_that_is_killed_while_it_writes_loses_nothing() {
    let place = Place::new("killed");
    place.key("a.key");
    // Files of no length at all: the first write is a signal.
    let script = format!(
        "ulimit -f 0; exec {TMKMS} softsign encrypt a.key --work {WORK} --passphrase-file passphrase"
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(&place.0)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
    encrypt(&place, "a.key").succeeded();
    assert_eq!(place.names(), ["a.key", "passphrase"]);
}

#[test]
fn keygen_and_import_write_encrypted_keys_and_nothing_in_plain() {
    let place = Place::new("made_encrypted");
    let sealed = ["-e", "--work", WORK, FILE[0], FILE[1]];
    place
        .run(&[&["softsign", "keygen", "new.key"][..], &sealed].concat())
        .succeeded();
    assert!(
        place
            .read("new.key")
            .starts_with(b"{\n  \"tmkms_encrypted_key\": 1,")
    );
    assert_eq!(place.mode("new.key"), 0o600);
    place.key("input.key");
    let import = [&["softsign", "import", "input.key", "out.key"][..], &sealed].concat();
    let ran = place.run(&import).succeeded();
    assert!(
        ran.out.contains("input.key holds the key in plain still"),
        "{}",
        ran.out
    );
    assert!(!holds_the_seed(&place.read("out.key")));
    let first = place.read("out.key");
    // The same again changes nothing, encrypted or not.
    place.run(&import).succeeded();
    place
        .run(&["softsign", "import", "input.key", "out.key"])
        .succeeded();
    assert_eq!(place.read("out.key"), first);
    decrypt(&place, "out.key").succeeded();
    place.run(&import).failed(4, "tmkms softsign encrypt");
    assert_eq!(place.read("out.key"), base64(&SEED).as_bytes());
    place
        .run(
            &[
                &["softsign", "keygen", "-t", "account", "acc.key"][..],
                &sealed,
            ]
            .concat(),
        )
        .failed(2, "account keys are not encrypted");
}

#[test]
fn another_key_at_the_target_is_moved_aside_encrypted_or_not() {
    let place = Place::new("moved_aside");
    place.encrypted_key("a.key");
    let sealed = place.read("a.key");
    place.run(&["softsign", "keygen", "a.key"]).succeeded();
    let fingerprint = &super::hex(&key().public_key().0)[..16];
    assert_eq!(place.read(&format!("a.key.old-{fingerprint}")), sealed);
}

#[test]
fn copies_in_plain_are_pointed_at() {
    let place = Place::new("copies");
    place.key("a.key");
    let fingerprint = &super::hex(&key().public_key().0)[..16];
    place.key(&format!("a.key.old-{fingerprint}"));
    let ran = encrypt(&place, "a.key").succeeded();
    assert!(ran.err.contains("shred -u"), "{}", ran.err);
}
