//! One request at a time to a device that may keep its answer until a person presses a button.
//!
//! `ledger-transport-hid` waits almost three hours for a reply and cannot be told otherwise, so each
//! exchange is done by a thread that is not waited for longer than a vote has time. An answer that comes
//! later is kept, not lost; until it has come nothing else is sent.

use core::time::Duration;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Instant;

use super::app::{Answer, Request};
use super::transport::{Route, Transport};
use crate::backend::Error;

/// A line to a device. Dropped while an answer is owed, it leaves its thread behind until that has come.
pub(super) struct Line {
    requests: Sender<Request>,
    answers: Receiver<Result<Answer, Error>>,
    closer: Receiver<TcpStream>,
    /// When the request was sent whose answer is owed.
    owed_since: Option<Instant>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// It may still come.
    Late,
    /// It will not.
    Gone(Error),
}

impl Line {
    /// Has the device opened; whether it could be, the first exchange says.
    pub(super) fn new(route: Route) -> Result<Self, Error> {
        let (requests, asked) = channel::<Request>();
        let (answer, answers) = channel();
        let (lend, closer) = channel();
        let thread = thread::Builder::new().name("ledger".to_owned());
        let spawned = thread.spawn(move || {
            let mut transport = match Transport::open(route) {
                Ok(transport) => transport,
                Err(error) => return drop(answer.send(Err(error))),
            };
            if let Some(closer) = transport.closer()
                && lend.send(closer).is_err()
            {
                return;
            }
            while let Ok(request) = asked.recv() {
                let reply = transport.exchange(&request);
                let is_over = reply.is_err();
                if answer.send(reply).is_err() || is_over {
                    return;
                }
            }
        });
        let _ = spawned.map_err(|error| {
            Error::new(
                format!("a thread cannot be started: {error}"),
                "is the process limit reached?",
            )
        })?;
        Ok(Self {
            requests,
            answers,
            closer,
            owed_since: None,
        })
    }

    /// Sends a request and waits for its answer. Nothing may be owed.
    pub(super) fn exchange(
        &mut self,
        request: Request,
        patience: Duration,
    ) -> Result<Answer, Silence> {
        // A thread that has ended has left its reason among the answers.
        let _ = self.requests.send(request);
        let sent = Instant::now();
        match self.answers.recv_timeout(patience) {
            Ok(answer) => answer.map_err(Silence::Gone),
            Err(RecvTimeoutError::Timeout) => {
                self.owed_since = Some(sent);
                Err(Silence::Late)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Gone(ended())),
        }
    }

    /// For how long an answer has been owed.
    pub(super) fn owed_for(&self) -> Option<Duration> {
        self.owed_since.map(|since| since.elapsed())
    }

    /// The answer that is owed, if it has come.
    pub(super) fn owed(&mut self) -> Result<Answer, Silence> {
        let answer = match self.answers.try_recv() {
            Ok(answer) => answer.map_err(Silence::Gone),
            Err(TryRecvError::Empty) => return Err(Silence::Late),
            Err(TryRecvError::Disconnected) => Err(Silence::Gone(ended())),
        };
        self.owed_since = None;
        answer
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Ok(stream) = self.closer.try_recv() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn ended() -> Error {
    Error::new("it is not open any more", "it is opened again")
}
