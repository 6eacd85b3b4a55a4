//! `tmkms start`: look at everything, report every problem, and only then touch anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::command::Arguments;
use super::passphrase::Keyholder;
use super::protect::{self, Locked};
use super::report::{Report, complain, quoted};
use super::setup::{self, ChainKey, Setup};
use super::{Exit, VERSION, config_path, supervise};
use crate::backend::{Any, Softsign};
use crate::config::{Chain, Spanned, Validator};
use crate::keys::{Kept, SigningKey};
use crate::session::{Session, Terms};
use crate::signer::{Extensions, Signer};
use crate::store::mark::{self, Mark};
use crate::store::{self, Claim, ClaimError, Damage, Found, Initial, OpenError, Store};

/// A chain that can be started, with everything it needs held and nothing touched.
struct Planned<K> {
    chain: Chain,
    key: K,
    key_file: Spanned<PathBuf>,
    claim: Claim,
    state: Found,
    /// The key's file, if a mark lies beside it that must be used up.
    marked: Option<PathBuf>,
    begin: Option<Box<Mark>>,
}

/// A connection that can be started.
struct Dial<K> {
    validator: Validator,
    identity: Option<K>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let mut keyholder = Keyholder::of(arguments)?;
    crate::log::init(arguments.has("verbose"));
    log::info!(target: "tmkms::commands::start", "tmkms {VERSION} starting up...");
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let locked = protect::lock_all();
    let (planned, dials) = plan(&file, &mut report);
    if report.has_problems() {
        return Ok(report.finish());
    }
    // Nobody is asked for a passphrase before everything else is right.
    let planned = unlock_chains(planned, &mut keyholder, &mut report);
    let dials = unlock_dials(dials, &mut keyholder, &mut report);
    if report.has_problems() {
        return Ok(report.finish());
    }
    drop(keyholder);
    tell_locked(protect::lock_now(locked));
    for warning in report.warnings() {
        log::warn!(target: "tmkms::config", "{}: {warning}", file.display());
    }
    Ok(match open(planned, dials) {
        Ok((sessions, claims)) => supervise::run(sessions, claims),
        Err(exit) => exit,
    })
}

fn tell_locked(locked: Locked) {
    match locked {
        Locked::All => log::debug!(target: "tmkms::commands::start", "memory is locked"),
        Locked::Now => log::debug!(
            target: "tmkms::commands::start",
            "the memory that holds the keys is locked, threads' stacks are not"
        ),
        Locked::Nothing if protect::has_swap() => log::warn!(
            target: "tmkms::commands::start",
            "memory cannot be locked, so keys may be swapped to disk: set LimitMEMLOCK=infinity in the unit, \
             or run without swap"
        ),
        Locked::Nothing => log::debug!(
            target: "tmkms::commands::start",
            "memory is not locked, and there is no swap"
        ),
    }
}

