//! `[[providers.fortanixdsm]]` as a device.

use super::super::holder::ChainKey;
use super::super::report::Report;
use super::Ask;
use crate::config::Config;

/// The keys of all chains whose provider this is. What is wrong goes into the report.
pub(super) fn chain_keys(_config: &Config, _ask: Ask, _report: &mut Report) -> Vec<ChainKey> {
    Vec::new()
}
