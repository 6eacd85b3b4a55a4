//! `ledger init [--height H [--round R]] [CHAIN]`.

use std::time::Duration;

use super::command::Arguments;
use super::device::Ask;
use super::device::ledger::{NAME, route};
use super::holder::{ChainKey, Holder};
use super::report::{Report, complain, quoted, say, warn};
use super::state::{adopt, claim, create, open_exit, raise};
use super::{Exit, config_path, repair, setup};
use crate::backend::Device as _;
use crate::backend::ledger::{Ledger, ROUND_MAX};
use crate::config::Ledgertm;
use crate::guard::{Position, Watermark};
use crate::store::{self, Found};
use crate::types::Step;

/// How long the person at the device has to press a button.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) fn init(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let wanted = wanted(arguments)?;
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let setup = setup::load(&file, Ask::Unknown, &mut report);
    if report.has_problems() {
        return Ok(report.finish());
    }
    for warning in report.warnings() {
        warn(&format_args!("{}: {warning}", file.display()));
    }
    let named = arguments.operands.first();
    let mut ledgers = setup
        .config
        .ledgertm
        .iter()
        .filter(|ledger| named.is_none_or(|name| name == ledger.chain_id.value.as_str()));
    let (Some(ledger), None) = (ledgers.next(), ledgers.next()) else {
        return Err(format!(
            "name one chain that has [[providers.ledgertm]] in {}",
            file.display()
        )
        .into());
    };
    let chain_key = setup
        .keys
        .into_iter()
        .find(|key| key.chain.id.value == ledger.chain_id.value && key.holder.provider() == NAME);
    let Some(chain_key) = chain_key else {
        return Ok(report.finish());
    };
    // Lets go of the device, if it was asked for its key: it is opened once.
    let public_key = chain_key.public_key();
    let chain_key = ChainKey {
        holder: Holder::Device {
            provider: NAME,
            public_key,
            key: None,
        },
        ..chain_key
    };
    match init_one(&chain_key, ledger, wanted, &mut report) {
        Ok(()) => Ok(Exit::Done),
        Err(exit) if report.has_problems() => {
            Ok(Exit::of_several([exit, report.finish()]).unwrap_or(Exit::Failed))
        }
        Err(exit) => Ok(exit),
    }
}

/// First the state, then the device: whatever comes in between, the state is not below it.
fn init_one(
    chain_key: &ChainKey,
    ledger: &Ledgertm,
    wanted: Option<(i64, i32)>,
    report: &mut Report,
) -> Result<(), Exit> {
    let chain = &chain_key.chain;
    let id = chain.id.value;
    let _claim = claim(chain_key, report)?;
    let found = store::find(&chain.state_file.value, &id, &chain_key.public_key())
        .map_err(|error| repair::state_problem(&error, chain, report))?;
    let known = match &found {
        Found::Ours(ready) => Some(ready.watermark().position()),
        Found::Foreign(foreign) => Some(foreign.watermark().position()),
        Found::Missing(_) => None,
    };
    let known = known.map(|position| (position.height(), position.round()));
    let Some((height, round)) = wanted.or(known) else {
        complain(
            &format_args!("{id} has no state that says where to begin"),
            "give --height, above any height that this key may have signed; 0 if it has signed none",
        );
        return Err(Exit::State);
    };
    if let Some((signed_height, signed_round)) = known
        && (height, round) < (signed_height, signed_round)
    {
        complain(
            &format_args!(
                "{id} is signed up to height {signed_height}, round {signed_round}: the device is not set below that"
            ),
            "leave --height and --round out to go on from there",
        );
        return Err(Exit::State);
    }
    let watermark = Position::new(height, round, Some(Step::Proposal))
        .map(Watermark::at)
        .ok_or(Exit::Usage)?;
    let (text, _store) = match found {
        Found::Ours(ready) => {
            let mut store = ready.open().map_err(|error| open_exit(&error))?;
            (raise(&mut store, &watermark)?, Some(store))
        }
        Found::Foreign(foreign) => {
            let mut store = adopt(foreign)?;
            (raise(&mut store, &watermark)?, Some(store))
        }
        Found::Missing(vacant) => (create(vacant, &watermark, chain_key, report)?, None),
    };
    say(&format!("{id}: {text}\n"));
    ask_device(chain_key, ledger, height, round).map_err(|(what, cure)| {
        complain(&format_args!("{what}"), &cure);
        Exit::Device
    })?;
    say(&format!(
        "the Ledger signs above {height}/{round}; go on with: tmkms start -c {}\n",
        quoted(report.file())
    ));
    Ok(())
}

fn ask_device(
    chain_key: &ChainKey,
    ledger: &Ledgertm,
    height: i64,
    round: i32,
) -> Result<(), (String, String)> {
    let mut device = Ledger::new(route(ledger));
    let name = device.name();
    let told = |error: &crate::backend::Error| {
        (
            format!("{name}: {}", error.what),
            format!(
                "{}; the state is in order, so run the same command again",
                error.cure
            ),
        )
    };
    let slots = device.open().map_err(|error| told(error.error()))?;
    if slots.first() != Some(&Ok(chain_key.public_key())) {
        return Err((
            format!(
                "{name} holds another key than the state of {}",
                chain_key.chain.id.value
            ),
            "plug the right device in".to_owned(),
        ));
    }
    say(&format!(
        "look at the Ledger: it asks to `Init validation` with height {height} and round {round}.\n\
         Accept if it shows these numbers, reject if it shows others. An app that was used before asks nothing.\n"
    ));
    device
        .initialise(&chain_key.chain.id.value, height, round, PATIENCE)
        .map_err(|error| told(&error))
}

fn wanted(arguments: &Arguments) -> Result<Option<(i64, i32)>, lexopt::Error> {
    let height: Option<i64> = arguments.parsed("height")?;
    let round: Option<i32> = arguments.parsed("round")?;
    match (height, round) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("--round goes with --height".into()),
        (Some(height), round) => {
            let round = round.unwrap_or(0);
            if height < 0 || !(0..=ROUND_MAX).contains(&round) {
                return Err(format!(
                    "a height is not negative, and the Ledger's app knows rounds from 0 to {ROUND_MAX}"
                )
                .into());
            }
            Ok(Some((height, round)))
        }
    }
}
