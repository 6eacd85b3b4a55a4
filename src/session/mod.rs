//! The loop of one connection: dial, read, answer, log, redial.
//!
//! One thread per `[[validator]]`. Nothing that the node or the network does ends it but
//! `reconnect = false`; a dead chain ends with its state, and that is the signer's to say.

mod backoff;
mod failures;

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use backoff::Backoff;
use failures::{Failures, Limit};

use crate::backend::{Any, Backend};
use crate::canon::SignBytes;
use crate::config::Address;
use crate::keys::SigningKey;
use crate::link::{self, Link, dial};
use crate::signer::{Outcome, Reply, Signer};
use crate::types::{ChainId, Height, Step};
use crate::wire;

/// One `[[validator]]`, ready to run on a thread of its own.
pub struct Session<B = Any> {
    signer: Arc<Signer<B>>,
    terms: Terms,
    /// Taken out of the terms, so that it can be dropped while the session runs.
    identity: Mutex<Option<Arc<SigningKey>>>,
    label: String,
}

/// What the configuration says about one connection.
pub struct Terms {
    /// Where the node listens.
    pub address: Address,
    /// Who we are; needed over `tcp://` only.
    pub identity: Option<Arc<SigningKey>>,
    /// The longest silence between two messages.
    pub timeout: Duration,
    /// Above it, requests of this connection are refused.
    pub max_height: Option<Height>,
    /// Whether to dial again after the first link.
    pub reconnect: bool,
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `reconnect = false`, and the node closed the link.
    Closed,
    /// `reconnect = false`, and the link failed.
    Failed,
}

/// What the rest of the process is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// This session has ended.
    Ended(End),
    /// The chain's state can no longer be written: its refusals go on, its signatures do not.
    Poisoned,
}

impl<B: Backend> Session<B> {
    /// Puts a connection's terms and its chain's signer together.
    pub fn new(signer: Arc<Signer<B>>, mut terms: Terms) -> Self {
        let identity = Mutex::new(terms.identity.take());
        let label = format!("{}@{}", signer.chain_id(), terms.address);
        Self {
            signer,
            terms,
            identity,
            label,
        }
    }

    /// The chain that this connection belongs to.
    #[must_use]
    pub fn chain_id(&self) -> &ChainId {
        self.signer.chain_id()
    }

    /// Drops the keys of this session and of its chain, which wipes them. [`Session::run`] goes on, and
    /// neither signs nor shakes hands any more.
    pub fn stop(&self) {
        self.signer.stop();
        drop(self.held_identity().take());
    }

    fn held_identity(&self) -> MutexGuard<'_, Option<Arc<SigningKey>>> {
        // Nobody leaves it half changed.
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the node until `reconnect = false` ends it. `tell` hears of every [`Event`] once.
    pub fn run(&self, tell: impl Fn(Event)) {
        let mut course = Course {
            session: self,
            tell,
            backoff: Backoff::new(),
            failures: Failures::new(),
            refusals: Limit::new(),
            told: false,
            followed: false,
        };
        loop {
            course.follow_node();
            if let Some(end) = course.dial_and_serve() {
                return (course.tell)(Event::Ended(end));
            }
            thread::sleep(course.backoff.next());
        }
    }
}

/// A session under way: what it remembers from link to link.
struct Course<'a, B, T> {
    session: &'a Session<B>,
    tell: T,
    backoff: Backoff,
    failures: Failures,
    refusals: Limit,
    /// Whether the supervisor knows that the chain is poisoned.
    told: bool,
    /// Whether the node has been seen to sign by itself.
    followed: bool,
}

