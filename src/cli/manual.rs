//! `tmkms help --man`: the manual page, from the table of commands.

use core::fmt::{self, Write as _};

use super::VERSION;
use super::command::{COMMANDS, Command};

/// The page, for `man -l`.
pub(super) fn page() -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut page);
    page
}

fn write(to: &mut String) -> fmt::Result {
    writeln!(to, ".TH TMKMS 1 \"\" \"tmkms {VERSION}\" \"\"")?;
    writeln!(
        to,
        ".SH NAME\ntmkms \\- remote signer for Tendermint and CometBFT validators"
    )?;
    writeln!(
        to,
        ".SH SYNOPSIS\n.B tmkms\n.I COMMAND\n.RI [ FLAGS ]\n\\&..."
    )?;
    section(to, "DESCRIPTION", DESCRIPTION)?;
    writeln!(to, ".SH COMMANDS")?;
    for command in COMMANDS {
        write_command(to, command)?;
    }
    for (title, entries) in [
        ("FILES", FILES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("SIGNALS", SIGNALS),
        ("EXIT STATUS", EXITS),
    ] {
        writeln!(to, ".SH {title}")?;
        for (name, about) in entries {
            writeln!(to, ".TP\n.B {}\n{}", escaped(name), escaped(about))?;
        }
    }
    Ok(())
}

fn section(to: &mut String, title: &str, text: &str) -> fmt::Result {
    writeln!(to, ".SH {title}\n{}", escaped(text))
}

fn write_command(to: &mut String, command: &Command) -> fmt::Result {
    writeln!(
        to,
        ".SS {}\n.B {}",
        escaped(&command.words.join(" ")),
        escaped(&command.usage())
    )?;
    writeln!(to, ".PP\n{}.", escaped(&sentence(command.about)))?;
    if !command.details.is_empty() {
        writeln!(to, "{}", escaped(command.details))?;
    }
    for flag in command.flags {
        let short = flag
            .short
            .map_or_else(String::new, |short| format!("-{short}, "));
        let value = flag
            .value
            .map_or_else(String::new, |value| format!(" {value}"));
        let name = format!("{short}--{}{value}", flag.long);
        writeln!(to, ".TP\n.B {}\n{}", escaped(&name), escaped(flag.about))?;
    }
    Ok(())
}

/// With a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

/// A dash is typed, a backslash is shown, and no line is a command of roff's.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .lines()
        .map(|line| {
            let is_command = line.starts_with(['.', '\'']);
            format!("{}{line}", if is_command { "\\&" } else { "" })
        })
        .collect::<Vec<_>>()
        .join("\n")
}

const DESCRIPTION: &str = "\
Holds the consensus keys of validators, on a machine that is none of their nodes. It dials the
priv_validator_laddr of each node, answers its requests for signatures, and never signs two different
things for one height, round and step: what was signed last is on disk before the signature leaves.";

const FILES: &[(&str, &str)] = &[
    (
        "tmkms.toml",
        "The configuration; `tmkms init` writes one with comments.",
    ),
    ("secrets/*-consensus.key", "A validator's key, mode 0600."),
    (
        "secrets/kms-identity.key",
        "What the signer proves to nodes over tcp://, mode 0600.",
    ),
    (
        "state/*-consensus.json",
        "How far a chain is signed. Never delete it, and never restore it from a backup.",
    ),
];

const ENVIRONMENT: &[(&str, &str)] = &[(
    "TMKMS_CONFIG_FILE",
    "The configuration, where -c names none.",
)];

const SIGNALS: &[(&str, &str)] = &[
    ("SIGTERM, SIGINT", "End with exit status 0."),
    (
        "SIGKILL",
        "Harmless at any instruction: what was signed is on disk.",
    ),
];

const EXITS: &[(&str, &str)] = &[
    ("0", "Done, or asked to stop."),
    (
        "1",
        "No chain can be served any more, or the system said no.",
    ),
    ("2", "The command line is wrong."),
    ("3", "The configuration is wrong."),
    (
        "4",
        "A key is missing, unreadable, or not the one that is wanted.",
    ),
    (
        "5",
        "A state is missing, damaged or cannot be written, or a state_hook failed.",
    ),
    ("6", "Another process holds a key or a state."),
];
