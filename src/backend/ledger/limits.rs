//! What the app does not sign: it takes the length before a message for one byte.

use core::num::NonZeroU32;

use crate::canon::SignBytes;
use crate::types::{BlockId, ChainId, Height, Proposal, Round, Timestamp, Vote, VoteKind};

/// The longest message that the app signs, in bytes and without its length.
pub const MESSAGE_MAX_LEN: usize = 127;

/// The highest round that the app signs.
pub const ROUND_MAX: i32 = 127;

/// A kind of message that is too long for the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// In the plural.
    pub what: &'static str,
    /// How long it gets, in bytes and without its length.
    pub len: usize,
    /// Whether nothing is signed without it.
    pub is_vital: bool,
}

/// The kinds of messages of this chain that get too long for the app to sign, at the worst timestamp.
#[must_use]
pub fn too_long(chain_id: &ChainId) -> Vec<TooLong> {
    let hash = [0xff; 32];
    let block_id = BlockId {
        hash: &hash,
        total: NonZeroU32::MIN,
        parts_hash: &hash,
    };
    // A year of this century, and nanoseconds that take five bytes.
    let (Some(height), Some(later), Some(timestamp)) = (
        Height::new(1),
        Round::new(1),
        Timestamp::new(2_000_000_000, 999_999_999),
    ) else {
        return Vec::new();
    };
    let vote = |round| {
        SignBytes::vote(
            chain_id,
            &Vote {
                kind: VoteKind::Precommit,
                height,
                round,
                block_id: Some(block_id),
                timestamp,
            },
        )
    };
    let proposal = |round, pol_round| {
        SignBytes::proposal(
            chain_id,
            &Proposal {
                height,
                round,
                pol_round,
                block_id,
                timestamp,
            },
        )
    };
    let first = Round::ZERO;
    [
        ("votes for a block", vote(first), true),
        ("votes for a block in rounds above 0", vote(later), false),
        ("proposals", proposal(first, None), false),
        (
            "proposals without a proof of lock in rounds above 0",
            proposal(later, None),
            false,
        ),
        (
            "proposals with a proof of lock",
            proposal(later, Some(later)),
            false,
        ),
    ]
    .into_iter()
    .map(|(what, sign_bytes, is_vital)| {
        let len = sign_bytes.as_bytes().len();
        let prefix_len = if len > MESSAGE_MAX_LEN.saturating_add(1) {
            2
        } else {
            1
        };
        TooLong {
            what,
            len: len.saturating_sub(prefix_len),
            is_vital,
        }
    })
    .filter(|message| message.len > MESSAGE_MAX_LEN)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest chain id with which a kind of message still fits.
    fn longest(what: &str) -> usize {
        (1..=50)
            .take_while(|len| {
                let chain = ChainId::new(&"x".repeat(*len)).unwrap();
                too_long(&chain).iter().all(|message| message.what != what)
            })
            .last()
            .unwrap()
    }

    /// As they were found on the app itself, version 0.9.1, by trying.
    #[test]
    fn chain_ids_fit_that_fit_the_app() {
        for (what, len) in [
            ("votes for a block", 26),
            ("votes for a block in rounds above 0", 17),
            ("proposals", 15),
            ("proposals without a proof of lock in rounds above 0", 6),
            ("proposals with a proof of lock", 15),
        ] {
            assert_eq!(longest(what), len, "{what}");
        }
    }
}
