//! What a configuration says and cannot mean: each with its line and column, and nothing touched.

use std::fs;

use super::place::{CHAIN, CLOSED, Place};

/// A sound configuration with its key and state, line by line:
///
/// ```text
///  1
///  2 [[chain]]
///  3 id
///  4 key_format
///  5 state_file
///  6 (more)
///  7
///  8 [[providers.softsign]]
///  9 chain_ids
/// 10 key_type
/// 11 path
/// 12
/// 13 [[validator]]
/// 14 chain_id
/// 15 addr
/// 16 secret_key
/// 17 protocol_version
/// 18 reconnect
/// 19 (more)
/// ```
struct Edited {
    place: Place,
    sound: String,
}

impl Edited {
    fn new(name: &str) -> Self {
        let place = Place::with_state(&format!("links-{name}"), 100);
        let sound = fs::read_to_string(place.home.config()).unwrap();
        Self { place, sound }
    }

    /// One line replaced; `add` at the end.
    fn write(&self, line: usize, text: &str, add: &str) {
        let mut lines: Vec<&str> = self.sound.lines().collect();
        if line > 0 {
            lines[line - 1] = text;
        }
        fs::write(
            self.place.home.config(),
            format!("{}\n{add}", lines.join("\n")),
        )
        .unwrap();
    }

    /// The only problem, at this place, with this message and cure.
    #[track_caller]
    fn says(&self, at: &str, message: &str, cure: &str) {
        let ran = self.place.start_is_refused().exits(3);
        let problem = ran.problem();
        assert!(
            problem.message.starts_with(&format!("tmkms.toml:{at}: ")),
            "{ran}"
        );
        assert!(problem.message.contains(message), "{ran}");
        assert!(problem.cure.contains(cure), "{ran}");
    }
}

#[test]
fn the_configuration_that_these_tests_spoil_is_sound() {
    let edited = Edited::new("sound");
    edited.write(0, "", "");
    edited.place.start_dials();
}

/// A line's number, what is put there, and the place, a part of the message and one of the cure.
const WRONG_LINES: &[(usize, &str, &str, &str, &str)] = &[
    (
        6,
        "sign_extension = true",
        "6:1",
        "sign_extension",
        "sign_extensions",
    ),
    (6, "metrics = true", "6:1", "metrics", ""),
    (
        6,
        "sign_extensions = \"yes\"",
        "6:19",
        "sign_extensions",
        "true",
    ),
    (6, "state_hook = { cmd = [] }", "6:22", "cmd", "cmd = ["),
    (3, "id = 5", "3:6", "`id`", "id ="),
    (
        3,
        "id = \"<chain-id>\"",
        "3:6",
        "left to fill in",
        "your own",
    ),
    (
        4,
        "key_format = { type = \"base58\" }",
        "4:23",
        "base58",
        "bech32",
    ),
    (
        5,
        "state_file = \"~/state.json\"",
        "5:14",
        "not expanded",
        "whole path",
    ),
    (10, "key_type = \"node\"", "10:12", "node", "consensus"),
    (
        11,
        "path = \"$HOME/key\"",
        "11:8",
        "not expanded",
        "whole path",
    ),
    (14, "chain_id = \"\"", "14:12", "empty", ""),
    (
        15,
        "addr = \"127.0.0.1\"",
        "15:8",
        "port is missing",
        "tcp://127.0.0.1:26658",
    ),
    (
        15,
        "addr = \"http://127.0.0.1:1\"",
        "15:8",
        "neither tcp nor unix",
        "tcp://",
    ),
    (
        15,
        "addr = \"tcp://abc@127.0.0.1:1\"",
        "15:8",
        "peer id",
        "40",
    ),
    (16, "", "13:1", "secret_key", "secret_key ="),
    (
        17,
        "protocol_version = \"legacy\"",
        "17:20",
        "Amino",
        "v0.34",
    ),
    (
        17,
        "protocol_version = \"v0.33\"",
        "17:20",
        "Amino",
        "v0.34",
    ),
    (
        17,
        "protocol_version = \"newest\"",
        "17:20",
        "no version",
        "v0.34",
    ),
    (
        18,
        "reconnect = 1",
        "18:13",
        "true or false",
        "reconnect = true",
    ),
    (19, "timeout = 0", "19:11", "timeout", ""),
    (19, "max_height = \"-1\"", "19:14", "max_height", "500000"),
];