/// Opens the keys that are encrypted.
fn unlock_chains(
    planned: Vec<Planned<Kept>>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Vec<Planned<SigningKey>> {
    planned
        .into_iter()
        .filter_map(|chain| {
            let key = unlock(chain.key, &chain.key_file, keyholder, report)?;
            Some(Planned {
                chain: chain.chain,
                key,
                key_file: chain.key_file,
                claim: chain.claim,
                state: chain.state,
                marked: chain.marked,
                begin: chain.begin,
            })
        })
        .collect()
}

/// Opens the identities that are encrypted.
fn unlock_dials(
    dials: Vec<Dial<Kept>>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Vec<Dial<Arc<SigningKey>>> {
    dials
        .into_iter()
        .filter_map(|dial| {
            let Dial {
                validator,
                identity,
            } = dial;
            let identity = match (identity, &validator.secret_key) {
                (Some(key), Some(path)) => Some(Arc::new(unlock(key, path, keyholder, report)?)),
                _ => None,
            };
            Some(Dial {
                validator,
                identity,
            })
        })
        .collect()
}

fn unlock(
    key: Kept,
    path: &Spanned<PathBuf>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Option<SigningKey> {
    let sealed = match key {
        Kept::Plain(key) => return Some(key),
        Kept::Sealed(sealed) => sealed,
    };
    keyholder
        .open(&path.value, &sealed)
        .map_err(|refused| {
            report.problem(Exit::Key, path.position, refused.message, refused.cure);
        })
        .ok()
}

/// Looks at the configuration, the keys, the states and the locks. Writes nothing.
fn plan(file: &Path, report: &mut Report) -> (Vec<Planned<Kept>>, Vec<Dial<Kept>>) {
    let Setup { config, keys } = setup::load(file, report);
    let dials = config
        .validators
        .into_iter()
        .filter_map(|validator| {
            let identity = match &validator.secret_key {
                Some(path) if validator.addr.value.is_tcp() => {
                    Some(setup::identity(path, &keys, report)?)
                }
                _ => None,
            };
            Some(Dial {
                validator,
                identity,
            })
        })
        .collect();
    let mut planned: Vec<Planned<Kept>> = Vec::new();
    for chain_key in keys {
        if let Some(chain) = plan_chain(chain_key, report) {
            planned.push(chain);
        }
    }
    one_beginning_each(&planned, report);
    (planned, dials)
}

fn plan_chain(chain_key: ChainKey, report: &mut Report) -> Option<Planned<Kept>> {
    let ChainKey { chain, key, path } = chain_key;
    let public_key = key.public_key();
    let claim = Claim::new(&public_key, &chain.id.value)
        .map_err(|error| claim_problem(&error, &chain, report))
        .ok();
    let state = store::find(&chain.state_file.value, &chain.id.value, &public_key)
        .map_err(|error| state_problem(&error, &chain, report))
        .ok();
    let mark = mark::find(&path.value, &public_key)
        .map_err(|error| {
            report.problem(
                Exit::Key,
                path.position,
                format!(
                    "cannot look for {}: {error}",
                    mark::path(&path.value).display()
                ),
                "may this user read the directory?".to_owned(),
            );
        })
        .ok()?;
    let is_marked = !matches!(mark, mark::Found::None);
    if is_marked && !mark::is_removable(&path.value) {
        report.problem(
            Exit::Key,
            path.position,
            format!(
                "{} cannot be used up: this user may not write to its directory",
                mark::path(&path.value).display()
            ),
            format!(
                "run once as a user who may, or remove it and run: tmkms state init -c {} {}",
                quoted(report.file()),
                chain.id.value
            ),
        );
    }
    let (claim, state) = (claim?, state?);
    let begin = match (&state, mark) {
        (Found::Missing(_), mark) => Some(beginning(mark, &chain, &path.value, report)?),
        (Found::Ours(_) | Found::Foreign(_), _) => None,
    };
    Some(Planned {
        chain,
        key,
        claim,
        state,
        marked: is_marked.then_some(path.value.clone()),
        key_file: path,
        begin,
    })
}

/// The mark that a missing state may begin with.
fn beginning(
    mark: mark::Found,
    chain: &Chain,
    key: &Path,
    report: &mut Report,
) -> Option<Box<Mark>> {
    let state = chain.state_file.value.display();
    let position = chain.state_file.position;
    let commands = format!(
        "a key that has signed: tmkms state import -c {file} {id} PRIV_VALIDATOR_STATE.json; a key that never has: tmkms state init -c {file} {id}",
        file = quoted(report.file()),
        id = chain.id.value
    );
    let parent = chain
        .state_file
        .value
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        report.problem(
            Exit::State,
            position,
            format!("the directory of the state {state} does not exist"),
            format!(
                "is a disk not mounted? else: mkdir -m 700 -p {}",
                quoted(parent)
            ),
        );
        return None;
    }
    match mark {
        mark::Found::Valid(mark) => {
            let signed = mark
                .watermark
                .sign_bytes()
                .map(|bytes| bytes.chain_id().to_vec());
            if signed.is_some_and(|id| id != chain.id.value.as_bytes()) {
                report.problem(
                    Exit::State,
                    position,
                    format!(
                        "{} was imported from a node on another chain than {}",
                        key.display(),
                        chain.id.value
                    ),
                    commands,
                );
                return None;
            }
            Some(mark)
        }
        mark::Found::None => {
            report.problem(
                Exit::State,
                position,
                format!("the state {state} is missing: how far this key has signed is not known"),
                commands,
            );
            None
        }
        mark::Found::Void(void) => {
            report.problem(
                Exit::State,
                position,
                format!(
                    "the state {state} is missing, and {} is good for nothing: {void}",
                    mark::path(key).display()
                ),
                commands,
            );
            None
        }
    }
}

/// One mark begins one chain.
fn one_beginning_each(planned: &[Planned<Kept>], report: &mut Report) {
    for (index, chain) in planned.iter().enumerate() {
        let same = planned.iter().take(index).any(|other| {
            other.begin.is_some() && chain.begin.is_some() && other.marked == chain.marked
        });
        if same {
            report.problem(
                Exit::State,
                setup::position_of(&chain.chain),
                "a new key begins one chain, and this one is its second".to_owned(),
                format!(
                    "run: tmkms state init -c {} {}",
                    quoted(report.file()),
                    chain.chain.id.value
                ),
            );
        }
    }
}

fn claim_problem(error: &ClaimError, chain: &Chain, report: &mut Report) {
    let exit = match error {
        ClaimError::Taken => Exit::Locked,
        ClaimError::Io(_) => Exit::Failed,
    };
    report.problem(
        exit,
        setup::position_of(chain),
        format!("{}: {error}", chain.id.value),
        "stop the other signer; `grep tmkms- /proc/net/unix` shows what is held, `ps` who runs"
            .to_owned(),
    );
}

/// A state that cannot be used, with the command that mends it.
pub(super) fn state_problem(error: &OpenError, chain: &Chain, report: &mut Report) {
    let path = quoted(&chain.state_file.value);
    let file = quoted(report.file());
    let id = chain.id.value;
    let exit = match error {
        OpenError::Locked => Exit::Locked,
        OpenError::Damaged(_)
        | OpenError::Unreadable(_)
        | OpenError::OtherChain(_)
        | OpenError::OtherKey(_)
        | OpenError::Retired
        | OpenError::File(_)
        | OpenError::Io(_) => Exit::State,
    };
    let cure = match error {
        OpenError::Locked => format!("stop the other signer: `fuser {path}` names it"),
        OpenError::Damaged(Damage::OneRecord(position)) => format!(
            "tmkms state init -c {file} --height H {id}, H being above {} and above the chain's height when this signer stopped; the damaged file is kept",
            position.height()
        ),
        OpenError::Damaged(_) => format!(
            "tmkms state init -c {file} --height H {id}, H being above the chain's height when this signer stopped; the damaged file is kept"
        ),
        OpenError::Unreadable(_) => format!(
            "put the right file there, or move this one away and run: tmkms state import -c {file} {id} INPUT"
        ),
        OpenError::OtherChain(_) | OpenError::OtherKey(_) => format!(
            "give this chain a state_file of its own; a key that never signed begins with: tmkms state init -c {file} {id}"
        ),
        OpenError::Retired => format!(
            "sign where the state went; to bring it back, move this file away and run: tmkms state import -c {file} {id} INPUT"
        ),
        OpenError::File(_) | OpenError::Io(_) => {
            "may this user read and write it, and is its disk mounted?".to_owned()
        }
    };
    report.problem(
        exit,
        chain.state_file.position,
        format!("the state {path}: {error}"),
        cure,
    );
}

type Opened = (Vec<Session>, Vec<Claim>);

/// Opens every state, and makes those that may begin. From here on files change.
fn open(
    planned: Vec<Planned<SigningKey>>,
    dials: Vec<Dial<Arc<SigningKey>>>,
) -> Result<Opened, Exit> {
    let mut signers: Vec<Arc<Signer>> = Vec::new();
    let mut claims = Vec::new();
    for chain in planned {
        let path = chain.chain.state_file.value.clone();
        let store =
            open_state(chain.state, chain.begin, chain.marked.as_deref()).map_err(|error| {
                complain(
                    &format_args!("the state {}: {error}", path.display()),
                    "nothing was signed; mend the cause and start again",
                );
                Exit::State
            })?;
        log::info!(
            target: "tmkms::keyring",
            "[keyring:softsign] added consensus Ed25519 key: {}",
            setup::display(&chain.key.public_key(), &chain.chain.key_format)
        );
        log::info!(
            target: "tmkms::chain",
            "[{}] signed up to {} ({})",
            chain.chain.id.value, store.watermark().position(), path.display()
        );
        let extensions = match chain.chain.sign_extensions {
            Some(false) => Extensions::Skip,
            Some(true) | None => Extensions::Sign,
        };
        let backend = Any::Softsign(Softsign::new(chain.key));
        signers.push(Arc::new(Signer::new(store, backend, extensions)));
        claims.push(chain.claim);
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
