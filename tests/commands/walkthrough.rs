//! The operator's guide: an empty directory, a node's key, and a signer that dials.

use std::fs;

use super::place::{CLOSED, PATIENCE, Place, mode};

const CHAIN: &str = "metaos_99237-1";

/// A node's home as `metaosd init` leaves it, and the directory of the guide's user.
fn user(name: &str) -> Place {
    let place = Place::new(name);
    let node = super::place::node_key(&place.seed(CHAIN));
    place.write(".metaos/config/priv_validator_key.json", node);
    place.write(
        ".metaos/data/priv_validator_state.json",
        "{\n  \"height\": \"0\",\n  \"round\": 0,\n  \"step\": 0\n}",
    );
    place
}

/// Step 3 of the guide.
fn edit(place: &Place) {
    let kms = place.path(".kms").display().to_string();
    let text = format!(
        r#"# Tendermint KMS configuration file

## Chain Configuration

### MetaOS Network

[[chain]]
id = "metaos_99237-1"
key_format = {{ type = "bech32", account_key_prefix = "mtospub", consensus_key_prefix = "mtosvalconspub" }}
state_file = "{kms}/state/metaos_99237-1-consensus.json"

## Signing Provider Configuration

### Software-based Signer Configuration

[[providers.softsign]]
chain_ids = ["metaos_99237-1"]
key_type = "consensus"
path = "{kms}/secrets/consensus.key"

## Validator Configuration

[[validator]]
chain_id = "metaos_99237-1"
addr = "{CLOSED}" # The `priv_validator_laddr` address in `~/.metaos/config/config.toml` on the validator instance.
secret_key = "{kms}/secrets/kms-identity.key"
protocol_version = "v0.34" # This should be set same as the version of Tendermint, use `metaosd tendermint version` to check. If you are using `ledger` module , `ledger` should be set. 
reconnect = true
"#
    );
    fs::write(place.path(".kms/tmkms.toml"), text).unwrap();
}

/// What stands behind the time of a log line.
#[track_caller]
fn rest(line: &str) -> &str {
    let (time, rest) = line.split_at(27);
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{line}");
    rest
}

#[test]
fn the_guide_works_from_an_empty_directory_up_to_the_dial() {
    let place = user("guide");
    place.run(&["init", ".kms/"]).exits(0);
    let key = ".metaos/config/priv_validator_key.json";
    place
        .run(&["softsign", "import", key, ".kms/secrets/consensus.key"])
        .exits(0);
    let identity = place.path(".kms/secrets/kms-identity.key");
    let made_by_init = fs::read(&identity).unwrap();
    place
        .run(&["softsign", "kengen", ".kms/secrets/kms-identity.key"])
        .exits(0)
        .says("is kept as ");
    assert_eq!(fs::read(&Place::kept(&identity)[0]).unwrap(), made_by_init);
    edit(&place);

    let mut command = std::process::Command::new(super::place::BIN);
    command
        .args(["start", "-c", ".kms/tmkms.toml"])
        .current_dir(place.path(""));
    let mut signer = super::validator::Process::spawn(&mut command).unwrap();
    signer.wait_for("Connection refused", PATIENCE).unwrap();
    let lines = signer.lines().to_vec();
    let status = signer.stop(PATIENCE).unwrap().unwrap();
    assert_eq!(status.code(), Some(0));

    let public = place.key(CHAIN).public_key();
    let prefix = tmkms::keys::Prefix::new("mtosvalconspub").unwrap();
    let seed = fs::read(&identity).unwrap();
    let node_id = tmkms::keys::parse_seed(&seed)
        .ok()
        .unwrap()
        .public_key()
        .node_id();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        format!("  INFO tmkms::commands::start: tmkms {version} starting up..."),
        format!(
            "  INFO tmkms::keyring: [keyring:softsign] added consensus Ed25519 key: {}",
            public.to_bech32(&prefix)
        ),
        format!("  INFO tmkms::connection::tcp: KMS node ID: {node_id}"),
    ];
    let found: Vec<&str> = lines.iter().map(|line| rest(line)).collect();
    let mut left = found.iter();
    for line in &expected {
        assert!(left.any(|found| found == line), "{line} in {lines:#?}");
    }
    let refused = format!(
        " ERROR tmkms::client: [{CHAIN}@{CLOSED}] I/O error: Connection refused (os error 111)"
    );
    assert!(left.any(|found| found.starts_with(&refused)), "{lines:#?}");
    assert!(
        public
            .to_bech32(&prefix)
            .starts_with("mtosvalconspub1zcjduepq")
    );

    let state = place.path(".kms/state/metaos_99237-1-consensus.json");
    assert_eq!(mode(&state), 0o600);
    assert!(!place.path(".kms/secrets/consensus.key.begin-once").exists());
}

#[test]
fn the_guide_can_be_followed_twice() {
    let place = user("guide-twice");
    for round in 0..2 {
        place.run(&["init", ".kms/"]).exits(0);
        let key = ".metaos/config/priv_validator_key.json";
        place
            .run(&["softsign", "import", key, ".kms/secrets/consensus.key"])
            .exits(0);
        edit(&place);
        fs::copy(place.path(".kms/tmkms.toml"), place.home.config()).unwrap();
        let lines = place.start_dials().join("\n");
        assert_eq!(lines.contains("began a new state"), round == 0, "{lines}");
    }
}

#[test]
fn debug_messages_come_with_the_verbose_flag() {
    let place = Place::with_state("guide-verbose", 1);
    for flag in ["-v", "--verbose"] {
        let mut command = std::process::Command::new(super::place::BIN);
        command.args(["start", flag]).current_dir(place.path(""));
        let mut signer = super::validator::Process::spawn(&mut command).unwrap();
        signer.wait_for("Connection refused", PATIENCE).unwrap();
        assert_eq!(signer.stop(PATIENCE).unwrap().unwrap().code(), Some(0));
    }
}
