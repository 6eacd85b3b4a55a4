//! What the tables say about each other: who names whom.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::path::{Component, PathBuf};

use super::provider::KeyType;
use super::report::Report;
use super::section::{Reported, nearest};
use super::{Address, Position, Spanned, Strays};
use crate::types::ChainId;

/// Every name in the file, and where it stands.
#[derive(Default)]
pub(super) struct Links {
    /// The ids of `[[chain]]`.
    pub(super) chains: Names<ChainId>,
    /// The chains that `[[validator]]` names.
    pub(super) validators: Names<ChainId>,
    /// The chains that consensus keys name.
    pub(super) keys: Names<ChainId>,
    accounts: Names<ChainId>,
    // As `Address::target` has them.
    addresses: Names<String>,
    state_files: Names<PathBuf>,
    key_files: Names<PathBuf>,
    identities: Names<PathBuf>,
    /// Ledgers by the port of their emulator; on USB there is one.
    ledgers: Names<Option<SocketAddr>>,
    /// Files of tables that could not be read whole.
    pub(super) strays: Strays,
}

/// Names of one kind.
pub(super) struct Names<T> {
    all: Vec<Spanned<T>>,
    first: BTreeMap<T, Position>,
    /// Whether all of them could be read: only then does it mean something if one is missing.
    pub(super) complete: bool,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            first: BTreeMap::new(),
            complete: true,
        }
    }
}

impl<T: Ord + Clone> Names<T> {
    /// Takes a name up, and says whether it is there for the first time.
    pub(super) fn add(&mut self, name: Spanned<T>) -> bool {
        let position = name.position;
        let first = self.first.entry(name.value.clone()).or_insert(position);
        self.all.push(name);
        *first == position
    }

    fn none(&self) -> bool {
        self.all.is_empty() && self.complete
    }

    fn has(&self, name: &T) -> bool {
        self.first.contains_key(name)
    }

    /// The names that were there before, with the position where they were.
    fn again(&self) -> impl Iterator<Item = (&Spanned<T>, Position)> {
        self.all.iter().filter_map(|name| {
            let first = *self.first.get(&name.value)?;
            (first != name.position).then_some((name, first))
        })
    }
}

impl Links {
    pub(super) fn add_key(&mut self, id: Spanned<ChainId>, key_type: Result<KeyType, Reported>) {
        match key_type {
            Ok(KeyType::Consensus) => self.keys.add(id),
            // One of an unknown type names a chain, too.
            Ok(KeyType::Account) | Err(Reported) => self.accounts.add(id),
        };
    }

    pub(super) fn add_address(&mut self, addr: &Spanned<Address>) {
        let target = Spanned::new(addr.value.target(), addr.position);
        self.addresses.add(target);
    }

    pub(super) fn add_ledger(&mut self, ledger: Spanned<Option<SocketAddr>>) {
        self.ledgers.add(ledger);
    }

    pub(super) fn add_state_file(&mut self, path: &Spanned<PathBuf>) {
        self.state_files.add(plain(path));
    }

    /// A file with a key to sign with, or a password.
    pub(super) fn add_key_file(&mut self, path: &Spanned<PathBuf>) {
        self.key_files.add(plain(path));
    }

    /// A file with a key that proves who we are.
    pub(super) fn add_identity(&mut self, path: &Spanned<PathBuf>) {
        self.identities.add(plain(path));
    }

