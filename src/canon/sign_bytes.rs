//! The sign-bytes of a vote or a proposal that may be signed.

use core::fmt;

use super::message::{Canonical, PRECOMMIT, PREVOTE, Shape};
use super::parts::BlockId;
use super::reader::Malformed;
use super::writer::{self, Sink};
use crate::types::{self, ChainId, Height, Proposal, Round, Slot, Step, Timestamp, Vote, VoteKind};

/// The longest sign-bytes of a vote or a proposal: a proposal without proof of lock.
///
/// ```text
///  prefix      2                     type   2
///  height      9                     round  9
///  pol_round  11   −1 takes ten bytes
///  block id   78   2 + hash 34 + parts (2 + total 6 + hash 34)
///  timestamp  19   2 + seconds 11, a year before 1970 + nanos 6
///  chain id   52   2 + 50
/// ```
pub const MAX_LEN: usize = 2 + 2 + 9 + 9 + 11 + 78 + 19 + 52;

/// The sign-bytes of a vote or a proposal, and what stands in them.
///
/// Held inline: making them allocates nothing. Two are equal if their bytes are, since everything
/// else follows from those.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignBytes {
    buffer: Buffer,
    /// Where the head, the timestamp and the tail begin.
    head: usize,
    stamp: usize,
    tail: usize,
    slot: Slot,
    timestamp: Timestamp,
    block_hash: Option<[u8; 32]>,
}

/// Why bytes are not the sign-bytes of a vote or proposal that may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// No length prefix and protobuf message of the right size.
    Malformed(Malformed),
    /// A type, height, round, block id, timestamp or chain id that is never signed.
    Value,
    /// The right values, encoded in another way than CometBFT does.
    Encoding,
}

impl SignBytes {
    /// The sign-bytes of a vote.
    #[must_use]
    pub fn vote(chain_id: &ChainId, vote: &Vote<'_>) -> Self {
        let (kind, step) = match vote.kind {
            VoteKind::Prevote => (PREVOTE, Step::Prevote),
            VoteKind::Precommit => (PRECOMMIT, Step::Precommit),
        };
        let message = Canonical {
            shape: Shape::Vote(kind),
            height: vote.height.get(),
            round: i64::from(vote.round.get()),
            block_id: vote.block_id.map(BlockId::from).unwrap_or_default(),
            timestamp: vote.timestamp.into(),
            chain_id: chain_id.as_bytes(),
        };
        let slot = Slot {
            height: vote.height,
            round: vote.round,
            step,
        };
        let block_hash = vote.block_id.map(|id| *id.hash);
        Self::encode(&message, slot, vote.timestamp, block_hash)
    }

    /// The sign-bytes of a proposal.
    #[must_use]
    pub fn proposal(chain_id: &ChainId, proposal: &Proposal<'_>) -> Self {
        let pol_round = proposal.pol_round.map_or(-1, |round| round.get().into());
        let message = Canonical {
            shape: Shape::Proposal { pol_round },
            height: proposal.height.get(),
            round: i64::from(proposal.round.get()),
            block_id: proposal.block_id.into(),
            timestamp: proposal.timestamp.into(),
            chain_id: chain_id.as_bytes(),
        };
        let slot = Slot {
            height: proposal.height,
            round: proposal.round,
            step: Step::Proposal,
        };
        let block_hash = Some(*proposal.block_id.hash);
        Self::encode(&message, slot, proposal.timestamp, block_hash)
    }

