//! The commands and their flags: one table, from which they are parsed and explained.

use core::fmt::Write as _;
use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::VERSION;

/// A command as it is typed and explained.
#[derive(Debug)]
pub(super) struct Command {
    /// `["softsign", "import"]`.
    pub(super) words: &'static [&'static str],
    /// What follows the flags, as help prints it.
    pub(super) operands: &'static str,
    /// How many operands there may be.
    count: core::ops::RangeInclusive<usize>,
    pub(super) flags: &'static [Flag],
    /// One line.
    pub(super) about: &'static str,
    /// What `help COMMAND` says besides.
    pub(super) details: &'static str,
}

/// A flag of a command.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) short: Option<char>,
    pub(super) long: &'static str,
    /// What the value is called in help; `None` for a switch.
    pub(super) value: Option<&'static str>,
    pub(super) about: &'static str,
}

/// A command line, taken apart.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    flags: Vec<(&'static str, OsString)>,
    /// What is no flag, in order.
    pub(super) operands: Vec<OsString>,
    /// `-h` was among them.
    pub(super) help: bool,
}

const CONFIG: Flag = Flag {
    short: Some('c'),
    long: "config",
    value: Some("FILE"),
    about: "the configuration; else $TMKMS_CONFIG_FILE, else ./tmkms.toml",
};
const VERBOSE: Flag = Flag {
    short: Some('v'),
    long: "verbose",
    value: None,
    about: "debug messages as well",
};

const JSON: Flag = Flag {
    short: None,
    long: "json",
    value: None,
    about: "print JSON, for programs",
};
const FORCE: Flag = Flag {
    short: None,
    long: "force",
    value: None,
    about: "lower the watermark if INPUT is lower: two signatures for one height are then possible",
};
const CHAIN_ID_AGAIN: Flag = Flag {
    short: None,
    long: "chain-id-again",
    value: Some("CHAIN"),
    about: "goes with --force where there is no terminal to ask at",
};
const PASSPHRASE_FD: Flag = Flag {
    short: None,
    long: "passphrase-fd",
    value: Some("N"),
    about: "read the passphrase of encrypted keys from this descriptor: a line, or all of it",
};
const PASSPHRASE_FILE: Flag = Flag {
    short: None,
    long: "passphrase-file",
    value: Some("FILE"),
    about: "or from this file; else $TMKMS_PASSPHRASE_FILE, else systemd's credential, else a terminal",
};
const WORK: Flag = Flag {
    short: None,
    long: "work",
    value: Some("N"),
    about: "what a guess at the passphrase costs: 2^N KiB of memory, 10 to 18 (default 17)",
};
const ENCRYPT: Flag = Flag {
    short: Some('e'),
    long: "encrypt",
    value: None,
    about: "put the key under a passphrase",
};
const PREFIX: Flag = Flag {
    short: Some('p'),
    long: "prefix",
    value: Some("PREFIX"),
    about: "bech32 prefix of the chain's accounts (default cosmos)",
};

