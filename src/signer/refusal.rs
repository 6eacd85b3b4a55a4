//! Why a request got an error for an answer.

use core::fmt;

use crate::types::{ChainId, Height};
use crate::{backend, guard, store, wire};

/// A request that is not fulfilled. The text goes to the node and into the log.
#[derive(Debug)]
pub enum Refusal {
    /// The node is on another chain than this one.
    OtherChain(ChainId),
    /// The request carries a value that no honest node sends.
    BadValue(wire::BadValue),
    /// An extension on what has none.
    UnexpectedExtension,
    /// Above the `max_height` of this connection.
    AboveMaxHeight {
        /// What was asked for.
        height: Height,
        /// What is configured.
        max: Height,
    },
    /// The signing rules.
    Guard(guard::Refusal),
    /// The state could not be written.
    Store(store::Error),
    /// The node's own state, which the first signature has to wait for, could not be read.
    Refresh(store::RefreshError),
    /// The device did not sign.
    Backend(backend::Error),
    /// A signature over arbitrary bytes could be one over a vote.
    RawBytes,
    /// A thread ended in the middle of a signature.
    Broken,
    /// The process is about to end.
    Stopped,
}

impl Refusal {
    /// tmkms' codes: 2 for a double sign, 0 for the rest. Nodes print it and look no further.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::Guard(guard::Refusal::Conflict { .. }) => 2,
            Self::OtherChain(_)
            | Self::BadValue(_)
            | Self::UnexpectedExtension
            | Self::AboveMaxHeight { .. }
            | Self::Guard(guard::Refusal::Below { .. } | guard::Refusal::Unknown { .. })
            | Self::Store(_)
            | Self::Refresh(_)
            | Self::Backend(_)
            | Self::RawBytes
            | Self::Broken
            | Self::Stopped => 0,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherChain(ours) => {
                write!(f, "this signer serves chain {ours} on this connection")
            }
            Self::BadValue(error) => error.fmt(f),
            Self::UnexpectedExtension => {
                f.write_str("a vote extension is allowed only on a precommit for a block")
            }
            Self::AboveMaxHeight { height, max } => write!(
                f,
                "height {} is above the max_height of {} set for this validator",
                height.get(),
                max.get()
            ),
            Self::Guard(refusal) => refusal.fmt(f),
            Self::Store(store::Error::Io(error)) => {
                write!(f, "the state could not be written to disk: {error}")
            }
            Self::Store(error) => error.fmt(f),
            Self::Refresh(error) => error.fmt(f),
            Self::Backend(error) => error.fmt(f),
            Self::RawBytes => {
                f.write_str("signing raw bytes is off: it could be used to sign a vote")
            }
            Self::Broken => f.write_str("this chain has failed and signs no more until a restart"),
            Self::Stopped => f.write_str("this signer was asked to stop"),
        }
    }
}

impl std::error::Error for Refusal {}
