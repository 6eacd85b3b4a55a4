//! `state export CHAIN OUTPUT` and `state retire CHAIN`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::command::Arguments;
use super::super::device::Ask;
use super::super::holder::ChainKey;
use super::super::passphrase::Keyholder;
use super::super::report::{Report, complain, quoted, say, warn, with_cause};
use super::super::{Exit, repair, unlock};
use super::{adopt, chosen, claim, open_exit};
use crate::backend::{Any, Backend as _};
use crate::files;
use crate::guard::Position;
use crate::store::handover::{self, Format};
use crate::store::{self, Claim, Found, Leaving, OpenError};
use crate::types::Signature;

/// What `state export` is asked for.
struct Order {
    format: Format,
    /// `None`: the standard output.
    output: Option<PathBuf>,
    keep: bool,
}

pub(in crate::cli) fn export(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let [id, output] = arguments.operands.as_slice() else {
        return Ok(Exit::Usage);
    };
    let format = arguments
        .value("format")
        .and_then(|word| Format::from_word(&word.to_string_lossy()))
        .ok_or("say what will read it: --format filepv, or --format tmkms")?;
    let order = Order {
        format,
        output: (output != "-").then(|| PathBuf::from(output)),
        keep: arguments.has("keep"),
    };
    let mut keyholder = Keyholder::of(arguments)?;
    for_one(arguments, id, |chain_key, report| {
        export_one(chain_key, &order, &mut keyholder, report)
    })
}

pub(in crate::cli) fn retire(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let [id] = arguments.operands.as_slice() else {
        return Ok(Exit::Usage);
    };
    for_one(arguments, id, |chain_key, report| {
        let (mut leaving, _claim) = hand_over(&chain_key, report)?;
        retire_copy(&mut leaving)?;
        say(&format!(
            "{}: retired at {}; `tmkms start` refuses it from now on\n",
            chain_key.chain.id.value,
            leaving.watermark().position()
        ));
        Ok(())
    })
}

fn for_one(
    arguments: &Arguments,
    id: &OsString,
    mut act: impl FnMut(ChainKey, &mut Report) -> Result<(), Exit>,
) -> Result<Exit, lexopt::Error> {
    let (chains, file) = match chosen(arguments, core::slice::from_ref(id), Ask::Unused)? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    for chain in chains {
        if let Err(exit) = act(chain, &mut report) {
            return Ok(if report.has_problems() {
                report.finish()
            } else {
                exit
            });
        }
    }
    Ok(Exit::Done)
}

/// The state, held, and committing nothing any more.
fn hand_over(chain_key: &ChainKey, report: &mut Report) -> Result<(Leaving, Claim), Exit> {
    let chain = &chain_key.chain;
    let claim = claim(chain_key, report)?;
    let found = store::find(
        &chain.state_file.value,
        &chain.id.value,
        &chain_key.public_key(),
    );
    let mut store = match found {
        Ok(Found::Ours(ready)) => ready.open().map_err(|error| open_exit(&error))?,
        Ok(Found::Foreign(foreign)) => adopt(foreign)?,
        Ok(Found::Missing(vacant)) => {
            complain(
                &format_args!("there is no {}", quoted(vacant.path())),
                "there is nothing to hand over: how far this key has signed is not known here",
            );
            return Err(Exit::State);
        }
        Err(OpenError::Retired(retired)) => {
            let leaving = retired.leave().map_err(|error| open_exit(&error))?;
            return Ok((leaving, claim));
        }
        Err(error) => return Err(repair::state_problem(&error, chain, report)),
    };
    // A node that this state began from may have signed by itself since.
    if let Err(error) = store.refresh() {
        complain(
            &with_cause(&error),
            "nothing was signed under this state yet, so the node's own says how far the key has: mend it first",
        );
        return Err(Exit::State);
    }
    Ok((store.leave(), claim))
}

