//! The one way to a device, and whose turn it is on it.
//!
//! The signer and, with `connector_server`, guests use the same connection. A command of the signer waits for
//! one command of a guest at most; a guest waits for the signer, and for its turn among guests. A guest's frame
//! for the signer's own session is refused: it could only end it.

use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::fault::Fault;
use super::{frame, http, usb};

/// How a device is reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// On USB, which one if there are several.
    Usb {
        /// Ten digits.
        serial: Option<String>,
    },
    /// Behind a connector, `host:port`.
    Http {
        /// Where it listens.
        host: String,
    },
}

/// Who sends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Signer,
    Guest,
}

/// The way to one device.
pub(super) struct Line {
    reach: Reach,
    /// For one command.
    deadline: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

enum Wire {
    Usb(usb::Connection),
    Http(http::Connection),
}

#[derive(Default)]
struct State {
    /// Not while a command is under way, nor before the first and after a fault.
    wire: Option<Wire>,
    is_busy: bool,
    /// How many commands of the signer wait.
    waiting: u32,
    /// The session that the signer opened last.
    own_session: Option<u8>,
    /// What came in the way of the signer's last command.
    fault: Option<Fault>,
}

impl Line {
    pub(super) fn new(reach: Reach, deadline: Duration) -> Self {
        Self {
            reach,
            deadline,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Begins a new connection with the next command, and forgets the session.
    pub(super) fn hang_up(&self) {
        let mut state = self.lock();
        state.wire = None;
        state.own_session = None;
        state.fault = None;
    }

    /// What came in the way of the signer's last command, if anything did.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.lock().fault.take()
    }

    /// Sends a command, and gives its checked answer, which may be an error of the device.
    pub(super) fn exchange(&self, who: Who, command: &[u8]) -> Result<Vec<u8>, Fault> {
        if !frame::is_command(command) {
            return Err(Fault::Garbled("there was no command"));
        }
        let wire = self.take_turn(who, command)?;
        let mut wire = wire.map_or_else(|| Wire::open(&self.reach, self.deadline), Ok);
        let answer = match &mut wire {
            Ok(wire) => wire.exchange(command, self.deadline),
            Err(fault) => Err(fault.clone()),
        };
        let answer = answer.and_then(|answer| {
            frame::check(command, &answer)?;
            Ok(answer)
        });
        let mut state = self.lock();
        // After a fault, an answer that comes late must not be taken for the next one's.
        state.wire = wire.ok().filter(|_| answer.is_ok());
        state.is_busy = false;
        if who == Who::Signer {
            match &answer {
                Ok(answer) => {
                    if let Some(session) = frame::opened_session(command, answer) {
                        state.own_session = Some(session);
                    }
                    state.fault = frame::error_code(answer).map(Fault::Code);
                }
                Err(fault) => state.fault = Some(fault.clone()),
            }
        }
        drop(state);
        self.changed.notify_all();
        answer
    }

    /// Waits until the line is free for `who`, and takes it.
    fn take_turn(&self, who: Who, command: &[u8]) -> Result<Option<Wire>, Fault> {
        let since = Instant::now();
        let patience = match who {
            // Longer than what a guest may take for the command that is under way.
            Who::Signer => self.deadline.saturating_mul(3),
            Who::Guest => GUEST_PATIENCE,
        };
        let mut state = self.lock();
        if who == Who::Signer {
            state.waiting = state.waiting.saturating_add(1);
        }
        let taken = loop {
            let is_free = !state.is_busy && (who == Who::Signer || state.waiting == 0);
            if is_free {
                break Ok(());
            }
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                break Err(Fault::Crowded);
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        };
        if who == Who::Signer {
            state.waiting = state.waiting.saturating_sub(1);
        }
        match taken {
            Ok(()) => {}
            Err(fault) => {
                if who == Who::Signer {
                    state.fault = Some(fault.clone());
                }
                return Err(fault);
            }
        }
        if who == Who::Guest
            && let Some(session) = frame::session_of(command)
            && state.own_session == Some(session)
        {
            return Err(Fault::Garbled("that session is the signer's own"));
        }
        state.is_busy = true;
        Ok(state.wire.take())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    fn open(reach: &Reach, deadline: Duration) -> Result<Self, Fault> {
        Ok(match reach {
            Reach::Usb { serial } => Self::Usb(usb::Connection::open(serial.as_deref())?),
            Reach::Http { host } => Self::Http(http::Connection::open(host, deadline)?),
        })
    }

    fn exchange(&mut self, frame: &[u8], deadline: Duration) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Usb(connection) => connection.exchange(frame, deadline),
            Self::Http(connection) => connection.exchange(frame, deadline),
        }
    }
}

/// How long a guest's command waits for its turn.
const GUEST_PATIENCE: Duration = Duration::from_secs(5);
