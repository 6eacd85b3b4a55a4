//! Everything that is wrong, in one run.

use std::fs;

use super::place::{Place, chmod};

/// A configuration in which hardly anything is right. `{dir}` is the home.
const FAULTY: &str = r#"[[chain]]
id = "sound-1"
state_file = "{dir}/state/sound-1.json"

[[chain]]
id = "lost-1"
stat_file = "{dir}/state/lost-1.json"
state_hook = { cmd = [] }

[[chain]]
id = "keyless-1"

[[chain]]
id = "damaged-1"
state_file = "{dir}/state/damaged-1.json"

[[chain]]
id = "begun-1"
state_file = "{dir}/unmounted/begun-1.json"

[[providers.softsign]]
chain_ids = ["sound-1", "nowhere-1"]
path = "{dir}/secrets/sound.key"

[[providers.softsign]]
chain_ids = ["damaged-1"]
path = "{dir}/secrets/damaged.key"

[[providers.softsign]]
chain_ids = ["lost-1"]
path = "{dir}/secrets/wide.key"

[[providers.softsign]]
chain_ids = ["begun-1"]
path = "{dir}/secrets/begun.key"

[[providers.softsign]]
chain_ids = ["sound-1"]
path = "{dir}/secrets/no.key"

[[providers.ledgertm]]
chain_ids = ["damaged-1"]

[[validator]]
chain_id = "sound-1"
addr = "tcp://127.0.0.1:1"
secret_key = "{dir}/secrets/absent.key"
protocol_version = "legacy"

[[validator]]
chain_id = "sound-2"
addr = "tcp://127.0.0.1:1"
secret_key = "{dir}/secrets/sound.key"
reconnect = "yes"

[[validator]]
chain_id = "damaged-1"
addr = "tcp://127.0.0.1"
secret_key = "{dir}/secrets/half.key"

[[providers.softsign]]
chain_ids = ["nowhere-2"]
key_format = "pem"
path = "{dir}/secrets/stray.key"
"#;

/// Place and a part of each message, in the order of the file.
const PROBLEMS: &[(&str, &str)] = &[
    ("3:14", "is missing"),
    ("7:1", "stat_file"),
    ("8:22", "cmd"),
    ("11:6", "keyless-1 has no consensus key"),
    ("15:14", "is empty"),
    ("19:14", "does not exist"),
    ("22:25", "nowhere-1"),
    ("31:8", "(mode 0644): chmod 600"),
    ("38:14", "already has a consensus key"),
    ("39:8", "no.key is no key file"),
    ("41:1", "no ledgertm"),
    ("42:14", "already has a consensus key"),
    ("47:14", "absent.key"),
    ("48:20", "Amino"),
    ("51:12", "sound-2"),
    ("52:8", "already dialled"),
    ("53:14", "is a consensus key as well"),
    ("54:13", "reconnect"),
    ("58:8", "port is missing"),
    ("59:14", "half.key"),
    ("62:14", "nowhere-2"),
    ("63:14", "pem"),
    ("64:8", "(mode 0640): chmod 600"),
];

fn faulty(name: &str) -> Place {
    let place = Place::new(name);
    let dir = place.path("");
    let text = FAULTY.replace("{dir}", dir.to_str().unwrap().trim_end_matches('/'));
    fs::write(place.home.config(), text).unwrap();
    for key in ["sound", "damaged", "wide", "begun", "stray"] {
        place
            .home
            .write_key(&format!("{key}.key"), &place.seed(key))
            .unwrap();
    }
    chmod(&place.path("secrets/wide.key"), 0o644);
    chmod(&place.path("secrets/stray.key"), 0o640);
    place.write("secrets/no.key", "what is this");
    place.write("secrets/half.key", "AAAA");
    place.write("state/damaged-1.json", "");
    place
}

#[test]
fn every_problem_is_told_in_one_run_in_the_order_of_the_file_and_nothing_is_touched() {
    let place = faulty("many");
    let ran = place.start_is_refused().exits(3);
    let found: Vec<String> = ran
        .problems()
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    // One of them is none in a build that has a Ledger.
    let expected = PROBLEMS
        .iter()
        .filter(|(_, part)| !(cfg!(feature = "ledger") && *part == "no ledgertm"));
    for (at, part) in expected.clone() {
        let place = format!("tmkms.toml:{at}: ");
        assert!(
            found
                .iter()
                .any(|found| found.starts_with(&place) && found.contains(part)),
            "{at} {part}: {ran}"
        );
    }
    let places = |text: &String| -> Vec<usize> {
        text.split(':')
            .skip(1)
            .take(2)
            .map(|number| number.parse().unwrap())
            .collect()
    };
    let order: Vec<_> = found.iter().map(places).collect();
    assert!(order.is_sorted(), "{ran}");
    assert_eq!(found.len(), expected.count(), "{ran}");
}

#[test]
fn of_several_classes_the_lowest_code_counts() {
    let place = Place::with_state("many-classes", 100);
    let key = place.home.key_file(super::place::CHAIN);
    fs::write(place.state(), "").unwrap();
    place.start_is_refused().exits(5);
    chmod(&place.path("secrets/kms-identity.key"), 0o644);
    assert_eq!(place.start_is_refused().exits(4).problems().len(), 2);
    let config = fs::read_to_string(place.home.config()).unwrap();
    fs::write(
        place.home.config(),
        config.replace("reconnect = true", "reconnect = 1"),
    )
    .unwrap();
    assert_eq!(place.start_is_refused().exits(3).problems().len(), 3);
    chmod(&key, 0o644);
    assert_eq!(place.start_is_refused().exits(3).problems().len(), 3);
}

#[test]
fn a_lock_counts_after_everything_else() {
    let place = Place::with_state("many-locked", 100);
    let _signer = place.dialling();
    place.start_is_refused().exits(6);
    chmod(&place.path("secrets/kms-identity.key"), 0o644);
    place.start_is_refused().exits(4);
}

#[test]
fn a_chain_in_order_does_not_begin_beside_one_that_is_not() {
    let place = Place::with_chain("many-marks");
    let key = place.home.key_file(super::place::CHAIN);
    place
        .run(&["softsign", "keygen", key.to_str().unwrap()])
        .exits(0);
    place.home.chain("test-2", "").unwrap();
    place.write_key("test-2");
    place
        .start_is_refused()
        .exits(5)
        .says("test-2-consensus.json is missing");
    assert!(
        place
            .path("secrets/test-1-consensus.key.begin-once")
            .exists()
    );
}
