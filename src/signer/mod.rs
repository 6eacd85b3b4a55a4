//! One chain: judge, commit, sign, answer.
//!
//! The three are one critical section under one mutex, shared by every connection to the chain. Two
//! nodes that ask for one slot at the same moment get one signature between them.

mod refusal;

use core::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

pub use refusal::Refusal;

use crate::backend::{Any, Backend};
use crate::canon::SignBytes;
use crate::guard::Verdict;
use crate::store::{RefreshError, Store};
use crate::types::{self, ChainId, Height, PublicKey, Signature, VoteKind};
use crate::wire::{self, Request, Response};

/// What a chain does about the extensions of precommits that ask for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extensions {
    /// Signs them, empty ones included: what nodes of v0.38 and later need.
    Sign,
    /// Signs them, but leaves empty ones unsigned: of a backend that signs none.
    SkipEmpty,
    /// Leaves them unsigned.
    Skip,
}

/// One chain's signer, shared by the connections to its nodes.
pub struct Signer<B = Any> {
    chain_id: ChainId,
    public_key: PublicKey,
    extensions: Extensions,
    /// `None` once it was stopped.
    turn: Mutex<Option<Turn<B>>>,
}

/// What only one request at a time may touch.
struct Turn<B> {
    store: Store,
    backend: B,
    /// The watermark's signature, so that a replay needs no device.
    last: Option<(SignBytes, Signature)>,
    extension: Vec<u8>,
}

/// A connection's buffers, reused from request to request.
#[derive(Debug, Default)]
pub struct Reply {
    message: Vec<u8>,
    text: String,
}

/// What became of a request, for the log line that follows the reply.
#[derive(Debug)]
pub enum Outcome {
    /// A ping, or the public key: nothing to say.
    Served,
    /// A vote or a proposal was signed.
    Signed(SignBytes),
    /// A vote or a proposal was signed before, and the node got that signature again.
    Repeated(SignBytes),
    /// The node got an error in the reply that belongs to its request.
    Refused(Refusal),
}

impl Extensions {
    const fn include(self, extension: &[u8]) -> bool {
        match self {
            Self::Sign => true,
            Self::SkipEmpty => !extension.is_empty(),
            Self::Skip => false,
        }
    }
}

impl<B: Backend> Signer<B> {
    /// Puts a chain's open state and its key together. The store must have been made for this key.
    pub fn new(store: Store, backend: B, extensions: Extensions) -> Self {
        Self {
            chain_id: *store.chain_id(),
            public_key: *store.public_key(),
            extensions,
            turn: Mutex::new(Some(Turn {
                store,
                backend,
                last: None,
                extension: Vec::new(),
            })),
        }
    }

    /// The chain that is signed for.
    pub fn chain_id(&self) -> &ChainId {
        &self.chain_id
    }

    /// The key that is signed with.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether the chain's state can no longer be written, so that it signs no more.
    pub fn is_poisoned(&self) -> bool {
        self.turn.lock().map_or(true, |turn| {
            turn.as_ref().is_some_and(|turn| turn.store.is_poisoned())
        })
    }

    /// Ends the chain: waits for the signature under way, closes the state and drops the key, which wipes
    /// it. What is asked for afterwards is refused.
    pub fn stop(&self) {
        // A thread that ended in the middle of a signature has left the key behind.
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        *turn = None;
    }

    /// Follows the node's own state file for as long as the node may still be signing by itself.
    ///
    /// # Errors
    ///
    /// See [`Store::refresh`].
    pub fn refresh(&self) -> Result<bool, RefreshError> {
        match self.turn.lock() {
            Ok(mut turn) => turn.as_mut().map_or(Ok(false), |turn| turn.store.refresh()),
            Err(_) => Ok(false),
        }
    }

    /// Answers one request into `reply`, and says what became of it.
    pub fn answer(
        &self,
        request: &Request<'_>,
        max_height: Option<Height>,
        reply: &mut Reply,
    ) -> Outcome {
        match self.fulfil(request, max_height, &mut reply.message) {
            Ok(outcome) => outcome,
            Err(refusal) => {
                reply.text.clear();
                // Writing to a String cannot fail.
                let _ = write!(reply.text, "{refusal}");
                let refused = request.refuse(wire::Refusal {
                    code: refusal.code(),
                    description: &reply.text,
                });
                wire::encode(&refused, &mut reply.message);
                Outcome::Refused(refusal)
            }
        }
    }

