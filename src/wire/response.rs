//! What the signer answers.

use super::{Proposal, Vote};
use crate::canon::writer::{self, Message, Sink};
use crate::types::{PublicKey, Signature, Timestamp};

/// The longest description of a refusal in bytes; the rest is cut off. A node reads replies of up to
/// 10,240 bytes (`privval/signer_endpoint.go`).
pub const DESCRIPTION_MAX_LEN: usize = 1024;

/// A reply.
#[derive(Debug, Clone, Copy)]
pub enum Response<'a> {
    /// The consensus key, in the form that nodes of every version read.
    PubKey(PublicKey),
    /// A signed vote: what was asked, without its extension, and the signatures.
    Vote {
        /// The vote as it was asked for.
        request: &'a Vote<'a>,
        /// The timestamp that was signed, which may be that of an earlier vote.
        timestamp: Timestamp,
        /// Over the vote.
        signature: &'a Signature,
        /// Over the extension, where there is one to sign.
        extension_signature: Option<&'a Signature>,
    },
    /// A signed proposal.
    Proposal {
        /// The proposal as it was asked for.
        request: &'a Proposal<'a>,
        /// The timestamp that was signed.
        timestamp: Timestamp,
        /// Over the proposal.
        signature: &'a Signature,
    },
    /// Here I am.
    Ping,
    /// Refuses to name a key.
    PubKeyError(Refusal<'a>),
    /// Refuses to sign a vote.
    VoteError(Refusal<'a>),
    /// Refuses to sign a proposal.
    ProposalError(Refusal<'a>),
    /// Refuses to sign raw bytes.
    RawBytesError(Refusal<'a>),
}

/// A `RemoteSignerError`. That it is there makes the reply a refusal, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// For people only: nodes log it.
    pub code: i32,
    /// For people only; cut to [`DESCRIPTION_MAX_LEN`] bytes.
    pub description: &'a str,
}

/// Puts the reply with its length prefix into `out`, in place of what was there.
pub fn encode(response: &Response<'_>, out: &mut Vec<u8>) {
    out.clear();
    writer::delimited(out, response);
}

impl Message for Response<'_> {
    fn write(&self, out: &mut impl Sink) {
        match self {
            Self::PubKey(key) => writer::message(out, 2, key),
            Self::Vote {
                request,
                timestamp,
                signature,
                extension_signature,
            } => {
                let signed = SignedVote {
                    vote: Vote {
                        timestamp: (*timestamp).into(),
                        ..**request
                    },
                    signature: &signature.0,
                    extension_signature: extension_signature.map_or(&[], |it| &it.0),
                };
                writer::message(out, 4, &Answer(&signed, None));
            }
            Self::Proposal {
                request,
                timestamp,
                signature,
            } => {
                let signed = SignedProposal {
                    proposal: Proposal {
                        timestamp: (*timestamp).into(),
                        ..**request
                    },
                    signature: &signature.0,
                };
                writer::message(out, 6, &Answer(&signed, None));
            }
            Self::Ping => writer::message(out, 8, &Empty),
            // Go writes the zero value of what is missing, and so do we.
            Self::PubKeyError(refusal) => {
                writer::message(out, 2, &Answer(&Empty, Some(*refusal)));
            }
            Self::VoteError(refusal) => {
                let zero = SignedVote::default();
                writer::message(out, 4, &Answer(&zero, Some(*refusal)));
            }
            Self::ProposalError(refusal) => {
                let zero = SignedProposal::default();
                writer::message(out, 6, &Answer(&zero, Some(*refusal)));
            }
            Self::RawBytesError(refusal) => writer::message(out, 10, &RawBytes(*refusal)),
        }
    }
}

struct Empty;

impl Message for Empty {
    fn write(&self, _: &mut impl Sink) {}
}

/// A `PubKeyResponse` with a key: field 1 for nodes up to v0.40, 3 and 4 for v1 and v2, which skip
/// what they do not know.
impl Message for PublicKey {
    fn write(&self, out: &mut impl Sink) {
        writer::message(out, 1, &Ed25519(&self.0));
        writer::bytes(out, 3, &self.0);
        writer::bytes(out, 4, b"ed25519");
    }
}

/// The `PublicKey` of `crypto/keys.proto`.
struct Ed25519<'a>(&'a [u8]);

impl Message for Ed25519<'_> {
    fn write(&self, out: &mut impl Sink) {
        writer::bytes(out, 1, self.0);
    }
}

