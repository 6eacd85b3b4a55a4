//! Recognises what could pass for sign-bytes, however loosely.

use super::reader::{Field, Malformed, Reader};

/// Whether `bytes` could be taken for the sign-bytes of a vote, a proposal or an extension.
///
/// Said of every length-prefixed message whose known fields have the types of one of the three,
/// whatever their order and values, with unknown fields or without, complete or not. Meant for
/// refusing raw bytes: when in doubt, yes.
#[must_use]
pub fn is_lookalike(bytes: &[u8]) -> bool {
    let mut outer = Reader::new(bytes);
    let Ok(body) = outer.delimited() else {
        return false;
    };
    outer.is_empty()
        && [vote_field, proposal_field, extension_field]
            .iter()
            .any(|check| fits(body, *check))
}

type Check = fn(&Field<'_>) -> Result<(), Malformed>;

fn fits(body: &[u8], check: Check) -> bool {
    let mut reader = Reader::new(body);
    loop {
        match reader.field() {
            Ok(None) => return true,
            Ok(Some(field)) if check(&field).is_ok() => {}
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}

fn vote_field(field: &Field<'_>) -> Result<(), Malformed> {
    match field.number() {
        1 => field.varint().map(drop),
        2 | 3 => field.sfixed64().map(drop),
        4..=6 => field.bytes().map(drop),
        _ => Ok(()),
    }
}

fn proposal_field(field: &Field<'_>) -> Result<(), Malformed> {
    match field.number() {
        1 | 4 => field.varint().map(drop),
        2 | 3 => field.sfixed64().map(drop),
        5..=7 => field.bytes().map(drop),
        _ => Ok(()),
    }
}

fn extension_field(field: &Field<'_>) -> Result<(), Malformed> {
    match field.number() {
        1 | 4 => field.bytes().map(drop),
        2 | 3 => field.sfixed64().map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_forms_of_sign_bytes_are_recognised() {
        for bytes in [
            // Nothing in it; a type alone; fields backwards; a longer prefix than needed.
            &b"\x00"[..],
            b"\x02\x08\x01",
            b"\x0b\x2a\x00\x11\x01\x00\x00\x00\x00\x00\x00\x00",
            b"\x82\x00\x08\x01",
            // An unknown field beside a known one.
            b"\x05\x08\x01\x98\x06\x01",
            // A proposal: field 4 is a number, field 7 the chain id.
            b"\x08\x08\x20\x20\x02\x32\x00\x3a\x00",
            // An extension.
            b"\x07\x0a\x01e\x22\x02ab",
        ] {
            assert!(is_lookalike(bytes), "{bytes:x?}");
        }
    }

    #[test]
    fn other_bytes_are_not() {
        for bytes in [
            &b""[..],
            b"hello, world",
            b"COMET::RAW_BYTES::SIGN\x04\x0a\x02ab",
            // A wrong length; field 2 as a varint; field 1 as fixed64; a group that never ends.
            b"\x03\x08\x01",
            b"\x01\x08\x01",
            b"\x02\x10\x01",
            b"\x09\x09\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\x02\x9b\x06",
            // A type and a fixed64 where a vote has its block, a proposal's round and one where it has its block.
            b"\x0b\x08\x01\x21\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\x0d\x08\x20\x20\x02\x29\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            assert!(!is_lookalike(bytes), "{bytes:x?}");
        }
    }
}
