//! What a command printed, how it ended, and whether the commands that it names exist.

use std::collections::BTreeSet;
use std::fmt;
use std::process::{Command, Output};
use std::sync::Mutex;

use super::place::BIN;

/// A command that has run to its end.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// An error and what to do about it, as they are printed.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What stands after `error: `.
    pub message: String,
    pub cure: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Log lines begin with a year.
    pub fn of_lines(code: Option<i32>, lines: &[String]) -> Self {
        let (out, err): (Vec<_>, Vec<_>) = lines
            .iter()
            .map(|line| format!("{line}\n"))
            .partition(|line| line.starts_with("20"));
        Self {
            code,
            out: out.concat(),
            err: err.concat(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Some output has this in it.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.has(text), "no {text:?} in:\n{self}");
        self
    }

    pub fn has(&self, text: &str) -> bool {
        self.out.contains(text) || self.err.contains(text)
    }

    /// Every error with its cure, in order.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for line in self.err.lines() {
            if let Some(message) = line.strip_prefix("error: ") {
                problems.push(Problem {
                    message: message.to_owned(),
                    cure: String::new(),
                });
            } else if let (Some(cure), Some(last)) =
                (line.strip_prefix("       "), problems.last_mut())
            {
                last.cure.push_str(cure);
            }
        }
        for problem in &problems {
            assert!(problem.cure.len() > 3, "no cure for {problem:?}");
        }
        problems
    }

    /// The only problem there is.
    #[track_caller]
    pub fn problem(&self) -> Problem {
        let problems = self.problems();
        let [problem] = problems.as_slice() else {
            panic!("{} problems:\n{self}", problems.len());
        };
        problem.clone()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {:?}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.out, self.err
        )
    }
}

/// Holds every output to it: what it tells the reader to type is something that `help` explains.
#[track_caller]
pub fn every_command_named_exists(ran: &Ran) {
    static KNOWN: Mutex<BTreeSet<Vec<String>>> = Mutex::new(BTreeSet::new());
    for command in commands_in(&format!("{}\n{}", ran.out, ran.err)) {
        if KNOWN.lock().unwrap().contains(&command) {
            continue;
        }
        let help = Command::new(BIN).arg("help").args(&command).output();
        assert!(
            help.unwrap().status.success(),
            "{command:?} named in:\n{ran}"
        );
        KNOWN.lock().unwrap().insert(command);
    }
}

/// The commands that a text tells to type: behind a backtick, a colon or a question mark, or at the
/// beginning of a line.
pub fn commands_in(text: &str) -> Vec<Vec<String>> {
    const GROUPS: [&str; 2] = ["softsign", "state"];
    let mut found = Vec::new();
    for line in text.lines() {
        for (at, name) in line.match_indices("tmkms ") {
            let before = &line[..at];
            if before.ends_with("no command `") {
                continue;
            }
            let typed = before.trim_start().is_empty()
                || ["`", ": ", "? ", ":  ", "$ "]
                    .iter()
                    .any(|sign| before.ends_with(sign));
            let mut words = Vec::new();
            for word in line[at + name.len()..].split(' ') {
                let whole = word.trim_end_matches(|c: char| c.is_ascii_punctuation());
                if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    break;
                }
                words.push(whole.to_owned());
                if whole != word {
                    break;
                }
            }
            let Some(first) = words.first().filter(|_| typed) else {
                continue;
            };
            let len = 1 + usize::from(GROUPS.contains(&first.as_str()) && words.len() > 1);
            found.push(words[..len].to_vec());
        }
    }
    found
}

#[test]
fn commands_are_found_where_messages_name_them() {
    let text = "error: no such key\n       tmkms state init -c a.toml test-1\n\
                run `tmkms softsign keygen key`, or `tmkms start`: tmkms bogus now\n\
                2026-01-01T00:00:00.000000Z  INFO tmkms::commands::start: tmkms 0.1.0 starting up...\n\
                there is no command `tmkms nothing`\n\
                until tmkms is restarted";
    let found: Vec<String> = commands_in(text)
        .iter()
        .map(|words| words.join(" "))
        .collect();
    assert_eq!(found, ["state init", "softsign keygen", "start", "bogus"]);
}

#[test]
#[should_panic(expected = "bogus")]
fn a_command_that_does_not_exist_is_noticed() {
    every_command_named_exists(&Ran {
        code: None,
        out: String::new(),
        err: "run: tmkms state bogus".to_owned(),
    });
}
