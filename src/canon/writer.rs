//! Writes protobuf as gogoproto does: fields in ascending order, zero and empty ones left out,
//! embedded messages always written.

/// Where encoded bytes go.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

/// A message that can be written.
pub trait Message {
    /// Writes the fields, without a length before them.
    fn write(&self, out: &mut impl Sink);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Only counts what it is given.
struct Count(usize);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}

/// Writes a length prefix and the message.
pub fn delimited(out: &mut impl Sink, message: &impl Message) {
    prefix(out, message);
    message.write(out);
}

/// Writes only the length prefix of the message.
pub fn prefix(out: &mut impl Sink, message: &impl Message) {
    let mut count = Count(0);
    message.write(&mut count);
    length(out, count.0);
}

/// Writes an embedded message, an empty one too.
pub fn message(out: &mut impl Sink, field: u8, message: &impl Message) {
    tag(out, field, 2);
    delimited(out, message);
}

/// Writes a `bytes` or `string` field, if it is not empty.
pub fn bytes(out: &mut impl Sink, field: u8, value: &[u8]) {
    if !value.is_empty() {
        tag(out, field, 2);
        length(out, value.len());
        out.put(value);
    }
}

/// Writes a varint field, if it is not zero. An `int32` below zero takes ten bytes, as its `i64`.
pub fn int(out: &mut impl Sink, field: u8, value: i64) {
    if value != 0 {
        tag(out, field, 0);
        varint(out, value.cast_unsigned());
    }
}

/// Writes an `sfixed64` field, if it is not zero.
pub fn sfixed64(out: &mut impl Sink, field: u8, value: i64) {
    if value != 0 {
        tag(out, field, 1);
        out.put(&value.to_le_bytes());
    }
}

fn tag(out: &mut impl Sink, field: u8, wire_type: u8) {
    varint(out, (u64::from(field) << 3) | u64::from(wire_type));
}

fn length(out: &mut impl Sink, len: usize) {
    // A `usize` has at most 64 bits on every target there is.
    varint(out, u64::try_from(len).unwrap_or(u64::MAX));
}

fn varint(out: &mut impl Sink, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.put(&[low]);
        }
        out.put(&[low | 0x80]);
    }
}
