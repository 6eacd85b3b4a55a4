//! The secret key, and what is done with it.

use core::fmt;
use core::hint::black_box;

use ed25519_compact::{KeyPair, SecretKey, Seed};
use sha2::{Digest, Sha256};

use crate::types::{NodeId, PublicKey, Signature};

/// An Ed25519 secret key. It cannot be printed, copied or compared, and is wiped on drop.
///
/// ```compile_fail
/// let key = tmkms::keys::SigningKey::from_seed(&[7; 32]).unwrap();
/// println!("{key:?}");
/// ```
pub struct SigningKey {
    /// Seed and public half. On the heap, where it was filled in place: whoever moves the key moves no
    /// secret, so none is left behind.
    secret: Box<SecretKey>,
    public: PublicKey,
}

/// The 32 bytes are no seed: all of them are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedError;

impl SigningKey {
    /// Derives the key from its 32-byte seed (RFC 8032 §5.1.5).
    ///
    /// # Errors
    ///
    /// The all-zero seed, which is what an unwritten file reads as.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SeedError> {
        let mut secret = empty();
        let public = expand(seed, &mut secret)?;
        burn_stack();
        Ok(Self { secret, public })
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The seed, where it lies.
    pub(super) fn seed(&self) -> &[u8; 32] {
        // The secret key is 64 bytes: seed and public half.
        self.secret.first_chunk().unwrap_or(&[0; 32])
    }

    /// The same key for another owner: a key is shared by nobody.
    #[must_use]
    pub fn twin(&self) -> Self {
        let mut secret = empty();
        secret.copy_from_slice(&self.secret[..]);
        Self {
            secret,
            public: self.public,
        }
    }

    /// Signs `message`; the same message always gets the same signature (RFC 8032 §5.1.6).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let signature = sign(&self.secret, message);
        burn_stack();
        signature
    }
}

/// Three times what the frames of a signature take (2.6 KiB), and those of a derivation are fewer; in bytes.
const STACK_BURNT_LEN: usize = 8 * 1024;

/// Room on the heap, before there is a secret to put there.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "a secret that moves leaves a copy behind"
)]
fn empty() -> Box<SecretKey> {
    Box::new(SecretKey::new([0; SecretKey::BYTES]))
}

/// Apart from its caller, so that what it leaves on the stack lies below and can be overwritten.
#[inline(never)]
fn expand(seed: &[u8; 32], secret: &mut SecretKey) -> Result<PublicKey, SeedError> {
    let mut seed = Seed::new(*seed);
    let pair = KeyPair::try_from_seed(seed);
    seed.wipe_mut();
    let pair = pair.map_err(|_| SeedError)?;
    secret.copy_from_slice(&pair.sk[..]);
    Ok(PublicKey(*pair.pk))
}

/// Apart from its caller for the same reason: scalar and prefix are left where this has worked.
///
/// Its time depends on the message's length alone: what the library does with a secret is without branches
/// and look-ups that depend on it, and we do nothing with one but hand it over.
#[inline(never)]
fn sign(secret: &SecretKey, message: &[u8]) -> Signature {
    Signature(*secret.sign(message, None))
}

/// Overwrites what the frames of calls that have returned left behind. Called from where they were called,
/// its own frame covers theirs.
#[inline(never)]
fn burn_stack() {
    // A binding: of a bare `&[0; LEN]` there would be one constant, and nothing written.
    let stack = [0_u8; STACK_BURNT_LEN];
    let _ = black_box(&stack);
}

/// Whether `signature` over `message` was made by the holder of `key`.
///
/// Stricter than the ZIP-215 rule that nodes apply to each other's votes: right for our own
/// signatures and for SecretConnection peers, wrong for judging foreign votes.
#[must_use]
pub fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    ed25519_compact::PublicKey::new(key.0)
        .verify(message, &ed25519_compact::Signature::new(signature.0))
        .is_ok()
}

impl PublicKey {
    /// The validator address: the first 20 bytes of the key's SHA-256.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        let mut address = [0; 20];
        for (to, from) in address.iter_mut().zip(Sha256::digest(self.0)) {
            *to = from;
        }
        address
    }

    /// The same 20 bytes, as the name of a SecretConnection peer.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId(self.address())
    }
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the seed is all zeros")
    }
}

impl core::error::Error for SeedError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seed and public key of CometBFT's `privval/msgs_test.go`: SHA-256 of "it's a secret".
    const SEED: [u8; 32] = [
        0x9d, 0x83, 0x4d, 0x3f, 0xca, 0xc4, 0xee, 0x25, 0x53, 0x6b, 0x70, 0xe1, 0x53, 0x76, 0xfe,
        0xbb, 0x69, 0x78, 0x61, 0xab, 0x57, 0x34, 0x05, 0xd8, 0xb8, 0x92, 0x90, 0x41, 0x7f, 0xd1,
        0x60, 0x70,
    ];

    #[test]
    fn derives_the_public_key_and_address_that_cometbft_derives() {
        let public = SigningKey::from_seed(&SEED).unwrap().public_key();
        assert_eq!(
            public.to_string(),
            "556a436f1218d30942efe798420f51dc9b6a311b929c578257457d05c5fcf230"
        );
        assert_eq!(
            public.node_id().to_string(),
            "dc52d5cf8dfd1793d71038b342a29b01ad8a5d63"
        );
    }

    #[test]
    fn signs_what_verifies_and_nothing_else() {
        let key = SigningKey::from_seed(&SEED).unwrap();
        let signature = key.sign(b"message");
        assert!(verify(&key.public_key(), b"message", &signature));
        assert!(!verify(&key.public_key(), b"massage", &signature));
    }

    #[test]
    fn refuses_the_all_zero_seed() {
        assert!(SigningKey::from_seed(&[0; 32]).is_err());
    }
}
