//! What the tables say about each other: who names whom.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use super::provider::KeyType;
use super::report::Report;
use super::section::{Reported, nearest};
use super::{Address, Position, Spanned};
use crate::types::ChainId;

/// Every name in the file, and where it stands.
#[derive(Default)]
pub(super) struct Links {
    /// The ids of `[[chain]]`.
    pub(super) chains: Names,
    /// The chains that `[[validator]]` names.
    pub(super) validators: Names,
    /// The chains that consensus keys name.
    pub(super) keys: Names,
    /// The paths of key and password files.
    pub(super) key_files: Vec<Spanned<PathBuf>>,
    /// The paths of the keys that prove who we are.
    pub(super) identities: Vec<Spanned<PathBuf>>,
    accounts: Vec<Spanned<ChainId>>,
    // As `Address::target` has them.
    addresses: Vec<Spanned<String>>,
    state_files: Vec<Spanned<PathBuf>>,
}

/// Chain ids of one kind of table.
pub(super) struct Names {
    ids: Vec<Spanned<ChainId>>,
    /// Whether all of them could be read: only then does it mean something if one is missing.
    pub(super) complete: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            complete: true,
        }
    }
}

impl Names {
    pub(super) fn add(&mut self, id: Result<Spanned<ChainId>, Reported>) {
        match id {
            Ok(id) => self.ids.push(id),
            Err(Reported) => self.complete = false,
        }
    }

    /// Where each id stands first.
    fn first(&self) -> BTreeMap<ChainId, Position> {
        let mut first = BTreeMap::new();
        for id in &self.ids {
            first.entry(id.value).or_insert(id.position);
        }
        first
    }
}

impl Links {
    pub(super) fn add_key(&mut self, id: Spanned<ChainId>, key_type: Result<KeyType, Reported>) {
        match key_type {
            Ok(KeyType::Consensus) => self.keys.ids.push(id),
            // One of an unknown type names a chain, too.
            Ok(KeyType::Account) | Err(Reported) => self.accounts.push(id),
        }
    }

    pub(super) fn add_address(&mut self, addr: &Result<Spanned<Address>, Reported>) {
        if let Ok(addr) = addr {
            self.addresses
                .push(Spanned::new(addr.value.target(), addr.position));
        }
    }

    pub(super) fn add_state_file(&mut self, path: &Result<Spanned<PathBuf>, Reported>) {
        if let Ok(path) = path {
            self.state_files.push(path.clone());
        }
    }

    /// Writes down what is missing for signing.
    pub(super) fn check_complete(&self, report: &mut Report<'_>) {
        if self.chains.ids.is_empty() && self.chains.complete {
            report.problem(
                None,
                "there is no chain".into(),
                "add a table `[[chain]]`; `tmkms init` writes an example".into(),
            );
        }
        if self.validators.ids.is_empty() && self.validators.complete {
            report.problem(
                None,
                "there is no validator".into(),
                "add a table `[[validator]]` with the address of a node".into(),
            );
        }
        let keys = self.keys.first();
        let validators = self.validators.first();
        for (id, position) in self.chains.first() {
            if self.keys.complete && !keys.contains_key(&id) {
                let account = self.accounts.iter().any(|account| account.value == id);
                let cure = if account {
                    "write `key_type = \"consensus\"` for the key that signs its votes".into()
                } else {
                    format!(
                        "add it to the `chain_ids` of its key, or add `[[providers.softsign]]` with `chain_ids = [\"{id}\"]`"
                    )
                };
                report.problem(
                    Some(position),
                    format!("the chain {id} has no consensus key"),
                    cure,
                );
            }
            if self.validators.complete && !validators.contains_key(&id) && !validators.is_empty() {
                report.warn(
                    position,
                    format!("the chain {id} has no validator: nothing is signed for it"),
                    format!("add `[[validator]]` with `chain_id = \"{id}\"`"),
                );
            }
        }
    }

    /// Writes down what contradicts itself.
    pub(super) fn check(&self, report: &mut Report<'_>) {
        for (id, first) in repeated(&self.chains.ids) {
            report.problem(
                Some(id.position),
                format!("the chain {} is already there, at {first}", id.value),
                "remove one of the two; a chain may have several `[[validator]]`".into(),
            );
        }
        for (id, first) in repeated(&self.keys.ids) {
            report.problem(
                Some(id.position),
                format!(
                    "the chain {} has a consensus key already, at {first}",
                    id.value
                ),
                "remove it from one of the two `chain_ids`".into(),
            );
        }
        for (addr, first) in repeated(&self.addresses) {
            report.problem(
                Some(addr.position),
                format!("{} is already dialled, at {first}", addr.value),
                "remove one of the two, or correct its address: a node takes one signer".into(),
            );
        }
        for (path, first) in repeated(&self.state_files) {
            report.problem(
                Some(path.position),
                format!(
                    "{} is the state file of another chain, at {first}",
                    path.value.display()
                ),
                "write a `state_file` of its own for each chain".into(),
            );
        }
        self.check_names(report);
        self.check_files(report);
    }

    /// Keys and validators name chains that exist.
    fn check_names(&self, report: &mut Report<'_>) {
        if !self.chains.complete || self.chains.ids.is_empty() {
            return;
        }
        let chains = self.chains.first();
        let named = self
            .keys
            .ids
            .iter()
            .chain(&self.accounts)
            .chain(&self.validators.ids);
        for id in named.filter(|id| !chains.contains_key(&id.value)) {
            let known = chains.keys().map(ChainId::as_str);
            let cure = match nearest(id.value.as_str(), known) {
                Some(near) => format!(
                    "write `{near}`, or add `[[chain]]` with `id = \"{}\"`",
                    id.value
                ),
                None => format!("add `[[chain]]` with `id = \"{}\"`", id.value),
            };
            let message = format!("no [[chain]] has the id {}", id.value);
            report.problem(Some(id.position), message, cure);
        }
    }

    /// State, keys and identities are different files.
    fn check_files(&self, report: &mut Report<'_>) {
        let keys = first_of(&self.key_files);
        let identities = first_of(&self.identities);
        for path in &self.state_files {
            let taken = keys
                .get(&path.value)
                .or_else(|| identities.get(&path.value));
            if let Some(first) = taken {
                report.problem(
                    Some(path.position),
                    format!("{} is a key file, at {first}", path.value.display()),
                    "write a `state_file` of its own, in the directory `state`".into(),
                );
            }
        }
        for (path, position) in identities {
            if let Some(first) = keys.get(&path) {
                report.warn(
                    position,
                    format!("{} also signs for a chain, at {first}", path.display()),
                    "make a key for the connection alone: `tmkms softsign keygen PATH`".into(),
                );
            }
        }
    }
}

fn first_of<T: Ord + Clone>(items: &[Spanned<T>]) -> BTreeMap<T, Position> {
    let mut first = BTreeMap::new();
    for item in items {
        first.entry(item.value.clone()).or_insert(item.position);
    }
    first
}

/// The items that another one before them equals, with the position of that one.
fn repeated<T: Ord>(items: &[Spanned<T>]) -> Vec<(&Spanned<T>, Position)> {
    let mut first = BTreeMap::new();
    let mut again = Vec::new();
    for item in items {
        match first.entry(&item.value) {
            Entry::Vacant(entry) => {
                entry.insert(item.position);
            }
            Entry::Occupied(entry) => again.push((item, *entry.get())),
        }
    }
    again
}
