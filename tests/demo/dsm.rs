//! The demo's key in a stand-in for Fortanix DSM.

use std::path::Path;
use std::process::Command;

use super::stand_in::replace_provider;
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