    /// Takes back sign-bytes that were written to a file: exactly those that [`vote`](Self::vote)
    /// and [`proposal`](Self::proposal) make.
    ///
    /// # Errors
    ///
    /// See [`ParseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let message = Canonical::read(bytes).map_err(ParseError::Malformed)?;
        let made = Self::from_values(&message).ok_or(ParseError::Value)?;
        if made.as_bytes() == bytes {
            Ok(made)
        } else {
            Err(ParseError::Encoding)
        }
    }

    fn from_values(message: &Canonical<'_>) -> Option<Self> {
        let chain_id = ChainId::new(core::str::from_utf8(message.chain_id).ok()?).ok()?;
        let height = Height::new(message.height)?;
        let round = closed_round(message.round)?;
        let timestamp = message.timestamp.valid()?;
        let block_id = message.block_id.complete();
        let vote = |kind| {
            (block_id.is_some() || message.block_id.is_nil()).then(|| {
                let vote = Vote {
                    kind,
                    height,
                    round,
                    block_id,
                    timestamp,
                };
                Self::vote(&chain_id, &vote)
            })
        };
        match message.shape {
            Shape::Vote(PREVOTE) => vote(VoteKind::Prevote),
            Shape::Vote(PRECOMMIT) => vote(VoteKind::Precommit),
            Shape::Vote(_) => None,
            Shape::Proposal { pol_round } => {
                let proposal = Proposal {
                    height,
                    round,
                    pol_round: match pol_round {
                        -1 => None,
                        round => Some(closed_round(round)?),
                    },
                    block_id: block_id?,
                    timestamp,
                };
                Some(Self::proposal(&chain_id, &proposal))
            }
        }
    }

    fn encode(
        message: &Canonical<'_>,
        slot: Slot,
        timestamp: Timestamp,
        block_hash: Option<[u8; 32]>,
    ) -> Self {
        let mut buffer = Buffer {
            len: 0,
            bytes: [0; MAX_LEN],
        };
        writer::prefix(&mut buffer, message);
        let head = buffer.len;
        message.write_head(&mut buffer);
        let stamp = buffer.len;
        message.write_timestamp(&mut buffer);
        let tail = buffer.len;
        message.write_tail(&mut buffer);
        Self {
            buffer,
            head,
            stamp,
            tail,
            slot,
            timestamp,
            block_hash,
        }
    }

    /// What is signed: the length prefix and the message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.part(0, self.buffer.len)
    }

    /// Height, round and step.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// When the vote was cast or the proposal made.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The hash of the block; `None` is a vote for nil.
    #[must_use]
    pub const fn block_hash(&self) -> Option<&[u8; 32]> {
        self.block_hash.as_ref()
    }

    /// The block; `None` is a vote for nil.
    #[must_use]
    pub fn block_id(&self) -> Option<types::BlockId<'_>> {
        Canonical::read(self.as_bytes()).ok()?.block_id.complete()
    }

    /// The chain id.
    #[must_use]
    pub fn chain_id(&self) -> &[u8] {
        // After a tag and a length of one byte each.
        self.part(self.tail, self.buffer.len)
            .get(2..)
            .unwrap_or_default()
    }

    /// Whether nothing but the timestamp, and the length that depends on it, tells them apart.
    #[must_use]
    pub fn same_but_timestamp(&self, other: &Self) -> bool {
        self.part(self.head, self.stamp) == other.part(other.head, other.stamp)
            && self.part(self.tail, self.buffer.len) == other.part(other.tail, other.buffer.len)
    }

    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.buffer.bytes.get(from..to).unwrap_or_default()
    }
}

impl fmt::Debug for SignBytes {
    /// The bytes in lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A round as wide as it is in canonical messages.
fn closed_round(round: i64) -> Option<Round> {
    Round::new(i32::try_from(round).ok()?)
}

/// Holds the longest sign-bytes there are. What lies behind `len` is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Buffer {
    len: usize,
    bytes: [u8; MAX_LEN],
}

impl Sink for Buffer {
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "sign-bytes of closed values have at most MAX_LEN bytes, and cut short they must never be signed"
    )]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(_) => "the sign-bytes are damaged",
            Self::Value => "the sign-bytes carry a value that is never signed",
            Self::Encoding => "the sign-bytes are not encoded as CometBFT encodes them",
        })
    }
}

