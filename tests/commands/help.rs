//! `help`, `version`, and command lines that are none.

use std::fs;
use std::path::Path;

use super::place::Place;
use super::ran::{Ran, commands_in, every_command_named_exists};

/// Every command, with the flags that it takes.
const COMMANDS: &[(&str, &[&str])] = &[
    ("init", &["-n, --networks"]),
    ("start", &["-c, --config", "-v, --verbose"]),
    ("softsign keygen", &["-t, --type"]),
    ("softsign kengen", &["-t, --type"]),
    ("softsign import", &["-f, --format"]),
    ("state show", &["-c, --config"]),
    (
        "state init",
        &["-c, --config", "-H, --height", "-r, --round", "--step"],
    ),
    ("state import", &["-c, --config"]),
    ("version", &[]),
    ("help", &[]),
];

#[test]
fn help_lists_every_command() {
    for args in [&["help"][..], &["-h"], &["--help"]] {
        let mut ran = Place::new("help-list").run(args).exits(0);
        for (command, _) in COMMANDS
            .iter()
            .filter(|(name, _)| !name.ends_with("kengen"))
        {
            ran = ran.says(&format!("\n  {command}"));
        }
        assert_eq!(ran.err, "");
    }
}

#[test]
fn help_of_a_command_explains_it_and_its_flags() {
    let place = Place::new("help-command");
    for (command, flags) in COMMANDS {
        let words: Vec<&str> = command.split(' ').collect();
        let helped = place.run(&[&["help"], words.as_slice()].concat()).exits(0);
        let usage = command.replace("kengen", "keygen");
        let mut helped = helped.says(&format!("\n  tmkms {usage}"));
        for flag in *flags {
            helped = helped.says(flag);
        }
        for flag in ["-h", "--help"] {
            if *command != "help" {
                let ran = place.run(&[words.as_slice(), &[flag]].concat()).exits(0);
                assert_eq!(ran.out, helped.out, "{command} {flag}");
            }
        }
    }
}

#[test]
fn help_of_a_group_explains_each_of_its_commands() {
    let place = Place::new("help-group");
    for (group, commands) in [
        ("softsign", &["keygen", "import"][..]),
        ("state", &["show", "init", "import"]),
    ] {
        let helped = place.run(&["help", group]).exits(0);
        for command in commands {
            assert!(
                helped.has(&format!("\n  tmkms {group} {command} ")),
                "{helped}"
            );
        }
        for flag in ["-h", "--help"] {
            assert_eq!(place.run(&[group, flag]).exits(0).out, helped.out);
        }
        assert_eq!(place.run(&[group]).exits(2).out, helped.out);
    }
}

#[test]
fn the_version_is_one_line() {
    for args in ["version", "--version", "-V"] {
        let ran = Place::new("help-version").run(&[args]).exits(0);
        assert_eq!(ran.out, concat!(env!("CARGO_PKG_VERSION"), "\n"));
        assert_eq!(ran.err, "");
    }
}

#[test]
fn no_arguments_list_the_commands_and_are_a_usage_error() {
    let place = Place::new("help-none");
    let ran = place.run::<&str>(&[]).exits(2);
    assert_eq!(ran.out, place.run(&["help"]).out);
}

#[test]
fn a_command_line_that_is_none_is_a_usage_error_and_says_where_help_is() {
    let place = Place::new("help-wrong");
    let before = place.listing();
    for (args, message) in [
        (&["bogus"][..], "no command `tmkms bogus`"),
        (&["state", "bogus"], "no command `tmkms state bogus`"),
        (&["help", "bogus"], "no command `tmkms bogus`"),
        (
            &["help", "state", "bogus"],
            "no command `tmkms state bogus`",
        ),
        (&["help", "init", "now"], "no command `tmkms init now`"),
        (&["kengen", "key"], "no command `tmkms kengen`"),
        (&["--loud"], "invalid option '--loud'"),
        (&["start", "--loud"], "invalid option '--loud'"),
        (&["start", "-x"], "invalid option '-x'"),
        (&["state", "--loud"], "invalid option '--loud'"),
        (
            &["start", "now"],
            "wrong number of arguments, 1: tmkms start",
        ),
        (&["start", "-c"], "missing argument for option '-c'"),
        (&["init"], "wrong number of arguments, 0: tmkms init"),
        (
            &["init", "a", "b"],
            "wrong number of arguments, 2: tmkms init",
        ),
        (&["version", "--long"], "invalid option '--long'"),
        (&["softsign", "keygen"], "PATH"),
        (
            &["softsign", "keygen", "-t", "node", "key"],
            "consensus or account",
        ),
        (&["softsign", "import", "one"], "INPUT OUTPUT"),
        (&["state", "import", "test-1"], "CHAIN INPUT"),
        (&["state", "init", "--height", "x"], "\"x\""),
        (&["state", "init", "--height", "-1"], "not negative"),
        (&["state", "init", "--round", "1"], "go with --height"),
        (&["state", "init", "--step", "prevote"], "go with --height"),
        (
            &["state", "init", "-H", "1", "--step", "x"],
            "a step is none, proposal",
        ),
    ] {
        let ran = place.run(args).exits(2);
        assert!(ran.problem().message.contains(message), "{args:?}: {ran}");
        assert_eq!(ran.out, "", "{args:?}");
    }
    assert_eq!(place.listing(), before);
}

#[test]
fn the_commands_of_a_backend_that_is_not_compiled_in() {
    let place = Place::new("help-absent");
    for (args, feature, is_in) in [
        (["yubihsm", "detect"], "yubihsm", cfg!(feature = "yubihsm")),
        (["ledger", "init"], "ledger", cfg!(feature = "ledger")),
    ] {
        if !is_in {
            let problem = place.run(&args).exits(2).problem();
            let message = format!("built without the backend for {feature}");
            assert!(problem.message.contains(&message), "{problem:?}");
        }
    }
}

#[test]
fn the_readme_and_the_configuration_name_commands_that_exist() {
    for (file, at_least) in [("README.md", 12), ("config/tmkms.toml", 2)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let mut text = fs::read_to_string(path).unwrap();
        // The rows of its table of commands.
        if let Some((_, section)) = text.split_once("## Commands") {
            let (table, _) = section.split_once("| exit code").unwrap();
            text = format!("{text}{}", table.replace("| `", "`tmkms "));
        }
        assert!(commands_in(&text).len() >= at_least, "{file}");
        every_command_named_exists(&Ran {
            code: None,
            out: text,
            err: String::new(),
        });
    }
}

#[test]
fn the_configuration_in_the_readme_is_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(path).unwrap();
    let examples: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|example| example.contains("[[chain]]"))
        .collect();
    assert_eq!(examples.len(), 1);
    for example in examples {
        let problems = tmkms::config::parse(example).err().unwrap_or_default();
        assert!(problems.is_empty(), "{problems:?}");
    }
}
