//! State files of other programs, read by content into one neutral value.
//!
//! | program | height | round | step | besides |
//! |---|---|---|---|---|
//! | tmkms | string | string | 0, 1, 2; 3 and 6 up to 0.6 | `block_id` |
//! | `FilePV`, cosmos/kms | string | number; string before v0.34 | 0 to 3 | `signature`, `signbytes` |
//! | horcrux | string | string | 0 to 3 | the same, `ephemeral_public` or `nonce_public` |
//!
//! One number of a step means different things in different programs. Where a file can be read in
//! two ways, the reading with the higher step is taken: it forbids more.
//!
//! What is signed twice without harm is the same sign-bytes. A reading without them, as every one of
//! tmkms' is, must refuse its own slot.

use core::fmt;

use ct_codecs::{Base64, Decoder, Error as CodecError, Hex};
use nojson::{JsonValueKind, RawJsonValue};

use crate::{
    keys::{
        Broken,
        json::{self, Object},
    },
    types::Step,
};

/// The most bytes that are read. No program writes 2 KiB.
pub const FOREIGN_MAX_LEN: usize = 16 * 1024;

/// The program whose reading of the file was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// iqlusion's tmkms.
    Tmkms,
    /// CometBFT's `priv_validator_state.json`, and cosmos/kms' state.
    FilePv,
    /// Either of horcrux' two state files.
    Horcrux,
}

impl Format {
    /// The name for messages and for the kept original: `tmkms`, `filepv`, `horcrux`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tmkms => "tmkms",
            Self::FilePv => "filepv",
            Self::Horcrux => "horcrux",
        }
    }
}

/// What another program says it signed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Whose reading this is.
    pub format: Format,
    /// The height, 0 or more.
    pub height: i64,
    /// The round, 0 or more.
    pub round: i32,
    /// The last thing signed in this round; `None` if nothing was yet.
    pub step: Option<Step>,
    /// What was signed, as it stands in the file, not interpreted; `None` if the file does not say.
    pub sign_bytes: Option<Vec<u8>>,
    /// The signature over `sign_bytes`, not verified; never without them. A cosigner of horcrux
    /// keeps a part of a signature here: one that has not 64 bytes is left out.
    pub signature: Option<[u8; 64]>,
}

/// Why a file is no state that can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignError {
    /// No bytes, or white space only.
    Empty,
    /// Nothing but zero bytes.
    Zeros,
    /// More than [`FOREIGN_MAX_LEN`] bytes.
    TooLong,
    /// No JSON object.
    Json(Broken),
    /// A member that is missing or wrong.
    Member {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A key file, where a state file belongs.
    Key,
    /// No program's state, or a mixture of two.
    Unrecognised,
}

/// What is wrong with a member of a state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Missing,
    /// Not of a JSON type that a program writes there.
    Type,
    /// A number below zero.
    Negative,
    /// A number that is too high, or a step that does not exist or contradicts the other members.
    Range,
    /// No decimal, hexadecimal or base64 digits.
    Encoding,
    /// Too few or too many bytes.
    Length,
}

/// Reads a state file.
///
/// # Errors
///
/// [`ForeignError`]; nothing is guessed.
pub fn read(bytes: &[u8]) -> Result<Foreign, ForeignError> {
    if bytes.len() > FOREIGN_MAX_LEN {
        return Err(ForeignError::TooLong);
    }
    if bytes.trim_ascii().is_empty() {
        return Err(ForeignError::Empty);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(ForeignError::Zeros);
    }
    let text = core::str::from_utf8(bytes).map_err(|_| ForeignError::Unrecognised)?;
    let json = json::parse(text).map_err(ForeignError::Json)?;
    let file = Object::new(text, json.value()).map_err(ForeignError::Json)?;
    if file.has("priv_key") || file.has("privateShard") {
        return Err(ForeignError::Key);
    }
    if ![HEIGHT, ROUND, STEP].iter().any(|name| file.has(name)) {
        return Err(ForeignError::Unrecognised);
    }
    read_object(&file)
}