/// Every command, in the order in which help lists them.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["init"],
        operands: "HOME",
        count: 1..=1,
        flags: &[
            Flag {
                short: Some('n'),
                long: "networks",
                value: Some("LIST"),
                about: "networks to configure, with commas: cosmoshub,osmosis,...",
            },
            Flag {
                short: None,
                long: "chain-id",
                value: Some("ID"),
                about: "the chain to configure, if it is none of these",
            },
            Flag {
                short: None,
                long: "addr",
                value: Some("ADDR"),
                about: "the node's priv_validator_laddr, as it is reached from here",
            },
            Flag {
                short: None,
                long: "key",
                value: Some("FILE"),
                about: "the validator's priv_validator_key.json, to be imported as well",
            },
        ],
        about: "make a directory with a configuration and an identity key",
        details: "Makes HOME with secrets/ (0700), state/, schema/, tmkms.toml and secrets/kms-identity.key\n\
                  (0600). What is there already is left as it is. With --key, the chain need not be named if\n\
                  the key lies in a node's directory and the node has signed with it.",
    },
    Command {
        words: &["start"],
        operands: "",
        count: 0..=0,
        flags: &[CONFIG, VERBOSE, PASSPHRASE_FD, PASSPHRASE_FILE],
        about: "sign for the configured validators, in the foreground",
        details: "Dials every [[validator]] and answers it until SIGTERM or SIGINT. Everything that is wrong is\n\
                  reported at once before anything is made, changed or dialled. If keys are encrypted, their\n\
                  passphrase is asked for once, and only if nothing else is wrong.",
    },
    Command {
        words: &["softsign", "keygen"],
        operands: "PATH",
        count: 1..=1,
        flags: &[
            Flag {
                short: Some('t'),
                long: "type",
                value: Some("TYPE"),
                about: "consensus (the default) or account",
            },
            ENCRYPT,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            WORK,
            PREFIX,
        ],
        about: "make a key and write it to PATH",
        details: "A key that lies at PATH is moved aside to PATH.old-FINGERPRINT, never destroyed. Beside a\n\
                  consensus key a mark is left, PATH.begin-once, with which `start` makes the key's first state.\n\
                  `softsign kengen` is the same.",
    },
    Command {
        words: &["softsign", "import"],
        operands: "INPUT OUTPUT",
        count: 2..=2,
        flags: &[
            Flag {
                short: Some('f'),
                long: "format",
                value: Some("FORMAT"),
                about: "accepted and not needed: the format is seen from the content",
            },
            ENCRYPT,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            WORK,
            PREFIX,
        ],
        about: "take a validator's key over, from its priv_validator_key.json",
        details: "INPUT is recognised by content: a priv_validator_key.json (nodes, cosmos/kms, horcrux in single-signer\n\
                  mode), a key file of tmkms, or 32 bytes of seed, or 64 of seed and public key, in base64, in\n\
                  hexadecimal or bare. A key that lies at OUTPUT is moved aside to OUTPUT.old-FINGERPRINT; the same key changes\n\
                  nothing. If the node's own state, ../data/priv_validator_state.json, is found beside INPUT, a\n\
                  mark is left with which `start` goes on from there.",
    },
    Command {
        words: &["softsign", "show"],
        operands: "PATH",
        count: 1..=1,
        flags: &[
            Flag {
                short: Some('f'),
                long: "format",
                value: Some("FORM"),
                about: "print this form alone: cosmos-json, base64, hex, bech32, address, valcons",
            },
            PREFIX,
        ],
        about: "print the public key in every form",
        details: "PATH is any key that `import` reads, or an encrypted one: that takes no passphrase.\n\
                  create-validator --pubkey \"$(tmkms softsign show -f cosmos-json PATH)\"",
    },
    Command {
        words: &["softsign", "encrypt"],
        operands: "PATH",
        count: 1..=1,
        flags: &[PASSPHRASE_FD, PASSPHRASE_FILE, WORK, PREFIX],
        about: "put a key under a passphrase, in its place",
        details: "The encrypted key replaces the plain one, whose bytes are then overwritten. Backups, snapshots,\n\
                  copy-on-write file systems and SSDs may keep them. Identity keys may be encrypted as well.",
    },
    Command {
        words: &["softsign", "decrypt"],
        operands: "PATH",
        count: 1..=1,
        flags: &[PASSPHRASE_FD, PASSPHRASE_FILE, PREFIX],
        about: "write an encrypted key in plain again, in its place",
        details: "",
    },
    Command {
        words: &["state", "show"],
        operands: "[CHAIN...]",
        count: 0..=usize::MAX,
        flags: &[CONFIG, JSON],
        about: "print how far each chain is signed",
        details: "Reads without a lock, so it works while a signer runs. CHAIN: all, if none is named.\n\
                  --json prints one array with an object for each chain: chain_id, state_file, status (new,\n\
                  active, retired, foreign, missing or bad), format (of a foreign file: filepv, tmkms or\n\
                  horcrux), height (a string, as it may pass 2^53), round, step (none, proposal, prevote or\n\
                  precommit), block_hash (null: none or not known), sign_bytes_known, problem. What is not\n\
                  known is null.",
    },
    Command {
        words: &["state", "init"],
        operands: "[CHAIN...]",
        count: 0..=usize::MAX,
        flags: &[
            CONFIG,
            Flag {
                short: Some('H'),
                long: "height",
                value: Some("HEIGHT"),
                about: "begin at this height: nothing below it is ever signed (default 0)",
            },
            Flag {
                short: Some('r'),
                long: "round",
                value: Some("ROUND"),
                about: "begin at this round of it (default 0)",
            },
            Flag {
                short: None,
                long: "step",
                value: Some("STEP"),
                about: "what is signed already in this round: none (the default), proposal, prevote, precommit",
            },
        ],
        about: "make the state of a key that has never signed, or begin at a height",
        details: "Without --height, only for a key that has never signed: a key that has needs `state import`, or\n\
                  --height with a height above any that it may have signed. A sound state is left as it is. A\n\
                  damaged one is kept beside the new one, which then needs --height.",
    },
    Command {
        words: &["state", "import"],
        operands: "CHAIN INPUT...",
        count: 2..=usize::MAX,
        flags: &[CONFIG, FORCE, CHAIN_ID_AGAIN],
        about: "take over how far a chain is signed, from another program's state file",
        details: "Reads the state files of tmkms, of nodes (priv_validator_state.json), cosmos/kms and horcrux,\n\
                  and our own, recognised by content. Of several (horcrux has two) the highest counts. The\n\
                  watermark is only ever raised; a retired state signs again if INPUT is not below it.\n\
                  --force lowers it, for a chain that began again from an earlier height; the chain id has to be\n\
                  typed again, and the old state is kept beside the new one.",
    },
    Command {
        words: &["state", "export"],
        operands: "CHAIN OUTPUT",
        count: 2..=2,
        flags: &[
            CONFIG,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            Flag {
                short: Some('f'),
                long: "format",
                value: Some("FORMAT"),
                about: "filepv (a node, cosmos/kms, horcrux) or tmkms; needed",
            },
            Flag {
                short: None,
                long: "keep",
                value: None,
                about: "do not retire this copy: then nobody may sign with the exported one",
            },
        ],
        about: "hand a chain's state over to another program, and retire this copy",
        details: "First this copy is retired, so that `start` refuses it, then OUTPUT is written (- is the\n\
                  standard output). If something comes in between, nobody signs: run it again. A state that\n\
                  lies at OUTPUT is kept as OUTPUT.old-FORMAT, unless it is higher: then nothing is done. The\n\
                  key, if it is to move too, is yours to move. `state import` brings the state back.",
    },
    Command {
        words: &["state", "retire"],
        operands: "CHAIN",
        count: 1..=1,
        flags: &[CONFIG],
        about: "make this copy of a chain's state refuse to sign",
        details: "For a state that was copied elsewhere. `state export` of it still works, and `state import`\n\
                  of a state that is not below it, or `state init` above it, makes it sign again.",
    },
    Command {
        words: &["check"],
        operands: "",
        count: 0..=0,
        flags: &[
            CONFIG,
            JSON,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            Flag {
                short: None,
                long: "dial",
                value: None,
                about: "also connect to every node, and say what it asks; nothing is signed",
            },
        ],
        about: "find everything that `start` would refuse, and more, without signing",
        details: "Writes nothing and dials nobody (but with --dial). Exit code as that of `start`; 0 with\n\
                  warnings only. A signer that runs on a state is told and no problem; its connections are\n\
                  not dialled, since a node serves one signer at a time.\n\
                  --json prints an object: file, exit, problems and warnings (each with class, line, column,\n\
                  message, cure), chains (chain_id, public_key, state_file, begins, height, round, step) and\n\
                  dials (chain_id, addr, peer_id, asked, problem).",
    },
    Command {
        words: &["completions"],
        operands: "SHELL",
        count: 1..=1,
        flags: &[],
        about: "print completions for bash, zsh or fish",
        details: "bash: source <(tmkms completions bash). zsh: into a file _tmkms in $fpath. fish: into\n\
                  ~/.config/fish/completions/tmkms.fish.",
    },
    Command {
        words: &["version"],
        operands: "",
        count: 0..=0,
        flags: &[],
        about: "print the version",
        details: "",
    },
    Command {
        words: &["help"],
        operands: "[COMMAND]",
        count: 0..=2,
        flags: &[Flag {
            short: None,
            long: "man",
            value: None,
            about: "all of it as a manual page: tmkms help --man | man -l -",
        }],
        about: "explain a command",
        details: "",
    },
];

