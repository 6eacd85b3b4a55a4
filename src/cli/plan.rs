//! What `start` looks at before it touches anything.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::holder::{ChainKey, Holder};
use super::report::{Report, quoted};
use super::setup::{self, Setup};
use super::{Exit, repair};
use crate::config::{Chain, Spanned, Validator};
use crate::files::Identity;
use crate::keys::Kept;
use crate::store::mark::{self, Mark};
use crate::store::{self, Claim, ClaimError, Found, OpenError};
use crate::types::{ChainId, PublicKey};

/// A chain that can be started, with everything it needs held and nothing touched.
pub(super) struct Planned<K> {
    pub(super) chain: Chain,
    pub(super) key: K,
    /// The provider's name in the configuration.
    pub(super) provider: &'static str,
    pub(super) claim: Claim,
    pub(super) state: Found,
    /// The key's file, if a mark lies beside it that must be used up.
    pub(super) marked: Option<PathBuf>,
    pub(super) begin: Option<Box<Mark>>,
}

/// A connection that can be started.
pub(super) struct Dial<K> {
    pub(super) validator: Validator,
    pub(super) identity: Option<K>,
}

/// What a signer that runs on a state already is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    /// In the way.
    Refused,
    /// Good to know.
    Told,
}

/// Everything that was found in order.
pub(super) struct Plan {
    pub(super) chains: Vec<Planned<Holder>>,
    pub(super) dials: Vec<Dial<Kept>>,
    /// The chains for which a signer runs, if that is [`Running::Told`].
    pub(super) running: Vec<ChainKey>,
}

/// Looks at the keys, the states and the locks. Writes nothing.
pub(super) fn plan(setup: Setup, running: Running, report: &mut Report) -> Plan {
    let Setup {
        config,
        keys,
        strays,
    } = setup;
    for path in &strays {
        let _ = setup::identity(path, &keys, report);
    }
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
    let mut states = States::default();
    let mut plan = Plan {
        chains: Vec::new(),
        dials,
        running: Vec::new(),
    };
    for chain_key in keys {
        if !states.is_new(&chain_key.chain, report) {
            continue;
        }
        if running == Running::Told && is_running(&chain_key) {
            plan.running.push(chain_key);
        } else if let Some(chain) = plan_chain(chain_key, report) {
            plan.chains.push(chain);
        }
    }
    one_beginning_each(&plan.chains, report);
    plan
}

/// Whether a process holds this very state. One that holds the key with another state is a rival.
fn is_running(chain_key: &ChainKey) -> bool {
    let chain = &chain_key.chain;
    let found = store::find(
        &chain.state_file.value,
        &chain.id.value,
        &chain_key.public_key(),
    );
    matches!(found, Err(OpenError::Locked))
}

/// The state files of this configuration: a file that two chains name is held by the first.
#[derive(Default)]
struct States(Vec<(PathBuf, Option<Identity>, ChainId)>);

impl States {
    fn is_new(&mut self, chain: &Chain, report: &mut Report) -> bool {
        let path = &chain.state_file.value;
        let file = Identity::at(path).ok();
        let other = self
            .0
            .iter()
            .find(|(named, inode, _)| named == path || (file.is_some() && *inode == file));
        let Some((_, _, other)) = other else {
            self.0.push((path.clone(), file, chain.id.value));
            return true;
        };
        // Of two equal paths the configuration has spoken already.
        if !report.has_problem_at(chain.state_file.position) {
            report.problem(
                Exit::Config,
                chain.state_file.position,
                format!("{} is the state file of {other} as well", path.display()),
                "write a `state_file` of its own for each chain".to_owned(),
            );
        }
        false
    }
}

fn plan_chain(chain_key: ChainKey, report: &mut Report) -> Option<Planned<Holder>> {
    let ChainKey { chain, holder } = chain_key;
    let public_key = holder.public_key();
    let claim = patiently(
        || Claim::new(&public_key, &chain.id.value),
        |error| matches!(error, ClaimError::Taken),
    )
    .map_err(|error| repair::claim_problem(&error, &chain, report))
    .ok();
    let find = || store::find(&chain.state_file.value, &chain.id.value, &public_key);
    let state = patiently(find, |error| matches!(error, OpenError::Locked))
        .map_err(|error| repair::state_problem(&error, &chain, report))
        .ok();
    let (mark, marked) = match holder.file() {
        Some(path) => find_mark(path, &public_key, &chain, report)?,
        None => (mark::Found::None, None),
    };
    let (claim, state) = (claim?, state?);
    let begin = match (&state, mark) {
        (Found::Missing(_), mark) => Some(beginning(mark, &chain, holder.file(), report)?),
        (Found::Foreign(_), _) if repair::unusable_directory(&chain, report) => return None,
        (Found::Ours(_) | Found::Foreign(_), _) => None,
    };
    Some(Planned {
        chain,
        provider: holder.provider(),
        key: holder,
        claim,
        state,
        marked,
        begin,
    })
}

/// Looks for the mark beside a key's file; the file's path comes with one that must be used up.
fn find_mark(
    path: &Spanned<PathBuf>,
    public_key: &PublicKey,
    chain: &Chain,
    report: &mut Report,
) -> Option<(mark::Found, Option<PathBuf>)> {
    let mark = mark::find(&path.value, public_key)
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
    if matches!(mark, mark::Found::None) {
        return Some((mark, None));
    }
    if !mark::is_removable(&path.value) {
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
    Some((mark, Some(path.value.clone())))
}

/// The mark that a missing state may begin with.
fn beginning(
    mark: mark::Found,
    chain: &Chain,
    key_file: Option<&Spanned<PathBuf>>,
    report: &mut Report,
) -> Option<Box<Mark>> {
    let state = chain.state_file.value.display();
    let position = chain.state_file.position;
    let commands = format!(
        "has the key signed, anywhere? tmkms state import -c {file} {id} STATE_FILE; has it never? tmkms state init -c {file} {id}",
        file = quoted(report.file()),
        id = chain.id.value
    );
    if repair::unusable_directory(chain, report) {
        return None;
    }
    let key = key_file.map_or(Path::new(""), |path| &path.value);
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
fn one_beginning_each(planned: &[Planned<Holder>], report: &mut Report) {
    for (index, chain) in planned.iter().enumerate() {
        let same = |other: &&Planned<Holder>| {
            other.begin.is_some()
                && chain.begin.is_some()
                && other.key.public_key() == chain.key.public_key()
        };
        if !planned.iter().take(index).any(|other| same(&other)) {
            continue;
        }
        let all: Vec<&str> = planned
            .iter()
            .filter(same)
            .map(|other| other.chain.id.value.as_str())
            .collect();
        report.problem(
            Exit::State,
            setup::position_of(&chain.chain),
            format!(
                "a new key begins one chain by itself, and {} is not its first",
                chain.chain.id.value
            ),
            format!(
                "if it has signed for none of them: tmkms state init -c {} {}",
                quoted(report.file()),
                all.join(" ")
            ),
        );
    }
}

/// How often, and how long apart, something that is held is tried again.
const TRIES: u32 = 5;
const APART: Duration = Duration::from_millis(50);

/// `check` and `state` hold what they look at for milliseconds: a start just then is not to fail for it,
/// since nobody starts it again after that code.
fn patiently<T, E>(act: impl Fn() -> Result<T, E>, is_held: impl Fn(&E) -> bool) -> Result<T, E> {
    for _ in 0..TRIES {
        match act() {
            Err(error) if is_held(&error) => thread::sleep(APART),
            other => return other,
        }
    }
    act()
}
