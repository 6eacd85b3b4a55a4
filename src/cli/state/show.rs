//! `state show [CHAIN...]`.

use std::fmt::Write as _;
use std::path::Path;

use super::super::command::Arguments;
use super::super::report::{Report, say};
use super::super::setup::ChainKey;
use super::super::{Exit, repair};
use super::chosen;
use crate::guard::Watermark;
use crate::store::{self, OpenError, Snapshot};
use crate::types::Step;

/// How often a state is read again that looks damaged: a signer may be writing it.
const TRIES: usize = 3;

pub(in crate::cli) fn show(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let (chains, file) = match chosen(arguments, &arguments.operands)? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    let mut table = String::new();
    let mut row = |cells: [&str; 7]| {
        let [chain, height, round, step, block, status, path] = cells;
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "{chain:<24} {height:>12} {round:>6} {step:<10} {block:<12} {status:<8} {path}"
        );
    };
    row([
        "CHAIN", "HEIGHT", "ROUND", "STEP", "BLOCK", "STATUS", "FILE",
    ]);
    for chain_key in &chains {
        let chain = &chain_key.chain;
        let path = chain.state_file.value.display().to_string();
        let id = chain.id.value;
        match look(chain_key) {
            Ok(Some(state)) => {
                let position = state.watermark.position();
                let status = state.status.map_or_else(
                    || state.format.map_or("?", store::foreign::Format::word),
                    store::Status::word,
                );
                row([
                    id.as_str(),
                    &position.height().to_string(),
                    &position.round().to_string(),
                    position.step().map_or("none", Step::word),
                    &block(&state.watermark),
                    status,
                    &path,
                ]);
            }
            Ok(None) => row([id.as_str(), "-", "-", "-", "-", "missing", &path]),
            Err(error) => {
                row([id.as_str(), "?", "?", "?", "?", "bad", &path]);
                let _ = repair::state_problem(&error, chain, &mut report);
            }
        }
    }
    say(&table);
    Ok(if report.has_problems() {
        report.finish()
    } else {
        Exit::Done
    })
}

fn look(chain_key: &ChainKey) -> Result<Option<Snapshot>, OpenError> {
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
    let _ = store::watermark_of(path, &chain_key.chain.id.value, &chain_key.key.public_key())?;
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
    let mut text = String::new();
    for byte in hash.iter().take(5) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}
