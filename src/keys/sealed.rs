//! Keys at rest: a seed that takes a passphrase, in a file that says whose it is without one.
//!
//! ```text
//!  {
//!    "tmkms_encrypted_key": 1,                                  the version
//!    "public_key": "VWpD…8jA=",                                 base64, 32 bytes
//!    "kdf": "argon2id", "log_m": 16, "passes": 3, "lanes": 1,   RFC 9106; 2^log_m KiB of memory
//!    "salt": "…",                                               base64, 32 bytes, fresh each time
//!    "cipher": "chacha20-poly1305",                             RFC 8439
//!    "sealed": "…",                                             base64, 48 bytes: the seed and the tag
//!    "checksum": "…"                                            base64, SHA-256 of header and `sealed`
//!  }
//!
//!  header = "tmkms_encrypted_key 1 PUBLIC_KEY argon2id LOG_M 3 1 SALT chacha20-poly1305", values as in the file
//!  key    = Argon2id(passphrase, salt, 2^log_m KiB, 3 passes, 1 lane), 32 bytes
//!  sealed = ChaCha20-Poly1305(key, nonce = 12 zero bytes, aad = header, seed)
//! ```
//!
//! The salt is fresh, so the key is used once and needs no nonce. The checksum tells a damaged file from a
//! wrong passphrase; it protects from nobody. The tag covers the header, so that a public key which somebody
//! put there does not open; until it is opened, a public key is what the file claims.

use core::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use ct_codecs::{Base64, Decoder, Encoder};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::json::{self, Object};
use super::{SEED_LEN, SigningKey};
use crate::types::PublicKey;

/// The length of a salt in bytes.
pub const SALT_LEN: usize = 32;
/// The longest passphrase, in bytes.
pub const PASSPHRASE_MAX_LEN: usize = 1024;

/// A passphrase. It cannot be printed, copied or compared, and is wiped on drop.
///
/// ```compile_fail,E0277
/// fn print(passphrase: &tmkms::keys::Passphrase) {
///     println!("{passphrase:?}");
/// }
/// ```
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// Why some bytes are no passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassphraseError {
    /// There are none.
    Empty,
    /// More than [`PASSPHRASE_MAX_LEN`].
    Long,
}

/// What each attempt at a passphrase costs: 2^n KiB of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work(u8);

/// A key that takes a passphrase, as it lies in a file.
pub struct Sealed {
    public_key: PublicKey,
    work: Work,
    salt: [u8; SALT_LEN],
    /// Seed and tag.
    content: [u8; SEALED_LEN],
}

/// Why a sealed key does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedError {
    /// Something is missing, garbled or changed.
    Damaged,
    /// Written by a later version of this program.
    Version,
    /// It asks for less or more than [`Work`] allows.
    Work,
    /// It was sealed with another passphrase, or changed by somebody who knew how.
    Passphrase,
    /// There is not enough memory.
    Memory {
        /// What it takes, in KiB.
        kib: u64,
    },
}

impl Passphrase {
    /// Takes the bytes as they are, without one line end after them.
    ///
    /// # Errors
    ///
    /// [`PassphraseError`].
    pub fn new(bytes: &[u8]) -> Result<Self, PassphraseError> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.is_empty() {
            return Err(PassphraseError::Empty);
        }
        if bytes.len() > PASSPHRASE_MAX_LEN {
            return Err(PassphraseError::Long);
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// Whether it is short enough to be guessed even at the price of [`Work`].
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < SHORT_LEN
    }

    /// Whether both were typed alike.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        // Both are held by whoever types them: there is nobody to time it.
        *self.0 == *other.0
    }
}

impl Work {
    /// 64 MiB, as in the second choice of RFC 9106 §4: half a second of an old computer.
    pub const DEFAULT: Self = Self(16);

    /// From the binary logarithm of the memory in KiB.
    ///
    /// # Errors
    ///
    /// [`SealedError::Work`] below 10 (1 MiB) and above 18 (256 MiB): a file may come from anybody, and
    /// must not take all the memory there is.
    pub const fn new(log_m: u8) -> Result<Self, SealedError> {
        match log_m {
            10..=18 => Ok(Self(log_m)),
            _ => Err(SealedError::Work),
        }
    }

