//! The two messages that look the same on the wire and in sign-bytes, with any value they can have.

use core::num::NonZeroU32;

use super::reader::{Malformed, Reader};
use super::writer::{self, Message, Sink};
use crate::types;

/// A `BlockID`: nil, complete, or anything between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockId<'a> {
    /// The header's hash, of any length.
    pub hash: &'a [u8],
    /// How many parts.
    pub total: u32,
    /// The hash over the parts, of any length.
    pub parts_hash: &'a [u8],
}

/// A `google.protobuf.Timestamp` of any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds on top of them.
    pub nanos: i32,
}

impl<'a> BlockId<'a> {
    /// Whether it stands for no block.
    #[must_use]
    pub const fn is_nil(&self) -> bool {
        self.hash.is_empty() && self.total == 0 && self.parts_hash.is_empty()
    }

    /// The block id, if both hashes are whole and there are parts.
    #[must_use]
    pub fn complete(&self) -> Option<types::BlockId<'a>> {
        Some(types::BlockId {
            hash: self.hash.try_into().ok()?,
            total: NonZeroU32::new(self.total)?,
            parts_hash: self.parts_hash.try_into().ok()?,
        })
    }

    /// Reads fields on top of what is there already, as gogoproto does with a repeated message.
    ///
    /// # Errors
    ///
    /// See [`Malformed`].
    pub fn merge(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(message);
        while let Some(field) = reader.field()? {
            match field.number() {
                1 => self.hash = field.bytes()?,
                2 => self.merge_parts(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn merge_parts(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(message);
        while let Some(field) = reader.field()? {
            match field.number() {
                1 => self.total = field.uint32()?,
                2 => self.parts_hash = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> From<types::BlockId<'a>> for BlockId<'a> {
    fn from(id: types::BlockId<'a>) -> Self {
        Self {
            hash: id.hash,
            total: id.total.get(),
            parts_hash: id.parts_hash,
        }
    }
}

impl Message for BlockId<'_> {
    fn write(&self, out: &mut impl Sink) {
        writer::bytes(out, 1, self.hash);
        writer::message(out, 2, &PartSetHeader(self));
    }
}

struct PartSetHeader<'a>(&'a BlockId<'a>);

impl Message for PartSetHeader<'_> {
    fn write(&self, out: &mut impl Sink) {
        writer::int(out, 1, i64::from(self.0.total));
        writer::bytes(out, 2, self.0.parts_hash);
    }
}

impl Timestamp {
    /// Reads a timestamp; an empty message is the beginning of 1970.
    ///
    /// # Errors
    ///
    /// See [`Malformed`].
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut timestamp = Self {
            seconds: 0,
            nanos: 0,
        };
        let mut reader = Reader::new(message);
        while let Some(field) = reader.field()? {
            match field.number() {
                1 => timestamp.seconds = field.int64()?,
                2 => timestamp.nanos = field.int32()?,
                _ => {}
            }
        }
        Ok(timestamp)
    }

    /// The timestamp, if it lies between the years 1 and 9999.
    #[must_use]
    pub const fn valid(self) -> Option<types::Timestamp> {
        types::Timestamp::new(self.seconds, self.nanos)
    }
}

impl Default for Timestamp {
    /// What an absent timestamp stands for: Go's zero time, the first second of the year 1.
    fn default() -> Self {
        types::Timestamp::GO_ZERO.into()
    }
}

impl From<types::Timestamp> for Timestamp {
    fn from(timestamp: types::Timestamp) -> Self {
        Self {
            seconds: timestamp.seconds(),
            nanos: timestamp.nanos(),
        }
    }
}

impl Message for Timestamp {
    fn write(&self, out: &mut impl Sink) {
        writer::int(out, 1, self.seconds);
        writer::int(out, 2, i64::from(self.nanos));
    }
}
