//! What all devices share: one thread that alone speaks to the device, one queue before it, and the
//! way back after trouble.
//!
//! ```text
//! signer of a chain ─ Key ─┐
//! signer of a chain ─ Key ─┼─ jobs, first come first served ─▶ worker ─▶ Device
//! signer of a chain ─ Key ─┘        ◀─ verified signatures or an error ─┘
//! ```
//!
//! A chain has one job at a time, so the queue is fair. A job that is not answered in time is refused
//! and forgotten: the slot is durable, and the same bytes may be asked for again. While the device is
//! away requests are refused at once, so that the next slot is not late as well.

mod worker;

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Backend, Error};
use crate::canon::SignBytes;
use crate::store::{Committed, Extension};
use crate::types::{PublicKey, Signature};

/// A device, or a service, that holds keys. Only the worker's thread ever calls it.
///
/// Every call has to come back, with a deadline of the device's own. One that does not is not fatal: its
/// job is refused after [`Device::patience`], and so are all others until it does.
pub trait Device: Send + 'static {
    /// What log lines and refusals call it, such as `YubiHSM 0123456789`.
    fn name(&self) -> String;

    /// How long a request waits for its signatures before it is refused.
    fn patience(&self) -> Duration {
        Duration::from_secs(3)
    }

    /// Whether it signs vote extensions at all.
    fn signs_extensions(&self) -> bool {
        true
    }

    /// Opens the device, again if need be, and reads the public key of each configured slot in their order.
    /// Within the list: why one slot cannot be used while the others can.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. It is tried again in any case, with growing pauses.
    fn open(&mut self) -> Result<Slots, OpenError>;

    /// Signs with the key in a slot, an index into what [`Device::open`] gave.
    ///
    /// # Errors
    ///
    /// [`Trouble`], which says whether the device stays open.
    fn sign(&mut self, slot: usize, message: Message<'_>) -> Result<Signature, Trouble>;

    /// Called when nothing was asked for [`IDLE`], so that a session does not expire or a loss is noticed
    /// before a vote is.
    ///
    /// # Errors
    ///
    /// As for `sign`.
    fn idle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    /// Called when an answer has left and nobody waits: the moment for what a signature is not to wait for,
    /// such as a session that has to be renewed soon.
    ///
    /// # Errors
    ///
    /// As for `sign`.
    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}

/// What is in the slots of a device: a public key, or why there is none to sign with.
pub type Slots = Vec<Result<PublicKey, Error>>;

/// Why a device could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// It is not there, or busy: it may come back by itself. A signer starts without it.
    Away(Error),
    /// Waiting does not help: a wrong password, another device. A signer does not start.
    Wrong(Error),
}

/// How long nothing has been asked before [`Device::idle`] is called.
pub const IDLE: Duration = Duration::from_secs(5);

/// Sign-bytes that are durable, or the extension of a precommit that is: nobody else makes one.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    is_extension: bool,
}

impl<'a> Message<'a> {
    /// What is signed.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it is a vote extension, not a vote or a proposal.
    #[must_use]
    pub const fn is_extension(&self) -> bool {
        self.is_extension
    }
}

/// Why a device did not sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It answered, and said no. It stays open.
    Refused(Error),
    /// It did not answer as it should. It is opened again, and asked once more if it is back in time.
    Lost(Error),
}

/// A device whose worker runs. Dropped with all of its keys, the worker closes the device and ends.
pub struct Attached {
    desk: Arc<Desk>,
    opened: Result<Slots, OpenError>,
}

/// One chain's way to its key in a device.
pub struct Key {
    desk: Arc<Desk>,
    slot: usize,
    known: PublicKey,
}

/// What keys and worker share.
struct Desk {
    name: String,
    patience: Duration,
    signs_extensions: bool,
    /// `None` only while the last key is let go of.
    jobs: Mutex<Option<Sender<Job>>>,
    condition: Arc<Mutex<Condition>>,
    /// Ends when the worker does.
    ended: Mutex<Receiver<()>>,
}

/// What there is to know about the device without asking it.
#[derive(Debug, Clone)]
enum Condition {
    /// It is being opened, or open: asking is worth the wait.
    Willing,
    /// It cannot be reached, and is tried again after a pause.
    Away(Error),
    /// A request was given up, and the worker is still busy, with it or with something else.
    Hung,
}

/// One request on its way to the worker.
struct Job {
    slot: usize,
    public_key: PublicKey,
    work: Work,
    progress: Arc<Progress>,
    reply: SyncSender<Result<Signatures, Error>>,
}

/// What is asked: made from what the store has committed, here and nowhere else.
struct Work {
    slot: Option<SignBytes>,
    extension: Option<Vec<u8>>,
}

#[derive(Default)]
struct Signatures {
    slot: Option<Signature>,
    extension: Option<Signature>,
}

/// How far a job has come; it says who of the two ends of the queue lets go of it.
struct Progress(AtomicU8);

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Room for a TLS handshake; all of it is locked into memory.
const STACK_LEN: usize = 1024 * 1024;

/// How long a device that nobody needs any more is given to be closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// How long the first attempt to open a device is waited for.
const ATTACH_PATIENCE: Duration = Duration::from_secs(15);

