#![doc = include_str!("README.md")]

mod audit;
mod bridge;
mod fault;
mod frame;
mod http;
mod line;
mod objects;
mod phrase;
mod server;
mod session;
mod setup;
mod usb;

use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use yubihsm::{Credentials, device};

use super::Error;
use super::device::{Device, Message, OpenError, Slots, Trouble};
use crate::types::Signature;
use audit::Audit;
use line::Line;

pub use fault::Fault;
pub use line::Reach;
pub use objects::names;
pub use phrase::{Phrase, PhraseError};
pub use server::Server;
pub use session::{Cause, Info, Session, greet};
pub use setup::{erase_and_set_up, random};
pub use usb::{Found, devices};

/// What there is to know of a device before it is opened.
pub struct Settings {
    /// How it is reached.
    pub reach: Reach,
    /// For one command.
    pub deadline: Duration,
    /// The serial number that it must have.
    pub serial: Option<String>,
    /// The authentication key and its password.
    pub credentials: Credentials,
    /// The object ids of the keys to sign with.
    pub keys: Vec<u16>,
    /// Where entries of the device's audit log are kept.
    pub audit_log: Option<PathBuf>,
}

/// A YubiHSM 2.
pub struct Yubihsm {
    line: Arc<Line>,
    serial: Option<String>,
    credentials: Credentials,
    keys: Vec<u16>,
    audit: Audit,
    cautions: Cautions,
    session: Option<Session>,
    /// Commands in this session.
    commands: u32,
}

/// What is sound and could be sounder, as it was found when the device was opened last.
#[derive(Clone, Default)]
pub struct Cautions(Arc<Mutex<Option<Vec<Error>>>>);

impl Cautions {
    /// Takes what was found, and leaves it to the device to speak of what comes later.
    #[must_use]
    pub fn take(&self) -> Vec<Error> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.get_or_insert_default().clone()
    }

    /// Notes what was found now, and gives what was not there before.
    fn note(&self, now: Vec<Error>) -> Vec<Error> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = match found.as_ref() {
            // Whoever opened the device the first time speaks of it.
            None => Vec::new(),
            Some(before) => now
                .iter()
                .filter(|caution| !before.contains(caution))
                .cloned()
                .collect(),
        };
        *found = Some(now);
        new
    }
}

impl Yubihsm {
    /// A device that is not opened yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            line: Arc::new(Line::new(settings.reach, settings.deadline)),
            serial: settings.serial,
            credentials: settings.credentials,
            keys: settings.keys,
            audit: Audit::new(settings.audit_log),
            cautions: Cautions::default(),
            session: None,
            commands: 0,
        }
    }

    /// Where its cautions will be found.
    #[must_use]
    pub fn cautions(&self) -> Cautions {
        self.cautions.clone()
    }

    /// A server at `host:port` for other programs, who then use the device in turn with the signer.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub fn serve(&self, host: &str) -> io::Result<Server> {
        Server::bind(host, Arc::clone(&self.line))
    }

    fn begin(&mut self) -> Result<&Session, Cause> {
        self.session = None;
        self.commands = 0;
        let session = Session::open(&self.line, &self.credentials)?;
        Ok(self.session.insert(session))
    }

    fn called(&self) -> String {
        self.serial.clone().unwrap_or_default()
    }
}

impl Device for Yubihsm {
    fn name(&self) -> String {
        match &self.serial {
            Some(serial) => format!("YubiHSM 2 {serial}"),
            None => "YubiHSM 2".to_owned(),
        }
    }

