//! The `tmkms.toml` that `init` writes.

use core::fmt;

/// A network whose settings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// As `init --networks` takes it.
    pub name: &'static str,
    /// The id of the living chain.
    pub chain_id: &'static str,
    /// The bech32 prefix of account keys.
    pub account_key_prefix: &'static str,
    /// The bech32 prefix of consensus keys.
    pub consensus_key_prefix: &'static str,
}

/// The networks that `init` knows.
pub const NETWORKS: [Network; 6] = [
    network("cosmoshub", "cosmoshub-4", "cosmospub", "cosmosvalconspub"),
    network("irishub", "irishub-1", "iap", "icp"),
    network("sentinelhub", "sentinelhub-2", "sentpub", "sentvalconspub"),
    network("osmosis", "osmosis-1", "osmopub", "osmovalconspub"),
    network("core", "core-1", "persistencepub", "persistencevalconspub"),
    network(
        "persistence",
        "core-1",
        "persistencepub",
        "persistencevalconspub",
    ),
];

/// What stands where the operator has to fill something in: [`super::parse`] points at each.
const EXAMPLE: Network = network(
    "<network>",
    "<chain-id>",
    "<prefix>pub",
    "<prefix>valconspub",
);

const fn network(
    name: &'static str,
    chain_id: &'static str,
    account_key_prefix: &'static str,
    consensus_key_prefix: &'static str,
) -> Network {
    Network {
        name,
        chain_id,
        account_key_prefix,
        consensus_key_prefix,
    }
}

/// A name that is none of [`NETWORKS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownNetwork(pub String);

impl fmt::Display for UnknownNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NETWORKS.map(|network| network.name).join(", ");
        write!(f, "no network is called {:?}; known are {known}", self.0)
    }
}

impl core::error::Error for UnknownNetwork {}

/// The networks of a list like `cosmoshub,osmosis`, each chain once.
///
/// # Errors
///
/// The first name that is not known.
pub fn networks(list: &str) -> Result<Vec<Network>, UnknownNetwork> {
    let mut found: Vec<Network> = Vec::new();
    for name in list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let network = NETWORKS.into_iter().find(|network| network.name == name);
        let network = network.ok_or_else(|| UnknownNetwork(name.to_owned()))?;
        if found.iter().all(|other| other.chain_id != network.chain_id) {
            found.push(network);
        }
    }
    Ok(found)
}

/// The text of a configuration for `networks`, its files below `home`, an absolute path.
///
/// Without networks it has one chain to be filled in.
#[must_use]
pub fn template(home: &str, networks: &[Network]) -> String {
    let (head, block) = TEXT.split_once(BLOCK).unwrap_or((TEXT, ""));
    let networks = if networks.is_empty() {
        &[EXAMPLE]
    } else {
        networks
    };
    let mut text = head.to_owned();
    // A node of its own for each chain: 26658, and from there in steps of 100.
    for (network, port) in networks.iter().zip((26_658_u16..).step_by(100)) {
        // The home comes last: what it contains is no placeholder.
        let block = block
            .replace("{network}", network.name)
            .replace("{chain_id}", network.chain_id)
            .replace("{account_key_prefix}", network.account_key_prefix)
            .replace("{consensus_key_prefix}", network.consensus_key_prefix)
            .replace("{port}", &port.to_string())
            .replace("{home}", &escaped(home.trim_end_matches('/')));
        text.push_str(&block);
    }
    text
}

const TEXT: &str = include_str!("../../config/tmkms.toml");

/// The line of [`TEXT`] behind which the tables of one chain begin.
const BLOCK: &str = "# {one block for each chain}\n";

/// A text as it stands between the double quotes of TOML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            // For `parse` to complain of: no path of ours has any.
            control if control.is_control() => {
                escaped.extend(format!("\\u{:04X}", u32::from(control)).chars());
            }
            other => escaped.push(other),
        }
    }
    escaped
}
