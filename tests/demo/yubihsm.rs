//! The demo's key in a fake YubiHSM 2.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::stand_in::replace_provider;
use super::validator::Process;
use super::{PATIENCE, Result};

/// Starts the device with a key in it, and has the configuration below `home` name it.
pub(super) fn serve(program: &Path, home: &Path, chain: &str) -> Result<Process> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut device =
        Process::spawn(Command::new(program).args([&address.to_string(), "ed25519:1"]))?;
    device.wait_for("listening on", PATIENCE)?;
    let provider = format!(
        "[[providers.yubihsm]]\nadapter = {{ type = \"http\", addr = \"tcp://{address}\" }}\nauth = {{ key = 1, password = \"password\" }}\nkeys = [{{ chain_ids = [{chain:?}], key = 1 }}]\n\n"
    );
    replace_provider(home, &provider)?;
    Ok(device)
}
