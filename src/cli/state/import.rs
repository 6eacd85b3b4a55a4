//! `state import CHAIN INPUT...`.

use std::ffi::OsString;
use std::path::Path;

use super::super::command::Arguments;
use super::super::device::Ask;
use super::super::holder::ChainKey;
use super::super::report::{Report, complain, quoted, say, warn};
use super::super::{Exit, repair};
use super::lower::Wish;
use super::{adopt, chosen, claim, create, open_exit, raise};
use crate::guard::{Position, Watermark};
use crate::store::{self, Adopted, Found, OpenError, Retired, Status};

pub(in crate::cli) fn import(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let [id, inputs @ ..] = arguments.operands.as_slice() else {
        return Ok(Exit::Usage);
    };
    let wish = Wish::of(arguments)?;
    let (chains, file) = match chosen(arguments, core::slice::from_ref(id), Ask::Unknown)? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    let mut exits = Vec::new();
    for chain in &chains {
        match import_one(chain, inputs, &wish, &mut report) {
            Ok(text) => say(&format!("{}: {text}\n", chain.chain.id.value)),
            Err(exit) => exits.push(exit),
        }
    }
    if report.has_problems() {
        exits.push(report.finish());
    }
    Ok(Exit::of_several(exits).unwrap_or(Exit::Done))
}

fn import_one(
    chain_key: &ChainKey,
    inputs: &[OsString],
    wish: &Wish,
    report: &mut Report,
) -> Result<String, Exit> {
    let chain = &chain_key.chain;
    let watermark = highest(inputs, chain_key)?;
    let _claim = claim(chain_key, report)?;
    match store::find(
        &chain.state_file.value,
        &chain.id.value,
        &chain_key.public_key(),
    ) {
        Ok(Found::Missing(vacant)) => create(vacant, &watermark, chain_key, report),
        Ok(Found::Ours(ready)) => {
            let old = ready.watermark().position();
            if watermark.position() < old && wish.is_force() {
                confirm(old, &watermark, chain_key, wish)?;
                let replaced = ready
                    .replace(&watermark)
                    .map_err(|error| open_exit(&error))?;
                return Ok(lowered(old, &replaced));
            }
            raise_or_leave(
                &mut ready.open().map_err(|error| open_exit(&error))?,
                &watermark,
            )
        }
        Ok(Found::Foreign(foreign)) => {
            let old = foreign.watermark().position();
            if watermark.position() < old && wish.is_force() {
                confirm(old, &watermark, chain_key, wish)?;
                let replaced = foreign
                    .replace(&watermark)
                    .map_err(|error| open_exit(&error))?;
                return Ok(lowered(old, &replaced));
            }
            raise_or_leave(&mut adopt(foreign)?, &watermark)
        }
        Err(OpenError::Retired(retired)) => bring_back(*retired, &watermark, chain_key, wish),
        Err(error) => Err(repair::state_problem(&error, chain, report)),
    }
}

/// The highest watermark that the files say.
fn highest(inputs: &[OsString], chain_key: &ChainKey) -> Result<Watermark, Exit> {
    let mut highest: Option<(Watermark, &Path)> = None;
    for input in inputs.iter().map(Path::new) {
        let watermark = read(input, chain_key)?;
        highest = Some(match highest {
            Some((other, path)) if other.position() > watermark.position() => (other, path),
            // What was signed there is known only if all say the same.
            Some((other, path))
                if other.position() == watermark.position() && other != watermark =>
            {
                (Watermark::at(other.position()), path)
            }
            _ => (watermark, input),
        });
    }
    let Some((watermark, input)) = highest else {
        return Err(Exit::Usage);
    };
    if inputs.len() > 1 {
        say(&format!(
            "{}: the highest is {}, of {}\n",
            chain_key.chain.id.value,
            watermark.position(),
            quoted(input)
        ));
    }
    Ok(watermark)
}

