//! Bytes from the socket to whole messages.

use core::time::Duration;
use std::time::Instant;

use super::socket::{Socket, timed_out};
use super::{Error, MESSAGE_TIMEOUT};
use crate::secret::{FRAME_LEN, Open};
use crate::wire;

/// How many frames one read can take: a message of 1 MiB comes in 1,025 frames.
const FRAMES_PER_READ: usize = 16;
/// How much one read can take from a Unix socket, in bytes.
const PLAIN_READ_LEN: usize = 16 * 1024;
/// How much memory is kept between messages, in bytes. It grows only as bytes arrive.
const KEPT_LEN: usize = 64 * 1024;

/// The receiving direction of a link.
pub(super) struct Incoming {
    sealed: Option<Sealed>,
    /// Where a read from a Unix socket goes first; empty where frames are sealed. Written by the kernel
    /// only, so that what a request does not fill is never touched.
    room: Vec<u8>,
    /// Opened bytes: one message and what came with it.
    plain: Vec<u8>,
    /// How much of `plain` was handed out, to be dropped before the next message.
    taken: usize,
    /// How long nothing at all may come.
    silence: Duration,
    /// What the socket's read timeout is set to.
    timeout: Duration,
}

/// The frames of a SecretConnection, as they come.
struct Sealed {
    open: Open,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Incoming {
    /// `silence` must be what the socket's read timeout is set to.
    pub(super) fn new(open: Option<Open>, silence: Duration) -> Self {
        Self {
            room: vec![0; if open.is_some() { 0 } else { PLAIN_READ_LEN }],
            sealed: open.map(|open| Sealed {
                open,
                bytes: vec![0; FRAMES_PER_READ * FRAME_LEN],
                start: 0,
                end: 0,
            }),
            plain: Vec::with_capacity(PLAIN_READ_LEN),
            taken: 0,
            silence,
            timeout: silence,
        }
    }

    /// The next message's body.
    pub(super) fn receive(&mut self, socket: &Socket) -> Result<&[u8], Error> {
        drop(self.plain.drain(..self.taken));
        self.taken = 0;
        self.plain.shrink_to(KEPT_LEN);

        // The clock is looked at only when a message comes in pieces.
        let mut begun: Option<Instant> = None;
        let (from, to) = loop {
            if let Some(prefix) = wire::frame_len(&self.plain).map_err(Error::Decode)? {
                let to = prefix.prefix_len.saturating_add(prefix.body_len);
                if self.plain.len() >= to {
                    break (prefix.prefix_len, to);
                }
            }
            if self.open_frame()? {
                continue;
            }
            let waiting = match begun {
                None if self.is_between_messages() => self.silence,
                None => {
                    begun = Some(Instant::now());
                    MESSAGE_TIMEOUT
                }
                Some(begun) => MESSAGE_TIMEOUT
                    .checked_sub(begun.elapsed())
                    .ok_or(Error::Slow)?,
            };
            if waiting != self.timeout {
                socket.set_read_timeout(waiting).map_err(Error::Io)?;
                self.timeout = waiting;
            }
            match self.fill(socket) {
                Ok(0) => {
                    return Err(Error::Closed {
                        in_handshake: false,
                    });
                }
                Ok(_) => {
                    // Frames without data would otherwise hold us for ever.
                    let _ = begun.get_or_insert_with(Instant::now);
                }
                Err(error) if timed_out(&error) => {
                    return Err(if self.is_between_messages() && begun.is_none() {
                        Error::Silent {
                            waited: self.silence,
                            in_handshake: false,
                        }
                    } else {
                        Error::Slow
                    });
                }
                Err(error) => return Err(Error::Io(error)),
            }
        };
        self.taken = to;
        Ok(self.plain.get(from..to).unwrap_or_default())
    }

    fn is_between_messages(&self) -> bool {
        self.plain.is_empty()
            && self
                .sealed
                .as_ref()
                .is_none_or(|sealed| sealed.start == sealed.end)
    }

    /// Opens one frame, if one is there whole.
    fn open_frame(&mut self) -> Result<bool, Error> {
        let Some(sealed) = &mut self.sealed else {
            return Ok(false);
        };
        let Some(frame) = sealed
            .bytes
            .get_mut(sealed.start..sealed.end)
            .and_then(|bytes| bytes.first_chunk_mut::<FRAME_LEN>())
        else {
            return Ok(false);
        };
        let data = sealed.open.open(frame).map_err(Error::Secret)?;
        self.plain.extend_from_slice(data);
        sealed.start = sealed.start.saturating_add(FRAME_LEN);
        Ok(true)
    }

    /// One read into wherever there is room.
    fn fill(&mut self, socket: &Socket) -> std::io::Result<usize> {
        if let Some(sealed) = &mut self.sealed {
            // Less than a frame is left over: move it to the front.
            sealed.bytes.copy_within(sealed.start..sealed.end, 0);
            sealed.end = sealed.end.saturating_sub(sealed.start);
            sealed.start = 0;
            let room = sealed.bytes.get_mut(sealed.end..).unwrap_or_default();
            let read = socket.read(room)?;
            sealed.end = sealed.end.saturating_add(read);
            return Ok(read);
        }
        let read = socket.read(&mut self.room)?;
        self.plain
            .extend_from_slice(self.room.get(..read).unwrap_or_default());
        Ok(read)
    }
}