/// Other spellings of a command's last word.
const ALIASES: &[(&str, &str)] = &[("kengen", "keygen")];

/// The command that these words name, and how many of them its name takes.
pub(super) fn find(words: &[&str]) -> Option<&'static Command> {
    let words: Vec<&str> = words
        .iter()
        .map(|word| {
            ALIASES
                .iter()
                .find(|(alias, _)| alias == word)
                .map_or(*word, |(_, meant)| *meant)
        })
        .collect();
    COMMANDS.iter().find(|command| command.words == words)
}

/// Whether some command's name begins with this word and goes on.
pub(super) fn is_group(word: &str) -> bool {
    COMMANDS
        .iter()
        .any(|command| command.words.len() > 1 && command.words.first() == Some(&word))
}

impl Command {
    /// Takes the rest of the command line apart.
    pub(super) fn parse(&self, parser: &mut Parser) -> Result<Arguments, lexopt::Error> {
        let mut arguments = Arguments::default();
        while let Some(argument) = parser.next()? {
            let flag = match &argument {
                Arg::Short('h') | Arg::Long("help") => {
                    arguments.help = true;
                    continue;
                }
                Arg::Value(_) => None,
                Arg::Short(short) => self.flags.iter().find(|flag| flag.short == Some(*short)),
                Arg::Long(long) => self.flags.iter().find(|flag| flag.long == *long),
            };
            match (argument, flag) {
                (Arg::Value(operand), _) => arguments.operands.push(operand),
                (_, Some(flag)) => {
                    let value = match flag.value {
                        Some(_) => parser.value()?,
                        None => OsString::new(),
                    };
                    arguments.flags.push((flag.long, value));
                }
                (other, None) => return Err(other.unexpected()),
            }
        }
        if arguments.help || self.count.contains(&arguments.operands.len()) {
            return Ok(arguments);
        }
        Err(format!(
            "wrong number of arguments, {}: {}",
            arguments.operands.len(),
            self.usage()
        )
        .into())
    }

