//! `state init`: a state from nothing, or a higher one; never a lower one.

use std::fs;

use super::place::{CHAIN, CLOSED, Place, mode};

const OTHER: &str = "test-2";

/// What `state show` says of the chains, in order: height, round, step and status.
fn shown(place: &Place) -> Vec<String> {
    let ran = place.run(&["state", "show"]).exits(0);
    ran.out
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            format!("{}/{}/{} {}", cells[1], cells[2], cells[3], cells[5])
        })
        .collect()
}

#[test]
fn makes_a_state_at_zero_with_which_start_begins() {
    let place = Place::with_chain("state-init");
    assert_eq!(shown(&place), ["-/-/- missing"]);
    place
        .run(&["state", "init"])
        .exits(0)
        .says("test-1: made ")
        .says("signed up to 0/0/-");
    assert_eq!(mode(&place.state()), 0o600);
    assert_eq!(shown(&place), ["0/0/none new"]);
    place.start_dials();
}

#[test]
fn makes_a_state_at_a_height_round_and_step() {
    let place = Place::with_chain("state-init-at");
    for (args, expected) in [
        (&["--height", "7"][..], "7/0/none new"),
        (&["-H", "7", "-r", "2"], "7/2/none new"),
        (&["-H7", "-r2", "--step=prevote"], "7/2/prevote new"),
        (
            &[
                "--height=9223372036854775807",
                "--round=2147483647",
                "--step",
                "precommit",
            ],
            "9223372036854775807/2147483647/precommit new",
        ),
        (&["-H", "3", "--step", "none"], "3/0/none new"),
        (&["-H", "3", "--step", "proposal"], "3/0/proposal new"),
    ] {
        fs::remove_file(place.state()).ok();
        place.run(&[&["state", "init"], args].concat()).exits(0);
        assert_eq!(shown(&place), [expected], "{args:?}");
    }
}

#[test]
fn raises_a_state_and_never_lowers_it() {
    let place = Place::with_state("state-init-raise", 100);
    for (args, says, expected) in [
        (&[][..], "left as it was", "100/0/none new"),
        (&["-H", "99"], "left as it was", "100/0/none new"),
        (&["-H", "100"], "left as it was", "100/0/none new"),
        (
            &["-H", "100", "--step", "prevote"],
            "raised from 100/0/- to 100/0/1",
            "100/0/prevote new",
        ),
        (
            &["-H", "100", "--step", "proposal"],
            "left as it was",
            "100/0/prevote new",
        ),
        (&["-H", "100", "-r", "1"], "raised", "100/1/none new"),
        (&["-H", "200"], "raised", "200/0/none new"),
        (
            &["-H", "1", "-r", "9", "--step", "precommit"],
            "left as it was",
            "200/0/none new",
        ),
    ] {
        place
            .run(&[&["state", "init"], args].concat())
            .exits(0)
            .says(says);
        assert_eq!(shown(&place), [expected], "{args:?}");
    }
}

#[test]
fn raises_another_programs_state_and_keeps_the_original() {
    let place = Place::with_chain("state-init-foreign");
    let text = r#"{"height":"100","round":"0","step":2,"block_id":null}"#;
    place.write("state/test-1-consensus.json", text);
    place
        .run(&["state", "init"])
        .exits(0)
        .says("left as it was: a state of tmkms");
    place
        .run(&["state", "init", "-H", "5"])
        .exits(0)
        .says("left as it was: a state of tmkms");
    assert_eq!(fs::read_to_string(place.state()).unwrap(), text);
    place
        .run(&["state", "init", "-H", "101"])
        .exits(0)
        .says("raised from 100/0/2 to 101/0/-");
    assert_eq!(shown(&place), ["101/0/none new"]);
    let kept = Place::kept(&place.state());
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), text);
}

