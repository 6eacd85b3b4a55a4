//! `[[providers.fortanixdsm]]` as a device.

use super::super::holder::ChainKey;
use super::super::report::Report;
use super::Ask;
use super::hold::{self, Slot};
use crate::backend::fortanixdsm::Fortanixdsm as Service;
use crate::config::{ApiKey, Config, DsmKeyName, Fortanixdsm, KeyType, Problem};
use crate::files;

/// The keys of all chains whose provider this is. What is wrong goes into the report.
pub(super) fn chain_keys(config: &Config, ask: Ask, report: &mut Report) -> Vec<ChainKey> {
    let mut keys = Vec::new();
    for provider in &config.fortanixdsm {
        warn(provider, report);
        let signing = || {
            provider
                .signing_keys
                .iter()
                .filter(|key| key.key_type == KeyType::Consensus)
        };
        let slots: Vec<Slot> = signing()
            .map(|key| Slot {
                chain_ids: key.chain_ids.clone(),
                position: key.key.position,
            })
            .collect();
        if slots.is_empty() {
            continue;
        }
        let held = hold::Provider {
            name: "fortanixdsm",
            is_shared: true,
            position: provider.api_endpoint.position,
            slots,
        };
        let service = Service::new(provider, signing());
        keys.extend(hold::hold(service, &held, &config.chains, ask, report));
    }
    keys
}

/// What stops nothing.
fn warn(provider: &Fortanixdsm, report: &mut Report) {
    for key in &provider.signing_keys {
        if key.key_type == KeyType::Account {
            let (DsmKeyName::Id(name) | DsmKeyName::Name(name)) = &key.key.value;
            report.warning(Problem {
                position: Some(key.key.position),
                message: format!("{name} is an account key"),
                cure: "this program signs no transactions: the key is not used".to_owned(),
            });
        }
    }
    let secrets = [
        match &provider.api_key {
            ApiKey::File(path) => Some(path),
            ApiKey::Text(_) | ApiKey::Surroundings => None,
        },
        provider
            .client_certificate
            .as_ref()
            .map(|client| &client.key_file),
        provider.ca_file.as_ref(),
    ];
    for path in secrets.into_iter().flatten() {
        for warning in files::loose_directories(&path.value) {
            report.warning(Problem {
                position: Some(path.position),
                message: warning.to_string(),
                cure: "so that nobody else can put another file there".to_owned(),
            });
        }
    }
}