/// What a reply holds: the answer in field 1, always, and a refusal in field 2.
struct Answer<'a, M>(&'a M, Option<Refusal<'a>>);

impl<M: Message> Message for Answer<'_, M> {
    fn write(&self, out: &mut impl Sink) {
        writer::message(out, 1, self.0);
        if let Some(refusal) = &self.1 {
            writer::message(out, 2, refusal);
        }
    }
}

/// A `SignBytesResponse` or `SignedRawBytesResponse` with no signature, in which the two agree.
struct RawBytes<'a>(Refusal<'a>);

impl Message for RawBytes<'_> {
    fn write(&self, out: &mut impl Sink) {
        writer::message(out, 2, &self.0);
    }
}

impl Message for Refusal<'_> {
    fn write(&self, out: &mut impl Sink) {
        let len = self.description.floor_char_boundary(DESCRIPTION_MAX_LEN);
        let description = self.description.get(..len).unwrap_or_default();
        writer::int(out, 1, i64::from(self.code));
        writer::bytes(out, 2, description.as_bytes());
    }
}

#[derive(Default)]
struct SignedVote<'a> {
    vote: Vote<'a>,
    signature: &'a [u8],
    extension_signature: &'a [u8],
}

impl Message for SignedVote<'_> {
    fn write(&self, out: &mut impl Sink) {
        let vote = &self.vote;
        writer::int(out, 1, i64::from(vote.kind));
        writer::int(out, 2, vote.height);
        writer::int(out, 3, i64::from(vote.round));
        writer::message(out, 4, &vote.block_id);
        writer::message(out, 5, &vote.timestamp);
        writer::bytes(out, 6, vote.validator_address);
        writer::int(out, 7, i64::from(vote.validator_index));
        writer::bytes(out, 8, self.signature);
        writer::bytes(out, 10, self.extension_signature);
    }
}

#[derive(Default)]
struct SignedProposal<'a> {
    proposal: Proposal<'a>,
    signature: &'a [u8],
}

impl Message for SignedProposal<'_> {
    fn write(&self, out: &mut impl Sink) {
        let proposal = &self.proposal;
        writer::int(out, 1, i64::from(proposal.kind));
        writer::int(out, 2, proposal.height);
        writer::int(out, 3, i64::from(proposal.round));
        writer::int(out, 4, i64::from(proposal.pol_round));
        writer::message(out, 5, &proposal.block_id);
        writer::message(out, 6, &proposal.timestamp);
        writer::bytes(out, 7, self.signature);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Request, frame_len};

    fn described(description: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let refusal = Refusal {
            code: 0,
            description,
        };
        encode(&Response::RawBytesError(refusal), &mut out);
        out
    }

    #[test]
    fn a_long_description_is_cut_between_characters() {
        let longest = "x".repeat(DESCRIPTION_MAX_LEN);
        assert_eq!(described(&format!("{longest}y")), described(&longest));
        let cut = "x".repeat(DESCRIPTION_MAX_LEN - 1);
        assert_eq!(described(&format!("{cut}κ")), described(&cut));
    }

    #[test]
    fn a_reused_buffer_does_not_grow() {
        let (mut vote, signature) = (Vote::default(), Signature([7; 64]));
        vote.validator_address = &[1; 20];
        let response = Response::Vote {
            request: &vote,
            timestamp: Timestamp::GO_ZERO,
            signature: &signature,
            extension_signature: Some(&signature),
        };
        let mut out = Vec::with_capacity(512);
        let room = out.capacity();
        for _ in 0..3 {
            encode(&response, &mut out);
        }
        assert_eq!(out.capacity(), room);
        let prefix = frame_len(&out).unwrap().unwrap();
        assert_eq!(out.len(), prefix.prefix_len + prefix.body_len);
    }

    #[test]
    fn a_refusal_comes_in_the_reply_that_belongs_to_the_request() {
        let refusal = Refusal {
            code: 1,
            description: "no",
        };
        let vote = Request::SignVote {
            vote: Vote::default(),
            chain_id: b"",
            skip_extension_signing: false,
        };
        let proposal = Request::SignProposal {
            proposal: Proposal::default(),
            chain_id: b"",
        };
        let mut out = Vec::new();
        for (request, tag) in [
            (Request::PubKey { chain_id: b"" }, 0x12),
            (vote, 0x22),
            (proposal, 0x32),
            (Request::Ping, 0x42),
            (Request::RawBytes, 0x52),
        ] {
            encode(&request.refuse(refusal), &mut out);
            assert_eq!(out[1], tag);
        }
    }
}