    /// The memory that an attempt takes, in KiB.
    #[must_use]
    pub fn kib(self) -> u64 {
        1_u64.checked_shl(self.0.into()).unwrap_or(u64::MAX)
    }

    /// In memory that is asked for first, and wiped.
    fn derive(self, passphrase: &Passphrase, salt: &[u8]) -> Result<Derived, SealedError> {
        let memory = || SealedError::Memory { kib: self.kib() };
        let kib = u32::try_from(self.kib()).map_err(|_| memory())?;
        let params = Params::new(kib, PASSES, LANES, None).map_err(|_| SealedError::Work)?;
        let mut blocks = Vec::new();
        blocks
            .try_reserve_exact(params.block_count())
            .map_err(|_| memory())?;
        blocks.resize(params.block_count(), Block::default());
        let mut blocks = Zeroizing::new(blocks);
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                &passphrase.0,
                salt,
                key.as_mut_slice(),
                blocks.as_mut_slice(),
            )
            .map_err(|_| SealedError::Work)?;
        Ok(key)
    }
}

impl Sealed {
    /// Seals a key. The salt is random and never used again.
    ///
    /// # Errors
    ///
    /// [`SealedError::Memory`].
    pub fn seal(
        key: &SigningKey,
        passphrase: &Passphrase,
        work: Work,
        salt: &[u8; SALT_LEN],
    ) -> Result<Self, SealedError> {
        let mut sealed = Self {
            public_key: key.public_key(),
            work,
            salt: *salt,
            content: [0; SEALED_LEN],
        };
        let cipher = cipher(&work.derive(passphrase, salt)?);
        let header = sealed.header();
        let (seed, tag) = sealed.content.split_at_mut(SEED_LEN);
        seed.copy_from_slice(key.seed());
        // Fails for gigabytes only.
        let made = cipher
            .encrypt_in_place_detached(&Nonce::default(), header.as_bytes(), seed)
            .map_err(|_| SealedError::Damaged)?;
        tag.copy_from_slice(&made);
        Ok(sealed)
    }

    /// Whether these bytes are meant to be a sealed key, whole or damaged.
    #[must_use]
    pub fn recognises(bytes: &[u8]) -> bool {
        let name = VERSION_NAME.as_bytes();
        bytes.trim_ascii_start().starts_with(b"{")
            && bytes.windows(name.len()).any(|window| window == name)
    }

    /// Reads a file that [`Sealed::recognises`]. Nothing is derived, and the public key is a claim.
    ///
    /// # Errors
    ///
    /// [`SealedError`]: damaged, of a later version, or out of bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let text = core::str::from_utf8(bytes).map_err(|_| SealedError::Damaged)?;
        let json = json::parse(text).map_err(|_| SealedError::Damaged)?;
        let file = Object::new(text, json.value()).map_err(|_| SealedError::Damaged)?;
        let version: u32 = number(&file, VERSION_NAME)?;
        if version != VERSION {
            return Err(SealedError::Version);
        }
        let read = Self {
            public_key: PublicKey(bytes_of(&file, "public_key")?),
            work: Work(number(&file, "log_m")?),
            salt: bytes_of(&file, "salt")?,
            content: bytes_of(&file, "sealed")?,
        };
        let passes: u32 = number(&file, "passes")?;
        let lanes: u32 = number(&file, "lanes")?;
        let kdf = string(&file, "kdf")?;
        let cipher = string(&file, "cipher")?;
        let header = header(&read, &kdf, passes, lanes, &cipher);
        if checksum(&header, &read.content) != bytes_of(&file, "checksum")? {
            return Err(SealedError::Damaged);
        }
        if kdf != KDF || cipher != CIPHER {
            return Err(SealedError::Version);
        }
        if passes != PASSES || lanes != LANES {
            return Err(SealedError::Work);
        }
        let _ = Work::new(read.work.0)?;
        Ok(read)
    }

    /// The public half, as the file claims.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Opens it, at the price of its [`Work`].
    ///
    /// # Errors
    ///
    /// [`SealedError::Passphrase`], [`SealedError::Memory`].
    pub fn open(&self, passphrase: &Passphrase) -> Result<SigningKey, SealedError> {
        let cipher = cipher(&self.work.derive(passphrase, &self.salt)?);
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        let (content, tag) = self.content.split_at(SEED_LEN);
        seed.copy_from_slice(content);
        cipher
            .decrypt_in_place_detached(
                &Nonce::default(),
                self.header().as_bytes(),
                seed.as_mut_slice(),
                Tag::from_slice(tag),
            )
            .map_err(|_| SealedError::Passphrase)?;
        SigningKey::from_seed(&seed)
            .ok()
            .filter(|key| key.public_key() == self.public_key)
            .ok_or(SealedError::Passphrase)
    }

    fn header(&self) -> String {
        header(self, KDF, PASSES, LANES, CIPHER)
    }
}

