//! The demo's key in a stand-in for Fortanix DSM.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::validator::Process;
use super::{PATIENCE, Result, text};

/// Starts the service below `home`, and has the configuration there name it.
pub(super) fn serve(program: &Path, home: &Path, chain: &str) -> Result<Process> {
    let dir = home.join("dsm");
    let mut service = Process::spawn(Command::new(program).arg(&dir))?;
    let line = service.wait_for("https ", PATIENCE)?;
    let port = line.trim_start_matches("https ");
    let provider = format!(
        "[[providers.fortanixdsm]]\napi_endpoint = \"https://localhost:{port}\"\napi_key_file = {:?}\nca_file = {:?}\nsigning_keys = [{{ chain_ids = [{chain:?}], key_name = \"validator\" }}]\n\n",
        text(&dir.join("api-key"))?,
        text(&dir.join("ca.pem"))?,
    );
    replace_provider(home, &provider)?;
    Ok(service)
}

/// Has the configuration name another provider than `init` has.
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
