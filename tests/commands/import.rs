//! `softsign import`: another program's key, and how far it has signed.

use std::fs;
use std::os::unix::fs::symlink;

use super::place::{CHAIN, Place, chmod, mode, node_key};

const STATE: &str = r#"{
  "height": "1198",
  "round": 0,
  "step": 3
}"#;

/// A node's home with its key and, unless empty, its state.
fn node(name: &str, state: &str) -> Place {
    let place = Place::with_chain(name);
    fs::remove_file(place.home.key_file(CHAIN)).unwrap();
    place.write_node_key();
    if !state.is_empty() {
        place.write_node_state(state);
    }
    place
}

const INPUT: &str = "node/config/priv_validator_key.json";
const OUTPUT: &str = "secrets/test-1-consensus.key";

fn import(place: &Place) -> super::ran::Ran {
    place.run(&["softsign", "import", INPUT, OUTPUT])
}

fn mark(place: &Place) -> std::path::PathBuf {
    place.path("secrets/test-1-consensus.key.begin-once")
}

#[test]
fn the_seed_is_written_for_its_owner_alone_and_the_public_key_is_told() {
    let place = node("import", STATE);
    let ran = import(&place).exits(0);
    let key = fs::read_to_string(place.path(OUTPUT)).unwrap();
    assert_eq!(key, *place.key(CHAIN).to_base64_seed());
    assert_eq!(mode(&place.path(OUTPUT)), 0o600);
    let public = place.key(CHAIN).public_key();
    assert!(!ran.has(&key), "the secret is printed:\n{ran}");
    ran.says(&public.to_cosmos_json())
        .says(&public.address_hex());
}

#[test]
fn the_format_flag_of_tmkms_is_accepted() {
    for (name, flags) in [
        ("import-f", &["-f", "json"][..]),
        ("import-format", &["--format=json"]),
    ] {
        let place = node(name, STATE);
        let args = [&["softsign", "import"], flags, &[INPUT, OUTPUT]].concat();
        place.run(&args).exits(0);
    }
}

#[test]
fn a_key_goes_on_where_its_node_stopped() {
    let place = node("import-goes-on", STATE);
    import(&place)
        .exits(0)
        .says("signed up to 1198/0/2 by the node");
    assert_eq!(mode(&mark(&place)), 0o600);
    let lines = place.start_dials().join("\n");
    assert!(lines.contains("signed up to 1198/0/2"), "{lines}");
    assert!(!mark(&place).exists());
    place.run(&["state", "show"]).exits(0).says("1198");
}

#[test]
fn a_key_of_a_node_that_never_ran_begins_at_zero() {
    let place = node("import-fresh", r#"{"height": "0", "round": 0, "step": 0}"#);
    import(&place).exits(0).says("signed up to 0/0/-");
    let lines = place.start_dials().join("\n");
    assert!(lines.contains("signed up to 0/0/-"), "{lines}");
}

#[test]
fn without_the_nodes_state_the_two_commands_are_named_and_each_works() {
    for (name, command) in [
        ("import-alone-init", "state init"),
        ("import-alone-import", "state import"),
    ] {
        let place = node(name, "");
        let ran = import(&place)
            .exits(0)
            .says("how far this key has signed is not known");
        assert!(!mark(&place).exists());
        place.start_is_refused().exits(5).says("is missing");
        place.write("priv_validator_state.json", STATE);
        let line = ran
            .out
            .lines()
            .find_map(|line| line.split_once(&format!("tmkms {command}")))
            .unwrap()
            .1
            .replace("CHAIN", CHAIN);
        let ran = place.run_line(&format!("tmkms {command}{line}")).exits(0);
        assert!(ran.has("test-1: made "), "{ran}");
        place.start_dials();
    }
}

#[test]
fn the_same_key_again_changes_nothing() {
    let place = node("import-again", STATE);
    import(&place).exits(0);
    let before = place.listing();
    import(&place).exits(0).says("holds this key already");
    assert_eq!(place.listing(), before);
}

#[test]
fn a_key_that_was_here_before_gets_no_second_beginning() {
    let place = node("import-back", STATE);
    import(&place).exits(0);
    place.start_dials();
    place.run(&["softsign", "keygen", OUTPUT]).exits(0);
    import(&place).exits(0).says("was here before");
    place.start_dials();
    fs::remove_file(place.state()).unwrap();
    place.start_is_refused().exits(5);
}

#[test]
fn another_key_is_moved_aside_with_its_bytes() {
    let place = node("import-over", STATE);
    place.run(&["softsign", "keygen", OUTPUT]).exits(0);
    let old = fs::read(place.path(OUTPUT)).unwrap();
    let ran = import(&place).exits(0);
    let kept = Place::kept(&place.path(OUTPUT));
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), old);
    assert_eq!(mode(&kept[0]), 0o600);
    ran.says(kept[0].file_name().unwrap().to_str().unwrap());
}