    fn open(&mut self) -> Result<Slots, OpenError> {
        let wanted = self.serial.clone();
        let (keys, auth) = (self.keys.clone(), self.credentials.authentication_key_id);
        let open_error = |cause: Cause| open_error(&cause, auth);
        let session = self.begin().map_err(open_error)?;
        let info = session.info().map_err(open_error)?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != info.serial) {
            let what = format!(
                "the device has the serial number {}, not {wanted}",
                info.serial
            );
            return Err(OpenError::Wrong(Error::new(
                what,
                "plug the right one in, or correct `serial_number`",
            )));
        }
        let mut slots = Slots::new();
        let mut cautions = Vec::new();
        for id in keys {
            let key = objects::consensus_key(session, id).map_err(open_error)?;
            if key.is_ok() {
                cautions.extend(objects::cautions_about_key(session, id));
            }
            slots.push(key);
        }
        cautions.extend(objects::cautions_about_auth(session, auth));
        self.serial = Some(info.serial.clone());
        if let Some(session) = &self.session {
            self.audit.drain(session, &info.serial);
            cautions.extend(self.audit.caution(session));
        }
        for caution in self.cautions.note(cautions) {
            log::warn!(target: "tmkms::keyring", "[{}] {caution}", self.name());
        }
        Ok(slots)
    }

    fn sign(&mut self, slot: usize, message: Message<'_>) -> Result<Signature, Trouble> {
        let Some(id) = self.keys.get(slot).copied() else {
            return Err(Trouble::Refused(Error::new(
                "it has no such key",
                "this is a fault of this program",
            )));
        };
        let bytes = message.as_bytes();
        if bytes.len() > MESSAGE_MAX_LEN {
            return Err(Trouble::Refused(Error::new(
                format!(
                    "{} bytes are to be signed, and a YubiHSM 2 signs {MESSAGE_MAX_LEN} at most",
                    bytes.len()
                ),
                "a chain with vote extensions of that size needs another provider",
            )));
        }
        self.commands = self.commands.saturating_add(1);
        let serial = self.called();
        let Some(session) = &self.session else {
            return Err(Trouble::Lost(Error::new(
                "no session",
                "this is a fault of this program",
            )));
        };
        let doing = format!("sign with key 0x{id:04x}");
        let mut signed = sign_once(session, id, bytes);
        if matches!(signed, Err(Cause::Device(device::ErrorKind::LogFull))) && self.audit.is_kept()
        {
            self.audit.drain(session, &serial);
            signed = sign_once(session, id, bytes);
        }
        signed.map_err(|cause| trouble(&cause, &doing))
    }

    fn idle(&mut self) -> Result<(), Trouble> {
        let serial = self.called();
        let Some(session) = &self.session else {
            return Err(Trouble::Lost(Error::new(
                "no session",
                "it is opened again",
            )));
        };
        self.commands = self.commands.saturating_add(1);
        self.audit.after(session, &serial);
        // 30 s without a command end a session.
        match session.client().ping() {
            Ok(_) => Ok(()),
            Err(error) => Err(trouble(&session.cause(&error), "answer")),
        }
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        let serial = self.called();
        if self.commands >= COMMANDS_MAX {
            let auth = self.credentials.authentication_key_id;
            let _ = self
                .begin()
                .map_err(|cause| Trouble::Lost(open_error(&cause, auth).error().clone()))?;
        }
        if let Some(session) = &self.session {
            self.audit.after(session, &serial);
        }
        Ok(())
    }
}

fn sign_once(session: &Session, id: u16, bytes: &[u8]) -> Result<Signature, Cause> {
    session
        .client()
        .sign_ed25519(id, bytes)
        .map(|signature| Signature(signature.to_bytes()))
        .map_err(|error| session.cause(&error))
}

/// The device stays open only if it was the device that spoke, inside the session.
fn trouble(cause: &Cause, doing: &str) -> Trouble {
    let error = cause.error(doing);
    match cause {
        Cause::Device(_) => Trouble::Refused(error),
        Cause::Fault(_) | Cause::Password | Cause::Other(_) => Trouble::Lost(error),
    }
}

/// What waiting does not mend is wrong; all else is away.
fn open_error(cause: &Cause, auth_key: u16) -> OpenError {
    let error = cause.error(&format!(
        "open a session with authentication key {auth_key}"
    ));
    match cause {
        Cause::Password
        | Cause::Fault(Fault::Several(_) | Fault::Code(WRONG_PASSWORD | NO_SUCH_KEY)) => {
            OpenError::Wrong(error)
        }
        Cause::Device(_) | Cause::Fault(_) | Cause::Other(_) => OpenError::Away(error),
    }
}

const WRONG_PASSWORD: u8 = 0x04;
const NO_SUCH_KEY: u8 = 0x0b;

/// Bytes of a message in one command: the crate's 2,048, less headers, checksum, padding, and the key's number.
const MESSAGE_MAX_LEN: usize = 2_026;

/// A session ends by itself after 2^20 commands; it is changed before, without a loss.
const COMMANDS_MAX: u32 = 1 << 19;
