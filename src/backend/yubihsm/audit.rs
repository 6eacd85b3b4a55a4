//! The device's audit log: 62 entries, after which a device that is set to forced auditing does nothing more
//! until somebody has taken them out.

use core::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use yubihsm::AuditOption;

use super::super::Error;
use super::session::Session;

/// What is done about the log.
pub(super) struct Audit {
    /// Where entries are kept, if the operator says so.
    path: Option<PathBuf>,
    /// Commands since the log was last read.
    commands: u32,
}

impl Audit {
    pub(super) const fn new(path: Option<PathBuf>) -> Self {
        Self { path, commands: 0 }
    }

    /// Whether entries are taken out at all.
    pub(super) const fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// After a command: takes entries out in time. What goes wrong is said, and stops nothing before the
    /// device itself stops.
    pub(super) fn after(&mut self, session: &Session, serial: &str) {
        self.commands = self.commands.saturating_add(1);
        if self.commands >= INTERVAL {
            self.drain(session, serial);
        }
    }

    /// Takes all entries out: first they are on disk, then the device may forget them.
    pub(super) fn drain(&mut self, session: &Session, serial: &str) {
        self.commands = 0;
        let Some(path) = &self.path else {
            return;
        };
        if let Err(what) = take_out(session, serial, path) {
            log::warn!(
                target: "tmkms::keyring",
                "[YubiHSM 2 {serial}] the audit log could not be taken out to {}: {what}", path.display()
            );
        }
    }

    /// What there is to say about a device that would stop, as far as the authentication key may know.
    pub(super) fn caution(&self, session: &Session) -> Option<Error> {
        let is_forced = match session.client().get_force_audit_option() {
            Ok(AuditOption::On | AuditOption::Fix) => true,
            Ok(AuditOption::Off) | Err(_) => false,
        };
        (is_forced && !self.is_kept()).then(|| {
            Error::new(
                "the device is set to forced auditing: it stops signing when its audit log of 62 entries is full",
                "set `audit_log`, so that the signer takes entries out as they come",
            )
        })
    }
}

/// How many commands may come between two readings: well under half of the log's room.
const INTERVAL: u32 = 16;

fn take_out(session: &Session, serial: &str, path: &Path) -> Result<(), String> {
    let doing = "read the audit log";
    let explain = |error: &yubihsm::client::Error| session.cause(error).error(doing).to_string();
    let entries = session
        .client()
        .get_log_entries()
        .map_err(|error| explain(&error))?;
    let Some(last) = entries.entries.last() else {
        return Ok(());
    };
    let mut text = String::new();
    for entry in &entries.entries {
        let fields = [
            ("command", format!("\"{:?}\"", entry.cmd)),
            ("length", entry.length.to_string()),
            ("session_key", entry.session_key.to_string()),
            ("target_key", entry.target_key.to_string()),
            ("second_key", entry.second_key.to_string()),
            ("result", format!("\"{:?}\"", entry.result)),
            ("tick", entry.tick.to_string()),
        ];
        line(
            &mut text,
            serial,
            entry.item,
            &fields,
            entry.digest.as_ref(),
        );
    }
    append(path, &text).map_err(|error| error.to_string())?;
    session
        .client()
        .set_log_index(last.item)
        .map_err(|error| explain(&error))
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// One line of JSON; the digest chains the entries, so that a missing one is noticed.
fn line(text: &mut String, serial: &str, item: u16, fields: &[(&str, String)], digest: &[u8]) {
    // Writing to a String cannot fail.
    let _ = write!(text, r#"{{"serial":"{serial}","item":{item}"#);
    for (name, value) in fields {
        let _ = write!(text, r#","{name}":{value}"#);
    }
    text.push_str(r#","digest":""#);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str("\"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::{Scratch, mode};

    #[test]
    fn entries_are_lines_of_json_in_a_file_of_ours_alone() {
        let scratch = Scratch::new();
        let path = scratch.path("audit.log");
        let mut text = String::new();
        line(
            &mut text,
            "0007550054",
            7,
            &[("length", "21".to_owned())],
            &[0xab; 2],
        );
        append(&path, &text).unwrap();
        append(&path, &text).unwrap();
        let expected = "{\"serial\":\"0007550054\",\"item\":7,\"length\":21,\"digest\":\"abab\"}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected.repeat(2));
        assert_eq!(mode(&path), 0o600);
    }
}
