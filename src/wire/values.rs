//! Votes and proposals as they arrive, and the step from there to what may be signed.

use core::fmt;

use crate::canon::message::{PRECOMMIT, PREVOTE};
use crate::canon::parts::{BlockId, Timestamp};
use crate::canon::reader::{Malformed, Reader};
use crate::types::{self, Height, Round, VoteKind};

/// The longest validator address in bytes: `AddressSize` of CometBFT's `crypto/crypto.go`. An
/// unlimited one would let a request make its reply longer than the node reads.
const ADDRESS_MAX_LEN: usize = 20;

/// A `Vote` with any value; the default is Go's zero vote. Its signatures are of no use here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vote<'a> {
    /// `type`: 1 is a prevote, 2 a precommit.
    pub kind: i32,
    /// The height voted at.
    pub height: i64,
    /// The round voted in.
    pub round: i32,
    /// The block voted for.
    pub block_id: BlockId<'a>,
    /// When the vote was cast.
    pub timestamp: Timestamp,
    /// The validator's address; echoed, not signed.
    pub validator_address: &'a [u8],
    /// The validator's place in its set; echoed, not signed.
    pub validator_index: i32,
    /// What the application adds; signed on its own, not echoed.
    pub extension: &'a [u8],
}

/// A `Proposal` with any value; the default is Go's zero proposal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// `type`: echoed; what is signed always says 32.
    pub kind: i32,
    /// The height proposed at.
    pub height: i64,
    /// The round proposed in.
    pub round: i32,
    /// The round of the proof of lock; −1 is none.
    pub pol_round: i32,
    /// The block proposed.
    pub block_id: BlockId<'a>,
    /// When the proposal was made.
    pub timestamp: Timestamp,
}

/// A value that no honest node sends, for which the request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadValue {
    /// A vote that is neither prevote nor precommit.
    VoteType(i32),
    /// A height below 1.
    Height(i64),
    /// A negative round.
    Round(i32),
    /// A proof-of-lock round below −1.
    PolRound(i32),
    /// A block id that is neither nil nor complete.
    BlockId {
        /// Bytes of the hash.
        hash_len: usize,
        /// Number of parts.
        total: u32,
        /// Bytes of the hash over the parts.
        parts_hash_len: usize,
    },
    /// A proposal without a block.
    NoBlock,
    /// A timestamp outside the years 1 to 9999.
    Timestamp {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds on top of them.
        nanos: i32,
    },
    /// A validator address of so many bytes.
    AddressLen(usize),
}

