//! Messages of CometBFT's privval protocol, from bytes and to bytes.
//!
//! Every message is a length prefix and a `Message` of `privval/types.proto`, one of whose members
//! is set. The node asks, the signer answers, one reply to a request and in order.
//!
//! ```text
//!  request                  tag    reply                    tag
//!  PubKeyRequest             1     PubKeyResponse            2
//!  SignVoteRequest           3     SignedVoteResponse        4
//!  SignProposalRequest       5     SignedProposalResponse    6
//!  PingRequest               7     PingResponse              8
//!  SignBytesRequest and      9     SignBytesResponse and    10
//!  SignRawBytesRequest             SignedRawBytesResponse
//! ```
//!
//! Decoding answers as gogoproto's generated code does where protobuf leaves room: unknown fields
//! are skipped, of a repeated scalar or member the last one stands, a repeated embedded message is
//! merged, an `int32` keeps the low 32 bits. Decoded values are open; [`types::Vote`] and
//! [`types::Proposal`] are made of them with `try_from`.
//!
//! [`types::Vote`]: crate::types::Vote
//! [`types::Proposal`]: crate::types::Proposal

mod error;
mod frame;
mod request;
mod response;
mod values;

pub use crate::canon::parts::{BlockId, Timestamp};
pub use error::DecodeError;
pub use frame::{MAX_REQUEST_LEN, Prefix, frame_len};
pub use request::{Request, decode};
pub use response::{DESCRIPTION_MAX_LEN, Refusal, Response, encode};
pub use values::{BadValue, Proposal, Vote};