#[test]
fn the_same_key_in_another_form_or_for_others_to_read_becomes_a_key_file() {
    let place = node("import-form", STATE);
    let key = node_key(&place.seed(CHAIN));
    place.write(OUTPUT, &key);
    import(&place).exits(0);
    assert_eq!(fs::read_to_string(place.path(OUTPUT)).unwrap().len(), 44);
    assert_eq!(
        fs::read_to_string(&Place::kept(&place.path(OUTPUT))[0]).unwrap(),
        key
    );
    chmod(&place.path(OUTPUT), 0o644);
    import(&place).exits(0);
    assert_eq!(mode(&place.path(OUTPUT)), 0o600);
    assert_eq!(Place::kept(&place.path(OUTPUT)).len(), 2);
}

#[test]
fn input_and_output_are_two_files() {
    let place = node("import-itself", STATE);
    symlink(place.path(INPUT), place.path("link")).unwrap();
    let before = place.listing();
    for output in [INPUT, "link"] {
        let ran = place.run(&["softsign", "import", INPUT, output]).exits(2);
        assert!(ran.has("nothing was written"), "{ran}");
    }
    assert_eq!(place.listing(), before);
}

#[test]
fn an_input_that_others_may_read_is_a_warning() {
    let place = node("import-wide", STATE);
    chmod(&place.path(INPUT), 0o644);
    let ran = import(&place).exits(0);
    assert!(
        ran.err
            .starts_with("warning: others than its owner may use"),
        "{ran}"
    );
    assert!(ran.err.contains("chmod 600"), "{ran}");
    assert_eq!(mode(&place.path(INPUT)), 0o644);
}

#[test]
fn the_state_is_looked_for_beside_the_real_key_and_not_beside_a_link_to_it() {
    let place = node("import-link", STATE);
    fs::create_dir_all(place.path("other/config")).unwrap();
    symlink(place.path(INPUT), place.path("other/config/key.json")).unwrap();
    place
        .run(&["softsign", "import", "other/config/key.json", OUTPUT])
        .exits(0)
        .says("1198");
}

#[test]
fn what_is_no_validators_key_is_refused_by_its_name_and_nothing_is_written() {
    let place = node("import-refused", STATE);
    let key = node_key(&place.seed(CHAIN));
    let (_, private) = key.split_once("\"priv_key\"").unwrap();
    for (name, content, message) in [
        (
            "node_key.json",
            format!("{{\"priv_key\"{private}"),
            "node_key.json",
        ),
        (
            "secp256k1",
            key.replace("tendermint/PrivKeyEd25519", "tendermint/PrivKeySecp256k1"),
            "secp256k1",
        ),
        (
            "shard",
            r#"{"keyType":"ed25519","pubKey":"AA==","privateShard":"AA==","id":1}"#.to_owned(),
            "horcrux",
        ),
        ("state", STATE.to_owned(), "a record of what was signed"),
        (
            "garbage",
            "what is this".to_owned(),
            "no key file of any known program",
        ),
        ("empty", String::new(), "is empty"),
        ("zeros", "\0".repeat(345), "zeros"),
        ("cut", key[..key.len() - 9].to_owned(), "JSON"),
        (
            "halves",
            key.replace(
                "Ed25519\",\n    \"value\": \"",
                "Ed25519\",\n    \"value\": \"AAAA",
            ),
            "`",
        ),
    ] {
        place.write(INPUT, &content);
        let before = place.listing();
        let ran = import(&place).exits(4);
        assert!(ran.problem().message.contains(message), "{name}: {ran}");
        assert_eq!(place.listing(), before, "{name}");
    }
}

#[test]
fn an_input_that_is_not_there_or_no_file_is_refused() {
    let place = node("import-absent", "");
    let before = place.listing();
    for input in ["absent", "node"] {
        let ran = place.run(&["softsign", "import", input, OUTPUT]).exits(4);
        assert!(ran.problem().message.contains(input), "{ran}");
    }
    assert_eq!(place.listing(), before);
}

#[test]
fn a_missing_directory_for_the_output_is_refused() {
    let place = node("import-directory", STATE);
    let before = place.listing();
    let ran = place
        .run(&["softsign", "import", INPUT, "absent/key"])
        .exits(4);
    assert!(
        ran.problem().cure.contains("mkdir -m 700 -p absent"),
        "{ran}"
    );
    assert_eq!(place.listing(), before);
}

#[test]
fn a_damaged_state_of_the_node_stops_the_import() {
    let place = node("import-damaged", STATE);
    for (name, content) in [
        ("empty", ""),
        ("cut", "{\"height\": \"11"),
        ("zeros", "\0\0\0\0"),
        ("garbage", "what is this"),
        ("half", r#"{"height": "1198", "round": 0}"#),
        ("step", r#"{"height": "1198", "round": 0, "step": 9}"#),
    ] {
        place.write_node_state(content);
        let before = place.listing();
        let ran = import(&place).exits(5);
        assert!(
            ran.problem().message.contains("the node's own state"),
            "{name}: {ran}"
        );
        assert!(ran.has("nothing was written"), "{name}: {ran}");
        assert_eq!(place.listing(), before, "{name}");
    }
}
