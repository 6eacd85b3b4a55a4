//! From a provider of the configuration to the keys of its chains.

use super::super::Exit;
use super::super::holder::{ChainKey, Holder};
use super::super::report::Report;
use super::Ask;
use crate::backend::device::{self, Attached, Device, OpenError};
use crate::config::{Chain, Config, Position, Problem, Spanned};
use crate::store;
use crate::types::{ChainId, PublicKey};

/// One slot of a device, in the order of what [`Device::open`] gives.
pub(super) struct Slot {
    pub(super) chain_ids: Vec<Spanned<ChainId>>,
    pub(super) position: Position,
}

/// What a provider says beside the device itself.
pub(super) struct Provider {
    pub(super) name: &'static str,
    /// Whether a second process may open the device without disturbing the first.
    pub(super) is_shared: bool,
    pub(super) position: Position,
    pub(super) slots: Vec<Slot>,
}

/// Every chain whose key is in a device. What is wrong goes into the report.
pub(in crate::cli) fn chain_keys(config: &Config, ask: Ask, report: &mut Report) -> Vec<ChainKey> {
    let mut keys = Vec::new();
    #[cfg(feature = "yubihsm")]
    keys.extend(super::yubihsm::chain_keys(config, ask, report));
    #[cfg(feature = "ledger")]
    keys.extend(super::ledger::chain_keys(config, ask, report));
    #[cfg(feature = "fortanixdsm")]
    keys.extend(super::fortanixdsm::chain_keys(config, ask, report));
    keys
}

/// Attaches a device, if the command has to, and finds the public key of each of its chains.
pub(super) fn hold<D: Device>(
    device: D,
    provider: &Provider,
    chains: &[Chain],
    ask: Ask,
    report: &mut Report,
) -> Vec<ChainKey> {
    let wanted: Vec<(usize, &Slot, &Chain)> = provider
        .slots
        .iter()
        .enumerate()
        .flat_map(|(index, slot)| slot.chain_ids.iter().map(move |id| (index, slot, id)))
        .filter_map(|(index, slot, id)| {
            let chain = chains.iter().find(|chain| chain.id.value == id.value)?;
            Some((index, slot, chain))
        })
        .collect();
    let is_free = provider.is_shared || !wanted.iter().any(|(_, _, chain)| is_running(chain));
    let must_ask = match ask {
        Ask::Always => true,
        Ask::Unused => is_free,
        Ask::Unknown => {
            is_free
                && wanted
                    .iter()
                    .any(|(_, _, chain)| key_of_state(chain).is_none())
        }
    };
    let attached = if must_ask {
        match attach(device, provider, report) {
            Some(attached) => Some(attached),
            None => return Vec::new(),
        }
    } else {
        None
    };
    let mut keys = Vec::new();
    for (index, slot, chain) in wanted {
        let public_key = match &attached {
            Some(attached) => asked(attached, index, slot, chain, report),
            None => key_of_state(chain).or_else(|| {
                report.problem(
                    Exit::Device,
                    slot.position,
                    format!(
                        "the device with the key of {} is held by a signer that runs",
                        chain.id.value
                    ),
                    "stop the signer for this command: without the device the key is not known"
                        .to_owned(),
                );
                None
            }),
        };
        if let Some(public_key) = public_key {
            keys.push(ChainKey {
                chain: chain.clone(),
                holder: Holder::Device {
                    provider: provider.name,
                    public_key,
                    key: attached
                        .as_ref()
                        .map(|device| device.key(index, public_key)),
                },
            });
        }
    }
    keys
}

/// Attaches a device. One that is away is a warning; one that is wrong is a problem.
fn attach<D: Device>(device: D, provider: &Provider, report: &mut Report) -> Option<Attached> {
    let attached = match device::attach(device) {
        Ok(attached) => attached,
        Err(error) => {
            report.problem(
                Exit::Failed,
                provider.position,
                format!("cannot start a thread: {error}"),
                "is the process limit reached?".to_owned(),
            );
            return None;
        }
    };
    match attached.opened() {
        Ok(_) => {}
        Err(OpenError::Away(error)) => report.warning(Problem {
            position: Some(provider.position),
            message: format!("{} is away: {error}", attached.name()),
            cure: "its chains refuse to sign until it is back; it is tried again every few seconds"
                .to_owned(),
        }),
        Err(OpenError::Wrong(error)) => {
            report.problem(
                Exit::Device,
                provider.position,
                format!("{}: {}", attached.name(), error.what),
                error.cure.to_string(),
            );
            return None;
        }
    }
    Some(attached)
}

/// The key of one chain, from the device or, while that is away, from the state.
fn asked(
    attached: &Attached,
    index: usize,
    slot: &Slot,
    chain: &Chain,
    report: &mut Report,
) -> Option<PublicKey> {
    let Ok(slots) = attached.opened() else {
        let known = key_of_state(chain);
        if known.is_none() {
            report.problem(
                Exit::Device,
                slot.position,
                format!(
                    "{} is away, and no state of {} says which key it holds",
                    attached.name(), chain.id.value
                ),
                "have it there for this once: with a state that names the key, the signer starts without it as well".to_owned(),
            );
        }
        return known;
    };
    match slots.get(index) {
        Some(Ok(key)) => Some(*key),
        Some(Err(error)) => {
            // Two chains may share a slot, and its trouble.
            if !report.has_problem_at(slot.position) {
                report.problem(
                    Exit::Device,
                    slot.position,
                    format!("{}: {}", attached.name(), error.what),
                    error.cure.to_string(),
                );
            }
            None
        }
        None => None,
    }
}

/// The key that a chain's state names, if there is a state of ours.
fn key_of_state(chain: &Chain) -> Option<PublicKey> {
    store::peek(&chain.state_file.value)
        .ok()
        .flatten()
        .and_then(|state| state.public_key)
}

fn is_running(chain: &Chain) -> bool {
    store::is_in_use(&chain.state_file.value).unwrap_or(false)
}
