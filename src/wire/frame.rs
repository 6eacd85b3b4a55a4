//! The length prefix, looked at before any memory is taken.

use super::DecodeError;

/// The longest request in bytes, without its length prefix.
///
/// Nodes from v0.38 on send an extension of up to `MaxVoteExtensionSize` (1 MiB, `types/vote.go`)
/// and put no limit on the vote around it, which takes less than 400 bytes if it is honest. CometBFT
/// v0.40 itself reads 1,056,218 bytes (`privval/signer_endpoint.go`).
pub const MAX_REQUEST_LEN: usize = 1024 * 1024 + OVERHEAD_LEN;

const OVERHEAD_LEN: usize = 16 * 1024;

/// How long a message is, and where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Bytes before the message: 1 to 3.
    pub prefix_len: usize,
    /// Bytes of the message: 1 to [`MAX_REQUEST_LEN`].
    pub body_len: usize,
}

/// Reads the length prefix at the start of `stream`; `None` if it is not complete yet.
///
/// # Errors
///
/// [`DecodeError::Prefix`], [`DecodeError::TooLong`] or [`DecodeError::Empty`].
pub fn frame_len(stream: &[u8]) -> Result<Option<Prefix>, DecodeError> {
    let mut body_len = 0;
    // Three times seven bits hold the longest length.
    for ((prefix_len, shift), byte) in [(1, 0), (2, 7), (3, 14)].into_iter().zip(stream) {
        body_len |= usize::from(byte & 0x7f) << shift;
        if *byte == 0 && prefix_len > 1 {
            return Err(DecodeError::Prefix);
        }
        if *byte < 0x80 {
            return match body_len {
                0 => Err(DecodeError::Empty),
                1..=MAX_REQUEST_LEN => Ok(Some(Prefix {
                    prefix_len,
                    body_len,
                })),
                len => Err(DecodeError::TooLong { len }),
            };
        }
    }
    if stream.len() < 3 {
        Ok(None)
    } else {
        Err(DecodeError::Prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_to_three_bytes() {
        for (stream, prefix_len, body_len) in [
            (&[2, 0x3a, 0][..], 1, 2),
            (&[0x7f], 1, 127),
            (&[0x80, 1], 2, 128),
            (&[0xff, 0x7f], 2, 16_383),
            (&[0x80, 0x80, 1], 3, 16_384),
            (&[0x80, 0x80, 0x41], 3, MAX_REQUEST_LEN),
        ] {
            let prefix = Prefix {
                prefix_len,
                body_len,
            };
            assert_eq!(frame_len(stream), Ok(Some(prefix)), "{stream:x?}");
        }
    }

    #[test]
    fn waits_for_a_prefix_that_is_not_complete() {
        for stream in [&[][..], &[0x80], &[0xff, 0xff]] {
            assert_eq!(frame_len(stream), Ok(None), "{stream:x?}");
        }
    }

    #[test]
    fn refuses_what_is_too_long_empty_or_not_in_its_shortest_form() {
        let len = MAX_REQUEST_LEN + 1;
        for (stream, error) in [
            (&[0x81, 0x80, 0x41][..], DecodeError::TooLong { len }),
            (&[0xff, 0xff, 0x7f], DecodeError::TooLong { len: 0x1f_ffff }),
            (&[0xff, 0xff, 0xff], DecodeError::Prefix),
            (&[0x80, 0x80, 0x80, 1], DecodeError::Prefix),
            (&[0x82, 0], DecodeError::Prefix),
            (&[0x80, 0], DecodeError::Prefix),
            (&[0], DecodeError::Empty),
        ] {
            assert_eq!(frame_len(stream), Err(error), "{stream:x?}");
        }
    }
}
