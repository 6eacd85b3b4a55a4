//! The demo's key in a Ledger, which a process stands in for.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::validator::Process;
use super::{PATIENCE, Result};

/// Starts the device, with a person at it who agrees, and has the configuration in `home` name it.
pub(super) fn plug_in(program: &Path, home: &Path, chain: &str) -> Result<Process> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let seed = super::hex(&[0x1d; 32], 32)?;
    let mut device =
        Process::spawn(Command::new(program).args([port.to_string().as_str(), &seed, "agree"]))?;
    // Its public key: it listens by now.
    device.wait_for("", PATIENCE)?;
    let provider = format!(
        "[[providers.ledgertm]]\nchain_ids = [{chain:?}]\nemulator = \"tcp://127.0.0.1:{port}\"\n\n"
    );
    super::stand_in::replace_provider(home, &provider)?;
    Ok(device)
}
