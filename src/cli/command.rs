//! The commands and their flags: one [`table`], from which they are parsed and explained.

mod table;

use core::fmt::Write as _;
use std::ffi::OsString;

use lexopt::{Arg, Parser};

pub(super) use table::COMMANDS;

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

/// Whether some command's name begins with these words and goes on.
pub(super) fn is_group(words: &[&str]) -> bool {
    COMMANDS
        .iter()
        .any(|command| command.words.len() > words.len() && command.words.starts_with(words))
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
    text.push_str("\n\n`tmkms help COMMAND` explains one. Exit codes: 0 done, 1 failed, 2 usage,\n3 configuration, 4 key, 5 state, 6 locked, 7 device; of several, the lowest above 2.\n");
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
