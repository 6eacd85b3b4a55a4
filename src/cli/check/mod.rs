//! `tmkms check`: what `start` would find, and what it would not tell, without touching anything.

mod dial;
mod json;
mod surroundings;

use std::path::PathBuf;

use super::command::Arguments;
use super::device::Ask;
use super::holder::{ChainKey, Holder};
use super::passphrase::Keyholder;
use super::plan::{self, Plan, Planned, Running};
use super::report::{Report, complain, quoted, say, warn};
use super::setup;
use super::state::look;
use super::{Exit, config_path, repair, unlock};
use crate::config::KeyFormat;
use crate::guard::Position;
use crate::store::Found;
use crate::types::{ChainId, PublicKey};
use dial::Dialled;

/// What a chain would begin with.
struct Outlook {
    chain_id: ChainId,
    public_key: PublicKey,
    key_format: KeyFormat,
    state_file: PathBuf,
    begins: Begins,
    at: Option<Position>,
}

/// How.
enum Begins {
    /// From its state.
    Goes,
    /// A signer runs on it.
    Runs,
    /// From another program's state, which `start` takes over.
    TakesOver(&'static str),
    /// From the mark beside a new key, following the node's own state file, if there is one.
    New(Option<String>),
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let mut keyholder = Keyholder::of(arguments)?;
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let setup = setup::load(&file, Ask::Unused, &mut report);
    surroundings::look(&setup.keys, &mut report);
    let known: Vec<(ChainId, PublicKey)> = setup
        .keys
        .iter()
        .map(|key| (key.chain.id.value, key.public_key()))
        .collect();
    let Plan {
        chains,
        dials,
        running,
    } = plan::plan(setup, Running::Told, &mut report);
    let mut outlooks: Vec<Outlook> = Vec::new();
    for chain in &running {
        outlooks.extend(running_outlook(chain, &mut report));
    }
    // This also lets go of every lock: nothing below may keep a signer from starting.
    outlooks.extend(chains.into_iter().map(outlook));
    let dialled = if arguments.has("dial") {
        // Only who shakes hands needs an identity: nobody is asked for a passphrase without need.
        let dials = unlock::dials(dials, &mut keyholder, &mut report);
        let is_running = |id| running.iter().any(|chain| chain.chain.id.value == id);
        let dials = dials
            .into_iter()
            .filter_map(|dial| {
                let id = dial.validator.chain_id.value;
                let (_, key) = known.iter().find(|(chain, _)| *chain == id)?;
                Some((dial, *key, is_running(id)))
            })
            .collect();
        dial::dial_all(dials, &mut report)
    } else {
        Vec::new()
    };
    if arguments.has("json") {
        say(&json::render(&mut report, &outlooks, &dialled));
    } else {
        print(&mut report, &outlooks, &dialled);
    }
    Ok(report.exit())
}

fn outlook(planned: Planned<Holder>) -> Outlook {
    let (begins, at) = match (&planned.state, &planned.begin) {
        (Found::Ours(ready), _) => (Begins::Goes, Some(ready.watermark().position())),
        (Found::Foreign(foreign), _) => (
            Begins::TakesOver(foreign.format().word()),
            Some(foreign.watermark().position()),
        ),
        (Found::Missing(_), begin) => {
            let mark = begin.as_deref();
            let origin = mark.and_then(|mark| mark.origin.as_deref()).map(quoted);
            (
                Begins::New(origin),
                mark.map(|mark| mark.watermark.position()),
            )
        }
    };
    Outlook {
        chain_id: planned.chain.id.value,
        public_key: planned.key.public_key(),
        key_format: planned.chain.key_format,
        state_file: planned.chain.state_file.value,
        begins,
        at,
    }
}

/// A state that a signer holds is read without a lock.
fn running_outlook(chain_key: &ChainKey, report: &mut Report) -> Option<Outlook> {
    let chain = &chain_key.chain;
    let state = look(chain_key)
        .map_err(|error| repair::state_problem(&error, chain, report))
        .ok()?;
    Some(Outlook {
        chain_id: chain.id.value,
        public_key: chain_key.public_key(),
        key_format: chain.key_format.clone(),
        state_file: chain.state_file.value.clone(),
        begins: Begins::Runs,
        at: state.map(|state| state.watermark.position()),
    })
}

fn print(report: &mut Report, outlooks: &[Outlook], dialled: &[Dialled]) {
    let file = quoted(report.file());
    for chain in outlooks {
        let at = chain
            .at
            .map_or("-".to_owned(), |position| position.to_string());
        let begins = match &chain.begins {
            Begins::Goes => format!("goes on from {at}"),
            Begins::Runs => format!("a signer is running on it, now at {at}"),
            Begins::TakesOver(word) => {
                format!("takes over the state of {word}, signed up to {at}, and keeps the original")
            }
            Begins::New(None) => format!("begins a new state at {at}"),
            Begins::New(Some(origin)) => format!(
                "begins a new state at {at}, and follows {origin} until it signs for the first time"
            ),
        };
        say(&format!(
            "{}: {begins} ({})\n{}: the key is {}\n",
            chain.chain_id,
            quoted(&chain.state_file),
            chain.chain_id,
            setup::display(&chain.public_key, &chain.key_format)
        ));
    }
    for dial in dialled {
        say(&format!("{dial}\n"));
    }
    for warning in report.distinct_warnings() {
        warn(&format_args!("{file}:{warning}"));
    }
    let warnings = report.distinct_warnings().len();
    for (_, problem) in report.problems() {
        let place = match problem.position {
            Some(position) => format!("{file}:{position}"),
            None => file.clone(),
        };
        complain(&format_args!("{place}: {}", problem.message), &problem.cure);
    }
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    say(&format!(
        "{file}: {}, {}\n",
        count(report.problems().len(), "problem"),
        count(warnings, "warning")
    ));
}