    /// Writes down what is missing for signing.
    pub(super) fn check_complete(&self, report: &mut Report<'_>) {
        if self.chains.none() {
            report.problem(
                None,
                "there is no chain".into(),
                "add a table `[[chain]]`; `tmkms init` writes an example".into(),
            );
        }
        if self.validators.none() {
            report.problem(
                None,
                "there is no validator".into(),
                "add a table `[[validator]]` with the address of a node".into(),
            );
        }
        for (id, position) in &self.chains.first {
            if self.keys.complete && !self.keys.has(id) {
                let cure = if self.accounts.has(id) {
                    "write `key_type = \"consensus\"` for the key that signs its votes".into()
                } else {
                    format!(
                        "add it to the `chain_ids` of its key, or add `[[providers.softsign]]` with `chain_ids = [\"{id}\"]`"
                    )
                };
                let message = format!("the chain {id} has no consensus key");
                report.problem(Some(*position), message, cure);
            }
            let idle = !self.validators.all.is_empty() && !self.validators.has(id);
            if idle && self.validators.complete {
                report.warn(
                    *position,
                    format!("the chain {id} has no validator: nothing is signed for it"),
                    format!("add `[[validator]]` with `chain_id = \"{id}\"`"),
                );
            }
        }
    }

    /// Writes down what contradicts itself.
    pub(super) fn check(&self, report: &mut Report<'_>) {
        for (id, first) in self.chains.again() {
            report.problem(
                Some(id.position),
                format!("the chain {} is already there, at {first}", id.value),
                "remove one of the two; a chain may have several `[[validator]]`".into(),
            );
        }
        for (id, first) in self.keys.again() {
            report.problem(
                Some(id.position),
                format!(
                    "the chain {} already has a consensus key, at {first}",
                    id.value
                ),
                "remove it from one of the two `chain_ids`".into(),
            );
        }
        for (addr, first) in self.addresses.again() {
            report.problem(
                Some(addr.position),
                format!("{} is already dialled, at {first}", addr.value),
                "remove one of the two, or correct its address: a node takes one signer".into(),
            );
        }
        for (path, first) in self.state_files.again() {
            let shown = path.value.display();
            report.problem(
                Some(path.position),
                format!("{shown} is the state file of another chain, at {first}"),
                "write a `state_file` of its own for each chain".into(),
            );
        }
        for (ledger, first) in self.ledgers.again() {
            report.problem(
                Some(ledger.position),
                format!("the Ledger is already there, at {first}"),
                "remove one of the two: one Ledger can be used, and for one chain".into(),
            );
        }
        self.check_names(report);
        self.check_files(report);
    }

    /// Keys and validators name chains that exist.
    fn check_names(&self, report: &mut Report<'_>) {
        if !self.chains.complete || self.chains.none() {
            return;
        }
        let named = [&self.keys, &self.accounts, &self.validators];
        for id in named.into_iter().flat_map(|names| &names.all) {
            if self.chains.has(&id.value) {
                continue;
            }
            let table = format!("add `[[chain]]` with `id = \"{}\"`", id.value);
            let known = self.chains.first.keys().map(ChainId::as_str);
            let cure = match nearest(id.value.as_str(), known) {
                Some(near) => format!("write `{near}`, or {table}"),
                None => table,
            };
            let message = format!("no [[chain]] has the id {}", id.value);
            report.problem(Some(id.position), message, cure);
        }
    }

    /// State, keys and identities are different files.
    fn check_files(&self, report: &mut Report<'_>) {
        let key = |path| self.key_files.first.get(path);
        for path in &self.state_files.all {
            let identity = self.identities.first.get(&path.value);
            if let Some(first) = key(&path.value).or(identity) {
                report.problem(
                    Some(path.position),
                    format!("{} is a key file, at {first}", path.value.display()),
                    "write a `state_file` of its own, in the directory `state`".into(),
                );
            }
        }
        for (path, position) in &self.identities.first {
            if let Some(first) = key(path) {
                report.warn(
                    *position,
                    format!("{} also signs for a chain, at {first}", path.display()),
                    "make a key for the connection alone: `tmkms softsign keygen PATH`".into(),
                );
            }
        }
    }
}

/// A path as it can be compared: `./a//b` is `a/b`. Links and `..` are for the file system to know.
fn plain(path: &Spanned<PathBuf>) -> Spanned<PathBuf> {
    let parts = path.value.components();
    let parts = parts.filter(|part| *part != Component::CurDir);
    Spanned::new(parts.collect(), path.position)
}
