//! `state show [CHAIN...]`.

use std::fmt::Write as _;
use std::path::Path;

use super::super::command::Arguments;
use super::super::device::Ask;
use super::super::holder::ChainKey;
use super::super::report::{Report, say};
use super::super::{Exit, repair};
use super::chosen;
use crate::guard::{Position, Watermark};
use crate::store::handover::upper_hex;
use crate::store::{self, OpenError, Snapshot};
use crate::types::Step;

/// How often a state is read again that looks damaged: a signer may be writing it.
const TRIES: usize = 3;

pub(in crate::cli) fn show(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let (chains, file) = match chosen(arguments, &arguments.operands, Ask::Unknown)? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    let rows: Vec<Row> = chains
        .iter()
        .map(|chain_key| row(chain_key, &mut report))
        .collect();
    say(&if arguments.has("json") {
        format!("{}\n", json(&rows))
    } else {
        table(&rows)
    });
    Ok(if report.has_problems() {
        report.finish()
    } else {
        Exit::Done
    })
}

/// One chain.
struct Row {
    chain_id: String,
    state_file: String,
    status: &'static str,
    format: Option<&'static str>,
    watermark: Option<Watermark>,
    problem: Option<String>,
}

fn row(chain_key: &ChainKey, report: &mut Report) -> Row {
    let chain = &chain_key.chain;
    let row = Row {
        chain_id: chain.id.value.to_string(),
        state_file: chain.state_file.value.display().to_string(),
        status: "missing",
        format: None,
        watermark: None,
        problem: None,
    };
    match look(chain_key) {
        Ok(Some(state)) => Row {
            status: state.status.map_or("foreign", store::Status::word),
            format: state.format.map(store::foreign::Format::word),
            watermark: Some(state.watermark),
            ..row
        },
        Ok(None) => row,
        Err(error) => {
            let _ = repair::state_problem(&error, chain, report);
            Row {
                status: "bad",
                problem: Some(error.to_string()),
                ..row
            }
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    let mut line = |cells: [&str; 7]| {
        let [chain, height, round, step, block, status, path] = cells;
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "{chain:<24} {height:>12} {round:>6} {step:<10} {block:<12} {status:<8} {path}"
        );
    };
    line([
        "CHAIN", "HEIGHT", "ROUND", "STEP", "BLOCK", "STATUS", "FILE",
    ]);
    for row in rows {
        let status = row.format.unwrap_or(row.status);
        let (id, path) = (&row.chain_id, &row.state_file);
        let Some(watermark) = &row.watermark else {
            let unknown = if row.problem.is_some() { "?" } else { "-" };
            line([id, unknown, unknown, unknown, unknown, status, path]);
            continue;
        };
        let position = watermark.position();
        line([
            id,
            &position.height().to_string(),
            &position.round().to_string(),
            position.step().map_or("none", Step::word),
            &block(watermark),
            status,
            path,
        ]);
    }
    table
}

fn json(rows: &[Row]) -> String {
    let array = nojson::json(|f| {
        f.set_indent_size(2);
        f.set_spacing(true);
        f.array(|f| rows.iter().try_for_each(|row| f.element(row)))
    });
    array.to_string()
}

impl nojson::DisplayJson for Row {
    fn fmt(&self, f: &mut nojson::JsonFormatter<'_, '_>) -> core::fmt::Result {
        let position = self.watermark.map(|watermark| watermark.position());
        let signed = self.watermark.as_ref().and_then(Watermark::sign_bytes);
        f.object(|f| {
            f.member("chain_id", &self.chain_id)?;
            f.member("state_file", &self.state_file)?;
            f.member("status", self.status)?;
            f.member("format", self.format)?;
            f.member("height", position.map(|at| at.height().to_string()))?;
            f.member("round", position.map(Position::round))?;
            f.member(
                "step",
                position.map(|at| at.step().map_or("none", Step::word)),
            )?;
            f.member(
                "block_hash",
                signed
                    .and_then(|bytes| bytes.block_hash())
                    .map(|hash| upper_hex(hash)),
            )?;
            f.member("sign_bytes_known", self.watermark.map(|_| signed.is_some()))?;
            f.member("problem", self.problem.as_deref())
        })
    }
}

/// Reads a chain's state without a lock, as often as it takes while a signer writes.
pub(in crate::cli) fn look(chain_key: &ChainKey) -> Result<Option<Snapshot>, OpenError> {
    let path = &chain_key.chain.state_file.value;
    let mut tries = 1;
    loop {
        match checked(path, chain_key) {
            Err(OpenError::Damaged(_)) if tries < TRIES => tries = tries.saturating_add(1),
            other => return other,
        }
    }
}

/// The state, if it is the one of this chain and key.
fn checked(path: &Path, chain_key: &ChainKey) -> Result<Option<Snapshot>, OpenError> {
    let _ = store::watermark_of(path, &chain_key.chain.id.value, &chain_key.public_key())?;
    store::peek(path)
}

/// The first five bytes of the hash of the block that was signed last, as log lines have them.
fn block(watermark: &Watermark) -> String {
    let Some(bytes) = watermark.sign_bytes() else {
        return "-".to_owned();
    };
    let Some(hash) = bytes.block_hash() else {
        return "<nil>".to_owned();
    };
    upper_hex(hash.get(..5).unwrap_or_default())
}
