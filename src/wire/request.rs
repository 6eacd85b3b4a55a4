//! What a node asks.

use super::{DecodeError, Proposal, Refusal, Response, Vote};
use crate::canon::reader::{Malformed, Reader};

/// A request, borrowed from the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Which key signs for the chain?
    PubKey {
        /// The chain id; older nodes leave it empty.
        chain_id: &'a [u8],
    },
    /// A vote to sign.
    SignVote {
        /// The vote; an absent one is Go's zero vote, which is never signed.
        vote: Vote<'a>,
        /// The chain it belongs to.
        chain_id: &'a [u8],
        /// v1 and v2 nodes: sign the vote, not its extension.
        skip_extension_signing: bool,
    },
    /// A proposal to sign.
    SignProposal {
        /// The proposal; an absent one is Go's zero proposal, which is never signed.
        proposal: Proposal<'a>,
        /// The chain it belongs to.
        chain_id: &'a [u8],
    },
    /// Are you there?
    Ping,
    /// Bytes to sign as they are: a v1 or v2 node's `SignBytesRequest` or a Celestia node's
    /// `SignRawBytesRequest`, which share a tag and nothing else. Not looked into.
    RawBytes,
}

/// Decodes one message, without its length prefix.
///
/// # Errors
///
/// See [`DecodeError`]; the connection is of no more use.
pub fn decode(body: &[u8]) -> Result<Request<'_>, DecodeError> {
    let mut request = Err(DecodeError::Empty);
    let mut reader = Reader::new(body);
    while let Some(field) = reader.field()? {
        request = match field.number() {
            1 => Ok(pub_key(field.bytes()?)?),
            3 => Ok(sign_vote(field.bytes()?)?),
            5 => Ok(sign_proposal(field.bytes()?)?),
            7 => Ok(ping(field.bytes()?)?),
            9 => field.bytes().map(|_| Ok(Request::RawBytes))?,
            tag @ (2 | 4 | 6 | 8 | 10) => return Err(DecodeError::Reply { tag }),
            tag => request.or(Err(DecodeError::Unknown { tag })),
        };
    }
    request
}

impl Request<'_> {
    /// A refusal in the reply that belongs to the request. A ping cannot be refused.
    #[must_use]
    pub const fn refuse<'r>(&self, refusal: Refusal<'r>) -> Response<'r> {
        match self {
            Self::PubKey { .. } => Response::PubKeyError(refusal),
            Self::SignVote { .. } => Response::VoteError(refusal),
            Self::SignProposal { .. } => Response::ProposalError(refusal),
            Self::RawBytes => Response::RawBytesError(refusal),
            Self::Ping => Response::Ping,
        }
    }
}

fn pub_key(message: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut chain_id: &[u8] = &[];
    let mut reader = Reader::new(message);
    while let Some(field) = reader.field()? {
        if field.number() == 1 {
            chain_id = field.bytes()?;
        }
    }
    Ok(Request::PubKey { chain_id })
}

fn sign_vote(message: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut vote = Vote::default();
    let mut chain_id: &[u8] = &[];
    let mut skip_extension_signing = false;
    let mut reader = Reader::new(message);
    while let Some(field) = reader.field()? {
        match field.number() {
            1 => vote.merge(field.bytes()?)?,
            2 => chain_id = field.bytes()?,
            3 => skip_extension_signing = field.varint()? != 0,
            _ => {}
        }
    }
    Ok(Request::SignVote {
        vote,
        chain_id,
        skip_extension_signing,
    })
}

fn sign_proposal(message: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut proposal = Proposal::default();
    let mut chain_id: &[u8] = &[];
    let mut reader = Reader::new(message);
    while let Some(field) = reader.field()? {
        match field.number() {
            1 => proposal.merge(field.bytes()?)?,
            2 => chain_id = field.bytes()?,
            _ => {}
        }
    }
    Ok(Request::SignProposal { proposal, chain_id })
}

fn ping(message: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut reader = Reader::new(message);
    while reader.field()?.is_some() {}
    Ok(Request::Ping)
}
