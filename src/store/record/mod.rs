//! The bytes of a state file: a header and two records, each a line of JSON in a block of its own.
//!
//! ```text
//!     0  header    format, chain id, public key, origin      written once
//!  4096  record A  even sequence numbers                     the two are written in turn
//!  8192  record B  odd sequence numbers
//! 12288
//! ```
//!
//! There is one way to write each value, and reading checks it by writing it again: a byte that is not
//! what we would have written is damage. The checksum of a record covers the header as well.

use core::fmt::{self, Write};

use ct_codecs::{Base64, Decoder, Encoder};
use nojson::{RawJson, RawJsonValue};
use sha2::{Digest, Sha256};

use crate::canon::{self, SignBytes};
use crate::guard::{Position, Watermark};
use crate::types::{ChainId, PublicKey, Step};

/// Header and records lie this far apart, so that no write to one can harm another.
pub(super) const BLOCK_LEN: usize = 4096;
/// A record is written whole or not at all: one sector of any disk.
pub(super) const RECORD_LEN: usize = 512;
/// Exactly this long, always.
pub(super) const FILE_LEN: usize = 3 * BLOCK_LEN;
/// The same, as the system counts.
pub(super) const FILE_LEN_U64: u64 = 3 * 4096;

/// How every state file of ours begins.
pub(super) const MAGIC: &[u8] = br#"{"tmkms_state":1,"#;

const SIGN_BYTES_TEXT_LEN: usize = canon::MAX_LEN.div_ceil(3).saturating_mul(4);

/// What a state file says once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) chain_id: ChainId,
    pub(super) public_key: PublicKey,
    /// The node's own state file, if the key came from that node: read until the first commit.
    pub(super) origin: Option<String>,
}

/// Where a copy of the state is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing was signed under it yet.
    New,
    /// In use.
    Active,
    /// Moved elsewhere: this copy may not sign.
    Retired,
}

/// One of the two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) sequence: u64,
    pub(super) status: Status,
    pub(super) watermark: Watermark,
}

/// Everything a sound file says.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) header: Header,
    /// SHA-256 over the header's block.
    pub(super) digest: [u8; 32],
    pub(super) newest: Record,
}

/// What is wrong with a file that should be a state file of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It is not 12,288 bytes long.
    Length,
    /// The first block.
    Header,
    /// One record; the other is sound and says this.
    OneRecord(Position),
    /// Both records, or the two do not follow one another.
    Records,
}