fn read_object(file: &Object<'_, '_>) -> Result<Foreign, ForeignError> {
    let member = |name| file.get(name).ok_or(wrong(name, Fault::Missing));
    let height = number(HEIGHT, string(HEIGHT, member(HEIGHT)?)?)?;
    let value = member(ROUND)?;
    let (written, text) = if value.kind().is_string() {
        (Written::String, string(ROUND, value)?)
    } else {
        (Written::Number, integer(ROUND, value)?)
    };
    let round = i32::try_from(number(ROUND, text)?).map_err(|_| wrong(ROUND, Fault::Range))?;
    let step = number(STEP, integer(STEP, member(STEP)?)?)?;

    let (step, format) = reading(file, written, height, round, step)?;
    let sign_bytes = sign_bytes(file)?;
    if step.is_none() && sign_bytes.is_some() {
        return Err(wrong(STEP, Fault::Range));
    }
    let signature = signature(file, format)?.filter(|_| sign_bytes.is_some());
    Ok(Foreign {
        format,
        height,
        round,
        step,
        sign_bytes,
        signature,
    })
}

/// How the round is written, which tells programs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    String,
    Number,
}

/// The highest of the readings that fit.
fn reading(
    file: &Object<'_, '_>,
    written: Written,
    height: i64,
    round: i32,
    step: i64,
) -> Result<(Option<Step>, Format), ForeignError> {
    let has = |names: &[&str]| names.iter().any(|name| file.has(name));
    let of_tmkms = has(&["block_id"]);
    let of_horcrux = has(&["ephemeral_public", "nonce_public", "vote_ext_signature"]);
    let of_go = of_horcrux || has(&["signbytes", "signature"]);
    let strings = written == Written::String;
    let fitting = [
        (Format::Horcrux, strings && !of_tmkms),
        (Format::FilePv, !of_tmkms && !of_horcrux),
        (Format::Tmkms, strings && !of_go),
    ];
    if fitting.iter().all(|(_, fits)| !fits) {
        return Err(ForeignError::Unrecognised);
    }
    let readings = fitting.into_iter().filter_map(|(format, fits)| {
        let step = fits.then(|| meaning(format, height, round, step))??;
        Some((step, format))
    });
    // Of equal ones the last: `FilePV` before horcrux, tmkms before both.
    readings
        .max_by_key(|(step, _)| *step)
        .ok_or(wrong(STEP, Fault::Range))
}

/// What a step's number stands for; the outer `None` if it does not exist.
#[expect(
    clippy::option_option,
    reason = "no such step, and no step yet, are different things"
)]
fn meaning(format: Format, height: i64, round: i32, step: i64) -> Option<Option<Step>> {
    match (format, step) {
        (Format::Tmkms, 0) if height == 0 && round == 0 => Some(None),
        (Format::Tmkms, 0 | 3) | (Format::FilePv | Format::Horcrux, 1) => {
            Some(Some(Step::Proposal))
        }
        (Format::Tmkms, 1) | (Format::FilePv | Format::Horcrux, 2) => Some(Some(Step::Prevote)),
        // Up to 0.6, 6 was either vote.
        (Format::Tmkms, 2 | 6) | (Format::FilePv | Format::Horcrux, 3) => {
            Some(Some(Step::Precommit))
        }
        (Format::FilePv | Format::Horcrux, 0) => Some(None),
        (Format::Tmkms | Format::FilePv | Format::Horcrux, _) => None,
    }
}

fn sign_bytes(file: &Object<'_, '_>) -> Result<Option<Vec<u8>>, ForeignError> {
    let name = "signbytes";
    let Some(text) = text(file, name)? else {
        return Ok(None);
    };
    match Hex::decode_to_vec(text, None) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) => Err(wrong(name, Fault::Encoding)),
    }
}

fn signature(file: &Object<'_, '_>, format: Format) -> Result<Option<[u8; 64]>, ForeignError> {
    let name = "signature";
    let Some(text) = text(file, name)? else {
        return Ok(None);
    };
    let mut signature = [0; 64];
    let whole = signature.len();
    let fault = match Base64::decode(&mut signature, text, None) {
        Ok(decoded) if decoded.len() == whole => return Ok(Some(signature)),
        Ok(_) | Err(CodecError::Overflow) => Fault::Length,
        Err(CodecError::InvalidInput) => Fault::Encoding,
    };
    match (format, fault) {
        (Format::Horcrux, Fault::Length) => Ok(None),
        _ => Err(wrong(name, fault)),
    }
}

