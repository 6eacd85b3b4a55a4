//! Why a connection cannot be understood any further.

use core::fmt;

use crate::canon::reader::Malformed;

/// Why bytes are no request. What follows them on the connection cannot be trusted either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// A length prefix of more bytes than the length needs, or of a length out of all proportion.
    Prefix,
    /// A message longer than [`MAX_REQUEST_LEN`](super::MAX_REQUEST_LEN).
    TooLong {
        /// The length announced, in bytes.
        len: usize,
    },
    /// A message of no bytes.
    Empty,
    /// A reply, where only requests are expected: the other side is a signer too.
    Reply {
        /// Its tag in the envelope.
        tag: i32,
    },
    /// A request of a kind that no known node sends.
    Unknown {
        /// Its tag in the envelope.
        tag: i32,
    },
    /// Broken protobuf.
    Malformed(Malformed),
}

impl From<Malformed> for DecodeError {
    fn from(cause: Malformed) -> Self {
        Self::Malformed(cause)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => f.write_str("no valid message length: is this a privval connection?"),
            Self::TooLong { len } => write!(
                f,
                "a message of {len} bytes: at most {} are accepted",
                super::MAX_REQUEST_LEN
            ),
            Self::Empty => f.write_str("an empty message"),
            Self::Reply { tag } => write!(
                f,
                "a reply (tag {tag}) instead of a request: is the other side a signer?"
            ),
            Self::Unknown { tag } => write!(f, "an unknown kind of request (tag {tag})"),
            Self::Malformed(_) => f.write_str("a request that is not valid protobuf"),
        }
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(cause) => Some(cause),
            Self::Prefix
            | Self::TooLong { .. }
            | Self::Empty
            | Self::Reply { .. }
            | Self::Unknown { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::BadValue;

    #[test]
    fn an_error_names_what_came_and_its_cause() {
        for (error, text) in [
            (DecodeError::Prefix, "no valid message length"),
            (DecodeError::TooLong { len: 70_000 }, "70000 bytes"),
            (DecodeError::Empty, "an empty message"),
            (DecodeError::Reply { tag: 4 }, "a reply (tag 4)"),
            (DecodeError::Unknown { tag: 99 }, "(tag 99)"),
            (Malformed::Truncated.into(), "not valid protobuf"),
        ] {
            assert!(error.to_string().contains(text), "{error}");
            let cause = core::error::Error::source(&error).map(ToString::to_string);
            let malformed = matches!(error, DecodeError::Malformed(_));
            assert_eq!(cause, malformed.then(|| Malformed::Truncated.to_string()));
        }
    }

    #[test]
    fn errors_stay_small() {
        assert!(size_of::<DecodeError>() <= 32);
        assert!(size_of::<BadValue>() <= 32);
    }
}
