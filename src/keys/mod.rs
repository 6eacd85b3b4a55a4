//! Ed25519 keys: signing, verifying, and the text forms in which operators keep and print them.
//!
//! A file is recognised by what is in it, not by its name. What is recognised and is no validator's
//! key is refused by name; no error carries a byte of a key.

mod file;
pub(crate) mod json;
mod refusal;
mod scrypt;
mod sealed;
mod signing;
mod text;

pub use file::{Format, Imported, Kept, check_account, parse, parse_json, parse_seed, read};
pub use json::{Broken, Place};
pub use refusal::{Fault, ImportError, Kind};
pub use sealed::{
    PASSPHRASE_MAX_LEN, Passphrase, PassphraseError, SALT_LEN, Sealed, SealedError, Work,
};
pub use signing::{SeedError, SigningKey, verify};
pub use text::{Fingerprint, Prefix, PrefixError};

/// The length of a seed in bytes (RFC 8032 §5.1.5).
pub const SEED_LEN: usize = 32;
