//! The field's own nouns as types that cannot hold a wrong value.
//!
//! Everything here is plain data: bytes are decoded into these types once, at the edge, and nothing
//! further in checks them again. Imports nothing.

use core::fmt;

/// The longest chain id in bytes: `MaxChainIDLen` of CometBFT's `types/genesis.go`.
pub const CHAIN_ID_MAX_LEN: usize = 50;

/// A chain id: 1 to 50 bytes of UTF-8 without control characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId {
    len: u8,
    bytes: [u8; CHAIN_ID_MAX_LEN],
}

/// Why a text is no chain id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainIdError {
    /// No characters at all.
    Empty,
    /// More than [`CHAIN_ID_MAX_LEN`] bytes.
    TooLong,
    /// A control character, which would garble log lines and file names.
    Control,
}

impl ChainId {
    /// Takes over a chain id as written in a configuration or a state file.
    ///
    /// # Errors
    ///
    /// See [`ChainIdError`].
    pub fn new(text: &str) -> Result<Self, ChainIdError> {
        if text.is_empty() {
            return Err(ChainIdError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(ChainIdError::Control);
        }
        let mut bytes = [0; CHAIN_ID_MAX_LEN];
        let Some(head) = bytes.get_mut(..text.len()) else {
            return Err(ChainIdError::TooLong);
        };
        head.copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).map_err(|_| ChainIdError::TooLong)?;
        Ok(Self { len, bytes })
    }

    /// The chain id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Built from a `&str` of this very length, so neither fallback is ever taken.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The chain id as the bytes that stand on the wire and in sign-bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainId({:?})", self.as_str())
    }
}

impl fmt::Display for ChainIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a chain id cannot be empty"),
            Self::TooLong => write!(f, "a chain id has at most {CHAIN_ID_MAX_LEN} bytes"),
            Self::Control => f.write_str("a chain id cannot contain control characters"),
        }
    }
}

impl core::error::Error for ChainIdError {}

/// A block height to sign at: `1..=i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(i64);

