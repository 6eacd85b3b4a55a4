//! Files that `start` cannot use: each said with its place, its cure and the code of its class, and
//! nothing touched.

use std::fs;
use std::os::unix::fs::symlink;

use super::place::{CHAIN, CLOSED, Place, chmod, mode, node_key};
use super::ran::Problem;

/// Where `Home` writes things in `tmkms.toml`.
const STATE: &str = "tmkms.toml:5:14: ";
const KEY: &str = "tmkms.toml:11:8: ";
const IDENTITY: &str = "tmkms.toml:16:14: ";

#[track_caller]
fn refused(place: &Place, code: i32, at: &str, message: &str) -> Problem {
    let ran = place.start_is_refused().exits(code);
    let problem = ran.problem();
    assert!(problem.message.starts_with(at), "{ran}");
    assert!(problem.message.contains(message), "{ran}");
    problem
}

#[test]
fn no_configuration() {
    let place = Place::new("files-no-configuration");
    fs::remove_file(place.home.config()).unwrap();
    let problem = refused(&place, 3, "tmkms.toml: ", "cannot read the configuration");
    assert!(problem.cure.contains("-c FILE"), "{problem:?}");
}

#[test]
fn a_configuration_that_is_no_text_or_no_file() {
    let place = Place::new("files-no-text");
    fs::write(place.home.config(), [0xff, 0xfe, 0, 1]).unwrap();
    refused(&place, 3, "tmkms.toml: ", "not UTF-8");
    fs::remove_file(place.home.config()).unwrap();
    fs::create_dir(place.home.config()).unwrap();
    refused(&place, 3, "tmkms.toml: ", "cannot read the configuration");
}

#[test]
fn an_empty_configuration() {
    let place = Place::new("files-empty");
    let ran = place.start_is_refused().exits(3);
    let problems = ran.problems();
    assert_eq!(problems.len(), 2, "{ran}");
    assert!(
        ran.has("there is no chain") && ran.has("there is no validator"),
        "{ran}"
    );
}

#[test]
fn a_missing_key_says_how_to_get_one() {
    let place = Place::with_state("files-no-key", 100);
    fs::remove_file(place.home.key_file(CHAIN)).unwrap();
    let problem = refused(&place, 4, KEY, "No such file");
    let path = place.home.key_file(CHAIN);
    for command in ["import KEY.json", "keygen"] {
        let line = format!("`tmkms softsign {command} {}`", path.display());
        assert!(problem.cure.contains(&line), "{problem:?}");
    }
}

#[test]
fn a_missing_identity_says_how_to_make_one() {
    let place = Place::with_state("files-no-identity", 100);
    let path = place.path("secrets/kms-identity.key");
    fs::remove_file(&path).unwrap();
    let problem = refused(&place, 4, IDENTITY, "No such file");
    let (_, line) = problem.cure.split_once('`').unwrap();
    place.run_line(line.trim_end_matches('`')).exits(0);
    place.start_dials();
}

#[test]
fn a_key_that_others_may_use_is_refused_with_the_chmod_that_helps() {
    for (name, file, at) in [
        ("files-wide-key", "secrets/test-1-consensus.key", KEY),
        ("files-wide-identity", "secrets/kms-identity.key", IDENTITY),
    ] {
        let place = Place::with_state(name, 100);
        let path = place.path(file);
        for bits in [0o640, 0o644, 0o666, 0o604, 0o660] {
            chmod(&path, bits);
            let problem = refused(&place, 4, at, &format!("(mode {bits:04o})"));
            let (_, command) = problem.message.rsplit_once(": ").unwrap();
            assert_eq!(command, format!("chmod 600 {}", path.display()));
            assert_eq!(mode(&path), bits);
        }
        chmod(&path, 0o400);
        place.start_dials();
    }
}

#[test]
fn a_key_that_cannot_be_read() {
    let place = Place::with_state("files-unreadable", 100);
    let path = place.home.key_file(CHAIN);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&place, 4, KEY, "is not a regular file");
    fs::remove_dir(&path).unwrap();
    symlink(&path, &path).unwrap();
    refused(&place, 4, KEY, "cannot open");
    fs::remove_file(&path).unwrap();
    place.write_key(CHAIN);
    chmod(&path, 0);
    if fs::read(&path).is_err() {
        // Root may read it anyway.
        refused(&place, 4, KEY, "Permission denied");
    }
}

