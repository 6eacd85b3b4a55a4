//! Why there is no validator's key in a file.

use core::fmt;

use super::{Broken, SEED_LEN, SealedError};

/// Why there is no validator's key in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportError {
    /// No bytes, or white space only.
    Empty,
    /// Every byte, or every byte of the seed, is zero.
    Zeros,
    /// It begins as a JSON object does, and is none.
    Json(Broken),
    /// A member that is missing or wrong.
    Member {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// So many bytes, which no key has.
    Length(usize),
    /// Something else that is known.
    Kind(Kind),
    /// A sealed key that cannot be opened.
    Sealed(SealedError),
    /// Nothing that is known.
    Unrecognised,
}

/// What is wrong with a member of a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Missing,
    /// Not of the JSON type, or the key type, that belongs there.
    Type,
    /// No base64, or no hexadecimal digits.
    Encoding,
    /// Too few or too many bytes.
    Length,
    /// It belongs to another key than the seed.
    Mismatch,
}

/// What is given for a validator's Ed25519 key, and is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `node_key.json`, or cosmos/kms' `identity.json`.
    NodeKey,
    /// A key for signing transactions, or of a chain with another curve.
    Secp256k1,
    /// A BLS12-381 key.
    Bls12381,
    /// A post-quantum key.
    MlDsa65,
    /// An sr25519 key.
    Sr25519,
    /// A key of a type that did not exist when this was written.
    OtherType,
    /// A part of a key, as horcrux' cosigners hold them.
    HorcruxShard,
    /// What horcrux' cosigners talk to each other with.
    HorcruxTransport,
    /// A file of `-----BEGIN …`: an account key that a chain's program exported, or PKCS #8.
    Armoured,
    /// The 64 bytes that tmkms 0.15 reads: scalar and prefix, from which no seed comes back.
    Expanded,
    /// The 96 bytes that a YubiHSM exports: the same and the public key.
    YubiHsm,
    /// A record of what was signed.
    State,
    /// JSON, where a base64 seed was asked for.
    Json,
    /// Hexadecimal, where a base64 seed was asked for.
    Hex,
    /// A key under a passphrase, where one in plain was asked for.
    Encrypted,
}

impl fmt::Display for ImportError {
    /// What the file is, for a sentence that begins with its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Zeros => f.write_str("holds nothing but zeros, as a file does after a crash"),
            Self::Json(broken) => write!(f, "{broken}"),
            Self::Member { name, fault } => match fault {
                Fault::Missing => write!(f, "has no complete `{name}`"),
                Fault::Type => write!(f, "has a `{name}` of the wrong type"),
                Fault::Encoding => write!(f, "has a `{name}` that does not decode"),
                Fault::Length => write!(f, "has a `{name}` of the wrong length"),
                Fault::Mismatch if *name == "priv_key" => {
                    f.write_str("has a `priv_key` whose two halves do not belong together")
                }
                Fault::Mismatch => write!(f, "has a `{name}` that belongs to another `priv_key`"),
            },
            Self::Length(len) => {
                write!(f, "holds {len} bytes in base64, where a seed has {SEED_LEN}")
            }
            Self::Kind(kind) => write!(f, "is {kind}"),
            Self::Sealed(error) => write!(f, "{error}"),
            Self::Unrecognised => f.write_str("is no key file of any known program"),
        }
    }
}

impl core::error::Error for ImportError {}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeKey => "a node's identity (node_key.json), not a validator's key",
            Self::Secp256k1 => "a secp256k1 key, and validators' keys here are Ed25519",
            Self::Bls12381 => "a BLS12-381 key, and validators' keys here are Ed25519",
            Self::MlDsa65 => "an ML-DSA-65 key, and validators' keys here are Ed25519",
            Self::Sr25519 => "an sr25519 key, and validators' keys here are Ed25519",
            Self::OtherType => "a key of an unknown type, and validators' keys here are Ed25519",
            Self::HorcruxShard => {
                "one part of a key that horcrux has split, not a key: take the priv_validator_key.json it was made from"
            }
            Self::HorcruxTransport => {
                "what horcrux' cosigners talk to each other with, not a validator's key"
            }
            Self::Armoured => {
                "a key in armour (BEGIN ... END), as chains' programs export accounts, not a validator's key"
            }
            Self::Expanded => {
                "an expanded key of tmkms 0.15 (64 bytes), which has no seed: take the file it was made from"
            }
            Self::YubiHsm => {
                "an export of a YubiHSM (96 bytes), which has no seed: take the file it was made from"
            }
            Self::State => "a record of what was signed, not a key",
            Self::Hex => {
                "hexadecimal and not a base64 seed: import it with `tmkms softsign import`"
            }
            Self::Encrypted => "encrypted, where one in plain belongs",
            Self::Json => {
                "JSON and not a base64 seed: import it with `tmkms softsign import`, or set key_format = \"json\""
            }
        })
    }
}
