//! `tmkms start`: look at everything, report every problem, and only then touch anything.

use std::path::Path;
use std::sync::Arc;

use super::command::Arguments;
use super::device::Ask;
use super::passphrase::Keyholder;
use super::plan::{Dial, Plan, Planned, Running, plan};
use super::protect;
use super::report::{Report, complain};
use super::{Exit, VERSION, config_path, hook, setup, supervise, unlock};
use crate::backend::{Any, Backend as _};
use crate::keys::SigningKey;
use crate::session::{Session, Terms};
use crate::signer::{Extensions, Signer};
use crate::store::mark::{self, Mark};
use crate::store::{Claim, Found, Initial, Store};

pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let mut keyholder = Keyholder::of(arguments)?;
    crate::log::init(arguments.has("verbose"));
    log::info!(target: "tmkms::commands::start", "tmkms {VERSION} starting up...");
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let locked = protect::lock_all();
    let setup = setup::load(&file, Ask::Always, &mut report);
    let Plan { chains, dials, .. } = plan(setup, Running::Refused, &mut report);
    if report.has_problems() {
        return Ok(report.finish());
    }
    // Nobody is asked for a passphrase before everything else is right.
    let planned = unlock::chains(chains, &mut keyholder, &mut report);
    let dials = unlock::dials(dials, &mut keyholder, &mut report);
    drop(keyholder);
    if report.has_problems() {
        return Ok(report.finish());
    }
    protect::lock_now(locked).tell();
    for warning in report.warnings() {
        log::warn!(target: "tmkms::config", "{}: {warning}", file.display());
    }
    Ok(match open(planned, dials, &report) {
        Ok((sessions, claims)) => supervise::run(sessions, claims),
        Err(exit) => exit,
    })
}

type Opened = (Vec<Session>, Vec<Claim>);

/// Opens every state, and makes those that may begin. From here on files change.
fn open(
    planned: Vec<Planned<Any>>,
    dials: Vec<Dial<Arc<SigningKey>>>,
    report: &Report,
) -> Result<Opened, Exit> {
    let mut signers: Vec<Arc<Signer>> = Vec::new();
    let mut claims = Vec::new();
    // Every hook is run, so that all of what is wrong with them is seen at once.
    let mut failed = None;
    for chain in planned {
        let path = chain.chain.state_file.value.clone();
        let mut store =
            open_state(chain.state, chain.begin, chain.marked.as_deref()).map_err(|error| {
                complain(
                    &format_args!("the state {}: {error}", path.display()),
                    "nothing was signed; mend the cause and start again",
                );
                Exit::State
            })?;
        log::info!(
            target: "tmkms::keyring",
            "[keyring:{}] added consensus Ed25519 key: {}",
            chain.provider,
            setup::display(&chain.key.public_key(), &chain.chain.key_format)
        );
        log::info!(
            target: "tmkms::chain",
            "[{}] signed up to {} ({})",
            chain.chain.id.value, store.watermark().position(), path.display()
        );
        if let Some(hook) = &chain.chain.state_hook
            && let Err(exit) = hook::follow(hook, &chain.chain, &mut store, report)
        {
            failed = Some(exit);
        }
        let extensions = match chain.chain.sign_extensions {
            Some(false) => Extensions::Skip,
            None if !chain.key.signs_extensions() => Extensions::SkipEmpty,
            Some(true) | None => Extensions::Sign,
        };
        signers.push(Arc::new(Signer::new(store, chain.key, extensions)));
        claims.push(chain.claim);
    }
    if let Some(exit) = failed {
        return Err(exit);
    }
    let sessions = dials
        .into_iter()
        .filter_map(|dial| {
            let Dial {
                validator,
                identity,
            } = dial;
            let signer = signers
                .iter()
                .find(|signer| *signer.chain_id() == validator.chain_id.value)?;
            if let Some(path) = validator.secret_key.as_ref().filter(|_| identity.is_some()) {
                forget_mark(&path.value);
            }
            if let Some(identity) = &identity {
                log::info!(
                    target: "tmkms::connection::tcp",
                    "KMS node ID: {}", identity.public_key().node_id()
                );
            }
            Some(Session::new(
                Arc::clone(signer),
                Terms {
                    address: validator.addr.value,
                    identity,
                    timeout: validator.timeout,
                    max_height: validator.max_height,
                    reconnect: validator.reconnect,
                },
            ))
        })
        .collect();
    Ok((sessions, claims))
}

fn open_state(
    state: Found,
    begin: Option<Box<Mark>>,
    marked: Option<&Path>,
) -> Result<Store, String> {
    let use_up = || match marked {
        Some(key) => mark::remove(key).map_err(|error| {
            format!(
                "its key's mark {} cannot be removed: {error}",
                mark::path(key).display()
            )
        }),
        None => Ok(()),
    };
    match (state, begin) {
        (Found::Ours(ready), _) => {
            use_up()?;
            ready.open().map_err(|error| error.to_string())
        }
        (Found::Foreign(foreign), _) => {
            use_up()?;
            let format = foreign.format();
            let adopted = foreign.adopt().map_err(|error| error.to_string())?;
            log::info!(
                target: "tmkms::chain",
                "[{}] took over the state of {}; the original is kept as {}",
                adopted.store.chain_id(), format.word(), adopted.kept.display()
            );
            Ok(adopted.store)
        }
        (Found::Missing(vacant), Some(mark)) => {
            let initial = Initial {
                watermark: mark.watermark,
                origin: mark.origin,
            };
            let store = vacant.create(&initial).map_err(|error| error.to_string())?;
            use_up()?;
            log::info!(
                target: "tmkms::chain",
                "[{}] began a new state", store.chain_id()
            );
            Ok(store)
        }
        // `plan` reports it.
        (Found::Missing(_), None) => Err("it is missing".to_owned()),
    }
}

/// `keygen` cannot know that its key will be an identity, which begins no state.
fn forget_mark(identity: &Path) {
    if let Err(error) = mark::remove(identity) {
        log::warn!(
            target: "tmkms::commands::start",
            "{} could not be removed: {error}", mark::path(identity).display()
        );
    }
}
