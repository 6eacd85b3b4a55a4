//! Reads protobuf field by field, with gogoproto's answers where the encoding leaves room.

use core::fmt;

/// A message, or what is left of it.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

/// One field: its number, which may be any but 0, and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    number: i32,
    value: Value<'a>,
}

/// What a field holds, by wire type.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    /// A group or a fixed32: no message here has one, so its content is skipped.
    Foreign,
}

/// Why bytes are no protobuf message of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The message ends within a field.
    Truncated,
    /// A varint of more than ten bytes.
    Varint,
    /// A field number of 0, a wire type that does not exist, or the end of a group never begun.
    Tag,
    /// Bytes after the end of the message.
    Trailing,
    /// A known field of another wire type than its own.
    WireType {
        /// The field's number.
        field: i32,
    },
}

impl<'a> Reader<'a> {
    /// Begins at the first field of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Reads the next field; `None` at the end of the message.
    ///
    /// # Errors
    ///
    /// See [`Malformed`]; what is left is unspecified then.
    pub fn field(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        if number <= 0 {
            return Err(Malformed::Tag);
        }
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => Value::Bytes(self.delimited()?),
            3 => {
                self.skip_group()?;
                Value::Foreign
            }
            5 => {
                self.array::<4>()?;
                Value::Foreign
            }
            _ => return Err(Malformed::Tag),
        };
        Ok(Some(Field { number, value }))
    }

    /// Reads a length and as many bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] or [`Malformed::Varint`].
    pub fn delimited(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
        let (head, tail) = self.0.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    /// Whether everything has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seven bits a byte, the low ones first. Bits above the 64th are dropped.
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    fn tag(&mut self) -> Result<(i32, u8), Malformed> {
        let tag = self.varint()?;
        let [low, ..] = tag.to_le_bytes();
        Ok((low_32(tag >> 3), low & 7))
    }

    /// Skips to the end of a group whose start has been read. Groups nest, at a byte or more each;
    /// the numbers of their ends are not compared.
    fn skip_group(&mut self) -> Result<(), Malformed> {
        let mut depth = 1_usize;
        while depth > 0 {
            let (_, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.delimited()?),
                3 => depth = depth.saturating_add(1),
                4 => depth = depth.saturating_sub(1),
                5 => drop(self.array::<4>()?),
                _ => return Err(Malformed::Tag),
            }
        }
        Ok(())
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], Malformed> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }
}

impl<'a> Field<'a> {
    /// The field's number.
    #[must_use]
    pub const fn number(&self) -> i32 {
        self.number
    }

    /// The value of an `int64`, `uint64` or `bool`.
    ///
    /// # Errors
    ///
    /// [`Malformed::WireType`].
    pub const fn varint(&self) -> Result<u64, Malformed> {
        let Value::Varint(value) = self.value else {
            return Err(self.wrong());
        };
        Ok(value)
    }

    /// The value of an `int64`.
    ///
    /// # Errors
    ///
    /// [`Malformed::WireType`].
    pub const fn int64(&self) -> Result<i64, Malformed> {
        match self.varint() {
            Ok(value) => Ok(value.cast_signed()),
            Err(error) => Err(error),
        }
    }

    /// The value of an `int32` or an enum: the low 32 bits of the varint.
    ///
    /// # Errors
    ///
    /// [`Malformed::WireType`].
    pub const fn int32(&self) -> Result<i32, Malformed> {
        match self.varint() {
            Ok(value) => Ok(low_32(value)),
            Err(error) => Err(error),
        }
    }

    /// The value of a `uint32`: the low 32 bits of the varint.
    ///
    /// # Errors
    ///
    /// [`Malformed::WireType`].
    pub const fn uint32(&self) -> Result<u32, Malformed> {
        match self.int32() {
            Ok(value) => Ok(value.cast_unsigned()),
            Err(error) => Err(error),
        }
    }

    /// The value of an `sfixed64`.
    ///
    /// # Errors
    ///
    /// [`Malformed::WireType`].
    pub const fn sfixed64(&self) -> Result<i64, Malformed> {
        let Value::Fixed64(bytes) = self.value else {
            return Err(self.wrong());
        };
        Ok(i64::from_le_bytes(bytes))
    }

