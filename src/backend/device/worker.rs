//! The thread that speaks to a device.

use core::time::Duration;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{
    Condition, Device, GIVEN_UP, IDLE, Job, Message, OpenError, Signatures, Slots, TAKEN, Trouble,
    WAITING, lock,
};
use crate::backend::Error;
use crate::keys::verify;
use crate::types::Signature;

/// The pauses between attempts to open a device that is away: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How often a device that stays away is spoken of.
const SUMMARY: Duration = Duration::from_mins(1);

struct Worker<'a, D> {
    device: D,
    name: String,
    condition: &'a Mutex<Condition>,
    line: Line,
    /// When it was opened last.
    read: Instant,
}

/// How the device is reached at the moment.
enum Line {
    Open(Slots),
    Closed(Absence),
}

/// A device that is away.
struct Absence {
    since: Instant,
    error: Error,
    pause: Duration,
    next: Instant,
    /// When it was last said that it is away.
    spoken: Option<Instant>,
}

/// Serves jobs until the last key is gone. `tell` hears of the first attempt to open the device.
pub(super) fn run<D: Device>(
    mut device: D,
    jobs: &Receiver<Job>,
    condition: &Arc<Mutex<Condition>>,
    tell: &SyncSender<Result<Slots, OpenError>>,
) {
    let opened = device.open();
    let line = match opened.clone() {
        Ok(slots) => Line::Open(slots),
        // Whoever attached the device speaks of it.
        Err(error) => Line::Closed(Absence::new(error.error().clone(), Some(Instant::now()))),
    };
    let mut worker = Worker {
        name: device.name(),
        device,
        condition,
        line,
        read: Instant::now(),
    };
    worker.publish();
    let _ = tell.try_send(opened);
    let mut next = None;
    loop {
        let wait = match &worker.line {
            Line::Open(_) => IDLE,
            Line::Closed(absence) => absence.next.saturating_duration_since(Instant::now()),
        };
        match next.take().map_or_else(|| jobs.recv_timeout(wait), Ok) {
            Ok(job) => {
                worker.serve(&job);
                worker.publish();
                next = match jobs.try_recv() {
                    Ok(job) => Some(job),
                    Err(TryRecvError::Empty) => {
                        worker.settle();
                        None
                    }
                    Err(TryRecvError::Disconnected) => return,
                };
            }
            Err(RecvTimeoutError::Timeout) => worker.look_after(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        worker.publish();
    }
}

impl<D: Device> Worker<'_, D> {
    /// Lets the keys know whether asking is worth the wait.
    fn publish(&self) {
        *lock(self.condition) = match &self.line {
            Line::Open(_) => Condition::Willing,
            Line::Closed(absence) => Condition::Away(absence.error.clone()),
        };
    }

    fn serve(&mut self, job: &Job) {
        let progress = &job.progress.0;
        let taken = progress.compare_exchange(WAITING, TAKEN, Ordering::SeqCst, Ordering::SeqCst);
        if taken.is_err() {
            return;
        }
        self.read_again(job);
        let mut answer = self.attempt(job);
        if let Err(Trouble::Lost(error)) = &answer {
            self.lose(error.clone());
            // The bytes are durable and a signature over them is always the same one: asking twice is safe.
            let is_wanted = progress.load(Ordering::SeqCst) != GIVEN_UP;
            if self.reopen() && is_wanted {
                answer = self.attempt(job);
                if let Err(Trouble::Lost(error)) = &answer {
                    self.lose(error.clone());
                }
            }
        }
        // A receiver that is gone has given up.
        let _ = job.reply.try_send(answer.map_err(|trouble| match trouble {
            Trouble::Refused(error) | Trouble::Lost(error) => {
                Error::new(format!("{}: {}", self.name, error.what), error.cure)
            }
        }));
    }

    /// A slot without the key may have it by now: it was imported, or the right device is back. Nothing else
    /// would notice while the node goes on asking.
    fn read_again(&mut self, job: &Job) {
        let Line::Open(slots) = &self.line else {
            return;
        };
        let is_there = matches!(slots.get(job.slot), Some(Ok(key)) if *key == job.public_key);
        if is_there || self.read.elapsed() < LAST_PAUSE {
            return;
        }
        self.read = Instant::now();
        match self.device.open() {
            Ok(slots) => self.line = Line::Open(slots),
            Err(error) => self.lose(error.error().clone()),
        }
    }

    fn attempt(&mut self, job: &Job) -> Result<Signatures, Trouble> {
        match &self.line {
            Line::Closed(absence) => return Err(Trouble::Refused(absence.error.clone())),
            Line::Open(slots) => match slots.get(job.slot) {
                Some(Ok(key)) if *key == job.public_key => {}
                Some(Ok(other)) => {
                    return Err(Trouble::Refused(Error::new(
                        format!("it holds another key than this chain's, {}", other.to_hex()),
                        "use the device or the service that has this chain's key",
                    )));
                }
                Some(Err(error)) => return Err(Trouble::Refused(error.clone())),
                None => {
                    return Err(Trouble::Refused(Error::new(
                        "it has no such key",
                        "this is a fault of this program",
                    )));
                }
            },
        }
        let mut signatures = Signatures::default();
        // The extension first: a device that refuses it has not moved a watermark of its own by then.
        if let Some(extension) = &job.work.extension {
            signatures.extension = Some(self.sign(job, extension, true)?);
        }
        if let Some(sign_bytes) = &job.work.slot {
            signatures.slot = Some(self.sign(job, sign_bytes.as_bytes(), false)?);
        }
        Ok(signatures)
    }

    /// One signature, checked: two that a broken device makes over one message may give its key away.
    fn sign(&mut self, job: &Job, bytes: &[u8], is_extension: bool) -> Result<Signature, Trouble> {
        let message = Message {
            bytes,
            is_extension,
        };
        let signature = self.device.sign(job.slot, message)?;
        if verify(&job.public_key, bytes, &signature) {
            Ok(signature)
        } else {
            Err(Trouble::Lost(Error::new(
                "it gave a wrong signature, which was kept back",
                "have the device looked at: it may be broken, or is not what it says it is",
            )))
        }
    }

    /// What there is to do when an answer has left.
    fn settle(&mut self) {
        if matches!(self.line, Line::Open(_)) {
            let settled = self.device.settle();
            self.heed(settled);
        }
    }

    /// What there is to do while nothing is asked.
    fn look_after(&mut self) {
        match &self.line {
            Line::Closed(_) => {
                let _ = self.reopen();
            }
            Line::Open(_) => {
                let idled = self.device.idle();
                self.heed(idled);
            }
        }
    }

    fn heed(&mut self, done: Result<(), Trouble>) {
        if let Err(Trouble::Lost(error)) = done {
            self.lose(error);
            let _ = self.reopen();
        }
    }

    fn lose(&mut self, error: Error) {
        log::warn!(target: "tmkms::keyring", "[{}] {error}", self.name);
        self.line = Line::Closed(Absence::new(error, None));
    }

    /// Tries to open the device. It is said once that it is away, then once a minute, and that it is back.
    fn reopen(&mut self) -> bool {
        let now = Instant::now();
        self.read = now;
        let opened = self.device.open();
        let Line::Closed(absence) = &mut self.line else {
            return true;
        };
        match opened {
            Ok(slots) => {
                log::info!(
                    target: "tmkms::keyring",
                    "[{}] is back after {:.1} s", self.name, absence.since.elapsed().as_secs_f32()
                );
                self.line = Line::Open(slots);
                true
            }
            Err(OpenError::Away(error) | OpenError::Wrong(error)) => {
                let is_due = absence
                    .spoken
                    .is_none_or(|spoken| now.duration_since(spoken) >= SUMMARY);
                if is_due || error != absence.error {
                    log::error!(
                        target: "tmkms::keyring",
                        "[{}] is away: {error}; its chains refuse to sign until it is back ({} s by now)",
                        self.name, absence.since.elapsed().as_secs()
                    );
                    absence.spoken = Some(now);
                }
                absence.error = error;
                absence.next = Instant::now().checked_add(absence.pause).unwrap_or(now);
                absence.pause = absence.pause.saturating_mul(2).min(LAST_PAUSE);
                false
            }
        }
    }
}

impl Absence {
    fn new(error: Error, spoken: Option<Instant>) -> Self {
        let now = Instant::now();
        Self {
            since: now,
            error,
            pause: FIRST_PAUSE,
            next: now.checked_add(FIRST_PAUSE).unwrap_or(now),
            spoken,
        }
    }
}
