//! The canonical messages with any value protobuf can carry, valid or not.

use super::parts::{BlockId, Timestamp};
use super::reader::{Malformed, Reader};
use super::writer::{self, Message, Sink};
use crate::types::{ChainId, Height, Round};

/// `SIGNED_MSG_TYPE_PREVOTE`.
pub const PREVOTE: i32 = 1;
/// `SIGNED_MSG_TYPE_PRECOMMIT`.
pub const PRECOMMIT: i32 = 2;
/// `SIGNED_MSG_TYPE_PROPOSAL`, the type of every canonical proposal.
pub const PROPOSAL: i32 = 32;

/// A `CanonicalVote` or `CanonicalProposal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canonical<'a> {
    /// Which of the two.
    pub shape: Shape,
    /// The height, as the message has it.
    pub height: i64,
    /// The round, as the message has it.
    pub round: i64,
    /// The block; nil is left out of the sign-bytes.
    pub block_id: BlockId<'a>,
    /// Always written.
    pub timestamp: Timestamp,
    /// The chain id, of any length.
    pub chain_id: &'a [u8],
}

/// What distinguishes a canonical vote from a canonical proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A vote of the given type, known or not.
    Vote(i32),
    /// A proposal, always of type [`PROPOSAL`].
    Proposal {
        /// The round of the proof of lock; −1 is none.
        pol_round: i64,
    },
}

impl<'a> Canonical<'a> {
    /// Reads a length prefix and the message, nothing after it. A message of type [`PROPOSAL`] is
    /// read as a proposal, every other as a vote.
    ///
    /// # Errors
    ///
    /// See [`Malformed`].
    pub fn read(sign_bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(sign_bytes);
        let body = outer.delimited()?;
        if !outer.is_empty() {
            return Err(Malformed::Trailing);
        }
        let mut kind = 0;
        let mut reader = Reader::new(body);
        while let Some(field) = reader.field()? {
            if field.number() == 1 {
                kind = field.int32()?;
            }
        }
        let mut message = Self {
            shape: Shape::Vote(kind),
            height: 0,
            round: 0,
            block_id: BlockId::default(),
            timestamp: Timestamp::default(),
            chain_id: &[],
        };
        if kind == PROPOSAL {
            message.read_proposal(body)?;
        } else {
            message.read_vote(body)?;
        }
        Ok(message)
    }

    fn read_vote(&mut self, body: &'a [u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(body);
        while let Some(field) = reader.field()? {
            match field.number() {
                2 => self.height = field.sfixed64()?,
                3 => self.round = field.sfixed64()?,
                4 => self.block_id.merge(field.bytes()?)?,
                5 => self.timestamp = Timestamp::read(field.bytes()?)?,
                6 => self.chain_id = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_proposal(&mut self, body: &'a [u8]) -> Result<(), Malformed> {
        let mut pol_round = 0;
        let mut reader = Reader::new(body);
        while let Some(field) = reader.field()? {
            match field.number() {
                2 => self.height = field.sfixed64()?,
                3 => self.round = field.sfixed64()?,
                4 => pol_round = field.int64()?,
                5 => self.block_id.merge(field.bytes()?)?,
                6 => self.timestamp = Timestamp::read(field.bytes()?)?,
                7 => self.chain_id = field.bytes()?,
                _ => {}
            }
        }
        self.shape = Shape::Proposal { pol_round };
        Ok(())
    }

    /// Writes what comes before the timestamp.
    pub(super) fn write_head(&self, out: &mut impl Sink) {
        let (kind, pol_round) = match self.shape {
            Shape::Vote(kind) => (kind, None),
            Shape::Proposal { pol_round } => (PROPOSAL, Some(pol_round)),
        };
        writer::int(out, 1, i64::from(kind));
        writer::sfixed64(out, 2, self.height);
        writer::sfixed64(out, 3, self.round);
        if let Some(pol_round) = pol_round {
            writer::int(out, 4, pol_round);
        }
        if !self.block_id.is_nil() {
            writer::message(out, self.numbers().0, &self.block_id);
        }
    }

    /// Writes the timestamp, whatever it is.
    pub(super) fn write_timestamp(&self, out: &mut impl Sink) {
        writer::message(out, self.numbers().1, &self.timestamp);
    }

    /// Writes what comes after the timestamp.
    pub(super) fn write_tail(&self, out: &mut impl Sink) {
        writer::bytes(out, self.numbers().2, self.chain_id);
    }

    /// The numbers of block id, timestamp and chain id.
    const fn numbers(&self) -> (u8, u8, u8) {
        match self.shape {
            Shape::Vote(_) => (4, 5, 6),
            Shape::Proposal { .. } => (5, 6, 7),
        }
    }
}

impl Message for Canonical<'_> {
    fn write(&self, out: &mut impl Sink) {
        self.write_head(out);
        self.write_timestamp(out);
        self.write_tail(out);
    }
}

/// A `CanonicalVoteExtension`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What the application adds to its vote, of any length.
    pub extension: &'a [u8],
    /// The height of the vote.
    pub height: i64,
    /// The round of the vote.
    pub round: i64,
    /// The chain id, of any length.
    pub chain_id: &'a [u8],
}

impl Message for Extension<'_> {
    fn write(&self, out: &mut impl Sink) {
        writer::bytes(out, 1, self.extension);
        writer::sfixed64(out, 2, self.height);
        writer::sfixed64(out, 3, self.round);
        writer::bytes(out, 4, self.chain_id);
    }
}

/// Puts the sign-bytes of a vote extension into `out`, in place of what was there.
///
/// A vote for a block has an extension even where it is empty.
pub fn extension(
    out: &mut Vec<u8>,
    chain_id: &ChainId,
    height: Height,
    round: Round,
    extension: &[u8],
) {
    out.clear();
    let message = Extension {
        extension,
        height: height.get(),
        round: i64::from(round.get()),
        chain_id: chain_id.as_bytes(),
    };
    writer::delimited(out, &message);
}
