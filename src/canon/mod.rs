//! Sign-bytes: what a validator's key signs for a vote, a proposal or a vote extension.
//!
//! Each is a length prefix and one of the messages of CometBFT's `types/canonical.proto`; the
//! prefix is signed as well. They differ from the messages on the wire: numbers of fixed width, no
//! block id for nil, the chain id inside. The same in every version from v0.34 on.
//!
//! ```text
//!  vote       prefix │ type  height  round             [block id] │ timestamp │ chain id
//!  proposal   prefix │ type  height  round  pol_round   block id  │ timestamp │ chain id
//!                    └──────────────── head ──────────────────────┘           └─ tail ──
//!  extension  prefix │ extension  height  round  chain id
//! ```
//!
//! Two sign-bytes of one slot whose heads and tails agree differ by their timestamp only.
//!
//! [`reader`] and [`writer`] are the protobuf encoding itself, [`parts`] the two messages that stand
//! on the wire and in sign-bytes alike; [`message`] takes any value, [`SignBytes`] only valid ones.

mod lookalike;
pub mod message;
pub mod parts;
pub mod reader;
mod sign_bytes;
pub mod writer;

pub use lookalike::is_lookalike;
pub use message::extension;
pub use sign_bytes::{MAX_LEN, ParseError, SignBytes};