impl Header {
    /// The first block, whole. `None` if it would not fit (a path of thousands of characters).
    pub(super) fn render(&self) -> Option<[u8; BLOCK_LEN]> {
        let mut text = Text::<BLOCK_LEN>::new();
        let write = |text: &mut Text<BLOCK_LEN>| -> fmt::Result {
            text.write_str(r#"{"tmkms_state":1,"chain_id":"#)?;
            write_json_string(text, self.chain_id.as_str())?;
            text.write_str(r#","public_key":""#)?;
            text.write_base64(&self.public_key.0)?;
            text.write_str(r#"","origin":"#)?;
            match &self.origin {
                Some(path) => write_json_string(text, path)?,
                None => text.write_str("null")?,
            }
            text.write_str(r#","checksum":""#)?;
            let digest = Sha256::digest(text.written());
            text.write_base64(&digest)?;
            text.write_str("\"}")
        };
        write(&mut text).ok()?;
        // The last byte ends the line.
        let mut block = (text.len < BLOCK_LEN).then(|| text.padded())?;
        if let Some(last) = block.last_mut() {
            *last = b'\n';
        }
        Some(block)
    }

    fn parse(block: &[u8; BLOCK_LEN]) -> Option<Self> {
        let line = block.strip_suffix(b"\n")?.trim_ascii_end();
        let json = RawJson::parse(core::str::from_utf8(line).ok()?).ok()?;
        let value = json.value();
        let header = Self {
            chain_id: ChainId::new(&string(value, "chain_id")?).ok()?,
            public_key: PublicKey(base64_array(&string(value, "public_key")?)?),
            origin: optional_string(value, "origin")?,
        };
        (header.render()?.as_slice() == block.as_slice()).then_some(header)
    }
}

impl Record {
    /// The record's sector, whole.
    pub(super) fn render(&self, header_digest: &[u8; 32]) -> [u8; RECORD_LEN] {
        let mut text = Text::<RECORD_LEN>::new();
        let written = self.write(&mut text, header_digest);
        debug_assert!(
            written.is_ok(),
            "every record fits; a test holds the longest to it"
        );
        text.padded()
    }

    fn write(&self, text: &mut Text<RECORD_LEN>, header_digest: &[u8; 32]) -> fmt::Result {
        let position = self.watermark.position();
        write!(
            text,
            r#"{{"seq":{},"status":"{}","height":"{}","round":{},"step":"{}","sign_bytes":"#,
            self.sequence,
            self.status.word(),
            position.height(),
            position.round(),
            position.step().map_or("none", Step::word),
        )?;
        match self.watermark.sign_bytes() {
            Some(sign_bytes) => {
                text.write_char('"')?;
                text.write_base64(sign_bytes.as_bytes())?;
                text.write_char('"')?;
            }
            None => text.write_str("null")?,
        }
        text.write_str(r#","checksum":""#)?;
        let digest = Sha256::new()
            .chain_update(header_digest)
            .chain_update(text.written())
            .finalize();
        text.write_base64(&digest)?;
        text.write_str("\"}")
    }

    fn parse(block: &[u8], header_digest: &[u8; 32]) -> Option<Self> {
        let (sector, rest) = block.split_at_checked(RECORD_LEN)?;
        let padding = rest.strip_suffix(b"\n")?;
        if !padding.iter().all(|byte| *byte == b' ') {
            return None;
        }
        let json = RawJson::parse(core::str::from_utf8(sector.trim_ascii_end()).ok()?).ok()?;
        let value = json.value();
        let step = match &*string(value, "step")? {
            "none" => None,
            word => Some(Step::from_word(word)?),
        };
        let height = string(value, "height")?.parse().ok()?;
        let round = number(value, "round")?;
        let position = Position::new(height, round, step)?;
        let watermark = match optional_string(value, "sign_bytes")? {
            None => Watermark::at(position),
            Some(text) => {
                let mut bytes = [0; SIGN_BYTES_TEXT_LEN];
                let bytes = Base64::decode(&mut bytes, &text, None).ok()?;
                Watermark::signed(SignBytes::parse(bytes).ok()?)
            }
        };
        let record = Self {
            sequence: number(value, "seq")?,
            status: Status::from_word(&string(value, "status")?)?,
            watermark,
        };
        // Also finds a position that is not the one of the sign-bytes.
        (record.render(header_digest).as_slice() == sector).then_some(record)
    }
}

impl Contents {
    /// Both blocks of a file that begins like ours.
    pub(super) fn parse(file: &[u8]) -> Result<Self, Damage> {
        if file.len() != FILE_LEN {
            return Err(Damage::Length);
        }
        let (block, records) = file.split_first_chunk().ok_or(Damage::Length)?;
        let header = Header::parse(block).ok_or(Damage::Header)?;
        let digest = Sha256::digest(block).into();
        let (even, odd) = records.split_at_checked(BLOCK_LEN).ok_or(Damage::Length)?;
        let even = Record::parse(even, &digest).filter(|record| record.sequence % 2 == 0);
        let odd = Record::parse(odd, &digest).filter(|record| record.sequence % 2 == 1);
        let newest = match (even, odd) {
            (Some(even), Some(odd)) if even.sequence.checked_add(1) == Some(odd.sequence) => odd,
            (Some(even), Some(odd)) if odd.sequence.checked_add(1) == Some(even.sequence) => even,
            (Some(one), None) | (None, Some(one)) => {
                return Err(Damage::OneRecord(one.watermark.position()));
            }
            (Some(_), Some(_)) | (None, None) => return Err(Damage::Records),
        };
        Ok(Self {
            header,
            digest,
            newest,
        })
    }

    /// A whole file with `record` in both places, under `record.sequence` and the number before it.
    pub(super) fn render(header: &Header, record: &Record) -> Option<Vec<u8>> {
        let block = header.render()?;
        let digest: [u8; 32] = Sha256::digest(block).into();
        let older = Record {
            sequence: record.sequence.checked_sub(1)?,
            ..*record
        };
        let mut file = vec![b' '; FILE_LEN];
        for (at, bytes) in [
            (0, block.as_slice()),
            (offset(record.sequence), &record.render(&digest)),
            (offset(older.sequence), &older.render(&digest)),
        ] {
            let at = usize::try_from(at).ok()?;
            file.get_mut(at..at.checked_add(bytes.len())?)?
                .copy_from_slice(bytes);
        }
        for line_end in [BLOCK_LEN, 2 * BLOCK_LEN, FILE_LEN] {
            *file.get_mut(line_end.checked_sub(1)?)? = b'\n';
        }
        Some(file)
    }
}

/// Where the record with this sequence number stands, in bytes from the file's start.
pub(super) const fn offset(sequence: u64) -> u64 {
    if sequence.is_multiple_of(2) {
        4096
    } else {
        8192
    }
}

impl Status {
    /// The word in the file: `new`, `active`, `retired`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::New, Self::Active, Self::Retired]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "it is not {FILE_LEN} bytes long"),
            Self::Header => f.write_str("its first block (chain id and public key) is damaged"),
            Self::OneRecord(position) => write!(
                f,
                "one of its two records is damaged; the other says {position}, and the lost one may have been higher"
            ),
            Self::Records => f.write_str("both of its records are damaged"),
        }
    }
}

/// Text in an array. A write that does not fit is an error.
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(super) fn new() -> Self {
        Self {
            bytes: [b' '; N],
            len: 0,
        }
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn padded(self) -> [u8; N] {
        self.bytes
    }

    fn write_base64(&mut self, bytes: &[u8]) -> fmt::Result {
        let mut text = [0; SIGN_BYTES_TEXT_LEN];
        let text = Base64::encode(&mut text, bytes).map_err(|_| fmt::Error)?;
        self.push(text)
    }

    fn push(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.len.checked_add(bytes.len()).ok_or(fmt::Error)?;
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes())
    }
}

/// A JSON string literal: quotes, backslashes and control characters escaped, nothing else.
pub(super) fn write_json_string(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            control if control.is_ascii_control() => write!(out, "\\u{:04x}", u32::from(control))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

pub(super) fn string<'a>(
    object: RawJsonValue<'a, '_>,
    name: &str,
) -> Option<std::borrow::Cow<'a, str>> {
    let value = object.to_member(name).ok()?.required().ok()?;
    value.to_unquoted_string_str().ok()
}

/// `Some(None)` for `null`.
#[expect(
    clippy::option_option,
    reason = "absent, null and present are three things"
)]
pub(super) fn optional_string(object: RawJsonValue<'_, '_>, name: &str) -> Option<Option<String>> {
    let value = object.to_member(name).ok()?.required().ok()?;
    if value.kind().is_null() {
        return Some(None);
    }
    Some(Some(value.to_unquoted_string_str().ok()?.into_owned()))
}

pub(super) fn number<T: core::str::FromStr>(object: RawJsonValue<'_, '_>, name: &str) -> Option<T> {
    let value = object.to_member(name).ok()?.required().ok()?;
    value.as_integer_str().ok()?.parse().ok()
}

pub(super) fn base64_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; SIGN_BYTES_TEXT_LEN];
    let bytes = Base64::decode(&mut bytes, text, None).ok()?;
    <[u8; N]>::try_from(bytes).ok()
}

#[cfg(test)]
mod tests;