    /// The value of a `bytes`, a `string` (which need not be UTF-8) or an embedded message.
    ///
    /// # Errors
    ///
    /// [`Malformed::WireType`].
    pub const fn bytes(&self) -> Result<&'a [u8], Malformed> {
        let Value::Bytes(bytes) = self.value else {
            return Err(self.wrong());
        };
        Ok(bytes)
    }

    const fn wrong(&self) -> Malformed {
        Malformed::WireType { field: self.number }
    }
}

const fn low_32(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the message ends within a field"),
            Self::Varint => f.write_str("a number has more than ten bytes"),
            Self::Tag => f.write_str("a field has no valid number or type"),
            Self::Trailing => f.write_str("bytes follow the message"),
            Self::WireType { field } => write!(f, "field {field} has the wrong type"),
        }
    }
}

impl core::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(message: &[u8]) -> Result<Field<'_>, Malformed> {
        let mut reader = Reader::new(message);
        let field = reader.field()?.unwrap();
        assert!(reader.field()?.is_none());
        Ok(field)
    }

    #[test]
    fn what_is_malformed_is_said() {
        for (malformed, text) in [
            (Malformed::Truncated, "ends within a field"),
            (Malformed::Varint, "more than ten bytes"),
            (Malformed::Tag, "no valid number or type"),
            (Malformed::Trailing, "bytes follow"),
            (Malformed::WireType { field: 7 }, "field 7 "),
        ] {
            assert!(malformed.to_string().contains(text), "{malformed}");
        }
    }

    #[test]
    fn reads_each_type_and_no_other() {
        let varint = only(b"\x08\x96\x01").unwrap();
        assert_eq!((varint.number(), varint.varint()), (1, Ok(150)));
        assert_eq!(varint.bytes(), Err(Malformed::WireType { field: 1 }));
        let fixed = only(b"\x11\xfe\xff\xff\xff\xff\xff\xff\xff").unwrap();
        assert_eq!((fixed.number(), fixed.sfixed64()), (2, Ok(-2)));
        assert_eq!(fixed.varint(), Err(Malformed::WireType { field: 2 }));
        let bytes = only(b"\x1a\x02ab").unwrap();
        assert_eq!((bytes.number(), bytes.bytes()), (3, Ok(&b"ab"[..])));
        assert_eq!(bytes.sfixed64(), Err(Malformed::WireType { field: 3 }));
    }

    #[test]
    fn a_number_of_32_bits_keeps_the_low_ones() {
        let field = only(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").unwrap();
        assert_eq!(field.int32(), Ok(-1));
        assert_eq!(field.uint32(), Ok(u32::MAX));
        assert_eq!(field.int64(), Ok(-1));
        assert_eq!(only(b"\x08\x87\x80\x80\x80\x10").unwrap().int32(), Ok(7));
    }

    #[test]
    fn a_varint_has_ten_bytes_at_most() {
        let mut message = [0x80; 11];
        message[0] = 8;
        message[10] = 1;
        assert_eq!(only(&message).unwrap().varint(), Ok(1 << 63));
        // The tenth byte holds one bit; the others are dropped, as gogoproto does.
        message[10] = 0x7f;
        assert_eq!(only(&message).unwrap().varint(), Ok(1 << 63));
        message[10] = 0x80;
        assert_eq!(only(&message).unwrap_err(), Malformed::Varint);
    }

    #[test]
    fn a_message_that_ends_too_early_is_truncated() {
        for message in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x80",
            b"\x11\0\0\0\0\0\0\0",
            b"\x1a",
            b"\x1a\x01",
            b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x1b",
            b"\x1b\x1b\x1c",
            b"\x1d\0\0\0",
        ] {
            assert_eq!(only(message).unwrap_err(), Malformed::Truncated);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn groups_are_skipped_however_deep() {
        let depth = 100_000;
        let message = [vec![0x1b; depth], vec![0x1c; depth]].concat();
        let group = only(&message).unwrap();
        assert_eq!(group.bytes(), Err(Malformed::WireType { field: 3 }));
    }

    #[test]
    fn numbers_and_types_that_do_not_exist_are_refused() {
        for message in [
            &b"\x00\x01"[..],
            b"\x02\x00",
            b"\x0c",
            b"\x0e",
            b"\x0f",
            b"\x0b\x0e\x0c",
            b"\x80\x80\x80\x80\x40\x01",
        ] {
            assert_eq!(only(message).unwrap_err(), Malformed::Tag);
        }
    }
}
