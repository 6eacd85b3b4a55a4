//! `state import CHAIN INPUT`.

use std::path::Path;

use super::super::command::Arguments;
use super::super::report::{Report, complain, quoted, say};
use super::super::setup::ChainKey;
use super::super::{Exit, repair};
use super::{adopt, chosen, claim, create, open_exit, raise};
use crate::store::{self, Found};

pub(in crate::cli) fn import(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let [id, input] = arguments.operands.as_slice() else {
        return Ok(Exit::Usage);
    };
    let (chains, file) = match chosen(arguments, core::slice::from_ref(id))? {
        Ok(chains) => chains,
        Err(exit) => return Ok(exit),
    };
    let mut report = Report::new(&file);
    let mut exits = Vec::new();
    for chain in &chains {
        match import_one(chain, Path::new(input), &mut report) {
            Ok(text) => say(&format!("{}: {text}\n", chain.chain.id.value)),
            Err(exit) => exits.push(exit),
        }
    }
    if report.has_problems() {
        exits.push(report.finish());
    }
    Ok(Exit::of_several(exits).unwrap_or(Exit::Done))
}

fn import_one(chain_key: &ChainKey, input: &Path, report: &mut Report) -> Result<String, Exit> {
    let ChainKey { chain, key, .. } = chain_key;
    let public_key = key.public_key();
    let watermark = match store::watermark_of(input, &chain.id.value, &public_key) {
        Ok(Some(watermark)) => watermark,
        Ok(None) => {
            complain(
                &format_args!("there is no {}", quoted(input)),
                "name the other program's state file; nothing was changed",
            );
            return Err(Exit::State);
        }
        Err(error) => {
            complain(
                &format_args!("{}: {error}", quoted(input)),
                "name the state file of this chain and this key; nothing was changed",
            );
            return Err(Exit::State);
        }
    };
    let _claim = claim(chain_key, report)?;
    let mut store = match store::find(&chain.state_file.value, &chain.id.value, &public_key) {
        Ok(Found::Missing(vacant)) => return create(vacant, &watermark, chain_key, report),
        Ok(Found::Ours(ready)) => ready.open().map_err(|error| open_exit(&error))?,
        Ok(Found::Foreign(foreign)) => adopt(foreign)?,
        Err(error) => return Err(repair::state_problem(&error, chain, report)),
    };
    raise(&mut store, &watermark)
}