/// A string that need not be there; `null` and the empty one are none.
fn text<'text>(
    file: &Object<'text, '_>,
    name: &'static str,
) -> Result<Option<&'text str>, ForeignError> {
    match file.get(name) {
        Some(value) if value.kind() != JsonValueKind::Null => {
            Ok(Some(string(name, value)?).filter(|text| !text.is_empty()))
        }
        Some(_) | None => Ok(None),
    }
}

/// A string's content; none that is wanted here has anything to escape but base64's `/`, which no
/// program escapes.
fn string<'text>(
    name: &'static str,
    value: RawJsonValue<'text, '_>,
) -> Result<&'text str, ForeignError> {
    value.as_string_str().map_err(|_| wrong(name, Fault::Type))
}

fn integer<'text>(
    name: &'static str,
    value: RawJsonValue<'text, '_>,
) -> Result<&'text str, ForeignError> {
    value.as_integer_str().map_err(|_| wrong(name, Fault::Type))
}

fn number(name: &'static str, text: &str) -> Result<i64, ForeignError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong(name, Fault::Encoding));
    }
    if digits != text {
        return Err(wrong(name, Fault::Negative));
    }
    digits.parse().map_err(|_| wrong(name, Fault::Range))
}

const fn wrong(name: &'static str, fault: Fault) -> ForeignError {
    ForeignError::Member { name, fault }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tmkms => "tmkms",
            Self::FilePv => "priv_validator_state.json",
            Self::Horcrux => "horcrux",
        })
    }
}

impl fmt::Display for ForeignError {
    /// What the file is, for a sentence that begins with its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty, as a file may be after a crash"),
            Self::Zeros => f.write_str("holds nothing but zero bytes, as a file may after a crash"),
            Self::TooLong => write!(f, "has more than {FOREIGN_MAX_LEN} bytes"),
            Self::Json(broken) => write!(f, "{broken}"),
            Self::Member { name, fault } => match fault {
                Fault::Missing => write!(f, "has no `{name}`"),
                Fault::Type => write!(f, "has a `{name}` of the wrong JSON type"),
                Fault::Negative => write!(f, "has a `{name}` below zero"),
                Fault::Range => write!(f, "has a `{name}` that cannot be"),
                Fault::Encoding => write!(f, "has a `{name}` that does not decode"),
                Fault::Length => write!(f, "has a `{name}` of the wrong length"),
            },
            Self::Key => f.write_str("is a key, not a record of what was signed"),
            Self::Unrecognised => f.write_str("is the state of no known program"),
        }
    }
}

impl core::error::Error for ForeignError {}