    fn fulfil(
        &self,
        request: &Request<'_>,
        max_height: Option<Height>,
        message: &mut Vec<u8>,
    ) -> Result<Outcome, Refusal> {
        match request {
            Request::Ping => {
                wire::encode(&Response::Ping, message);
                Ok(Outcome::Served)
            }
            Request::PubKey { chain_id } => {
                // Nodes before v0.37 may leave it out.
                if !chain_id.is_empty() {
                    self.check_chain(chain_id)?;
                }
                wire::encode(&Response::PubKey(self.public_key), message);
                Ok(Outcome::Served)
            }
            Request::SignVote {
                vote,
                chain_id,
                skip_extension_signing,
            } => {
                let extension = (!skip_extension_signing).then_some(vote.extension);
                let signed = self.vote(vote, chain_id, extension, max_height)?;
                let response = Response::Vote {
                    request: vote,
                    timestamp: signed.sign_bytes.timestamp(),
                    signature: &signed.signature,
                    extension_signature: signed.extension.as_ref(),
                };
                wire::encode(&response, message);
                Ok(signed.outcome())
            }
            Request::SignProposal { proposal, chain_id } => {
                let signed = self.proposal(proposal, chain_id, max_height)?;
                let response = Response::Proposal {
                    request: proposal,
                    timestamp: signed.sign_bytes.timestamp(),
                    signature: &signed.signature,
                };
                wire::encode(&response, message);
                Ok(signed.outcome())
            }
            Request::RawBytes => Err(Refusal::RawBytes),
        }
    }

    fn vote(
        &self,
        request: &wire::Vote<'_>,
        chain_id: &[u8],
        extension: Option<&[u8]>,
        max_height: Option<Height>,
    ) -> Result<Signed, Refusal> {
        self.check_chain(chain_id)?;
        let vote = types::Vote::try_from(request).map_err(Refusal::BadValue)?;
        check_height(vote.height, max_height)?;
        let extended = vote.kind == VoteKind::Precommit && vote.block_id.is_some();
        if !extended && extension.is_some_and(|bytes| !bytes.is_empty()) {
            return Err(Refusal::UnexpectedExtension);
        }
        let sign_bytes = SignBytes::vote(&self.chain_id, &vote);
        let extension =
            extension.filter(|extension| extended && self.extensions.include(extension));
        self.sign(&sign_bytes, extension)
    }

    fn proposal(
        &self,
        request: &wire::Proposal<'_>,
        chain_id: &[u8],
        max_height: Option<Height>,
    ) -> Result<Signed, Refusal> {
        self.check_chain(chain_id)?;
        let proposal = types::Proposal::try_from(request).map_err(Refusal::BadValue)?;
        check_height(proposal.height, max_height)?;
        self.sign(&SignBytes::proposal(&self.chain_id, &proposal), None)
    }

    fn check_chain(&self, asked: &[u8]) -> Result<(), Refusal> {
        if asked == self.chain_id.as_bytes() {
            Ok(())
        } else {
            Err(Refusal::OtherChain(self.chain_id))
        }
    }

    /// The critical section. Nothing that may take long but the disk and the device is in it.
    fn sign(&self, request: &SignBytes, extension: Option<&[u8]>) -> Result<Signed, Refusal> {
        let mut turn = self.turn.lock().map_err(|_| Refusal::Broken)?;
        let turn = turn.as_mut().ok_or(Refusal::Stopped)?;
        // Does nothing once a first slot was signed.
        let _ = turn.store.refresh().map_err(Refusal::Refresh)?;
        let (committed, repeated) = match turn.store.judge(*request).map_err(Refusal::Guard)? {
            Verdict::Permit(permit) => (turn.store.commit(permit).map_err(Refusal::Store)?, false),
            Verdict::Replay(replay) => (turn.store.recall(&replay).map_err(Refusal::Store)?, true),
        };
        let extension = extension.and_then(|bytes| committed.extension(bytes, &mut turn.extension));
        let known = turn
            .last
            .as_ref()
            .filter(|last| last.0 == *committed.sign_bytes());
        let (signature, extension) = match (known, extension) {
            (Some(last), None) => (last.1, None),
            (Some(last), Some(extension)) => (
                last.1,
                Some(
                    turn.backend
                        .sign_extension(&extension)
                        .map_err(Refusal::Backend)?,
                ),
            ),
            (None, None) => (
                turn.backend.sign(&committed).map_err(Refusal::Backend)?,
                None,
            ),
            (None, Some(extension)) => {
                let (signature, extension) = turn
                    .backend
                    .sign_both(&committed, &extension)
                    .map_err(Refusal::Backend)?;
                (signature, Some(extension))
            }
        };
        turn.last = Some((*committed.sign_bytes(), signature));
        turn.extension.shrink_to(EXTENSION_KEPT_LEN);
        Ok(Signed {
            sign_bytes: *committed.sign_bytes(),
            signature,
            extension,
            repeated,
        })
    }
}

/// How much memory for extensions is kept between requests, in bytes. Most chains have none, or small ones.
const EXTENSION_KEPT_LEN: usize = 16 * 1024;

struct Signed {
    sign_bytes: SignBytes,
    signature: Signature,
    extension: Option<Signature>,
    repeated: bool,
}

impl Signed {
    fn outcome(self) -> Outcome {
        if self.repeated {
            Outcome::Repeated(self.sign_bytes)
        } else {
            Outcome::Signed(self.sign_bytes)
        }
    }
}

impl Reply {
    /// The encoded reply, length prefix included.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }
}

fn check_height(height: Height, max_height: Option<Height>) -> Result<(), Refusal> {
    match max_height {
        Some(max) if height > max => Err(Refusal::AboveMaxHeight { height, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