impl fmt::Display for Sealed {
    /// The file, with a line feed at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{{\n  \"{VERSION_NAME}\": {VERSION},\n  \"public_key\": \"{}\",\n  \
             \"kdf\": \"{KDF}\", \"log_m\": {}, \"passes\": {PASSES}, \"lanes\": {LANES},\n  \"salt\": \"{}\",\n  \
             \"cipher\": \"{CIPHER}\",\n  \"sealed\": \"{}\",\n  \"checksum\": \"{}\"\n}}",
            self.public_key.to_base64(),
            self.work.0,
            base64(&self.salt),
            base64(&self.content),
            base64(&checksum(&self.header(), &self.content)),
        )
    }
}

impl fmt::Display for SealedError {
    /// What the file is, for a sentence that begins with its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("is an encrypted key, and damaged"),
            Self::Version => f.write_str("is an encrypted key of a later version of tmkms"),
            Self::Work => f.write_str(
                "is an encrypted key that asks for less or more work than is allowed (1 to 256 MiB)",
            ),
            Self::Passphrase => f.write_str("is encrypted with another passphrase"),
            Self::Memory { kib } => {
                write!(f, "takes {kib} KiB of memory to open, which there are not")
            }
        }
    }
}

impl core::error::Error for SealedError {}

impl fmt::Display for PassphraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the passphrase is empty"),
            Self::Long => write!(f, "the passphrase has more than {PASSPHRASE_MAX_LEN} bytes"),
        }
    }
}

impl core::error::Error for PassphraseError {}

type Derived = Zeroizing<[u8; 32]>;

fn cipher(key: &Derived) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(chacha20poly1305::Key::from_slice(key.as_slice()))
}

fn header(of: &Sealed, kdf: &str, passes: u32, lanes: u32, cipher: &str) -> String {
    format!(
        "{VERSION_NAME} {VERSION} {} {kdf} {} {passes} {lanes} {} {cipher}",
        of.public_key.to_base64(),
        of.work.0,
        base64(&of.salt),
    )
}

fn checksum(header: &str, content: &[u8; SEALED_LEN]) -> [u8; 32] {
    let digest = Sha256::new()
        .chain_update(header)
        .chain_update(content)
        .finalize();
    digest.into()
}

fn string(file: &Object<'_, '_>, name: &str) -> Result<String, SealedError> {
    let value = file.get(name).ok_or(SealedError::Damaged)?;
    let text = value
        .to_unquoted_string_str()
        .map_err(|_| SealedError::Damaged)?;
    Ok(text.into_owned())
}

fn number<T: core::str::FromStr>(file: &Object<'_, '_>, name: &str) -> Result<T, SealedError> {
    let value = file.get(name).ok_or(SealedError::Damaged)?;
    let text = value.as_integer_str().map_err(|_| SealedError::Damaged)?;
    text.parse().map_err(|_| SealedError::Damaged)
}

fn bytes_of<const N: usize>(file: &Object<'_, '_>, name: &str) -> Result<[u8; N], SealedError> {
    let mut bytes = [0; N];
    let len = Base64::decode(&mut bytes, string(file, name)?, None)
        .map_err(|_| SealedError::Damaged)?
        .len();
    if len == N {
        Ok(bytes)
    } else {
        Err(SealedError::Damaged)
    }
}

fn base64(bytes: &[u8]) -> String {
    // Fails only for lengths near `usize::MAX`.
    Base64::encode_to_string(bytes).unwrap_or_default()
}