    pub(super) fn usage(&self) -> String {
        let mut usage = format!("tmkms {}", self.words.join(" "));
        if !self.flags.is_empty() {
            usage.push_str(" [FLAGS]");
        }
        if !self.operands.is_empty() {
            usage.push(' ');
            usage.push_str(self.operands);
        }
        usage
    }

    /// What `help COMMAND` prints.
    pub(super) fn help(&self) -> String {
        let mut text = format!("{}\n\n  {}\n", self.about, self.usage());
        for flag in self.flags {
            let short = flag
                .short
                .map_or("    ".to_owned(), |short| format!("-{short}, "));
            let name = match flag.value {
                Some(value) => format!("{short}--{} {value}", flag.long),
                None => format!("{short}--{}", flag.long),
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {name:<24} {}", flag.about);
        }
        if !self.flags.is_empty() {
            text.push('\n');
        }
        if !self.details.is_empty() {
            text.push('\n');
            text.push_str(self.details);
            text.push('\n');
        }
        text
    }
}

impl Arguments {
    /// The value of a flag; of several, the last.
    pub(super) fn value(&self, long: &str) -> Option<&OsString> {
        self.flags
            .iter()
            .rev()
            .find(|(name, _)| *name == long)
            .map(|(_, value)| value)
    }

    /// The value of a flag as something that can be parsed from text.
    pub(super) fn parsed<T: core::str::FromStr>(
        &self,
        long: &str,
    ) -> Result<Option<T>, lexopt::Error>
    where
        T::Err: Into<Box<dyn core::error::Error + Send + Sync>>,
    {
        self.value(long).map(lexopt::ValueExt::parse).transpose()
    }

    /// Whether a switch was given.
    pub(super) fn has(&self, long: &str) -> bool {
        self.value(long).is_some()
    }
}

/// What `help` prints.
pub(super) fn overview() -> String {
    let mut text = format!(
        "tmkms {VERSION}: remote signer for Tendermint and CometBFT validators\n\n  tmkms COMMAND [FLAGS] ...\n"
    );
    for command in COMMANDS {
        let name = format!("{} {}", command.words.join(" "), command.operands);
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {name:<30} {}", command.about);
    }
    text.push_str("\n\n`tmkms help COMMAND` explains one. Exit codes: 0 done, 1 failed, 2 usage,\n3 configuration, 4 key, 5 state, 6 locked; of several, the lowest above 2.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str], rest: &[&str]) -> Result<Arguments, lexopt::Error> {
        find(words).unwrap().parse(&mut Parser::from_args(rest))
    }

    #[test]
    fn every_command_is_found_by_its_words_and_explains_its_flags() {
        for command in COMMANDS {
            assert_eq!(find(command.words).unwrap().words, command.words);
            for flag in command.flags {
                assert!(command.help().contains(&format!("--{}", flag.long)));
            }
            assert!(overview().contains(command.about));
        }
    }

    #[test]
    fn kengen_is_keygen() {
        assert_eq!(
            find(&["softsign", "kengen"]).unwrap().words,
            ["softsign", "keygen"]
        );
    }

    #[test]
    fn flags_and_operands_come_in_any_order() {
        let arguments = parse(
            &["state", "init"],
            &["a-1", "--height=5", "b-2", "-c", "x.toml"],
        )
        .unwrap();
        assert_eq!(arguments.parsed::<i64>("height").unwrap(), Some(5));
        assert_eq!(arguments.value("config").unwrap(), "x.toml");
        assert_eq!(arguments.operands, ["a-1", "b-2"]);
    }

    #[test]
    fn unknown_flags_and_wrong_counts_are_errors() {
        assert!(parse(&["start"], &["--loud"]).is_err());
        assert!(parse(&["start"], &["operand"]).is_err());
        assert!(parse(&["softsign", "import"], &["one"]).is_err());
        assert!(parse(&["start"], &["-c"]).is_err());
    }
}
