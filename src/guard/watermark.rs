//! How far a chain has been signed.

use core::fmt;

use crate::canon::SignBytes;
use crate::types::{Slot, Step};

/// A place in the order of slots, the places before the first slot included: height 0, and a round in
/// which nothing is signed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    // Compared in this order: keep it.
    height: i64,
    round: i32,
    step: Option<Step>,
}

/// The highest position signed on a chain, and what was signed there, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    position: Position,
    sign_bytes: Option<SignBytes>,
}

impl Position {
    /// Below every slot: nothing was ever signed.
    pub const ZERO: Self = Self {
        height: 0,
        round: 0,
        step: None,
    };

    /// A position, if neither number is negative. `None` as step: nothing is signed in this round yet.
    #[must_use]
    pub const fn new(height: i64, round: i32, step: Option<Step>) -> Option<Self> {
        if height >= 0 && round >= 0 {
            Some(Self {
                height,
                round,
                step,
            })
        } else {
            None
        }
    }

    /// `0..=i64::MAX`.
    #[must_use]
    pub const fn height(self) -> i64 {
        self.height
    }

    /// `0..=i32::MAX`.
    #[must_use]
    pub const fn round(self) -> i32 {
        self.round
    }

    /// What was signed last in this round, if anything.
    #[must_use]
    pub const fn step(self) -> Option<Step> {
        self.step
    }
}

impl From<Slot> for Position {
    fn from(slot: Slot) -> Self {
        Self {
            height: slot.height.get(),
            round: slot.round.get(),
            step: Some(slot.step),
        }
    }
}

impl fmt::Display for Position {
    /// `height/round/step`, the step as tmkms counts it, `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.height, self.round)?;
        match self.step {
            Some(step) => write!(f, "{}", step.number()),
            None => f.write_str("-"),
        }
    }
}

impl Watermark {
    /// Nothing was ever signed.
    pub const ZERO: Self = Self {
        position: Position::ZERO,
        sign_bytes: None,
    };

    /// A watermark of which only the position is known. A request at that very position is refused.
    #[must_use]
    pub const fn at(position: Position) -> Self {
        Self {
            position,
            sign_bytes: None,
        }
    }

    /// The watermark that signing these bytes leaves.
    #[must_use]
    pub fn signed(sign_bytes: SignBytes) -> Self {
        Self {
            position: sign_bytes.slot().into(),
            sign_bytes: Some(sign_bytes),
        }
    }

    /// The highest position signed.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// What was signed at that position; `None` if it was brought over without its bytes.
    #[must_use]
    pub const fn sign_bytes(&self) -> Option<&SignBytes> {
        self.sign_bytes.as_ref()
    }
}
