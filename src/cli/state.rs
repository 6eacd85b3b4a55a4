//! `tmkms state`: show, make and take over how far a chain is signed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::command::Arguments;
use super::report::{Report, complain, quoted, say, warn};
use super::setup::{self, ChainKey};
use super::start::state_problem;
use super::{Exit, config_path};
use crate::files;
use crate::guard::{Position, Watermark};
use crate::store::mark;
use crate::store::{self, Claim, ClaimError, Damage, Found, Initial, OpenError, Store, Vacant};
use crate::types::Step;

/// How many damaged files are kept beside a state.
const KEPT_MAX: u32 = 99;

/// `state show [CHAIN...]`.
pub(super) fn show(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
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
    for ChainKey { chain, .. } in &chains {
        let path = chain.state_file.value.display().to_string();
        let id = chain.id.value;
        match store::peek(&chain.state_file.value) {
            Ok(Some(state)) => {
                let position = state.watermark.position();
                let block = match state
                    .watermark
                    .sign_bytes()
                    .map(|bytes| bytes.block_hash().copied())
                {
                    None => "-".to_owned(),
                    Some(None) => "<nil>".to_owned(),
                    Some(Some(hash)) => prefix(&hash),
                };
                let status = state.status.map_or_else(
                    || state.format.map_or("?", store::foreign::Format::word),
                    store::Status::word,
                );
                row([
                    id.as_str(),
                    &position.height().to_string(),
                    &position.round().to_string(),
                    position.step().map_or("none", Step::word),
                    &block,
                    status,
                    &path,
                ]);
            }
            Ok(None) => row([id.as_str(), "-", "-", "-", "-", "missing", &path]),
            Err(error) => {
                row([id.as_str(), "?", "?", "?", "?", "bad", &path]);
                state_problem(&error, chain, &mut report);
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

/// The first five bytes of a block's hash, as log lines have them.
fn prefix(hash: &[u8; 32]) -> String {
    let mut text = String::new();
    for byte in hash.iter().take(5) {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// `state init [--height H [--round R [--step S]]] [CHAIN...]`.
pub(super) fn init(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let begin = beginning(arguments)?;
    let (chains, file) = match chosen(arguments, &arguments.operands)? {
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
    Ok(exits.into_iter().min().unwrap_or(Exit::Done))
}

fn init_one(
    chain_key: &ChainKey,
    begin: Option<Position>,
    report: &mut Report,
) -> Result<String, Exit> {
    let ChainKey { chain, key, path } = chain_key;
    let public_key = key.public_key();
    let _claim = claim(chain_key)?;
    match store::find(&chain.state_file.value, &chain.id.value, &public_key) {
        Ok(Found::Missing(vacant)) => create(
            vacant,
            &Watermark::at(begin.unwrap_or(Position::ZERO)),
            chain_key,
        ),
        Ok(Found::Ours(ready)) => {
            let at = ready.watermark().position();
            match begin {
                Some(begin) if begin > at => {
                    let mut store = ready.open().map_err(|error| io_exit(&error))?;
                    raise(&mut store, &Watermark::at(begin))
                }
                _ => Ok(format!("left as it was, signed up to {at}")),
            }
        }
        Ok(Found::Foreign(foreign)) => Ok(format!(
            "left as it was: a state of {}, signed up to {}, which `start` takes over",
            foreign.format().word(),
            foreign.watermark().position()
        )),
        Err(OpenError::Damaged(damage)) => {
            let Some(begin) = begin else {
                state_problem(&OpenError::Damaged(damage), chain, report);
                return Err(Exit::State);
            };
            if let Damage::OneRecord(known) = damage
                && begin <= known
            {
                complain(
                    &format_args!(
                        "{}: the damaged state was signed up to {known} at least",
                        chain.id.value
                    ),
                    "give a --height above it, and above the chain's height when this signer stopped",
                );
                return Err(Exit::State);
            }
            let kept = move_damaged(&chain.state_file.value)?;
            let vacant = match store::find(&chain.state_file.value, &chain.id.value, &public_key) {
                Ok(Found::Missing(vacant)) => vacant,
                Ok(Found::Ours(_) | Found::Foreign(_)) => return Err(Exit::Locked),
                Err(error) => return Err(io_exit(&error)),
            };
            let text = create(vacant, &Watermark::at(begin), chain_key)?;
            Ok(format!(
                "{text}; the damaged file is kept as {}",
                kept.display()
            ))
        }
        Err(error) => {
            let _ = path;
            state_problem(&error, chain, report);
            Err(Exit::State)
        }
    }
}

/// Makes a state. A mark that lies beside the key is used up, and what it knows is never lowered.
fn create(vacant: Vacant, wanted: &Watermark, chain_key: &ChainKey) -> Result<String, Exit> {
    let key_file = &chain_key.path.value;
    let mut initial = Initial {
        watermark: *wanted,
        origin: None,
    };
    let mark = mark::find(key_file, &chain_key.key.public_key())
        .map_err(|error| mark_exit(key_file, &error))?;
    if let mark::Found::Valid(mark) = mark {
        let other_chain = mark
            .watermark
            .sign_bytes()
            .is_some_and(|bytes| bytes.chain_id() != chain_key.chain.id.value.as_bytes());
        if mark.watermark.position() > wanted.position() && !other_chain {
            initial.watermark = mark.watermark;
        }
        if !other_chain {
            initial.origin = mark.origin;
        }
    }
    let store = vacant.create(&initial).map_err(|error| io_exit(&error))?;
    mark::remove(key_file).map_err(|error| mark_exit(key_file, &error))?;
    Ok(format!(
        "made {}, signed up to {}",
        store.path().display(),
        store.watermark().position()
    ))
}

/// `state import CHAIN INPUT`.
pub(super) fn import(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let [id, input] = arguments.operands.as_slice() else {
        return Ok(Exit::Usage);
    };
    let (chains, file) = match chosen(arguments, core::slice::from_ref(id))? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    for chain in &chains {
        match import_one(chain, Path::new(input), &mut report) {
            Ok(text) => say(&format!("{}: {text}\n", chain.chain.id.value)),
            Err(exit) if report.has_problems() => return Ok(exit.min(report.finish())),
            Err(exit) => return Ok(exit),
        }
    }
    Ok(Exit::Done)
}

fn import_one(chain_key: &ChainKey, input: &Path, report: &mut Report) -> Result<String, Exit> {
    let ChainKey { chain, key, .. } = chain_key;
    let public_key = key.public_key();
    let read = store::watermark_of(input, &chain.id.value, &public_key);
    let watermark = match read {
        Ok(Some(watermark)) => watermark,
        Ok(None) => {
            complain(
                &format_args!("there is no {}", quoted(input)),
                "name the other program's state file",
            );
            return Err(Exit::State);
        }
        Err(error) => {
            complain(
                &format_args!("{}: {error}", input.display()),
                "name the state file of this chain and this key; nothing was changed",
            );
            return Err(Exit::State);
        }
    };
    let _claim = claim(chain_key)?;
    let mut store = match store::find(&chain.state_file.value, &chain.id.value, &public_key) {
        Ok(Found::Missing(vacant)) => return create(vacant, &watermark, chain_key),
        Ok(Found::Ours(ready)) => ready.open().map_err(|error| io_exit(&error))?,
        Ok(Found::Foreign(foreign)) => {
            let adopted = foreign.adopt().map_err(|error| io_exit(&error))?;
            warn(&format_args!(
                "what lay at {} is kept as {}",
                chain.state_file.value.display(),
                adopted.kept.display()
            ));
            adopted.store
        }
        Err(error) => {
            state_problem(&error, chain, report);
            return Err(Exit::State);
        }
    };
    raise(&mut store, &watermark)
}

fn raise(store: &mut Store, watermark: &Watermark) -> Result<String, Exit> {
    let old = store.watermark().position();
    match store.raise(watermark) {
        Ok(true) => Ok(format!("raised from {old} to {}", watermark.position())),
        Ok(false) => Ok(format!(
            "left at {old}, which is not below {}",
            watermark.position()
        )),
        Err(error) => {
            complain(
                &error,
                "what was there is still there; mend the cause and run the command again",
            );
            Err(Exit::State)
        }
    }
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

type Chosen = (Vec<ChainKey>, PathBuf);

/// The chains that are named, or all.
fn chosen(
    arguments: &Arguments,
    named: &[std::ffi::OsString],
) -> Result<Result<Chosen, Exit>, lexopt::Error> {
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let setup = setup::load(&file, &mut report);
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

fn claim(chain_key: &ChainKey) -> Result<Claim, Exit> {
    Claim::new(&chain_key.key.public_key(), &chain_key.chain.id.value).map_err(|error| {
        complain(&error, "stop the signer first");
        match error {
            ClaimError::Taken => Exit::Locked,
            ClaimError::Io(_) => Exit::Failed,
        }
    })
}

fn io_exit(error: &OpenError) -> Exit {
    complain(
        error,
        "what was there is still there; mend the cause and run the command again",
    );
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

fn move_damaged(path: &Path) -> Result<PathBuf, Exit> {
    let mut attempt = 0_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(".old-damaged");
        if attempt > 0 {
            name.push(format!(".{attempt}"));
        }
        let aside = PathBuf::from(name);
        match files::move_aside(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(files::Error {
                problem: files::Problem::Exists,
                ..
            }) if attempt < KEPT_MAX => attempt = attempt.saturating_add(1),
            Err(error) => return Err(io_exit(&OpenError::File(error))),
        }
    }
}
