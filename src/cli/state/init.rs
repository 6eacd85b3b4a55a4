//! `state init [--height H [--round R [--step S]]] [CHAIN...]`.

use std::path::{Path, PathBuf};

use super::super::command::Arguments;
use super::super::device::Ask;
use super::super::holder::ChainKey;
use super::super::report::{Report, complain, say, warn};
use super::super::{Exit, repair};
use super::{chosen, claim, create, open_exit, raise};
use crate::files;
use crate::guard::{Position, Watermark};
use crate::store::{self, Damage, Found, OpenError};
use crate::types::Step;

pub(in crate::cli) fn init(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let begin = beginning(arguments)?;
    let (chains, file) = match chosen(arguments, &arguments.operands, Ask::Unknown)? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    let mut exits = Vec::new();
    for chain in &chains {
        match init_one(chain, begin, &mut report) {
            Ok(text) => say(&format!("{}: {text}\n", chain.chain.id.value)),
            Err(exit) => exits.push(exit),
        }
    }
    if report.has_problems() {
        exits.push(report.finish());
    }
    Ok(Exit::of_several(exits).unwrap_or(Exit::Done))
}

fn init_one(
    chain_key: &ChainKey,
    begin: Option<Position>,
    report: &mut Report,
) -> Result<String, Exit> {
    let chain = &chain_key.chain;
    let _claim = claim(chain_key, report)?;
    let found = store::find(
        &chain.state_file.value,
        &chain.id.value,
        &chain_key.public_key(),
    );
    match (found, begin) {
        (Ok(Found::Missing(vacant)), _) => {
            let begin = Watermark::at(begin.unwrap_or(Position::ZERO));
            create(vacant, &begin, chain_key, report)
        }
        (Ok(Found::Ours(ready)), Some(begin)) if begin > ready.watermark().position() => {
            let mut store = ready.open().map_err(|error| open_exit(&error))?;
            raise(&mut store, &Watermark::at(begin))
        }
        (Ok(Found::Ours(ready)), _) => Ok(format!(
            "left as it was, signed up to {}",
            ready.watermark().position()
        )),
        (Ok(Found::Foreign(foreign)), Some(begin)) if begin > foreign.watermark().position() => {
            let mut store = super::adopt(foreign)?;
            raise(&mut store, &Watermark::at(begin))
        }
        (Ok(Found::Foreign(foreign)), _) => Ok(format!(
            "left as it was: a state of {}, signed up to {}, which `tmkms start` takes over",
            foreign.format().word(),
            foreign.watermark().position()
        )),
        (Err(OpenError::Retired(retired)), Some(begin))
            if begin > retired.watermark().position() =>
        {
            let old = retired.watermark().position();
            let store = retired
                .reinstate(&Watermark::at(begin))
                .map_err(|error| open_exit(&error))?;
            Ok(format!(
                "no longer retired, raised from {old} to {}; nobody else may sign with this key now",
                store.watermark().position()
            ))
        }
        (Err(error), Some(begin)) if repair::is_damage(&error) => {
            begin_again(&error, begin, chain_key, report)
        }
        (Err(error), _) => Err(repair::state_problem(&error, chain, report)),
    }
}

/// Moves a damaged state aside and begins a new one above it.
fn begin_again(
    error: &OpenError,
    begin: Position,
    chain_key: &ChainKey,
    report: &mut Report,
) -> Result<String, Exit> {
    let chain = &chain_key.chain;
    if let OpenError::Damaged(Damage::OneRecord(known)) = error
        && begin.height() <= known.height()
    {
        complain(
            &format_args!(
                "{}: the damaged state was signed up to {known} at least",
                chain.id.value
            ),
            "give a --height above it, and above any that the chain had when this signer stopped",
        );
        return Err(Exit::State);
    }
    let kept = move_damaged(&chain.state_file.value)?;
    warn(&format_args!(
        "the damaged file is kept as {}",
        kept.display()
    ));
    match store::find(
        &chain.state_file.value,
        &chain.id.value,
        &chain_key.public_key(),
    ) {
        Ok(Found::Missing(vacant)) => create(vacant, &Watermark::at(begin), chain_key, report),
        Ok(Found::Ours(_) | Found::Foreign(_)) => Err(open_exit(&OpenError::Locked)),
        Err(error) => Err(open_exit(&error)),
    }
}

fn move_damaged(path: &Path) -> Result<PathBuf, Exit> {
    files::aside(path, "damaged", |to| files::move_aside(path, to))
        .map_err(|error| open_exit(&OpenError::File(error)))
}

fn beginning(arguments: &Arguments) -> Result<Option<Position>, lexopt::Error> {
    let height: Option<i64> = arguments.parsed("height")?;
    let round: Option<i32> = arguments.parsed("round")?;
    let step = match arguments.value("step").map(|text| text.to_string_lossy()) {
        None => None,
        Some(text) if text == "none" => None,
        Some(text) => Some(Step::from_word(&text).ok_or_else(|| {
            format!("a step is none, proposal, prevote or precommit, not {text:?}")
        })?),
    };
    let Some(height) = height else {
        if round.is_some() || step.is_some() {
            return Err("--round and --step go with --height".into());
        }
        return Ok(None);
    };
    Position::new(height, round.unwrap_or(0), step)
        .map(Some)
        .ok_or_else(|| "a height and a round are not negative".into())
}