#[test]
fn one_wrong_line_is_one_problem_at_its_place() {
    let edited = Edited::new("line");
    for (line, text, at, message, cure) in WRONG_LINES {
        edited.write(*line, text, "");
        let ran = edited.place.start_is_refused().exits(3);
        let problems = ran.problems();
        let found = problems.iter().any(|problem| {
            problem.message.starts_with(&format!("tmkms.toml:{at}: "))
                && problem.message.contains(message)
                && problem.cure.contains(cure)
        });
        assert!(found, "{text}: {ran}");
        assert_eq!(problems.len(), 1, "{text}: {ran}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_said_where_it_stops_being_one() {
    let edited = Edited::new("syntax");
    edited.write(9, "chain_ids = [\"test-1\"", "");
    let problem = edited.place.start_is_refused().exits(3).problem();
    assert!(problem.message.starts_with("tmkms.toml:10:"), "{problem:?}");
}

#[test]
fn a_chain_without_a_key() {
    let edited = Edited::new("no-key");
    edited.write(0, "", "[[chain]]\nid = \"test-2\"\n");
    edited.says(
        "21:6",
        "test-2 has no consensus key",
        "[[providers.softsign]]",
    );
}

#[test]
fn a_key_without_a_chain() {
    let edited = Edited::new("no-chain");
    edited.write(9, "chain_ids = [\"test-1\", \"test-9\"]", "");
    edited.says("9:24", "no [[chain]] has the id test-9", "test-1");
}

#[test]
fn a_validator_without_a_chain() {
    let edited = Edited::new("no-validators-chain");
    edited.write(
        0,
        "",
        "[[validator]]\nchain_id = \"other-9\"\naddr = \"unix:///run/x\"\n",
    );
    edited.says("21:12", "no [[chain]] has the id other-9", "[[chain]]");
}

#[test]
fn a_chain_without_a_validator_is_a_warning() {
    let edited = Edited::new("no-validator");
    let place = &edited.place;
    place.home.chain("test-2", "").unwrap();
    place.write_key("test-2");
    place.run(&["state", "init", "test-2"]).exits(0);
    let lines = place.start_dials().join("\n");
    assert!(lines.contains("test-2 has no validator"), "{lines}");
}

#[test]
fn a_chain_twice_and_a_key_twice() {
    let edited = Edited::new("twice");
    edited.write(0, "", "[[chain]]\nid = \"test-1\"\n");
    edited.says("21:6", "test-1 is already there", "remove one");
    let key = edited.place.home.key_file(CHAIN);
    let second = format!(
        "[[providers.softsign]]\nchain_ids = [\"test-1\"]\npath = \"{}\"\n",
        key.display()
    );
    edited.write(0, "", &second);
    edited.says("21:14", "consensus key", "remove it from one");
}

#[test]
fn an_address_twice() {
    let edited = Edited::new("address");
    let secret = edited.place.path("secrets/kms-identity.key");
    let second = format!(
        "[[validator]]\nchain_id = \"{CHAIN}\"\naddr = \"{CLOSED}\"\nsecret_key = \"{}\"\n",
        secret.display()
    );
    edited.write(0, "", &second);
    edited.says("22:8", "already dialled", "remove one");
}

#[test]
fn a_state_file_twice_is_told_once() {
    let edited = Edited::new("state-file");
    edited.place.write_key("test-2");
    let second = format!(
        "[[chain]]\nid = \"test-2\"\nstate_file = \"{}\"\n[[providers.softsign]]\nchain_ids = [\"test-2\"]\npath = \"{}\"\n",
        edited.place.state().display(),
        edited.place.home.key_file("test-2").display()
    );
    edited.write(0, "", &second);
    edited.says("22:14", "is the state file of another chain", "of its own");
}

#[test]
fn a_backend_that_is_not_compiled_in() {
    let edited = Edited::new("backend");
    for (table, name, is_there) in [
        (
            "[[providers.ledgertm]]\nchain_ids = [\"test-1\"]\n",
            "ledgertm",
            cfg!(feature = "ledger"),
        ),
        (
            "[[providers.yubihsm]]\nadapter = { type = \"usb\" }\nauth = { key = 1, password = \"x\" }\nkeys = [{ chain_ids = [\"test-1\"], key = 1 }]\n",
            "yubihsm",
            cfg!(feature = "yubihsm"),
        ),
        (
            "[[providers.fortanixdsm]]\napi_endpoint = \"https://localhost\"\napi_key = \"x\"\nsigning_keys = [{ chain_ids = [\"test-1\"], key_name = \"x\" }]\n",
            "fortanixdsm",
            cfg!(feature = "fortanixdsm"),
        ),
    ] {
        if is_there {
            continue;
        }
        edited.write(0, "", table);
        let ran = edited.place.start_is_refused().exits(3);
        let problems = ran.problems();
        let problem = problems
            .iter()
            .find(|p| p.message.contains(&format!("has no {name}")));
        assert!(
            problem.unwrap().message.starts_with("tmkms.toml:20:1: "),
            "{ran}"
        );
        assert!(!ran.has("\"x\""), "a password is printed: {ran}");
    }
}

#[test]
fn every_protocol_version_from_v0_34_on_is_taken() {
    let edited = Edited::new("versions");
    for version in ["v0.34", "v0.38", "ledger", "v0.40", "v1.0"] {
        edited.write(17, &format!("protocol_version = \"{version}\""), "");
        edited.place.start_dials();
    }
    edited.write(17, "", "");
    edited.place.start_dials();
}