const VERSION_NAME: &str = "tmkms_encrypted_key";
const VERSION: u32 = 1;
const KDF: &str = "argon2id";
const CIPHER: &str = "chacha20-poly1305";
/// The second choice of RFC 9106 §4, on one core.
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Seed and tag, in bytes.
const SEALED_LEN: usize = SEED_LEN + 16;
/// Below this many bytes a passphrase is warned of.
const SHORT_LEN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Work = Work(10);

    /// Made by `argon2-cffi` and `ChaCha20Poly1305` of Python from the description above.
    const FILE: &str = include_str!("../../tests/vectors/keys/encrypted.json");

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32]).unwrap()
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes()).unwrap()
    }

    fn file() -> String {
        Sealed::seal(&key(), &passphrase("correct horse"), WORK, &[3; 32])
            .unwrap()
            .to_string()
    }

    fn error(text: &str) -> Option<SealedError> {
        Sealed::parse(text.as_bytes()).err()
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn opens_what_it_sealed_and_says_whose_it_is_before() {
        let file = file();
        assert!(Sealed::recognises(file.as_bytes()));
        let sealed = Sealed::parse(file.as_bytes()).unwrap();
        assert_eq!(sealed.public_key(), key().public_key());
        let opened = sealed.open(&passphrase("correct horse\n")).unwrap();
        assert_eq!(opened.seed(), key().seed());
        assert_eq!(sealed.to_string(), file);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn is_the_format_that_others_make_from_its_description() {
        assert_eq!(file(), FILE);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn a_file_may_be_laid_out_in_another_way() {
        let file = file().replace(['\n', ' '], "");
        assert!(Sealed::parse(file.as_bytes()).is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn tells_a_wrong_passphrase_from_damage() {
        let sealed = Sealed::parse(file().as_bytes()).unwrap();
        for wrong in ["correct horsf", "correct horse ", "c", &"c".repeat(1024)] {
            let error = sealed.open(&passphrase(wrong)).err();
            assert_eq!(error, Some(SealedError::Passphrase));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn every_changed_byte_and_every_cut_is_damage_or_changes_nothing() {
        let file = file();
        for at in 0..file.len() {
            assert!(at >= file.trim_end().len() || Sealed::parse(&file.as_bytes()[..at]).is_err());
            for bit in 0..8 {
                let mut bad = file.clone().into_bytes();
                bad[at] ^= 1 << bit;
                // White space for white space, and nothing else.
                if let Ok(sealed) = Sealed::parse(&bad) {
                    assert!(file.as_bytes()[at].is_ascii_whitespace(), "byte {at}");
                    assert_eq!(sealed.to_string(), file);
                }
            }
        }
    }

    /// What a hostile hand writes, with a checksum that fits.
    fn forged(change: impl FnOnce(&mut Sealed)) -> String {
        let mut sealed = Sealed::parse(file().as_bytes()).unwrap();
        change(&mut sealed);
        sealed.to_string()
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn work_is_bounded_before_it_is_done() {
        for log_m in [0, 1, 9, 19, 20, 31, 63, 255] {
            let file = forged(|sealed| sealed.work = Work(log_m));
            assert_eq!(error(&file), Some(SealedError::Work), "{log_m}");
        }
        assert!(Work::new(18).is_ok());
        assert_eq!(
            error(&file().replace("\"passes\": 3", "\"passes\": 9")),
            Some(SealedError::Damaged)
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn another_public_key_does_not_open() {
        let file = forged(|sealed| sealed.public_key = PublicKey([9; 32]));
        let sealed = Sealed::parse(file.as_bytes()).unwrap();
        let error = sealed.open(&passphrase("correct horse")).err();
        assert_eq!(error, Some(SealedError::Passphrase));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn a_later_version_is_told_from_damage() {
        let later = file().replace("key\": 1", "key\": 2");
        assert_eq!(error(&later), Some(SealedError::Version));
    }

    #[test]
    fn a_passphrase_is_some_bytes_and_loses_one_line_end() {
        let error = |text: &str| Passphrase::new(text.as_bytes()).err();
        for text in ["", "\n", "\r\n"] {
            assert_eq!(error(text), Some(PassphraseError::Empty));
        }
        assert_eq!(error(&"c".repeat(1025)), Some(PassphraseError::Long));
        assert!(passphrase("a b").is(&passphrase("a b\r\n")));
        assert!(!passphrase("a b").is(&passphrase("a b\n\n")));
        assert!(passphrase("short").is_short());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Argon2 takes minutes under Miri")]
    fn no_file_holds_the_seed() {
        assert!(!file().contains(&base64(key().seed())[..20]));
    }
}
