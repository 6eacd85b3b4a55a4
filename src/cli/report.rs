//! What is printed to whoever typed the command: results, complaints, and every problem at once.

use core::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Exit;
use crate::config::{Position, Problem};
pub(super) use crate::files::quoted;

/// Prints a result. A reader that has gone away is no error of ours.
pub(super) fn say(text: &str) {
    drop(io::stdout().write_all(text.as_bytes()));
}

/// Prints what went wrong and what to do.
pub(super) fn complain(what: &dyn Display, cure: &str) {
    drop(io::stderr().write_all(format!("error: {what}\n       {cure}\n").as_bytes()));
}

/// Prints what an operator should know, though nothing is refused for it.
pub(super) fn warn(what: &dyn Display) {
    drop(io::stderr().write_all(format!("warning: {what}\n").as_bytes()));
}

/// An error and its cause in one line: the library's errors leave the cause to `source`.
pub(super) fn with_cause(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors print their cause themselves.
        let line = error.to_string();
        if !text.contains(&line) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {line}");
        }
        cause = error.source();
    }
    text
}

/// Everything that is wrong, collected before anything is done about it.
pub(super) struct Report {
    /// The configuration that the positions are places in.
    file: PathBuf,
    problems: Vec<(Exit, Problem)>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The configuration's path.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Notes a problem of the class `exit`.
    pub(super) fn problem(
        &mut self,
        exit: Exit,
        position: Position,
        message: String,
        cure: String,
    ) {
        self.add(
            exit,
            Problem {
                position: Some(position),
                message,
                cure,
            },
        );
    }

    pub(super) fn add(&mut self, exit: Exit, problem: Problem) {
        self.problems.push((exit, problem));
    }

    /// Notes what stops nothing.
    pub(super) fn warning(&mut self, warning: Problem) {
        self.warnings.push(warning);
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Whether something at this very place has been noted.
    pub(super) fn has_problem_at(&self, position: Position) -> bool {
        self.problems
            .iter()
            .any(|(_, problem)| problem.position == Some(position))
    }

    /// The warnings, each as one line without the file's name.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(Problem::to_string)
    }

    /// Every problem in the order of the file, with its class.
    pub(super) fn problems(&mut self) -> &[(Exit, Problem)] {
        self.problems.sort_by_key(|(_, problem)| problem.position);
        &self.problems
    }

    /// Every warning once, in the order of the file.
    pub(super) fn distinct_warnings(&mut self) -> &[Problem] {
        self.warnings.sort_by_key(|warning| warning.position);
        let mut seen = std::collections::BTreeSet::new();
        self.warnings
            .retain(|warning| seen.insert(warning.message.clone()));
        &self.warnings
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        Exit::of_several(self.problems.iter().map(|(exit, _)| *exit)).unwrap_or(Exit::Done)
    }

    /// Prints every problem in the order of the file, and gives the exit code.
    pub(super) fn finish(mut self) -> Exit {
        self.problems.sort_by_key(|(_, problem)| problem.position);
        for (_, problem) in &self.problems {
            let place = match problem.position {
                Some(position) => format!("{}:{position}", self.file.display()),
                None => self.file.display().to_string(),
            };
            complain(&format_args!("{place}: {}", problem.message), &problem.cure);
        }
        Exit::of_several(self.problems.iter().map(|(exit, _)| *exit)).unwrap_or(Exit::Failed)
    }
}