impl<'a> Vote<'a> {
    /// Reads fields on top of what is there already.
    pub(super) fn merge(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(message);
        while let Some(field) = reader.field()? {
            match field.number() {
                1 => self.kind = field.int32()?,
                2 => self.height = field.int64()?,
                3 => self.round = field.int32()?,
                4 => self.block_id.merge(field.bytes()?)?,
                5 => self.timestamp = Timestamp::read(field.bytes()?)?,
                6 => self.validator_address = field.bytes()?,
                7 => self.validator_index = field.int32()?,
                8 | 10 => drop(field.bytes()?),
                9 => self.extension = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> Proposal<'a> {
    /// Reads fields on top of what is there already.
    pub(super) fn merge(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(message);
        while let Some(field) = reader.field()? {
            match field.number() {
                1 => self.kind = field.int32()?,
                2 => self.height = field.int64()?,
                3 => self.round = field.int32()?,
                4 => self.pol_round = field.int32()?,
                5 => self.block_id.merge(field.bytes()?)?,
                6 => self.timestamp = Timestamp::read(field.bytes()?)?,
                7 => drop(field.bytes()?),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> TryFrom<&Vote<'a>> for types::Vote<'a> {
    type Error = BadValue;

    fn try_from(vote: &Vote<'a>) -> Result<Self, BadValue> {
        if vote.validator_address.len() > ADDRESS_MAX_LEN {
            return Err(BadValue::AddressLen(vote.validator_address.len()));
        }
        Ok(Self {
            kind: match vote.kind {
                PREVOTE => VoteKind::Prevote,
                PRECOMMIT => VoteKind::Precommit,
                other => return Err(BadValue::VoteType(other)),
            },
            height: height(vote.height)?,
            round: round(vote.round)?,
            block_id: block_id(&vote.block_id)?,
            timestamp: timestamp(vote.timestamp)?,
        })
    }
}

impl<'a> TryFrom<&Proposal<'a>> for types::Proposal<'a> {
    type Error = BadValue;

    fn try_from(proposal: &Proposal<'a>) -> Result<Self, BadValue> {
        Ok(Self {
            height: height(proposal.height)?,
            round: round(proposal.round)?,
            pol_round: match proposal.pol_round {
                -1 => None,
                other => Some(Round::new(other).ok_or(BadValue::PolRound(other))?),
            },
            block_id: block_id(&proposal.block_id)?.ok_or(BadValue::NoBlock)?,
            timestamp: timestamp(proposal.timestamp)?,
        })
    }
}

fn height(value: i64) -> Result<Height, BadValue> {
    Height::new(value).ok_or(BadValue::Height(value))
}

fn round(value: i32) -> Result<Round, BadValue> {
    Round::new(value).ok_or(BadValue::Round(value))
}

fn block_id<'a>(id: &BlockId<'a>) -> Result<Option<types::BlockId<'a>>, BadValue> {
    if id.is_nil() {
        return Ok(None);
    }
    id.complete().map(Some).ok_or(BadValue::BlockId {
        hash_len: id.hash.len(),
        total: id.total,
        parts_hash_len: id.parts_hash.len(),
    })
}

fn timestamp(value: Timestamp) -> Result<types::Timestamp, BadValue> {
    value.valid().ok_or(BadValue::Timestamp {
        seconds: value.seconds,
        nanos: value.nanos,
    })
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VoteType(kind) => {
                write!(f, "vote type {kind}: must be 1 (prevote) or 2 (precommit)")
            }
            Self::Height(height) => write!(f, "height {height}: must be 1 or more"),
            Self::Round(round) => write!(f, "round {round}: must be 0 or more"),
            Self::PolRound(round) => write!(f, "pol_round {round}: must be -1 or more"),
            Self::BlockId {
                hash_len,
                total,
                parts_hash_len,
            } => write!(
                f,
                "block id is incomplete: hash of {hash_len} bytes, {total} parts, parts hash of {parts_hash_len} bytes: must be 32, 1 or more, 32"
            ),
            Self::NoBlock => f.write_str("block id is nil: a proposal must have one"),
            Self::Timestamp { seconds, nanos } => write!(
                f,
                "timestamp of {seconds} s and {nanos} ns since 1970: must lie in the years 1 to 9999"
            ),
            Self::AddressLen(len) => write!(
                f,
                "validator address of {len} bytes: must be {ADDRESS_MAX_LEN} or fewer"
            ),
        }
    }
}

impl core::error::Error for BadValue {}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 32] = [7; 32];
    const FULL: BlockId<'_> = BlockId {
        hash: &HASH,
        total: 1,
        parts_hash: &HASH,
    };

    fn vote() -> Vote<'static> {
        Vote {
            kind: 2,
            height: 1,
            block_id: FULL,
            ..Vote::default()
        }
    }

    fn proposal() -> Proposal<'static> {
        Proposal {
            height: 1,
            block_id: FULL,
            ..Proposal::default()
        }
    }

    #[test]
    fn good_values_become_closed() {
        let closed = types::Vote::try_from(&vote()).unwrap();
        assert_eq!(closed.kind, VoteKind::Precommit);
        assert_eq!(closed.timestamp, types::Timestamp::GO_ZERO);
        assert_eq!(closed.block_id.unwrap().hash, &HASH);
        let closed = types::Proposal::try_from(&proposal()).unwrap();
        assert_eq!(closed.pol_round, Some(Round::ZERO));
    }

    #[test]
    fn bad_votes_are_refused_with_field_value_and_what_is_allowed() {
        let of = |change: fn(&mut Vote<'static>)| {
            let mut vote = vote();
            change(&mut vote);
            types::Vote::try_from(&vote).unwrap_err().to_string()
        };
        for (said, expected) in [
            (
                of(|it| it.kind = 0),
                "vote type 0: must be 1 (prevote) or 2 (precommit)",
            ),
            (
                of(|it| it.kind = 32),
                "vote type 32: must be 1 (prevote) or 2 (precommit)",
            ),
            (of(|it| it.height = 0), "height 0: must be 1 or more"),
            (
                of(|it| it.height = i64::MIN),
                "height -9223372036854775808: must be 1 or more",
            ),
            (of(|it| it.round = -1), "round -1: must be 0 or more"),
            (
                of(|it| it.block_id.hash = &[]),
                "block id is incomplete: hash of 0 bytes, 1 parts, parts hash of 32 bytes: must be 32, 1 or more, 32",
            ),
            (
                of(|it| it.block_id.total = 0),
                "block id is incomplete: hash of 32 bytes, 0 parts, parts hash of 32 bytes: must be 32, 1 or more, 32",
            ),
            (
                of(|it| it.block_id.parts_hash = &HASH[..31]),
                "block id is incomplete: hash of 32 bytes, 1 parts, parts hash of 31 bytes: must be 32, 1 or more, 32",
            ),
            (
                of(|it| it.timestamp.nanos = 1_000_000_000),
                "timestamp of -62135596800 s and 1000000000 ns since 1970: must lie in the years 1 to 9999",
            ),
            (
                of(|it| it.timestamp.seconds = i64::MAX),
                "timestamp of 9223372036854775807 s and 0 ns since 1970: must lie in the years 1 to 9999",
            ),
            (
                of(|it| it.validator_address = &HASH[..21]),
                "validator address of 21 bytes: must be 20 or fewer",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn bad_proposals_are_refused() {
        let of = |change: fn(&mut Proposal<'static>)| {
            let mut proposal = proposal();
            change(&mut proposal);
            types::Proposal::try_from(&proposal)
        };
        assert_eq!(of(|it| it.height = -1), Err(BadValue::Height(-1)));
        assert_eq!(of(|it| it.round = -7), Err(BadValue::Round(-7)));
        assert_eq!(of(|it| it.pol_round = -2), Err(BadValue::PolRound(-2)));
        assert_eq!(
            of(|it| it.block_id = BlockId::default()),
            Err(BadValue::NoBlock)
        );
        assert!(of(|it| it.pol_round = -1).unwrap().pol_round.is_none());
        assert!(of(|it| it.kind = 99).is_ok());
    }

    #[test]
    fn an_absent_vote_or_proposal_is_refused() {
        assert_eq!(
            types::Vote::try_from(&Vote::default()),
            Err(BadValue::VoteType(0))
        );
        assert_eq!(
            types::Proposal::try_from(&Proposal::default()),
            Err(BadValue::Height(0))
        );
    }
}