fn read(input: &Path, chain_key: &ChainKey) -> Result<Watermark, Exit> {
    let chain = &chain_key.chain;
    match store::watermark_of(input, &chain.id.value, &chain_key.public_key()) {
        Ok(Some(watermark)) => {
            check_source(input, chain_key)?;
            Ok(watermark)
        }
        Ok(None) => {
            complain(
                &format_args!("there is no {}", quoted(input)),
                "name the other program's state file; nothing was changed",
            );
            Err(Exit::State)
        }
        Err(error) => {
            complain(
                &format_args!("{}: {error}", quoted(input)),
                "name the state file of this chain and this key; nothing was changed",
            );
            Err(Exit::State)
        }
    }
}

/// A state file of ours that goes on signing elsewhere must not be taken over.
fn check_source(input: &Path, chain_key: &ChainKey) -> Result<(), Exit> {
    if store::is_in_use(input).unwrap_or(false) {
        complain(
            &format_args!("{}: another process is using it", quoted(input)),
            "stop that signer first; nothing was changed",
        );
        return Err(Exit::Locked);
    }
    let state_file = &chain_key.chain.state_file.value;
    let is_itself = input.canonicalize().ok() == state_file.canonicalize().ok();
    let status = store::peek(input)
        .ok()
        .flatten()
        .and_then(|state| state.status);
    let in_use = matches!(status, Some(Status::New | Status::Active));
    if is_itself && status == Some(Status::Retired) {
        complain(
            &format_args!(
                "{} is this signer's own, retired state: it does not say what was signed elsewhere since",
                quoted(input)
            ),
            "name the state file of who signed since, or, if nobody did: tmkms state init --height H, H being above the height it was retired at",
        );
        return Err(Exit::State);
    }
    if in_use && !is_itself {
        warn(&format_args!(
            "{} is not retired: whoever starts a signer with it double-signs; `tmkms state retire` ends that",
            quoted(input)
        ));
    }
    Ok(())
}

fn raise_or_leave(store: &mut store::Store, watermark: &Watermark) -> Result<String, Exit> {
    let below = watermark.position() < store.watermark().position();
    let mut text = raise(store, watermark)?;
    if below {
        text.push_str(" (--force lowers it)");
    }
    Ok(text)
}

/// A retired copy signs again, from where the state comes back.
fn bring_back(
    retired: Retired,
    watermark: &Watermark,
    chain_key: &ChainKey,
    wish: &Wish,
) -> Result<String, Exit> {
    let old = retired.watermark().position();
    if watermark.position() >= old {
        let store = retired
            .reinstate(watermark)
            .map_err(|error| open_exit(&error))?;
        let new = store.watermark().position();
        let what = if new > old {
            format!("raised from {old} to {new}")
        } else {
            format!("still signed up to {new}")
        };
        return Ok(format!(
            "no longer retired, {what}; nobody else may sign with this key now"
        ));
    }
    if wish.is_force() {
        confirm(old, watermark, chain_key, wish)?;
        let replaced = retired
            .replace(watermark)
            .map_err(|error| open_exit(&error))?;
        return Ok(lowered(old, &replaced));
    }
    complain(
        &format_args!(
            "{}: this copy was retired at {old}, and {} is below that",
            chain_key.chain.id.value,
            watermark.position()
        ),
        "name the state file of who signed since; nothing was changed (--force lowers it)",
    );
    Err(Exit::State)
}

fn confirm(
    old: Position,
    watermark: &Watermark,
    chain_key: &ChainKey,
    wish: &Wish,
) -> Result<(), Exit> {
    let id = chain_key.chain.id.value;
    let new = watermark.position();
    let question = format!(
        "{id}: this LOWERS the watermark from {old} to {new}. What was signed in between can then be\n\
         signed again, and that is slashed unless the chain itself began again below it.\n\
         Type the chain id to do it: "
    );
    if wish.confirms(&id, &question) {
        return Ok(());
    }
    complain(
        &format_args!("{id}: what was typed again is not the chain id"),
        "nothing was changed",
    );
    Err(Exit::Usage)
}

fn lowered(old: Position, replaced: &Adopted) -> String {
    format!(
        "LOWERED from {old} to {}; the old state is kept, retired, as {}",
        replaced.store.watermark().position(),
        replaced.kept.display()
    )
}