#[test]
fn uses_a_mark_up_and_does_not_go_below_it() {
    for (name, height, expected) in [
        ("state-init-mark", "5", "1198/0/precommit new"),
        ("state-init-mark-above", "2000", "2000/0/none new"),
    ] {
        let place = Place::with_chain(name);
        fs::remove_file(place.home.key_file(CHAIN)).unwrap();
        let input = place.write_node_key();
        place.write_node_state(r#"{"height":"1198","round":0,"step":3}"#);
        let output = place.home.key_file(CHAIN);
        let [input, output] = [&input, &output].map(|path| path.to_str().unwrap());
        place.run(&["softsign", "import", input, output]).exits(0);
        place.run(&["state", "init", "-H", height]).exits(0);
        assert_eq!(shown(&place), [expected]);
        assert!(
            !place
                .path("secrets/test-1-consensus.key.begin-once")
                .exists()
        );
        fs::remove_file(place.state()).unwrap();
        place.start_is_refused().exits(5);
    }
}

#[test]
fn makes_the_states_of_the_named_chains_or_of_all() {
    let place = Place::with_chain("state-init-several");
    place.home.chain(OTHER, "").unwrap();
    place
        .home
        .validator(OTHER, "tcp://127.0.0.1:2", "")
        .unwrap();
    place.write_key(OTHER);
    place.run(&["state", "init", OTHER]).exits(0);
    assert_eq!(shown(&place), ["-/-/- missing", "0/0/none new"]);
    place
        .run(&["state", "init"])
        .exits(0)
        .says("test-1: made ")
        .says("test-2: left as it was");
    assert_eq!(shown(&place), ["0/0/none new", "0/0/none new"]);
}

#[test]
fn a_chain_that_is_not_there_is_a_usage_error_that_lists_those_that_are() {
    let place = Place::with_chain("state-init-unknown");
    for command in ["init", "show"] {
        place
            .run(&["state", command, "test-9"])
            .exits(2)
            .says("has no chain test-9; it has test-1");
    }
    assert!(!place.state().exists());
}

#[test]
fn a_directory_that_is_missing_is_not_made() {
    let place = Place::with_chain("state-init-directory");
    fs::remove_dir(place.path("state")).unwrap();
    let input = place.write("old.json", r#"{"height":"5","round":"0","step":2}"#);
    for args in [
        &["state", "init"][..],
        &["state", "import", CHAIN, input.to_str().unwrap()],
    ] {
        let problem = place.run(args).exits(5).problem();
        assert!(
            problem.message.contains("tmkms.toml:5:14: the directory"),
            "{problem:?}"
        );
        assert!(
            problem
                .cure
                .contains("not mounted? else: mkdir -m 700 -p /"),
            "{problem:?}"
        );
    }
    assert!(!place.path("state").exists());
}

#[test]
fn a_configuration_with_problems_is_shown_them() {
    let place = Place::with_chain("state-init-configuration");
    place.home.configure("[[chain]]\nid = \"test-2\"").unwrap();
    for args in [
        &["state", "init"][..],
        &["state", "show"],
        &["state", "import", CHAIN, "x"],
    ] {
        let problem = place.run(args).exits(3).problem();
        assert!(
            problem.message.contains("test-2 has no consensus key"),
            "{problem:?}"
        );
    }
}

#[test]
fn one_new_key_for_two_chains_begins_both_with_one_command() {
    let place = Place::new("state-init-one-key");
    let key = place.path("secrets/both.key");
    for (chain, addr) in [(CHAIN, CLOSED), (OTHER, "tcp://127.0.0.1:2")] {
        let text = format!(
            "[[chain]]\nid = \"{chain}\"\nstate_file = \"{}\"\n[[providers.softsign]]\nchain_ids = [\"{chain}\"]\npath = \"{}\"",
            place.home.state_file(chain).display(),
            key.display()
        );
        place.home.configure(&text).unwrap();
        place.home.validator(chain, addr, "").unwrap();
    }
    place
        .run(&["softsign", "keygen", key.to_str().unwrap()])
        .exits(0);
    let problem = place.start_is_refused().exits(5).problem();
    let line = problem.cure.split_once("tmkms state init").unwrap().1;
    place.run_line(&format!("tmkms state init{line}")).exits(0);
    assert_eq!(shown(&place), ["0/0/none new", "0/0/none new"]);
    place.start_dials();
}
