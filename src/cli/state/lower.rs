//! Lowering a watermark: never by accident.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::super::command::Arguments;
use crate::types::ChainId;

/// Whether and how the operator has asked for a lower watermark.
pub(super) enum Wish {
    /// Not at all.
    Never,
    /// With the chain id typed again, here or now.
    Force {
        /// The id on the command line; `None`: to be asked for at the terminal.
        again: Option<String>,
    },
}

impl Wish {
    /// # Errors
    ///
    /// `--force` where nobody can be asked, without the chain id; a chain id without `--force`.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, lexopt::Error> {
        let again = arguments
            .value("chain-id-again")
            .map(|id| id.to_string_lossy().into_owned());
        match (arguments.has("force"), again) {
            (false, None) => Ok(Self::Never),
            (false, Some(_)) => Err("--chain-id-again goes with --force".into()),
            (true, None) if !std::io::stdin().is_terminal() => Err(
                "--force needs the chain id once more where there is no terminal to ask at: --chain-id-again CHAIN".into(),
            ),
            (true, again) => Ok(Self::Force { again }),
        }
    }

    /// Whether the chain id is typed again. Asks at the terminal, with `question`, if it must.
    pub(super) fn confirms(&self, id: &ChainId, question: &str) -> bool {
        match self {
            Self::Never => false,
            Self::Force { again: Some(again) } => again == id.as_str(),
            Self::Force { again: None } => ask(question).trim() == id.as_str(),
        }
    }

    /// Whether it was asked for.
    pub(super) const fn is_force(&self) -> bool {
        matches!(self, Self::Force { .. })
    }
}

fn ask(question: &str) -> String {
    let mut answer = String::new();
    let mut out = std::io::stderr();
    drop(
        out.write_all(question.as_bytes())
            .and_then(|()| out.flush()),
    );
    // What cannot be read is no consent.
    drop(std::io::stdin().lock().read_line(&mut answer));
    answer
}
