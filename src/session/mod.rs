//! The loop of one connection: dial, read, answer, log, redial.
//!
//! One thread per `[[validator]]`. Nothing that the node or the network does ends it but
//! `reconnect = false`; a dead chain ends with its state, and that is the signer's to say.

mod backoff;
mod failures;

use core::time::Duration;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use backoff::Backoff;
use failures::Failures;

use crate::backend::{Any, Backend};
use crate::canon::SignBytes;
use crate::config::Address;
use crate::keys::SigningKey;
use crate::link::{self, Link, dial};
use crate::signer::{Outcome, Refusal, Reply, Signer};
use crate::store;
use crate::types::{ChainId, Height, Step};
use crate::wire;

/// One `[[validator]]`, ready to run on a thread of its own.
pub struct Session<B = Any> {
    signer: Arc<Signer<B>>,
    terms: Terms,
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
    pub fn new(signer: Arc<Signer<B>>, terms: Terms) -> Self {
        let label = format!("{}@{}", signer.chain_id(), terms.address);
        Self {
            signer,
            terms,
            label,
        }
    }

    /// The chain that this connection belongs to.
    pub fn chain_id(&self) -> &ChainId {
        self.signer.chain_id()
    }

    /// Serves the node until `reconnect = false` ends it. `tell` hears of every [`Event`] once.
    pub fn run(&self, tell: impl Fn(Event)) {
        let mut backoff = Backoff::new();
        let mut failures = Failures::new();
        let mut told = false;
        loop {
            self.follow_node();
            let dialled = dial(
                &self.terms.address,
                self.terms.identity.as_deref(),
                self.terms.timeout,
            );
            let (error, was_link) = match dialled {
                Ok(mut link) => {
                    self.say_connected(&link, &mut failures);
                    let error =
                        self.serve(&mut link, &mut backoff, &mut failures, &mut told, &tell);
                    (error, true)
                }
                Err(error) => {
                    let was_link =
                        !matches!(error, link::Error::Resolve(_) | link::Error::Connect(_));
                    (error, was_link)
                }
            };
            if let Some(line) = failures.note(&error, Instant::now()) {
                log::error!(target: "tmkms::client", "[{}] {line}", self.label);
            }
            if was_link && !self.terms.reconnect {
                let end = match error {
                    link::Error::Closed {
                        in_handshake: false,
                    } => End::Closed,
                    _ => End::Failed,
                };
                return tell(Event::Ended(end));
            }
            thread::sleep(backoff.next());
        }
    }

    /// Answers requests until the link ends, and says why it did.
    fn serve(
        &self,
        link: &mut Link,
        backoff: &mut Backoff,
        failures: &mut Failures,
        told: &mut bool,
        tell: &impl Fn(Event),
    ) -> link::Error {
        let link::Halves {
            mut requests,
            mut replies,
        } = link.halves();
        let mut reply = Reply::default();
        loop {
            let body = match requests.next() {
                Ok(body) => body,
                Err(error) => return error,
            };
            let begun = Instant::now();
            let request = match wire::decode(body) {
                Ok(request) => request,
                Err(error) => return link::Error::Decode(error),
            };
            let outcome = self
                .signer
                .answer(&request, self.terms.max_height, &mut reply);
            if let Err(error) = replies.send(reply.message()) {
                return error;
            }
            self.say(&outcome, begun.elapsed());
            if !*told
                && matches!(outcome, Outcome::Refused(Refusal::Store(_)))
                && self.signer.is_poisoned()
            {
                *told = true;
                tell(Event::Poisoned);
            }
            backoff.reset();
            failures.reset();
        }
    }

    /// As long as the node may still be signing with its own key, its state file is worth a look before
    /// each dial: a node that is started again without its key may reset it.
    fn follow_node(&self) {
        match self.signer.refresh() {
            Ok(true) => log::info!(
                target: "tmkms::session",
                "[{}] raised the watermark to what the node's own state file says", self.label
            ),
            Ok(false) => {}
            // The first signature will wait for it, and says so to the node as well.
            Err(error) => log::debug!(target: "tmkms::session", "[{}] {error}", self.label),
        }
    }

    fn say_connected(&self, link: &Link, failures: &mut Failures) {
        if !failures.connected() {
            return;
        }
        log::info!(target: "tmkms::session", "[{}] connected to validator successfully", self.label);
        if let (Some(peer), Address::Tcp { peer_id: None, .. }) = (link.peer(), &self.terms.address)
        {
            log::warn!(
                target: "tmkms::session",
                "[{}]: unverified validator peer ID! ({})", self.label, peer.node_id()
            );
        }
    }

    fn say(&self, outcome: &Outcome, took: Duration) {
        match outcome {
            Outcome::Served => {}
            Outcome::Signed(sign_bytes) => log::info!(
                target: "tmkms::session",
                "[{}] signed {} at h/r/s {} ({} ms)",
                self.label, What(sign_bytes), sign_bytes.slot(), took.as_millis()
            ),
            Outcome::Repeated(sign_bytes) => log::info!(
                target: "tmkms::session",
                "[{}] repeated {} at h/r/s {} ({} ms)",
                self.label, What(sign_bytes), sign_bytes.slot(), took.as_millis()
            ),
            Outcome::Refused(refusal @ Refusal::Store(store::Error::Poisoned)) => {
                log::debug!(target: "tmkms::session", "[{}] refused: {refusal}", self.label);
            }
            Outcome::Refused(refusal @ Refusal::Store(_)) => log::error!(
                target: "tmkms::session",
                "[{}] {refusal}. THIS CHAIN SIGNS NO MORE until tmkms is restarted: mend the disk, then restart",
                self.label
            ),
            Outcome::Refused(refusal) => {
                log::error!(target: "tmkms::session", "[{}] refused: {refusal}", self.label);
            }
        }
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

#[cfg(test)]
mod tests;
