//! `state show`: how far, of every chain, whatever its state looks like.

use std::fs;

use super::place::{CHAIN, Place};

#[test]
fn shows_every_chain_and_changes_nothing() {
    let place = Place::with_state("state-show", 100);
    for (chain, state) in [
        (
            "test-2",
            Some(r#"{"height":"7","round":"1","step":1,"block_id":null}"#),
        ),
        ("test-3", None),
    ] {
        place.home.chain(chain, "").unwrap();
        place.write_key(chain);
        if let Some(state) = state {
            place.write(&format!("state/{chain}-consensus.json"), state);
        }
    }
    let before = place.listing();
    let ran = place.run(&["state", "show"]).exits(0);
    let lines: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let path = |chain| place.home.state_file(chain).display().to_string();
    assert_eq!(
        lines,
        [
            &[
                "CHAIN", "HEIGHT", "ROUND", "STEP", "BLOCK", "STATUS", "FILE"
            ],
            &["test-1", "100", "0", "none", "-", "new", &path("test-1")],
            &["test-2", "7", "1", "prevote", "-", "tmkms", &path("test-2")],
            &["test-3", "-", "-", "-", "-", "missing", &path("test-3")],
        ]
    );
    let one = place.run(&["state", "show", "test-2"]).exits(0);
    assert_eq!(one.out.lines().count(), 2);
    assert_eq!(place.listing(), before);
}

#[test]
fn a_bad_state_is_shown_with_its_cure_beside_the_good_ones() {
    let place = Place::with_state("state-show-bad", 100);
    place.home.chain("test-2", "").unwrap();
    place.write_key("test-2");
    place.write("state/test-2-consensus.json", "");
    let ran = place.run(&["state", "show"]).exits(5).says("100");
    let problem = ran.problem();
    assert!(problem.message.contains("is empty"), "{problem:?}");
    assert!(
        problem
            .cure
            .contains("tmkms state init -c tmkms.toml --height H test-2"),
        "{problem:?}"
    );
}

#[test]
fn another_chains_or_another_keys_state_is_not_passed_off_as_this_ones() {
    let place = Place::with_state("state-show-other", 100);
    place.home.chain("test-2", "").unwrap();
    place.write_key("test-2");
    fs::copy(place.state(), place.home.state_file("test-2")).unwrap();
    place
        .run(&["state", "show", "test-2"])
        .exits(5)
        .says("another chain, test-1");
    let key = place.home.key_file(CHAIN);
    place
        .run(&["softsign", "keygen", key.to_str().unwrap()])
        .exits(0);
    place
        .run(&["state", "show", CHAIN])
        .exits(5)
        .says("another key");
}

#[test]
fn the_configuration_is_the_named_file_or_the_environments_or_the_one_that_lies_here() {
    let place = Place::with_state("state-show-configuration", 100);
    fs::rename(place.home.config(), place.path("secrets/other.toml")).unwrap();
    let config = place.path("secrets/other.toml");
    place
        .run(&["state", "show"])
        .exits(3)
        .says("tmkms.toml: cannot read the configuration: No such file");
    place
        .run(&["state", "show", "-c", config.to_str().unwrap()])
        .exits(0)
        .says("100");
    place
        .run_with(&["state", "show"], |command| {
            command.env("TMKMS_CONFIG_FILE", &config);
        })
        .exits(0)
        .says("100");
    // The flag comes before the environment.
    place
        .run_with(&["state", "show", "-c", "secrets/other.toml"], |command| {
            command.env("TMKMS_CONFIG_FILE", "absent.toml");
        })
        .exits(0);
    place
        .run_with(&["start"], |command| {
            command.env("TMKMS_CONFIG_FILE", "absent.toml");
        })
        .exits(3)
        .says("absent.toml: cannot read");
}
