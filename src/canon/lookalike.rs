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
