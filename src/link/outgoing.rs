//! Replies to bytes on the socket.

use std::io;
use std::time::Instant;

use super::socket::{Socket, timed_out};
use super::{Error, MESSAGE_TIMEOUT};
use crate::secret::{DATA_LEN, FRAME_LEN, Seal};

/// The sending direction of a link. The socket's write timeout is [`MESSAGE_TIMEOUT`].
pub(super) struct Outgoing {
    seal: Option<Seal>,
    /// Sealed frames of one message, written at once.
    frames: Vec<u8>,
}

impl Outgoing {
    pub(super) fn new(seal: Option<Seal>) -> Self {
        Self {
            seal,
            frames: Vec::with_capacity(FRAME_LEN),
        }
    }

    /// Sends one message, length prefix included.
    pub(super) fn send(&mut self, socket: &Socket, message: &[u8]) -> Result<(), Error> {
        let Some(seal) = &mut self.seal else {
            return write_all(socket, message);
        };
        self.frames.clear();
        for data in message.chunks(DATA_LEN) {
            let from = self.frames.len();
            self.frames.resize(from.saturating_add(FRAME_LEN), 0);
            if let Some(frame) = self
                .frames
                .get_mut(from..)
                .and_then(|frame| frame.first_chunk_mut::<FRAME_LEN>())
            {
                seal.seal(data, frame).map_err(Error::Secret)?;
            }
        }
        write_all(socket, &self.frames)
    }
}

/// Writes everything within [`MESSAGE_TIMEOUT`]. One write, unless the peer does not read.
pub(super) fn write_all(socket: &Socket, mut bytes: &[u8]) -> Result<(), Error> {
    let mut begun: Option<Instant> = None;
    let mut restore = false;
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(0) => return Err(Error::Io(io::ErrorKind::WriteZero.into())),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if timed_out(&error) => return Err(Error::Slow),
            Err(error) => return Err(Error::Io(error)),
        }
        if !bytes.is_empty() {
            let left = MESSAGE_TIMEOUT
                .checked_sub(begun.get_or_insert_with(Instant::now).elapsed())
                .ok_or(Error::Slow)?;
            socket.set_write_timeout(left).map_err(Error::Io)?;
            restore = true;
        }
    }
    if restore {
        socket
            .set_write_timeout(MESSAGE_TIMEOUT)
            .map_err(Error::Io)?;
    }
    Ok(())
}
