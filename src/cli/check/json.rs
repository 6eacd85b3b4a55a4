//! `check --json`: the keys that `tmkms help check` documents.

use nojson::{DisplayJson, JsonFormatter};

use super::super::Exit;
use super::super::report::Report;
use super::{Begins, Dialled, Outlook};
use crate::config::Problem;
use crate::guard::Position;
use crate::types::Step;

/// One object, as text that ends a line.
pub(super) fn render(report: &mut Report, outlooks: &[Outlook], dialled: &[Dialled]) -> String {
    let file = report.file().display().to_string();
    let exit = report.exit().code();
    let warnings: Vec<Item> = report
        .distinct_warnings()
        .iter()
        .map(|warning| Item(None, warning.clone()))
        .collect();
    let problems: Vec<Item> = report
        .problems()
        .iter()
        .map(|(exit, problem)| Item(Some(*exit), problem.clone()))
        .collect();
    let object = nojson::json(|f| {
        f.set_indent_size(2);
        f.set_spacing(true);
        f.object(|f| {
            f.member("file", &file)?;
            f.member("exit", exit)?;
            f.member("problems", &problems)?;
            f.member("warnings", &warnings)?;
            f.member("chains", outlooks)?;
            f.member("dials", dialled)
        })
    });
    format!("{object}\n")
}

/// A problem with its class, or a warning.
struct Item(Option<Exit>, Problem);

impl DisplayJson for Item {
    fn fmt(&self, f: &mut JsonFormatter<'_, '_>) -> core::fmt::Result {
        let Self(exit, problem) = self;
        f.object(|f| {
            f.member("class", exit.map_or("warning", Exit::word))?;
            f.member("line", problem.position.map(|at| at.line))?;
            f.member("column", problem.position.map(|at| at.column))?;
            f.member("message", &problem.message)?;
            f.member("cure", &problem.cure)
        })
    }
}

impl DisplayJson for Outlook {
    fn fmt(&self, f: &mut JsonFormatter<'_, '_>) -> core::fmt::Result {
        f.object(|f| {
            f.member("chain_id", self.chain_id.as_str())?;
            f.member("public_key", self.public_key.to_hex())?;
            f.member("state_file", &self.state_file)?;
            f.member(
                "begins",
                match self.begins {
                    Begins::Goes => "state",
                    Begins::Runs => "running",
                    Begins::TakesOver(word) => word,
                    Begins::New(_) => "new",
                },
            )?;
            f.member("height", self.at.map(|at| at.height().to_string()))?;
            f.member("round", self.at.map(Position::round))?;
            f.member(
                "step",
                self.at.map(|at| at.step().map_or("none", Step::word)),
            )
        })
    }
}

impl DisplayJson for Dialled {
    fn fmt(&self, f: &mut JsonFormatter<'_, '_>) -> core::fmt::Result {
        f.object(|f| {
            f.member("chain_id", self.chain_id.as_str())?;
            f.member("addr", &self.addr)?;
            f.member("skipped", self.skipped)?;
            f.member("peer_id", self.peer.map(|peer| peer.to_string()))?;
            f.member("asked", &self.asked)?;
            f.member("problem", self.problem.as_deref())
        })
    }
}
