//! A key may begin once: the mark that lets `start` make the first state of a new key.
//!
//! A state is never invented. Whoever makes a key, or imports one together with the node's own state,
//! leaves a mark beside it, `KEY.begin-once`, that says how far the key has signed. The mark names the
//! key's file and itself by device, inode and birth time, which neither a copy nor a backup put back
//! carries, so it is good for these two files only; `start` uses it up before the first signature.

use core::fmt::{self, Write as _};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ct_codecs::{Base64, Decoder as _, Encoder as _};
use nojson::RawJson;
use sha2::{Digest as _, Sha256};

use super::record::{base64_array, number, optional_string, string, write_json_string};
use crate::canon::SignBytes;
use crate::files::{self, Identity};
use crate::guard::{Position, Watermark};
use crate::types::{PublicKey, Step};

/// What a mark may measure, in bytes.
const MAX_LEN: u64 = 16 * 1024;

/// How a key's first state begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The key that may begin.
    pub public_key: PublicKey,
    /// How far it has signed already.
    pub watermark: Watermark,
    /// The node's own state file, to be read until the first commit.
    pub origin: Option<PathBuf>,
}

/// What lies beside a key.
#[derive(Debug)]
pub enum Found {
    /// No mark.
    None,
    /// A mark that is good for nothing.
    Void(Void),
    /// A mark made for this very key file.
    Valid(Box<Mark>),
}

/// Why a mark is good for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Void {
    /// It is not whole.
    Damaged,
    /// It names another key.
    OtherKey,
    /// It was made for another file: the key, or the mark, is a copy or was put back from a backup.
    Copied,
}

/// Where the mark of a key file lies.
#[must_use]
pub fn path(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".begin-once");
    PathBuf::from(name)
}

/// Leaves a mark beside a key file that was just written. `Ok(false)`: the file system keeps no birth
/// times, or the origin's path is no text, so no mark was made.
///
/// # Errors
///
/// The system's; a mark that is there already is `AlreadyExists`.
pub fn leave(key: &Path, mark: &Mark) -> io::Result<bool> {
    let key_file = Identity::at(key).map_err(io::Error::other)?;
    let origin = mark.origin.as_deref().map(Path::to_str);
    if key_file.birth.is_none() || origin == Some(None) {
        return Ok(false);
    }
    let path = path(key);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let mark_file = Identity::of(&file)?;
    let text =
        render(mark, origin.flatten(), &key_file, &mark_file).ok_or(io::ErrorKind::InvalidData)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    files::sync_directory(&path).map_err(io::Error::other)?;
    Ok(true)
}

/// Looks for the mark of a key file; changes nothing.
///
/// # Errors
///
/// The system's.
pub fn find(key: &Path, public_key: &PublicKey) -> io::Result<Found> {
    let path = path(key);
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(Found::Void(Void::Damaged));
        }
        Err(error) => return Err(error),
    };
    let key_file = Identity::at(key).map_err(io::Error::other)?;
    let mark_file = Identity::at(&path).map_err(io::Error::other)?;
    let Some((mark, named_key, named_mark)) = parse(&text) else {
        return Ok(Found::Void(Void::Damaged));
    };
    Ok(if mark.public_key != *public_key {
        Found::Void(Void::OtherKey)
    } else if named_key != identity_text(&key_file) || named_mark != identity_text(&mark_file) {
        Found::Void(Void::Copied)
    } else {
        Found::Valid(Box::new(mark))
    })
}

/// Whether [`remove`] may be expected to work: asked before anything is made.
#[must_use]
pub fn is_removable(key: &Path) -> bool {
    files::may_change_directory(&path(key)).is_ok()
}

