//! What can be wrong between us and a device, in sentences for whoever is woken by it.

use core::time::Duration;
use std::io;

use super::super::Error;

/// Why a command brought no answer of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No device on USB has the number, or there is none at all; the numbers of those that are there.
    Absent {
        /// The serial number that was looked for.
        wanted: Option<String>,
        /// Those that are there.
        there: Vec<String>,
    },
    /// Several devices are on USB, and none is asked for by its number.
    Several(Vec<String>),
    /// The device node may not be opened.
    Permission(String),
    /// Another program has the device.
    Busy,
    /// The device is gone while it was in use.
    Unplugged,
    /// Nothing came back in time.
    Silent(Duration),
    /// Nobody listens where the connector should be.
    NoConnector(String, String),
    /// The connector answered, and not with the device's bytes.
    Connector(String),
    /// The answer is none.
    Garbled(&'static str),
    /// USB, or the system, failed in another way.
    System(String),
    /// The device answered to a frame as a whole with a code instead of opening it.
    Code(u8),
    /// Another program used the device for too long.
    Crowded,
}

impl Fault {
    pub(super) fn of_io(error: &io::Error, deadline: Duration) -> Self {
        let kind = error.kind();
        if matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            Self::Silent(deadline)
        } else if matches!(
            kind,
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
        ) {
            Self::Connector("it hung up before it answered".to_owned())
        } else {
            Self::System(error.to_string())
        }
    }

    /// What happened, and what to do.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Absent {
                wanted: None,
                there: _,
            } => Error::new(
                "no YubiHSM 2 is plugged in",
                "plug it in; `tmkms yubihsm detect` lists what USB has",
            ),
            Self::Absent {
                wanted: Some(wanted),
                there,
            } if there.is_empty() => Error::new(
                format!("the YubiHSM 2 with the serial number {wanted} is not plugged in"),
                "plug it in; `tmkms yubihsm detect` lists what USB has",
            ),
            Self::Absent {
                wanted: Some(wanted),
                there,
            } => Error::new(
                format!(
                    "the YubiHSM 2 with the serial number {wanted} is not plugged in, but {} is",
                    there.join(", ")
                ),
                "plug the right one in, or correct `serial_number`",
            ),
            Self::Several(serials) => Error::new(
                format!("several YubiHSM 2 are plugged in: {}", serials.join(", ")),
                "say which one with `serial_number`",
            ),
            Self::Permission(node) => Error::new(
                format!("{node} may not be opened by this user"),
                "install config/60-yubihsm.rules as a udev rule, put the user into its group, and plug the device out and in",
            ),
            Self::Busy => Error::new(
                "another program has the device",
                "stop it (yubihsm-connector, another tmkms, a virtual machine), or use it through `adapter = { type = \"http\" }`",
            ),
            Self::Unplugged => Error::new(
                "the device is gone from USB",
                "plug it in; the signer goes on by itself",
            ),
            Self::Silent(deadline) => Error::new(
                format!("no answer within {} s", deadline.as_secs_f32()),
                "plug the device out and in, and look at its connector, if this lasts",
            ),
            Self::NoConnector(addr, why) => Error::new(
                format!("no yubihsm-connector answers at {addr}: {why}"),
                "start yubihsm-connector, or correct `addr` of `adapter`",
            ),
            Self::Connector(what) => Error::new(
                format!("the connector did not answer as one: {what}"),
                "look at yubihsm-connector's own log, and whether the device is plugged in there",
            ),
            Self::Garbled(what) => Error::new(
                format!("the answer is not one of a YubiHSM 2: {what}"),
                "look at what stands between this signer and the device",
            ),
            Self::System(what) => Error::new(
                format!("the device cannot be used: {what}"),
                "plug it out and in, and look at the kernel's log",
            ),
            Self::Code(code) => code_error(*code),
            Self::Crowded => Error::new(
                "another program has used the device for too long",
                "let it finish; what it shares with the signer is `connector_server`",
            ),
        }
    }
}

/// What the device says about a frame as a whole; those about a command come from inside the session.
fn code_error(code: u8) -> Error {
    match code {
        0x03 => Error::new(
            "the session is lost: the device was restarted, or 30 s passed without a command",
            "nothing: a new one is opened",
        ),
        0x04 => wrong_password(),
        0x05 => Error::new(
            "all 16 sessions of the device are taken",
            "wait 30 s: sessions that nobody uses end; look for a program that opens many",
        ),
        LOG_FULL => log_full(),
        0x0b => Error::new(
            "the device has no such authentication key",
            "correct `key` of `auth`: `tmkms yubihsm setup` makes 1 (admin), 2, 3 and 4 (validator)",
        ),
        code => Error::new(
            format!("the device answered with its error 0x{code:02x}"),
            "plug it out and in if this lasts",
        ),
    }
}

/// The device's code for an audit log that nobody reads.
pub(super) const LOG_FULL: u8 = 0x0a;

pub(super) fn wrong_password() -> Error {
    Error::new(
        "the device refuses the password of the authentication key",
        "correct `auth` in the configuration: the number of the key, and its password",
    )
}

pub(super) fn log_full() -> Error {
    Error::new(
        "the device's audit log is full, and it is set to do nothing more until it is read",
        "set `audit_log`, so that the signer takes entries out as they come, or turn forced auditing off",
    )
}
