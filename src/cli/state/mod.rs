//! `tmkms state`: show, make, take over, hand over and retire how far a chain is signed.

mod export;
mod import;
mod init;
mod lower;
mod show;

use std::path::{Path, PathBuf};

pub(super) use export::{export, retire};
pub(super) use import::import;
pub(super) use init::init;
pub(super) use show::{look, show};

use super::command::Arguments;
use super::device::Ask;
use super::holder::ChainKey;
use super::report::{Report, complain, warn, with_cause};
use super::setup;
use super::{Exit, config_path, repair};
use crate::guard::Watermark;
use crate::store::{Claim, Convertible, Initial, OpenError, Store, Vacant, mark};

type Chosen = (Vec<ChainKey>, PathBuf);

/// The chains that are named, or all.
fn chosen(
    arguments: &Arguments,
    named: &[std::ffi::OsString],
    ask: Ask,
) -> Result<Result<Chosen, Exit>, lexopt::Error> {
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let setup = setup::load(&file, ask, &mut report);
    if report.has_problems() {
        return Ok(Err(report.finish()));
    }
    for warning in report.warnings() {
        warn(&format_args!("{}: {warning}", file.display()));
    }
    let known: Vec<String> = setup
        .keys
        .iter()
        .map(|key| key.chain.id.value.to_string())
        .collect();
    for name in named {
        if !known.iter().any(|id| name == id.as_str()) {
            return Err(format!(
                "{} has no chain {}; it has {}",
                file.display(),
                name.display(),
                known.join(", ")
            )
            .into());
        }
    }
    let chains = setup
        .keys
        .into_iter()
        .filter(|key| {
            named.is_empty() || named.iter().any(|name| name == key.chain.id.value.as_str())
        })
        .collect();
    Ok(Ok((chains, file)))
}

/// Keeps any signer from using this key on this chain meanwhile.
pub(super) fn claim(chain_key: &ChainKey, report: &mut Report) -> Result<Claim, Exit> {
    Claim::new(&chain_key.public_key(), &chain_key.chain.id.value)
        .map_err(|error| repair::claim_problem(&error, &chain_key.chain, report))
}

/// Makes a state. A mark that lies beside the key is used up, and what it knows is never lowered.
pub(super) fn create(
    vacant: Vacant,
    wanted: &Watermark,
    chain_key: &ChainKey,
    report: &mut Report,
) -> Result<String, Exit> {
    if repair::unusable_directory(&chain_key.chain, report) {
        return Err(Exit::State);
    }
    let key_file = chain_key.holder.file().map(|file| &*file.value);
    let mut initial = Initial {
        watermark: *wanted,
        origin: None,
    };
    let mark = match key_file {
        Some(path) => {
            mark::find(path, &chain_key.public_key()).map_err(|error| mark_exit(path, &error))?
        }
        None => mark::Found::None,
    };
    let mut is_anothers = false;
    if let mark::Found::Valid(mark) = mark {
        is_anothers = mark
            .watermark
            .sign_bytes()
            .is_some_and(|bytes| bytes.chain_id() != chain_key.chain.id.value.as_bytes());
        if !is_anothers {
            if mark.watermark.position() > wanted.position() {
                initial.watermark = mark.watermark;
            }
            initial.origin = mark.origin;
        }
    }
    let store = vacant.create(&initial).map_err(|error| open_exit(&error))?;
    // What a mark knows about another chain is still needed there.
    if let Some(path) = key_file.filter(|_| !is_anothers) {
        mark::remove(path).map_err(|error| mark_exit(path, &error))?;
    }
    Ok(format!(
        "made {}, signed up to {}",
        store.path().display(),
        store.watermark().position()
    ))
}

/// Puts a state of ours in the place of another program's.
pub(super) fn adopt(foreign: Convertible) -> Result<Store, Exit> {
    let format = foreign.format();
    let adopted = foreign.adopt().map_err(|error| open_exit(&error))?;
    warn(&format_args!(
        "the state of {} that lay there is kept as {}",
        format.word(),
        adopted.kept.display()
    ));
    Ok(adopted.store)
}

pub(super) fn raise(store: &mut Store, watermark: &Watermark) -> Result<String, Exit> {
    let old = store.watermark().position();
    match store.raise(watermark) {
        Ok(true) => Ok(format!("raised from {old} to {}", watermark.position())),
        Ok(false) => Ok(format!(
            "left at {old}, which is not below {}",
            watermark.position()
        )),
        Err(error) => {
            complain(
                &with_cause(&error),
                "mend the cause and run the command again",
            );
            Err(Exit::State)
        }
    }
}

pub(super) fn open_exit(error: &OpenError) -> Exit {
    complain(error, "mend the cause and run the command again");
    if matches!(error, OpenError::Locked) {
        Exit::Locked
    } else {
        Exit::State
    }
}

fn mark_exit(key: &Path, error: &std::io::Error) -> Exit {
    complain(
        &format_args!("{}: {error}", mark::path(key).display()),
        "the mark must be removed before the key may sign",
    );
    Exit::Key
}