/// Starts a device's worker and waits for its first attempt to open it.
///
/// # Errors
///
/// No thread could be started. That a device is away is not an error here: see [`Attached::opened`].
pub fn attach<D: Device>(device: D) -> io::Result<Attached> {
    let (send, jobs) = channel();
    let (tell, told) = sync_channel(1);
    let (end, ended) = channel();
    let desk = Arc::new(Desk {
        name: device.name(),
        patience: device.patience(),
        signs_extensions: device.signs_extensions(),
        jobs: Mutex::new(Some(send)),
        condition: Arc::new(Mutex::new(Condition::Willing)),
        ended: Mutex::new(ended),
    });
    let condition = Arc::clone(&desk.condition);
    let _ = thread::Builder::new()
        .name("device".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || {
            worker::run(device, &jobs, &condition, &tell);
            drop(end);
        })?;
    let opened = told.recv_timeout(ATTACH_PATIENCE).unwrap_or_else(|_| {
        Err(OpenError::Away(Error::new(
            format!("it did not answer within {} s", ATTACH_PATIENCE.as_secs()),
            "if this lasts, plug a device out and in again, or look at the service",
        )))
    });
    Ok(Attached { desk, opened })
}

impl Attached {
    /// What the first attempt to open the device gave: each slot's public key, or why it has none.
    ///
    /// # Errors
    ///
    /// Why the device could not be opened. The worker goes on trying.
    pub fn opened(&self) -> Result<&[Result<PublicKey, Error>], &OpenError> {
        self.opened.as_deref()
    }

    /// What log lines and refusals call the device.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.desk.name
    }

    /// One chain's way to the key in a slot, which is known to be `public_key` and may be no other.
    #[must_use]
    pub fn key(&self, slot: usize, public_key: PublicKey) -> Key {
        Key {
            desk: Arc::clone(&self.desk),
            slot,
            known: public_key,
        }
    }
}

impl Key {
    fn ask(&self, work: Work) -> Result<Signatures, Error> {
        let name = &self.desk.name;
        match &*lock(&self.desk.condition) {
            Condition::Willing => {}
            Condition::Away(error) => {
                return Err(Error::new(
                    format!("{name} is away: {}", error.what),
                    error.cure.clone(),
                ));
            }
            Condition::Hung => {
                return Err(Error::new(
                    format!("{name} still owes the answer to an earlier request"),
                    "if this lasts, plug a device out and in again, or look at the service",
                ));
            }
        }
        let (reply, answer) = sync_channel(1);
        let progress = Arc::new(Progress(AtomicU8::new(WAITING)));
        let job = Job {
            slot: self.slot,
            public_key: self.known,
            work,
            progress: Arc::clone(&progress),
            reply,
        };
        let gone = || Error::new(format!("{name} is served no more"), "restart the signer");
        lock(&self.desk.jobs)
            .as_ref()
            .and_then(|jobs| jobs.send(job).ok())
            .ok_or_else(gone)?;
        match answer.recv_timeout(self.desk.patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
            Err(RecvTimeoutError::Timeout) => self.give_up(&progress, &answer),
        }
    }

    /// Lets go of a request, and warns those that come after it.
    fn give_up(
        &self,
        progress: &Progress,
        answer: &Receiver<Result<Signatures, Error>>,
    ) -> Result<Signatures, Error> {
        // Under the lock, so that the worker cannot finish between the two looks and stay called hung.
        let mut condition = lock(&self.desk.condition);
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        progress.0.store(GIVEN_UP, Ordering::SeqCst);
        if matches!(*condition, Condition::Willing) {
            *condition = Condition::Hung;
        }
        drop(condition);
        Err(Error::new(
            format!(
                "{} did not answer within {} s",
                self.desk.name,
                self.desk.patience.as_secs_f32()
            ),
            "the same vote may be asked for again",
        ))
    }
}

impl Drop for Desk {
    /// Sees the device closed, so that its session is not left open. Waits for no device that hangs.
    fn drop(&mut self) {
        drop(lock(&self.jobs).take());
        let _ = lock(&self.ended).recv_timeout(CLOSE_PATIENCE);
    }
}

impl Backend for Key {
    fn public_key(&self) -> PublicKey {
        self.known
    }

    fn signs_extensions(&self) -> bool {
        self.desk.signs_extensions
    }

    fn sign(&mut self, committed: &Committed) -> Result<Signature, Error> {
        let signatures = self.ask(Work {
            slot: Some(*committed.sign_bytes()),
            extension: None,
        })?;
        signatures.slot.ok_or_else(incomplete)
    }

    fn sign_extension(&mut self, extension: &Extension<'_>) -> Result<Signature, Error> {
        let signatures = self.ask(Work {
            slot: None,
            extension: Some(extension.sign_bytes().to_vec()),
        })?;
        signatures.extension.ok_or_else(incomplete)
    }

    fn sign_both(
        &mut self,
        committed: &Committed,
        extension: &Extension<'_>,
    ) -> Result<(Signature, Signature), Error> {
        let signatures = self.ask(Work {
            slot: Some(*committed.sign_bytes()),
            extension: Some(extension.sign_bytes().to_vec()),
        })?;
        match (signatures.slot, signatures.extension) {
            (Some(slot), Some(extension)) => Ok((slot, extension)),
            _ => Err(incomplete()),
        }
    }
}

fn incomplete() -> Error {
    Error::new(
        "the device did not sign all that was asked",
        "this is a fault of this program",
    )
}

/// The lock, also after a thread that held it has ended: what it guards is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenError {
    /// Why, of either kind.
    #[must_use]
    pub const fn error(&self) -> &Error {
        match self {
            Self::Away(error) | Self::Wrong(error) => error,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl std::error::Error for OpenError {}

#[cfg(test)]
mod tests;