impl Height {
    /// A height, if it is 1 or more.
    #[must_use]
    pub const fn new(value: i64) -> Option<Self> {
        if value >= 1 { Some(Self(value)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A consensus round: `0..=i32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round(i32);

impl Round {
    /// The first round of a height.
    pub const ZERO: Self = Self(0);

    /// A round, if it is not negative.
    #[must_use]
    pub const fn new(value: i32) -> Option<Self> {
        if value >= 0 { Some(Self(value)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// What is signed in a round, in the order in which it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A block proposal; 0 in tmkms' numbering, 1 in `FilePV`'s.
    Proposal,
    /// The first vote of a round; 1 and 2.
    Prevote,
    /// The second vote of a round; 2 and 3.
    Precommit,
}

impl Step {
    /// The step's number as tmkms counts and logs it: 0, 1, 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Proposal => 0,
            Self::Prevote => 1,
            Self::Precommit => 2,
        }
    }

    /// The word in state files: `proposal`, `prevote`, `precommit`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Prevote => "prevote",
            Self::Precommit => "precommit",
        }
    }

    /// The step of a word in a state file.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Proposal, Self::Prevote, Self::Precommit]
            .into_iter()
            .find(|step| step.word() == word)
    }
}

/// One thing a validator signs at most once: height, round and step, compared in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Compared first: keep the fields in this order.
    pub height: Height,
    /// Compared second.
    pub round: Round,
    /// Compared last.
    pub step: Step,
}

impl fmt::Display for Slot {
    /// `height/round/step`, the step as tmkms counts it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            self.height.get(),
            self.round.get(),
            self.step.number()
        )
    }
}

/// A point in time as protobuf's `Timestamp` has it, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: i32,
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z, Go's zero time, which an absent timestamp field stands for.
    pub const GO_ZERO: Self = Self {
        seconds: -62_135_596_800,
        nanos: 0,
    };

    /// A timestamp from seconds since 1970 and nanoseconds, if both are in the range that
    /// gogoproto's `StdTime` accepts.
    #[must_use]
    pub const fn new(seconds: i64, nanos: i32) -> Option<Self> {
        let in_years = seconds >= -62_135_596_800 && seconds < 253_402_300_800;
        if in_years && nanos >= 0 && nanos < 1_000_000_000 {
            Some(Self { seconds, nanos })
        } else {
            None
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second: `0..1_000_000_000`.
    #[must_use]
    pub const fn nanos(self) -> i32 {
        self.nanos
    }
}

/// A complete block id. A vote for nil has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockId<'a> {
    /// SHA-256 over the block's header.
    pub hash: &'a [u8; 32],
    /// How many parts the block was cut into.
    pub total: core::num::NonZeroU32,
    /// SHA-256 over the parts.
    pub parts_hash: &'a [u8; 32],
}

/// Which of a round's two votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoteKind {
    /// `SIGNED_MSG_TYPE_PREVOTE`, 1 on the wire.
    Prevote,
    /// `SIGNED_MSG_TYPE_PRECOMMIT`, 2 on the wire.
    Precommit,
}

/// A vote that may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a> {
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// The height voted at.
    pub height: Height,
    /// The round voted in.
    pub round: Round,
    /// The block voted for; `None` is a vote for nil.
    pub block_id: Option<BlockId<'a>>,
    /// When the node cast the vote.
    pub timestamp: Timestamp,
}

/// A block proposal that may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// The height proposed at.
    pub height: Height,
    /// The round proposed in.
    pub round: Round,
    /// The round of the proof of lock; `None` is −1 on the wire.
    pub pol_round: Option<Round>,
    /// The block proposed.
    pub block_id: BlockId<'a>,
    /// When the node made the proposal.
    pub timestamp: Timestamp,
}

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// The identity of a SecretConnection peer: the first 20 bytes of its public key's SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub [u8; 20]);

impl NodeId {
    /// Reads 40 hexadecimal digits of either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        if text.len() != 40 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            /// Lower-case hexadecimal.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hex_text!(PublicKey);
hex_text!(Signature);
hex_text!(NodeId);

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(height: i64, round: i32, step: Step) -> Slot {
        Slot {
            height: Height::new(height).unwrap(),
            round: Round::new(round).unwrap(),
            step,
        }
    }

    #[test]
    fn slots_compare_by_height_then_round_then_step() {
        let ascending = [
            slot(1, 0, Step::Proposal),
            slot(1, 0, Step::Prevote),
            slot(1, 0, Step::Precommit),
            slot(1, 1, Step::Proposal),
            slot(2, 0, Step::Proposal),
        ];
        assert!(ascending.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_chain_id_has_1_to_50_bytes_and_no_control_characters() {
        assert_eq!(ChainId::new(""), Err(ChainIdError::Empty));
        assert_eq!(ChainId::new(&"x".repeat(51)), Err(ChainIdError::TooLong));
        assert_eq!(ChainId::new("a\nb"), Err(ChainIdError::Control));
        assert_eq!(ChainId::new(&"x".repeat(50)).unwrap().as_str().len(), 50);
        assert_eq!(
            ChainId::new("metaos_99237-1").unwrap().to_string(),
            "metaos_99237-1"
        );
    }

    #[test]
    fn height_zero_and_negative_rounds_do_not_exist() {
        assert_eq!(Height::new(0), None);
        assert_eq!(Height::new(-1), None);
        assert_eq!(Round::new(-1), None);
    }

    #[test]
    fn timestamps_end_with_the_years_1_and_9999() {
        assert_eq!(Timestamp::new(-62_135_596_800, 0), Some(Timestamp::GO_ZERO));
        assert_eq!(Timestamp::new(-62_135_596_801, 0), None);
        assert_eq!(Timestamp::new(253_402_300_800, 0), None);
        assert_eq!(Timestamp::new(0, 1_000_000_000), None);
        assert_eq!(Timestamp::new(0, -1), None);
    }

    #[test]
    fn a_node_id_reads_back_as_printed() {
        let text = "0f185204711dd6a576e082396576e5b54ba4624e";
        assert_eq!(NodeId::from_hex(text).unwrap().to_string(), text);
        assert_eq!(NodeId::from_hex(&text[1..]), None);
        assert_eq!(NodeId::from_hex(&text.replace('0', "g")), None);
    }
}