/// Uses a mark up, durably. One that is gone is fine.
///
/// # Errors
///
/// The system's.
pub fn remove(key: &Path) -> io::Result<()> {
    let path = path(key);
    match fs::remove_file(&path) {
        Ok(()) => files::sync_directory(&path).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let _ = fs::File::open(path)?
        .take(MAX_LEN)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn render(mark: &Mark, origin: Option<&str>, key: &Identity, own: &Identity) -> Option<String> {
    let position = mark.watermark.position();
    let base64 = |bytes: &[u8]| Base64::encode_to_string(bytes).ok();
    let mut text = String::new();
    write!(
        text,
        r#"{{"tmkms_begin_once":1,"public_key":"{}","key_file":"{}","mark_file":"{}","height":"{}","round":{},"step":"{}","sign_bytes":"#,
        base64(&mark.public_key.0)?,
        identity_text(key),
        identity_text(own),
        position.height(),
        position.round(),
        position.step().map_or("none", Step::word),
    )
    .ok()?;
    match mark.watermark.sign_bytes() {
        Some(bytes) => write!(text, "\"{}\"", base64(bytes.as_bytes())?).ok()?,
        None => text.push_str("null"),
    }
    text.push_str(r#","origin":"#);
    match origin {
        Some(path) => write_json_string(&mut text, path).ok()?,
        None => text.push_str("null"),
    }
    text.push_str(r#","checksum":""#);
    let digest = Sha256::digest(text.as_bytes());
    text.push_str(&base64(&digest)?);
    text.push_str("\"}\n");
    Some(text)
}

/// The mark, and the names of the two files that it was made for.
fn parse(text: &str) -> Option<(Mark, String, String)> {
    let (body, checksum) = text.rsplit_once(r#","checksum":""#)?;
    let signed = text.get(..body.len().checked_add(r#","checksum":""#.len())?)?;
    let checksum: [u8; 32] = base64_array(checksum.strip_suffix("\"}\n")?)?;
    if Sha256::digest(signed.as_bytes()).as_slice() != checksum {
        return None;
    }
    let json = RawJson::parse(text).ok()?;
    let value = json.value();
    if number::<u32>(value, "tmkms_begin_once")? != 1 {
        return None;
    }
    let step = match &*string(value, "step")? {
        "none" => None,
        word => Some(Step::from_word(word)?),
    };
    let position = Position::new(
        string(value, "height")?.parse().ok()?,
        number(value, "round")?,
        step,
    )?;
    let watermark = match optional_string(value, "sign_bytes")? {
        None => Watermark::at(position),
        Some(text) => {
            let bytes = Base64::decode_to_vec(text, None).ok()?;
            let signed = Watermark::signed(SignBytes::parse(&bytes).ok()?);
            (signed.position() == position).then_some(signed)?
        }
    };
    let mark = Mark {
        public_key: PublicKey(base64_array(&string(value, "public_key")?)?),
        watermark,
        origin: optional_string(value, "origin")?.map(PathBuf::from),
    };
    Some((
        mark,
        string(value, "key_file")?.into_owned(),
        string(value, "mark_file")?.into_owned(),
    ))
}

fn identity_text(identity: &Identity) -> String {
    let (seconds, nanos) = identity.birth.unwrap_or_default();
    format!("{}:{}:{seconds}.{nanos:09}", identity.dev, identity.ino)
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damaged => "it is damaged",
            Self::OtherKey => "it was made for another key",
            Self::Copied => {
                "it was made for another file: this key is a copy or came from a backup"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    fn mark(origin: Option<PathBuf>) -> Mark {
        Mark {
            public_key: PublicKey([7; 32]),
            watermark: Watermark::at(Position::new(12, 1, Some(Step::Prevote)).unwrap()),
            origin,
        }
    }

    fn marked(scratch: &Scratch) -> PathBuf {
        let key = scratch.file("a.key", b"key", 0o600);
        assert!(leave(&key, &mark(Some(scratch.path("node \"state\".json")))).unwrap());
        key
    }

    #[test]
    fn a_mark_is_found_as_it_was_left_and_used_up_once() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        match find(&key, &PublicKey([7; 32])).unwrap() {
            Found::Valid(found) => {
                assert_eq!(*found, mark(Some(scratch.path("node \"state\".json"))));
            }
            other => panic!("{other:?}"),
        }
        assert!(is_removable(&key));
        remove(&key).unwrap();
        remove(&key).unwrap();
        assert!(matches!(
            find(&key, &PublicKey([7; 32])).unwrap(),
            Found::None
        ));
    }

    /// Linux takes paths of up to 4,095 bytes, and a quote in one is written as two.
    #[test]
    fn a_mark_holds_the_longest_path() {
        let scratch = Scratch::new();
        let key = scratch.file("a.key", b"key", 0o600);
        let origin = PathBuf::from("\"".repeat(4095));
        assert!(leave(&key, &mark(Some(origin.clone()))).unwrap());
        let found = find(&key, &PublicKey([7; 32])).unwrap();
        assert!(matches!(found, Found::Valid(found) if found.origin == Some(origin)));
    }

    #[test]
    fn a_mark_that_is_no_text_is_damage_and_one_that_cannot_be_read_is_neither_void_nor_absent() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        fs::write(path(&key), b"\xff").unwrap();
        let found = find(&key, &PublicKey([7; 32])).unwrap();
        assert!(matches!(found, Found::Void(Void::Damaged)));
        remove(&key).unwrap();
        fs::create_dir(path(&key)).unwrap();
        let error = find(&key, &PublicKey([7; 32])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn no_mark_is_left_of_an_origin_that_is_no_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let scratch = Scratch::new();
        let key = scratch.file("a.key", b"key", 0o600);
        let origin = PathBuf::from(std::ffi::OsString::from_vec(b"/node/\xff".to_vec()));
        assert!(!leave(&key, &mark(Some(origin))).unwrap());
        assert_eq!(scratch.names(), ["a.key"]);
    }

    #[test]
    fn a_void_mark_says_why() {
        for (void, text) in [
            (Void::Damaged, "it is damaged"),
            (Void::OtherKey, "for another key"),
            (Void::Copied, "a copy or came from a backup"),
        ] {
            assert!(void.to_string().contains(text), "{void}");
        }
    }

    #[test]
    fn a_mark_of_another_key_is_void() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        let found = find(&key, &PublicKey([8; 32])).unwrap();
        assert!(matches!(found, Found::Void(Void::OtherKey)));
    }

    #[test]
    fn a_copied_key_and_a_copied_mark_are_void() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        let copy = scratch.path("b.key");
        fs::copy(&key, &copy).unwrap();
        fs::copy(path(&key), path(&copy)).unwrap();
        let found = find(&copy, &PublicKey([7; 32])).unwrap();
        assert!(matches!(found, Found::Void(Void::Copied)));

        // The mark put back from a backup, the key where it always was.
        let backup = scratch.path("backup");
        fs::copy(path(&key), &backup).unwrap();
        remove(&key).unwrap();
        fs::copy(&backup, path(&key)).unwrap();
        let found = find(&key, &PublicKey([7; 32])).unwrap();
        assert!(matches!(found, Found::Void(Void::Copied)));
    }

    #[test]
    fn a_moved_directory_keeps_its_mark() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        let moved = scratch.path("moved.key");
        fs::rename(path(&key), path(&moved)).unwrap();
        fs::rename(&key, &moved).unwrap();
        let found = find(&moved, &PublicKey([7; 32])).unwrap();
        assert!(matches!(found, Found::Valid(_)));
    }

    #[test]
    fn every_changed_byte_voids_a_mark() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        let good = fs::read(path(&key)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            // In place, so that the mark's own file stays the same.
            fs::write(path(&key), &bad).unwrap();
            let found = find(&key, &PublicKey([7; 32])).unwrap();
            assert!(matches!(found, Found::Void(Void::Damaged)), "byte {at}");
        }
        for len in 0..good.len() {
            fs::write(path(&key), &good[..len]).unwrap();
            let found = find(&key, &PublicKey([7; 32])).unwrap();
            assert!(matches!(found, Found::Void(Void::Damaged)), "length {len}");
        }
    }

    #[test]
    fn a_mark_is_never_written_over() {
        let scratch = Scratch::new();
        let key = marked(&scratch);
        assert!(leave(&key, &mark(None)).is_err());
    }
}
