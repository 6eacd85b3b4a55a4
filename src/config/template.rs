//! The `tmkms.toml` that `init` writes.

use core::fmt;

use super::Address;
use crate::types::ChainId;

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

/// One chain of a configuration that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    title: String,
    chain_id: Option<ChainId>,
    prefixes: Option<(&'static str, &'static str)>,
    addr: Option<String>,
}

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

impl From<Network> for Draft {
    fn from(network: Network) -> Self {
        Self {
            title: network.name.to_owned(),
            chain_id: ChainId::new(network.chain_id).ok(),
            prefixes: Some((network.account_key_prefix, network.consensus_key_prefix)),
            addr: None,
        }
    }
}

impl Draft {
    /// A chain whose id is to be filled in.
    #[must_use]
    pub fn unnamed() -> Self {
        Self {
            title: "Chain".to_owned(),
            chain_id: None,
            prefixes: None,
            addr: None,
        }
    }

    /// A chain of this id, with what is known of it.
    #[must_use]
    pub fn of_chain(id: ChainId) -> Self {
        let known = NETWORKS
            .into_iter()
            .find(|network| network.chain_id == id.as_str());
        known.map_or_else(
            || Self {
                title: id.to_string(),
                chain_id: Some(id),
                ..Self::unnamed()
            },
            Self::from,
        )
    }

    /// Sets the address at which its node is dialled.
    ///
    /// # Errors
    ///
    /// What is wrong with the address, and what to write.
    pub fn dial(&mut self, addr: &str) -> Result<(), String> {
        match Address::parse(addr) {
            Ok(_) => {
                self.addr = Some(addr.to_owned());
                Ok(())
            }
            Err(error) => Err(format!(
                "{addr:?} is no address: {}; {}",
                error.message, error.cure
            )),
        }
    }

    /// The chain's id, if it is known.
    #[must_use]
    pub fn chain_id(&self) -> Option<&ChainId> {
        self.chain_id.as_ref()
    }

    /// The name of its key file below `secrets/`.
    #[must_use]
    pub fn key_file(&self) -> String {
        format!("{}consensus.key", self.stem())
    }

    /// What its files' names begin with.
    fn stem(&self) -> String {
        let id = self.chain_id.as_ref();
        id.map_or_else(String::new, |id| {
            format!("{}-", id.as_str().replace('/', "_"))
        })
    }
}

/// The text of a configuration for these chains, its files below `home`, an absolute path.
#[must_use]
pub fn template(home: &str, chains: &[Draft]) -> String {
    let (head, block) = TEXT.split_once(BLOCK).unwrap_or((TEXT, ""));
    let mut text = head.to_owned();
    // A node of its own for each chain: 26658, and from there in steps of 100.
    for (chain, port) in chains.iter().zip((26_658_u16..).step_by(100)) {
        let id = chain.chain_id.as_ref().map_or(UNNAMED, ChainId::as_str);
        let key_format = match chain.prefixes {
            None => r#"{ type = "cosmos-json" }"#.to_owned(),
            Some((account, consensus)) => format!(
                r#"{{ type = "bech32", account_key_prefix = "{account}", consensus_key_prefix = "{consensus}" }}"#
            ),
        };
        let addr = chain
            .addr
            .clone()
            .unwrap_or_else(|| format!("tcp://127.0.0.1:{port}"));
        // What the operator has named comes last: what it contains is no placeholder.
        let block = block
            .replace("{key_format}", &key_format)
            .replace("{title}", &chain.title)
            .replace("{stem}", &escaped(&chain.stem()))
            .replace("{chain_id}", &escaped(id))
            .replace("{addr}", &escaped(&addr))
            .replace("{home}", &escaped(home.trim_end_matches('/')));
        text.push_str(&block);
    }
    text
}

/// What stands where the operator has to fill in a chain id: [`super::parse`] points at each.
const UNNAMED: &str = "<chain-id>";

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
