//! A session with a device, and what its errors mean.

use core::time::Duration;
use std::sync::Arc;

use yubihsm::{Client, Credentials, client, device};

use super::super::Error;
use super::bridge;
use super::fault::{Fault, log_full, wrong_password};
use super::line::{Line, Reach, Who};

/// An open session.
pub struct Session {
    client: Client,
    line: Arc<Line>,
}

/// Why a command failed.
#[derive(Debug)]
pub enum Cause {
    /// The device answered, inside the session, and said no.
    Device(device::ErrorKind),
    /// There was no answer, or none that opens.
    Fault(Fault),
    /// The device's proof does not fit the password.
    Password,
    /// What the crate that speaks to the device says.
    Other(String),
}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Ten digits.
    pub serial: String,
    /// Of the firmware, `2.4.0`.
    pub version: String,
    /// How many entries the audit log has, and room for.
    pub log: (u8, u8),
}

impl Session {
    pub(super) fn open(line: &Arc<Line>, credentials: &Credentials) -> Result<Self, Cause> {
        line.hang_up();
        let connector = bridge::connector(line).map_err(|error| Cause::Other(error.to_string()))?;
        // Nothing is ever reopened inside: a session that has failed may fail for ever there.
        let client = Client::open(connector, credentials.clone(), false)
            .map_err(|error| cause(line, &error))?;
        Ok(Self {
            client,
            line: Arc::clone(line),
        })
    }

    /// Opens a session with a device that nobody else of this process uses.
    ///
    /// # Errors
    ///
    /// [`Cause`].
    pub fn with(
        reach: Reach,
        deadline: Duration,
        credentials: &Credentials,
    ) -> Result<Self, Cause> {
        Self::open(&Arc::new(Line::new(reach, deadline)), credentials)
    }

    /// Opens another session with the same device, after which this one is no use.
    ///
    /// # Errors
    ///
    /// [`Cause`].
    pub fn another(&self, credentials: &Credentials) -> Result<Self, Cause> {
        Self::open(&self.line, credentials)
    }

    /// The device's commands.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// What an error of one of these commands means.
    #[must_use]
    pub fn cause(&self, error: &client::Error) -> Cause {
        cause(&self.line, error)
    }

    /// What the device says of itself, asked inside the session if that can be understood.
    ///
    /// # Errors
    ///
    /// [`Cause`].
    pub fn info(&self) -> Result<Info, Cause> {
        match self.client.device_info() {
            Ok(info) => Ok(Info {
                serial: info.serial_number.to_string(),
                version: format!(
                    "{}.{}.{}",
                    info.major_version, info.minor_version, info.build_version
                ),
                log: (info.log_store_used, info.log_store_capacity),
            }),
            Err(error) => match self.cause(&error) {
                // The crate does not know the algorithms of newer firmware.
                Cause::Other(_) => info(&self.line).map_err(Cause::Fault),
                cause @ (Cause::Device(_) | Cause::Fault(_) | Cause::Password) => Err(cause),
            },
        }
    }
}

/// What a device says of itself to anybody, without a session.
///
/// # Errors
///
/// [`Fault`].
pub fn greet(reach: Reach, deadline: Duration) -> Result<Info, Fault> {
    info(&Line::new(reach, deadline))
}

fn info(line: &Line) -> Result<Info, Fault> {
    let answer = line.exchange(Who::Signer, &DEVICE_INFO)?;
    parse_info(&answer).ok_or(Fault::Garbled("it does not say which device it is"))
}

fn parse_info(answer: &[u8]) -> Option<Info> {
    let (header, rest) = answer.split_first_chunk::<3>()?;
    let ([major, minor, build], rest) = rest.split_first_chunk::<3>()?;
    let (serial, rest) = rest.split_first_chunk::<4>()?;
    let ([capacity, used], _) = rest.split_first_chunk::<2>()?;
    (header.first() == Some(&0x86)).then(|| Info {
        serial: format!("{:010}", u32::from_be_bytes(*serial)),
        version: format!("{major}.{minor}.{build}"),
        log: (*used, *capacity),
    })
}

/// `DEVICE INFO`, which needs no session.
const DEVICE_INFO: [u8; 3] = [0x06, 0, 0];

fn cause(line: &Line, error: &client::Error) -> Cause {
    if let Some(fault) = line.take_fault() {
        return Cause::Fault(fault);
    }
    match (error.device_error(), error.kind()) {
        (Some(kind), _) => Cause::Device(kind),
        (None, client::ErrorKind::AuthenticationError) => Cause::Password,
        (None, _) => Cause::Other(error.to_string()),
    }
}

impl Cause {
    /// What happened, and what to do. `doing` says what was asked, such as `sign with key 0x0001`.
    #[must_use]
    pub fn error(&self, doing: &str) -> Error {
        use device::ErrorKind;
        match self {
            Self::Fault(fault) => fault.error(),
            Self::Password => wrong_password(),
            Self::Other(what) => Error::new(
                format!("could not {doing}: {what}"),
                "the device is opened again; look at what stands between, if this lasts",
            ),
            Self::Device(ErrorKind::LogFull) => log_full(),
            Self::Device(ErrorKind::InsufficientPermissions) => Error::new(
                format!("the authentication key may not {doing}"),
                "use one that may: those of `tmkms yubihsm setup` are 2 (operator) for keys, 4 (validator) to sign",
            ),
            Self::Device(ErrorKind::ObjectNotFound) => Error::new(
                format!(
                    "could not {doing}: the device has no such object, or the authentication key does not see it"
                ),
                "look with `tmkms yubihsm keys list`, and at the domains of both",
            ),
            Self::Device(ErrorKind::ObjectExists) => Error::new(
                format!("could not {doing}: the device has an object with this number already"),
                "take another number; nothing was changed",
            ),
            Self::Device(ErrorKind::StorageFailed) => Error::new(
                format!("could not {doing}: the device's storage is full or broken"),
                "delete objects that nobody needs with yubihsm-shell",
            ),
            Self::Device(kind) => Error::new(
                format!("could not {doing}: {kind}"),
                "the device's own documentation says what that means",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_firmware_says_which_device_it_is() {
        // Recorded from firmware 2.2.0, its list of algorithms cut short.
        let answer = [
            0x86, 0, 0x39, 2, 2, 0, 0x01, 0xce, 0x6f, 0xc6, 0x3e, 0x0c, 1, 2, 3,
        ];
        assert_eq!(
            parse_info(&answer),
            Some(Info {
                serial: "0030306246".to_owned(),
                version: "2.2.0".to_owned(),
                log: (12, 62),
            })
        );
        assert_eq!(parse_info(&[0x7f, 0, 1, 3]), None);
        assert_eq!(parse_info(&answer[..8]), None);
    }
}
