//! As much of protobuf as the messages need, written plainly and not for speed.

use std::io;

use super::invalid;

/// A message being written, fields in the order of the calls; zero and empty are left out.
#[derive(Clone, Default)]
pub struct Proto(Vec<u8>);

impl Proto {
    pub fn new() -> Self {
        Self::default()
    }

    /// A varint; negative numbers take ten bytes.
    pub fn int(mut self, field: u8, value: i64) -> Self {
        if value != 0 {
            self.0.push(field << 3);
            put_varint(&mut self.0, value.cast_unsigned());
        }
        self
    }

    /// An sfixed64.
    pub fn fixed(mut self, field: u8, value: i64) -> Self {
        if value != 0 {
            self.0.push(field << 3 | 1);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
        self
    }

    /// Bytes or a string.
    pub fn bytes(self, field: u8, bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return self;
        }
        self.message(field, &Self(bytes.to_vec()))
    }

    /// A message, written even if it is empty, as gogoproto does with those that cannot be nil.
    pub fn message(mut self, field: u8, message: &Self) -> Self {
        self.0.push(field << 3 | 2);
        self.0.extend_from_slice(&delimited(&message.0));
        self
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// `body` behind its length.
pub fn delimited(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(body);
    bytes
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}

/// The varint at the front of `bytes` and its length, if it is whole; all ones if it is too long.
pub fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if at == 10 {
            return Some((u64::MAX, at));
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// A field's value as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
}

/// The fields of a message in their order, unknown ones included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(u64, Value)>);

impl Fields {
    pub fn read(mut bytes: &[u8]) -> io::Result<Self> {
        let cut = || invalid("a message ends too early");
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let (tag, len) = varint(bytes).ok_or_else(cut)?;
            bytes = &bytes[len..];
            let (value, len) = match tag & 7 {
                0 => {
                    let (value, len) = varint(bytes).ok_or_else(cut)?;
                    (Value::Varint(value), len)
                }
                1 => {
                    let value = bytes.first_chunk().ok_or_else(cut)?;
                    (Value::Fixed64(*value), 8)
                }
                2 => {
                    let (length, head) = varint(bytes).ok_or_else(cut)?;
                    let end = usize::try_from(length).ok();
                    let end = end.and_then(|len| len.checked_add(head));
                    let end = end.filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
                    (Value::Bytes(bytes[head..end].to_vec()), end)
                }
                kind => return Err(invalid(format!("wire type {kind}"))),
            };
            fields.push((tag >> 3, value));
            bytes = &bytes[len..];
        }
        Ok(Self(fields))
    }

    /// The last value of a field, as decoders take it.
    pub fn get(&self, field: u64) -> Option<&Value> {
        let mut found = self.0.iter().rev();
        Some(&found.find(|(number, _)| *number == field)?.1)
    }

    /// A varint field; 0 if it is absent.
    pub fn int(&self, field: u64) -> i64 {
        match self.get(field) {
            Some(Value::Varint(value)) => value.cast_signed(),
            _ => 0,
        }
    }

    /// Bytes, a string or a message, if the field is there.
    pub fn bytes(&self, field: u64) -> Option<&[u8]> {
        match self.get(field) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// A message, if the field is there.
    pub fn message(&self, field: u64) -> io::Result<Option<Self>> {
        self.bytes(field).map(Self::read).transpose()
    }
}