fn export_one(
    chain_key: ChainKey,
    order: &Order,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Result<(), Exit> {
    let (mut leaving, _claim) = hand_over(&chain_key, report)?;
    let ChainKey { chain, holder } = chain_key;
    let id = chain.id.value;
    let position = leaving.watermark().position();
    if let Some(output) = &order.output {
        check_output(output, position, &chain.state_file.value)?;
    }
    let text = match order.format {
        Format::FilePv => {
            // Only this format carries a signature.
            let signature = if holder.is_at_hand() {
                signature(&mut leaving, || {
                    unlock::backend(holder, keyholder, report).ok_or(Exit::Key)
                })?
            } else {
                unsigned(&"a signer that runs holds the device");
                None
            };
            handover::filepv(leaving.watermark(), signature.as_ref())
        }
        Format::Tmkms => handover::tmkms(leaving.watermark()),
    };
    if !order.keep {
        retire_copy(&mut leaving)?;
    }
    let written = match &order.output {
        None => {
            say(&format!("{text}\n"));
            "the standard output".to_owned()
        }
        Some(output) => {
            write(output, &text, order.format).map_err(|error| {
                complain(
                    &with_cause(&error),
                    if leaving.is_retired() {
                        "this copy is retired and nobody signs: mend the cause and run the command again"
                    } else {
                        "mend the cause and run the command again"
                    },
                );
                Exit::State
            })?;
            quoted(output)
        }
    };
    let end = format!("{id}: exported to {written}, signed up to {position}");
    let end = if leaving.is_retired() {
        format!("{end}; this copy is retired, `tmkms start` refuses it")
    } else {
        format!("{end}; this copy is NOT retired: start one of the two only")
    };
    match &order.output {
        None => warn(&end),
        Some(_) => say(&format!("{end}\n")),
    }
    Ok(())
}

/// The signature over the watermark's own bytes, made again; a device that is away leaves it out.
fn signature(
    leaving: &mut Leaving,
    backend: impl FnOnce() -> Result<Any, Exit>,
) -> Result<Option<Signature>, Exit> {
    let committed = leaving.recall().map_err(|error| {
        complain(
            &with_cause(&error),
            "mend the cause and run the command again",
        );
        Exit::State
    })?;
    let Some(committed) = committed else {
        return Ok(None);
    };
    match backend()?.sign(&committed) {
        Ok(signature) => Ok(Some(signature)),
        Err(error) => {
            unsigned(&error);
            Ok(None)
        }
    }
}

fn unsigned(why: &dyn core::fmt::Display) {
    warn(&format_args!(
        "{why}: the file goes without sign-bytes and signature, and its reader refuses that one slot"
    ));
}

fn retire_copy(leaving: &mut Leaving) -> Result<(), Exit> {
    leaving.retire().map_err(|error| {
        complain(
            &with_cause(&error),
            "whether this copy is retired is not known: see `tmkms state show`, mend the cause and run the command again",
        );
        Exit::State
    })
}

/// Whether the file can be written there, asked before anything is retired. What lies there must be a
/// state that is not higher.
fn check_output(output: &Path, position: Position, own: &Path) -> Result<(), Exit> {
    let refuse = |what: String, cure: &str| {
        complain(&what, cure);
        Err(Exit::State)
    };
    if let Err(error) = files::may_change_directory(output) {
        return refuse(
            format!(
                "cannot write in {}: {error}",
                quoted(files::directory(output))
            ),
            "name a directory that this user may write to; nothing was changed",
        );
    }
    if output.symlink_metadata().is_err() {
        return Ok(());
    }
    if output.canonicalize().ok() == own.canonicalize().ok() {
        return refuse(
            format!("{} is this signer's own state", quoted(output)),
            "name another file; nothing was changed",
        );
    }
    let there = files::read_foreign(output)
        .map_err(|error| with_cause(&error))
        .and_then(|(bytes, _)| {
            store::foreign::read(&bytes).map_err(|error| format!("{} {error}", quoted(output)))
        });
    match there {
        Ok(there) if there.unchecked_watermark().position() > position => refuse(
            format!(
                "{} is signed up to {}, and this state up to {position} only",
                quoted(output),
                there.unchecked_watermark().position()
            ),
            "has the key signed there meanwhile? then import that state here; nothing was changed",
        ),
        Ok(_) => Ok(()),
        Err(error) => refuse(
            error,
            "it is not overwritten: name another file, or move it away; nothing was changed",
        ),
    }
}

/// Writes the file, whole or not at all. A state that lies there is kept beside it.
fn write(output: &Path, text: &str, format: Format) -> Result<(), files::Error> {
    if output.symlink_metadata().is_err() {
        return files::create(output, text.as_bytes(), 0o600);
    }
    if files::read_foreign(output).is_ok_and(|(there, _)| *there == text.as_bytes()) {
        return Ok(());
    }
    let word = match format {
        Format::FilePv => "filepv",
        Format::Tmkms => "tmkms",
    };
    let _ = files::aside(output, word, |to| files::keep_as(output, to))?;
    files::replace_atomic(output, text.as_bytes(), 0o600)
}