#[test]
fn a_key_file_without_a_key_says_what_it_is_instead() {
    let place = Place::with_state("files-no-key-in-it", 100);
    let json = node_key(&place.seed(CHAIN));
    for (content, message) in [
        ("", "is empty"),
        ("what is this", "no key file of any known program"),
        ("AAAA", "holds 3 bytes, where a seed has 32"),
        (&"\0".repeat(44), "zeros"),
        (json.as_str(), "is JSON and not a base64 seed"),
        (r#"{"height":"5","round":0,"step":3}"#, ""),
    ] {
        place.write("secrets/test-1-consensus.key", content);
        let problem = refused(&place, 4, KEY, message);
        assert!(
            problem.cure.contains("tmkms softsign import"),
            "{problem:?}"
        );
    }
    place.write(
        "secrets/test-1-consensus.key",
        &*place.key(CHAIN).to_base64_seed(),
    );
    place.write("secrets/kms-identity.key", "what is this");
    let problem = refused(&place, 4, IDENTITY, "no key file");
    assert!(
        problem.cure.contains("tmkms softsign keygen"),
        "{problem:?}"
    );
}

#[test]
fn a_key_that_is_json_where_that_is_said_works_and_a_seed_there_does_not() {
    let place = Place::new("files-json");
    place.home.chain(CHAIN, "").unwrap();
    place.home.configure("key_format = \"json\"").unwrap();
    place.home.validator(CHAIN, CLOSED, "").unwrap();
    let name = "secrets/test-1-consensus.key";
    place.write(name, node_key(&place.seed(CHAIN)));
    place.run(&["state", "init"]).exits(0);
    place.start_dials();
    place.write_key(CHAIN);
    let problem = refused(&place, 4, KEY, "JSON");
    assert!(problem.cure.contains("remove the line"), "{problem:?}");
}

#[test]
fn an_identity_that_signs_for_a_chain_as_well() {
    let place = Place::with_state("files-same-key", 100);
    let identity = place.path("secrets/kms-identity.key");
    fs::copy(place.home.key_file(CHAIN), &identity).unwrap();
    refused(&place, 4, IDENTITY, "is a consensus key as well");
    fs::remove_file(&identity).unwrap();
    fs::hard_link(place.home.key_file(CHAIN), &identity).unwrap();
    refused(&place, 4, IDENTITY, "is a consensus key as well");
}

#[test]
fn a_missing_state_names_the_two_commands() {
    let place = Place::with_chain("files-no-state");
    let problem = refused(&place, 5, STATE, "is missing");
    for command in [
        "state import -c tmkms.toml test-1 STATE_FILE",
        "state init -c tmkms.toml test-1",
    ] {
        assert!(
            problem.cure.contains(&format!("tmkms {command}")),
            "{problem:?}"
        );
    }
    place
        .run_line("tmkms state init -c tmkms.toml test-1")
        .exits(0);
    place.start_dials();
}

#[test]
fn a_lost_state_is_not_begun_again() {
    let place = Place::with_chain("files-lost-state");
    let key = place.home.key_file(CHAIN);
    place
        .run(&["softsign", "keygen", key.to_str().unwrap()])
        .exits(0);
    place.start_dials();
    fs::remove_file(place.state()).unwrap();
    refused(&place, 5, STATE, "is missing");
}

#[test]
fn a_copied_key_does_not_begin() {
    let place = Place::with_chain("files-copied-key");
    let key = place.home.key_file(CHAIN);
    let mark = place.path("secrets/test-1-consensus.key.begin-once");
    place
        .run(&["softsign", "keygen", key.to_str().unwrap()])
        .exits(0);
    let (bytes, text) = (fs::read(&key).unwrap(), fs::read(&mark).unwrap());
    fs::remove_file(&key).unwrap();
    place.write("another", "takes the inode that is free now");
    place.write("secrets/test-1-consensus.key", bytes);
    refused(&place, 5, STATE, "is a copy or came from a backup");
    fs::write(&mark, &text[..100]).unwrap();
    refused(&place, 5, STATE, "it is damaged");
}

#[test]
fn a_missing_directory_of_the_state_may_be_a_disk_that_is_not_mounted() {
    let place = Place::with_state("files-no-directory", 100);
    fs::rename(place.path("state"), place.path("elsewhere")).unwrap();
    let problem = refused(&place, 5, STATE, "does not exist");
    assert!(
        problem
            .cure
            .contains("not mounted? else: mkdir -m 700 -p /"),
        "{problem:?}"
    );
}

#[test]
fn another_chains_or_another_keys_state() {
    let place = Place::with_state("files-other-state", 100);
    let config = fs::read_to_string(place.home.config()).unwrap();
    fs::write(
        place.home.config(),
        config.replace("\"test-1\"", "\"test-2\""),
    )
    .unwrap();
    refused(&place, 5, STATE, "the state of another chain, test-1");
    fs::write(place.home.config(), config).unwrap();
    let key = place.home.key_file(CHAIN);
    place
        .run(&["softsign", "keygen", key.to_str().unwrap()])
        .exits(0);
    refused(&place, 5, STATE, "the state of another key");
    place.run(&["state", "init", "-H", "900"]).exits(5);
}

#[test]
fn one_state_file_under_two_names_is_noticed() {
    let place = Place::with_state("files-two-names", 100);
    place.home.chain("test-2", "").unwrap();
    place
        .home
        .validator("test-2", "tcp://127.0.0.1:2", "")
        .unwrap();
    place.write_key("test-2");
    symlink(place.state(), place.home.state_file("test-2")).unwrap();
    refused(
        &place,
        3,
        "tmkms.toml:",
        "is the state file of test-1 as well",
    );
}

#[test]
fn a_directory_that_others_may_write_to_is_a_warning() {
    let place = Place::with_state("files-wide-directory", 100);
    chmod(&place.path("secrets"), 0o777);
    let lines = place.start_dials();
    let warning = lines.iter().find(|line| line.contains(" WARN ")).unwrap();
    assert!(warning.contains("chmod go-w"), "{warning}");
}

#[test]
fn an_account_key_is_looked_at_and_not_used() {
    let place = Place::with_state("files-account", 100);
    let text = format!(
        "[[providers.softsign]]\nchain_ids = [\"{CHAIN}\"]\nkey_type = \"account\"\npath = \"{}\"",
        place.path("secrets/account.key").display()
    );
    place.home.configure(&text).unwrap();
    refused(&place, 4, "tmkms.toml:", "account.key: No such file");
    place
        .run(&["softsign", "keygen", "-t", "account", "secrets/account.key"])
        .exits(0);
    let lines = place.start_dials().join("\n");
    assert!(lines.contains("is an account key"), "{lines}");
    place.write("secrets/account.key", "what is this");
    refused(&place, 4, "tmkms.toml:", "account.key");
}
