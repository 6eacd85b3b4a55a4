//! What the demo's key is in, if not in a file: a process that stands in for a device or a service.

use std::fs;
use std::path::Path;

use super::validator::Process;
use super::{CHAIN, Result, dsm, ledger, yubihsm};

/// One that runs, until it is dropped.
pub(super) struct StandIn {
    pub(super) name: &'static str,
    /// A Ledger signs nothing twice and no extensions.
    pub(super) is_ledger: bool,
    _process: Process,
}

type Start = fn(&Path, &Path, &str) -> Result<Process>;

const ALL: [(&str, &str, Start); 3] = [
    ("DSM", "Fortanix DSM", dsm::serve),
    ("LEDGER", "a Ledger", ledger::plug_in),
    ("YUBIHSM", "a YubiHSM 2", yubihsm::serve),
];

/// Starts the one that the environment asks for, and has the configuration below `home` name it.
pub(super) fn start(home: &Path) -> Result<Option<StandIn>> {
    for (variable, name, start) in ALL {
        if let Some(program) = std::env::var_os(variable) {
            return Ok(Some(StandIn {
                name,
                is_ledger: variable == "LEDGER",
                _process: start(program.as_ref(), home, CHAIN)?,
            }));
        }
    }
    Ok(None)
}

/// Puts a provider in the place of the one with the key file.
pub(super) fn replace_provider(home: &Path, provider: &str) -> Result<()> {
    let config = home.join("tmkms.toml");
    let before = fs::read_to_string(&config)?;
    // So that `check` prints the key as the demo compares it.
    let before = before.replace("{ type = \"cosmos-json\" }", "{ type = \"hex\" }");
    let (head, rest) = before
        .split_once("[[providers.softsign]]")
        .ok_or("no provider to replace")?;
    let (_, tail) = rest.split_once("[[validator]]").ok_or("no validator")?;
    fs::write(&config, format!("{head}{provider}[[validator]]{tail}"))?;
    Ok(())
}