// The members that every program writes.
const HEIGHT: &str = "height";
const ROUND: &str = "round";
const STEP: &str = "step";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Vector {
        name: String,
        expect: String,
        bytes: Vec<u8>,
    }

    /// Every `tests/vectors/state/*.txt`: header lines, a blank line, the file's content as text
    /// without the last line feed, or, after the header `body: hex`, in hexadecimal.
    fn vectors() -> Vec<Vector> {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/state");
        let mut vectors: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                let (header, body) = text.split_once("\n\n").unwrap();
                let field = |name: &str| {
                    let mut lines = header.lines().filter_map(|line| line.split_once(": "));
                    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
                };
                let body = body.strip_suffix('\n').unwrap();
                Vector {
                    name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                    expect: field("expect").unwrap().to_owned(),
                    bytes: match field("body") {
                        Some("hex") => Hex::decode_to_vec(body, Some(b"\n")).unwrap(),
                        _ => body.as_bytes().to_vec(),
                    },
                }
            })
            .collect();
        vectors.sort_by(|a, b| a.name.cmp(&b.name));
        vectors
    }

    fn outcome(read: &Result<Foreign, ForeignError>) -> String {
        match read {
            Ok(found) => format!(
                "{:?} {}/{}/{} {} {}",
                found.format,
                found.height,
                found.round,
                found.step.map_or("none", Step::word),
                found
                    .sign_bytes
                    .as_ref()
                    .map_or("no-sign-bytes".to_owned(), |bytes| format!(
                        "sign-bytes={}",
                        bytes.len()
                    )),
                found.signature.map_or("unsigned", |_| "signed"),
            ),
            Err(error) => format!("refused {error:?}"),
        }
    }

    #[test]
    fn reads_every_vector_as_it_expects() {
        let vectors = vectors();
        let wrong: Vec<_> = vectors
            .iter()
            .filter_map(|vector| {
                let outcome = outcome(&read(&vector.bytes));
                let differs = outcome != vector.expect;
                differs.then(|| format!("{}: {outcome}", vector.name))
            })
            .collect();
        assert_eq!(wrong, [""; 0]);
        assert_eq!(vectors.len(), VECTORS);
    }

    #[test]
    fn takes_sign_bytes_and_signature_as_they_stand() {
        let vectors = vectors();
        let vector = vectors
            .iter()
            .find(|v| v.name == "filepv_precommit")
            .unwrap();
        let found = read(&vector.bytes).unwrap();
        let sign_bytes = found.sign_bytes.unwrap();
        assert!(sign_bytes.starts_with(&[0x7c, 0x08, 0x02, 0x11, 0x39, 0x30]));
        assert!(sign_bytes.ends_with(b"test_chain_id"));
        assert_eq!(found.signature.unwrap()[..4], [0xe2, 0x93, 0x76, 0xa9]);
    }

    #[test]
    fn reads_up_to_the_limit() {
        let padded = |len: usize| {
            let text = r#"{"height":"1","round":0,"step":1}"#;
            let found = read(format!("{text:len$}").as_bytes());
            found.map(|found| found.height)
        };
        assert_eq!(padded(2048), Ok(1), "some program may write as much");
        assert_eq!(padded(FOREIGN_MAX_LEN), Ok(1));
        assert_eq!(padded(FOREIGN_MAX_LEN + 1), Err(ForeignError::TooLong));
    }

    /// Every shape of file there is, by the members that tell programs apart.
    #[test]
    fn no_reading_that_fits_is_higher_than_the_one_taken() {
        for step in 0..=7 {
            for (round, strings) in [("0", false), ("\"0\"", true)] {
                for (more, tmkms, go) in [
                    ("", strings, true),
                    (r#","block_id":null"#, strings, false),
                    (r#","signature":null"#, false, true),
                    (r#","nonce_public":null"#, false, strings),
                ] {
                    let text = format!(r#"{{"height":"9","round":{round},"step":{step}{more}}}"#);
                    let of =
                        |format, fits: bool| fits.then(|| meaning(format, 9, 0, step)).flatten();
                    let highest = of(Format::Tmkms, tmkms).max(of(Format::FilePv, go));
                    let found = read(text.as_bytes()).ok().map(|found| found.step);
                    assert_eq!(found, highest, "{text}");
                }
            }
        }
    }

    #[test]
    fn no_change_of_one_byte_and_no_cut_goes_wrong() {
        for vector in vectors() {
            for at in 0..vector.bytes.len() {
                drop(read(&vector.bytes[..at]));
                for value in [0, b'"', b'{', b'-', b'\\', b'9', 0x80, 0xff] {
                    let mut changed = vector.bytes.clone();
                    changed[at] = value;
                    if let Ok(found) = read(&changed) {
                        assert!(found.height >= 0 && found.round >= 0, "{}", vector.name);
                        let lone = found.signature.is_some() && found.sign_bytes.is_none();
                        assert!(!lone, "{}", vector.name);
                    }
                }
            }
        }
    }

    /// A directory that lost its files is not a pass.
    const VECTORS: usize = 87;

    #[test]
    fn each_sentence_begins_with_the_files_name_and_says_what_it_is() {
        for (bytes, said) in [
            (&b""[..], "is empty"),
            (&[0; 64], "nothing but zero bytes"),
            (&[b' '; FOREIGN_MAX_LEN + 1], "has more than"),
            (b"{", "JSON"),
            (br#"{"priv_key": {}, "pub_key": {}}"#, "is a key"),
            (b"{}", "is the state of no known program"),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        for (fault, said) in [
            (Fault::Missing, "has no `round`"),
            (Fault::Type, "has a `round` of the wrong JSON type"),
            (Fault::Negative, "has a `round` below zero"),
        ] {
            let name = "round";
            assert_eq!(ForeignError::Member { name, fault }.to_string(), said);
        }
        let names =
            [Format::Tmkms, Format::FilePv, Format::Horcrux].map(|format| format.to_string());
        assert_eq!(names, ["tmkms", "priv_validator_state.json", "horcrux"]);
    }
}
