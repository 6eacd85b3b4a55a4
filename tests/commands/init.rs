//! `init`: a home that is complete, and one that is left alone.

use std::fs;
use std::path::Path;

use super::place::{Place, listing, mode};

/// `init` with these arguments in a place of its own; the home is `kms` below it.
fn init(name: &str, args: &[&str]) -> Place {
    let place = Place::new(name);
    place.run(&[&["init"], args].concat()).exits(0);
    place
}

fn problems_of(place: &Place, config: &str) -> Vec<String> {
    let ran = place.run(&["start", "-c", config]);
    ran.problems()
        .into_iter()
        .map(|problem| problem.message)
        .collect()
}

#[test]
fn makes_the_directories_and_files_with_their_modes() {
    let place = init("init-layout", &["kms"]);
    for (name, expected) in [
        ("kms", 0o700),
        ("kms/secrets", 0o700),
        ("kms/state", 0o700),
        ("kms/schema", 0o700),
        ("kms/tmkms.toml", 0o600),
        ("kms/secrets/kms-identity.key", 0o600),
    ] {
        assert_eq!(mode(&place.path(name)), expected, "{name}");
    }
    assert_eq!(listing(&place.path("kms")).len(), 6);
    let identity = fs::read_to_string(place.path("kms/secrets/kms-identity.key")).unwrap();
    assert_eq!(identity.len(), 44);
    assert!(identity.ends_with('='));
}

#[test]
fn two_homes_have_two_identities() {
    let place = init("init-two", &["a"]);
    place.run(&["init", "b"]).exits(0);
    let [a, b] = ["a", "b"].map(|home| place.path(home).join("secrets/kms-identity.key"));
    assert_ne!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

#[test]
fn leaves_what_is_there_byte_for_byte() {
    let place = init("init-again", &["kms"]);
    fs::write(place.path("kms/tmkms.toml"), "# mine\n").unwrap();
    let before = listing(&place.path("kms"));
    place
        .run(&["init", "-n", "osmosis", "kms"])
        .exits(0)
        .says("left as it was: ");
    assert_eq!(listing(&place.path("kms")), before);
}

#[test]
fn makes_what_is_missing_beside_what_is_there() {
    let place = init("init-missing", &["kms"]);
    let identity = place.path("kms/secrets/kms-identity.key");
    let key = fs::read(&identity).unwrap();
    fs::remove_file(place.path("kms/tmkms.toml")).unwrap();
    fs::remove_dir(place.path("kms/state")).unwrap();
    place.run(&["init", "kms"]).exits(0);
    assert_eq!(fs::read(&identity).unwrap(), key);
    assert!(place.path("kms/tmkms.toml").is_file());
    assert!(place.path("kms/state").is_dir());
}

#[test]
fn the_configuration_has_placeholders_for_its_only_problems() {
    let place = init("init-placeholders", &["kms"]);
    let problems = problems_of(&place, "kms/tmkms.toml");
    assert!(problems.len() >= 4, "{problems:?}");
    for problem in problems {
        // The key is the operator's as well: it is imported.
        let is_open =
            problem.contains("left to fill in") || problem.contains("consensus.key: No such file");
        assert!(is_open, "{problem}");
    }
}

#[test]
fn with_networks_only_the_keys_are_missing() {
    let list = "cosmoshub,irishub,sentinelhub,osmosis,core";
    for (name, flag) in [("init-n", "-n"), ("init-networks", "--networks")] {
        let place = init(name, &[flag, list, "kms"]);
        let problems = problems_of(&place, "kms/tmkms.toml");
        assert_eq!(problems.len(), 5, "{problems:?}");
        for problem in problems {
            assert!(
                problem.contains("-consensus.key: No such file"),
                "{problem}"
            );
        }
    }
}

#[test]
fn an_unknown_network_is_a_usage_error_and_makes_nothing() {
    let place = Place::new("init-unknown");
    place
        .run(&["init", "-n", "cosmoshub,nowhere", "kms"])
        .exits(2)
        .says("\"nowhere\"")
        .says("known are cosmoshub, ");
    assert!(!place.path("kms").exists());
}

#[test]
fn a_home_whose_name_needs_quotes_works_and_is_quoted_where_it_is_to_be_typed() {
    let place = Place::new("init-quotes");
    let home = r#"my "kms" home/it's"#;
    let ran = place.run(&["init", "-n", "osmosis", home]).exits(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    let start = lines.last().unwrap().split_once("tmkms start").unwrap().1;
    let started = place.run_line(&format!("tmkms start{start}")).exits(4);
    let problem = started.problem().message;
    assert!(problem.contains("No such file"), "{problem}");
    let config = fs::read_to_string(place.path(home).join("tmkms.toml")).unwrap();
    assert!(
        config.contains(r#"/my \"kms\" home/it's/state/osmosis-1"#),
        "{config}"
    );
}

#[test]
fn the_key_goes_where_the_configuration_looks_for_it() {
    let place = Place::new("init-next");
    let ran = place.run(&["init", "-n", "osmosis", "kms"]).exits(0);
    let node_key = place.write_node_key();
    let (_, line) = ran
        .out
        .split_once("tmkms softsign import KEY.json ")
        .unwrap();
    let path = line.lines().next().unwrap().trim_end_matches(',');
    place
        .run(&["softsign", "import", node_key.to_str().unwrap(), path])
        .exits(0);
    let problems = problems_of(&place, "kms/tmkms.toml");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("the state "), "{problems:?}");
}

#[test]
fn a_relative_home_is_written_as_an_absolute_one() {
    let place = init("init-relative", &["./kms/"]);
    let config = fs::read_to_string(place.path("kms/tmkms.toml")).unwrap();
    for line in config.lines().filter(|line| line.starts_with("path = ")) {
        let path = line.split('"').nth(1).unwrap();
        assert!(Path::new(path).is_absolute(), "{line}");
        assert!(!path.contains("/./") && !path.contains("//"), "{line}");
    }
}

#[test]
fn a_file_in_the_way_is_said() {
    let place = Place::new("init-in-the-way");
    place.write("kms", "a file");
    let ran = place.run(&["init", "kms"]).exits(1);
    assert!(ran.problem().message.contains("kms"), "{ran}");
    assert_eq!(fs::read(place.path("kms")).unwrap(), b"a file");
}
