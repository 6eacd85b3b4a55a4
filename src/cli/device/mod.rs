//! The devices that the configuration names.

#[cfg(feature = "fortanixdsm")]
mod fortanixdsm;
#[cfg(feature = "device")]
mod hold;
#[cfg(feature = "ledger")]
pub(super) mod ledger;
#[cfg(feature = "yubihsm")]
pub(super) mod yubihsm;

#[cfg(feature = "device")]
pub(super) use hold::chain_keys;

#[cfg(not(feature = "device"))]
use super::{holder::ChainKey, report::Report};
#[cfg(not(feature = "device"))]
use crate::config::Config;

/// When a command speaks to a device, and does not take its key from the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// In any case: it is going to sign.
    Always,
    /// Unless a signer that runs has it.
    Unused,
    /// If there is no other way to know a key, and no signer that runs has it.
    Unknown,
}

/// A program without devices has no keys in them.
#[cfg(not(feature = "device"))]
pub(super) fn chain_keys(_: &Config, _: Ask, _: &mut Report) -> Vec<ChainKey> {
    Vec::new()
}
