//! The signing rules: what may be signed, given what was signed before.
//!
//! CometBFT's `FilePV` (`privval/file.go`, `CheckHRS` and what follows it) is the reference: for every
//! request an honest node makes, the decision, the signature and the timestamp are the same.
//!
//! ```text
//!   request above the watermark                           Permit
//!   request at the watermark, same bytes but timestamp    Replay: the stored bytes are signed again
//!   request at the watermark, anything else               Refusal::Conflict
//!   request below the watermark                           Refusal::Below
//! ```
//!
//! [`judge`] is the only maker of [`Permit`] and [`Replay`], and [`crate::store::Store`] takes nothing else.

mod watermark;

use core::fmt;

pub use watermark::{Position, Watermark};

use crate::canon::SignBytes;
use crate::types::Slot;

/// Leave to sign one slot for the first time. Only [`judge`] makes it; it is used up by being committed.
///
/// ```compile_fail
/// fn forge(sign_bytes: tmkms::canon::SignBytes) -> tmkms::guard::Permit {
///     tmkms::guard::Permit { over: tmkms::guard::Position::ZERO, sign_bytes }
/// }
/// ```
#[must_use = "a permit that is not committed signs nothing"]
pub struct Permit {
    over: Position,
    sign_bytes: SignBytes,
}

/// Leave to sign the watermark's own bytes once more. Only [`judge`] makes it.
///
/// ```compile_fail
/// fn forge(sign_bytes: tmkms::canon::SignBytes) -> tmkms::guard::Replay {
///     tmkms::guard::Replay { stored: sign_bytes }
/// }
/// ```
#[must_use = "a replay that is not recalled signs nothing"]
pub struct Replay {
    stored: SignBytes,
}

/// What a request that may be answered is.
#[must_use]
pub enum Verdict {
    /// Above the watermark.
    Permit(Permit),
    /// At the watermark, for the very thing that was signed there.
    Replay(Replay),
}

/// Why a slot is not signed. The texts name the watermark, so that an operator sees both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Below what was signed already.
    Below {
        /// What was asked for.
        asked: Slot,
        /// The highest position signed so far.
        watermark: Position,
    },
    /// At the watermark, for something else than what was signed there.
    Conflict {
        /// What was asked for.
        asked: Slot,
    },
    /// At a watermark that was brought over from elsewhere without the bytes that were signed there.
    Unknown {
        /// What was asked for.
        asked: Slot,
    },
}

/// Decides about one request. Pure: the same watermark and request always get the same answer.
///
/// # Errors
///
/// The refusal, which is an answer to the node and changes nothing.
pub fn judge(watermark: &Watermark, request: SignBytes) -> Result<Verdict, Refusal> {
    let asked = request.slot();
    let at = watermark.position();
    if Position::from(asked) > at {
        return Ok(Verdict::Permit(Permit {
            over: at,
            sign_bytes: request,
        }));
    }
    if Position::from(asked) < at {
        return Err(Refusal::Below {
            asked,
            watermark: at,
        });
    }
    match watermark.sign_bytes() {
        None => Err(Refusal::Unknown { asked }),
        Some(stored) if stored.same_but_timestamp(&request) => {
            Ok(Verdict::Replay(Replay { stored: *stored }))
        }
        Some(_) => Err(Refusal::Conflict { asked }),
    }
}

impl Permit {
    /// Uses the permit up: the position it was judged against, and the bytes that may be signed once
    /// they are on disk.
    #[must_use]
    pub fn into_parts(self) -> (Position, SignBytes) {
        (self.over, self.sign_bytes)
    }
}

impl Replay {
    /// The bytes that were signed before, with the timestamp of then.
    #[must_use]
    pub fn sign_bytes(&self) -> &SignBytes {
        &self.stored
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below { asked, watermark } => {
                let what = if asked.height.get() < watermark.height() {
                    "height"
                } else if asked.round.get() < watermark.round() {
                    "round"
                } else {
                    "step"
                };
                write!(
                    f,
                    "{what} regression: asked to sign {asked}, already signed up to {watermark}"
                )
            }
            // tmkms' own words: monitoring looks for them.
            Self::Conflict { asked } => write!(
                f,
                "double signing requested at height: {}",
                asked.height.get()
            ),
            Self::Unknown { asked } => write!(
                f,
                "{asked} may have been signed before this state was brought here, and what was signed is not known"
            ),
        }
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests;