impl core::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(cause) => Some(cause),
            Self::Value | Self::Encoding => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use super::*;
    use crate::types;

    const HASH: [u8; 32] = [0xaa; 32];
    const PARTS: [u8; 32] = [0xbb; 32];

    fn block(total: u32) -> types::BlockId<'static> {
        types::BlockId {
            hash: &HASH,
            total: NonZeroU32::new(total).unwrap(),
            parts_hash: &PARTS,
        }
    }

    /// Every combination of few values of each field, edges included.
    fn every() -> Vec<SignBytes> {
        let chains = ["x", &"x".repeat(50)].map(|id| ChainId::new(id).unwrap());
        let heights = [1, 2, i64::MAX].map(|height| Height::new(height).unwrap());
        let rounds = [0, 1, i32::MAX].map(|round| Round::new(round).unwrap());
        let timestamps = [
            (Timestamp::GO_ZERO.seconds(), 0),
            (-1, 999_999_999),
            (0, 0),
            (0, 1),
            (1_700_000_000, 5),
            (253_402_300_799, 999_999_999),
        ]
        .map(|(seconds, nanos)| Timestamp::new(seconds, nanos).unwrap());
        let mut all = Vec::new();
        for chain in &chains {
            for height in heights {
                for round in rounds {
                    for timestamp in timestamps {
                        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                            for block_id in [None, Some(block(1)), Some(block(u32::MAX))] {
                                let vote = Vote {
                                    kind,
                                    height,
                                    round,
                                    block_id,
                                    timestamp,
                                };
                                all.push(SignBytes::vote(chain, &vote));
                            }
                        }
                        for pol_round in [None, Some(0), Some(1), Some(i32::MAX)] {
                            let proposal = Proposal {
                                height,
                                round,
                                pol_round: pol_round.map(|round| Round::new(round).unwrap()),
                                block_id: block(7),
                                timestamp,
                            };
                            all.push(SignBytes::proposal(chain, &proposal));
                        }
                    }
                }
            }
        }
        all
    }

    #[test]
    fn what_does_not_parse_says_why() {
        use core::error::Error as _;
        for (error, text) in [
            (ParseError::Malformed(Malformed::Varint), "are damaged"),
            (ParseError::Value, "a value that is never signed"),
            (ParseError::Encoding, "not encoded as CometBFT"),
        ] {
            assert!(error.to_string().contains(text), "{error}");
            let cause = error.source().map(ToString::to_string);
            let malformed = matches!(error, ParseError::Malformed(_));
            assert_eq!(cause, malformed.then(|| Malformed::Varint.to_string()));
        }
    }

    #[test]
    fn the_longest_sign_bytes_have_exactly_the_maximum_length() {
        let chain_id = ChainId::new(&"x".repeat(50)).unwrap();
        let proposal = Proposal {
            height: Height::new(i64::MAX).unwrap(),
            round: Round::new(i32::MAX).unwrap(),
            pol_round: None,
            block_id: block(u32::MAX),
            timestamp: Timestamp::new(-1, 999_999_999).unwrap(),
        };
        let longest = SignBytes::proposal(&chain_id, &proposal);
        assert_eq!(longest.as_bytes().len(), MAX_LEN);
        assert!(every().iter().all(|made| made.as_bytes().len() <= MAX_LEN));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn what_is_made_parses_back_to_the_same() {
        for made in every() {
            let parsed = SignBytes::parse(made.as_bytes()).unwrap();
            assert!(parsed == made, "{made:?}");
            assert_eq!(parsed.slot(), made.slot());
            assert_eq!(parsed.timestamp(), made.timestamp());
            assert_eq!(parsed.block_hash(), made.block_hash());
            assert_eq!(parsed.block_id().map(|id| id.hash), made.block_hash());
            assert_eq!(parsed.chain_id(), made.chain_id());
        }
    }

    #[test]
    fn different_values_make_different_sign_bytes() {
        let all = every();
        let distinct: std::collections::BTreeSet<_> = all.iter().map(SignBytes::as_bytes).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn sign_bytes_with_one_byte_missing_added_or_changed_parse_to_themselves_or_not_at_all() {
        for made in every().iter().step_by(17) {
            let bytes = made.as_bytes();
            for len in 0..bytes.len() {
                assert!(SignBytes::parse(&bytes[..len]).is_err());
            }
            let longer = [bytes, &[0]].concat();
            let trailing = ParseError::Malformed(Malformed::Trailing);
            assert_eq!(SignBytes::parse(&longer), Err(trailing));
            for at in 0..bytes.len() {
                for flip in [1, 0x80, 0xff] {
                    let mut changed = bytes.to_vec();
                    changed[at] ^= flip;
                    if let Ok(parsed) = SignBytes::parse(&changed) {
                        assert_eq!(parsed.as_bytes(), changed);
                    }
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn only_the_timestamp_may_differ() {
        let all = every();
        let without_time = |it: &SignBytes| {
            let mut message = Canonical::read(it.as_bytes()).unwrap();
            message.timestamp = super::super::parts::Timestamp::default();
            let mut bytes = Vec::new();
            writer::delimited(&mut bytes, &message);
            bytes
        };
        let plain: Vec<_> = all.iter().map(without_time).collect();
        for (one, plain_one) in all.iter().zip(&plain).step_by(13) {
            for (other, plain_other) in all.iter().zip(&plain) {
                assert_eq!(
                    one.same_but_timestamp(other),
                    plain_one == plain_other,
                    "{one:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn a_vote_for_nil_has_no_block_hash() {
        let nil = Vote {
            kind: VoteKind::Precommit,
            height: Height::new(12345).unwrap(),
            round: Round::new(2).unwrap(),
            block_id: None,
            timestamp: Timestamp::new(1_514_170_801, 234_000_000).unwrap(),
        };
        let chain_id = ChainId::new("test_chain_id").unwrap();
        let sign_bytes = SignBytes::vote(&chain_id, &nil);
        assert_eq!(sign_bytes.block_hash(), None);
        assert_eq!(sign_bytes.slot().to_string(), "12345/2/2");
        assert_eq!(sign_bytes.chain_id(), b"test_chain_id");
        assert_eq!(
            format!("{sign_bytes:?}"),
            "3008021139300000000000001902000000000000002a0b08b1d381d20510809dca6f320d746573745f636861696e5f6964"
        );
    }

    #[test]
    fn parse_says_what_is_wrong() {
        let nil = Vote {
            kind: VoteKind::Prevote,
            height: Height::new(1).unwrap(),
            round: Round::ZERO,
            block_id: None,
            timestamp: Timestamp::new(0, 0).unwrap(),
        };
        let good = SignBytes::vote(&ChainId::new("x").unwrap(), &nil);
        let mut other = good.as_bytes().to_vec();
        other[2] = 3;
        assert_eq!(SignBytes::parse(&other), Err(ParseError::Value));
        assert_eq!(
            SignBytes::parse(&[0x80]),
            Err(ParseError::Malformed(Malformed::Truncated))
        );
        let unknown_field = [&[18], &good.as_bytes()[1..], &[0x78, 1]].concat();
        assert_eq!(SignBytes::parse(&unknown_field), Err(ParseError::Encoding));
        assert!(size_of::<ParseError>() <= 32);
    }
}