impl<B: Backend, T: Fn(Event)> Course<'_, B, T> {
    /// One link from dial to end. `Some`: it was the only one that is wanted.
    fn dial_and_serve(&mut self) -> Option<End> {
        let Session { terms, .. } = self.session;
        // Held for no longer than it takes to sign with it.
        let identity = || self.session.held_identity().clone();
        let (error, was_link) = match dial(&terms.address, identity, terms.timeout) {
            Ok(mut link) => {
                self.say_connected(&link);
                (self.serve(&mut link), true)
            }
            Err(error) => {
                let reached = !matches!(error, link::Error::Resolve(_) | link::Error::Connect(_));
                (error, reached)
            }
        };
        if let Some(line) = self.failures.note(&error, Instant::now()) {
            log::error!(target: "tmkms::client", "[{}] {line}", self.session.label);
        }
        if !was_link || terms.reconnect {
            return None;
        }
        let closed_in_use = matches!(
            error,
            link::Error::Closed {
                in_handshake: false
            }
        );
        Some(if closed_in_use {
            End::Closed
        } else {
            End::Failed
        })
    }

    /// Answers requests until the link ends, and says why it did.
    fn serve(&mut self, link: &mut Link) -> link::Error {
        let link::Halves {
            mut requests,
            mut replies,
        } = link.halves();
        let mut reply = Reply::default();
        loop {
            let body = match requests.receive() {
                Ok(body) => body,
                Err(error) => return error,
            };
            let begun = Instant::now();
            let request = match wire::decode(body) {
                Ok(request) => request,
                Err(error) => return link::Error::Decode(error),
            };
            let Session { signer, terms, .. } = self.session;
            let outcome = signer.answer(&request, terms.max_height, &mut reply);
            let sent = replies.send(reply.message());
            // A node that hung up before its answer undoes nothing: what was done is told all the same.
            self.say(&outcome, begun);
            if let Err(error) = sent {
                return error;
            }
            self.backoff.reset();
            self.failures.reset();
        }
    }

    /// As long as the node may still be signing with its own key, its state file is worth a look before
    /// each dial: a node that is started again without its key may reset it.
    fn follow_node(&mut self) {
        match self.session.signer.refresh() {
            Ok(true) => {
                // The node may go on signing for days: the first time is news.
                let level = if self.followed {
                    log::Level::Debug
                } else {
                    log::Level::Info
                };
                self.followed = true;
                log::log!(
                    target: "tmkms::session", level,
                    "[{}] the node signs with its own key: following its state file", self.session.label
                );
            }
            Ok(false) => {}
            Err(error) => {
                // The first signature will wait for it, and says so to the node as well.
                log::debug!(target: "tmkms::session", "[{}] {error}", self.session.label);
                self.tell_if_poisoned();
            }
        }
    }

    fn say_connected(&mut self, link: &Link) {
        if !self.failures.connected(Instant::now()) {
            return;
        }
        let Session { label, terms, .. } = self.session;
        log::info!(target: "tmkms::session", "[{label}] connected to validator successfully");
        if let (Some(peer), Address::Tcp { peer_id: None, .. }) = (link.peer(), &terms.address) {
            log::warn!(
                target: "tmkms::session",
                "[{label}]: unverified validator peer ID! ({})", peer.node_id()
            );
        }
    }

    /// The line for a reply that has left, or that nobody took.
    fn say(&mut self, outcome: &Outcome, begun: Instant) {
        let label = &self.session.label;
        let took = begun.elapsed().as_millis();
        match outcome {
            Outcome::Served => {}
            Outcome::Signed(sign_bytes) => log::info!(
                target: "tmkms::session",
                "[{label}] signed {} at h/r/s {} ({took} ms)", What(sign_bytes), sign_bytes.slot()
            ),
            Outcome::Repeated(sign_bytes) => log::info!(
                target: "tmkms::session",
                "[{label}] repeated {} at h/r/s {} ({took} ms)", What(sign_bytes), sign_bytes.slot()
            ),
            Outcome::Refused(refusal) => {
                if let Some(unsaid) = self.refusals.note(begun) {
                    if unsaid > 0 {
                        log::error!(target: "tmkms::session", "[{label}] refused {unsaid} more in the last minute");
                    }
                    log::error!(target: "tmkms::session", "[{label}] refused: {refusal}");
                }
                self.tell_if_poisoned();
            }
        }
    }

    fn tell_if_poisoned(&mut self) {
        if self.told || !self.session.signer.is_poisoned() {
            return;
        }
        self.told = true;
        log::error!(
            target: "tmkms::session",
            "[{}] THIS CHAIN SIGNS NO MORE until tmkms is restarted: mend the disk first", self.session.label
        );
        (self.tell)(Event::Poisoned);
    }
}

/// `Prevote:88552DEB62`: what was signed, and the first five bytes of its block's hash.
struct What<'a>(&'a SignBytes);

impl core::fmt::Display for What<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.0.slot().step {
            Step::Proposal => "Proposal:",
            Step::Prevote => "Prevote:",
            Step::Precommit => "Precommit:",
        })?;
        match self.0.block_hash() {
            Some(hash) => hash
                .iter()
                .take(5)
                .try_for_each(|byte| write!(f, "{byte:02X}")),
            None => f.write_str("<nil>"),
        }
    }
}
