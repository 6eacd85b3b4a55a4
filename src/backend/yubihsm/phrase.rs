//! Twenty-four words, and all that is derived of them: the same as iqlusion's tmkms derives, so that a device set
//! up by one is restored by the other.
//!
//! ```text
//! 24 words = 32 bytes of entropy (BIP-39) ─ HMAC-SHA512 "1" ─┬─ "role" ─ "operator", "auditor", "validator"
//!       └─ themselves: the admin's password                  └─ "wrap" ─ "0x0001"
//! ```
//! Of each HMAC's 64 bytes the right half is the key of the next, and the left half of the last is the secret.

use core::fmt;

use bech32::{Bech32, Hrp};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

/// Twenty-four words of BIP-39's English list, and the entropy they stand for. Wiped on drop; no `Debug`.
pub struct Phrase {
    entropy: Zeroizing<[u8; 32]>,
    words: Zeroizing<String>,
}

/// Why words are no phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhraseError {
    /// Not twenty-four of them, but so many.
    Count(usize),
    /// This one, counted from 1, is not in the list.
    Word(usize),
    /// The checksum does not fit: a word is another one, or in another place.
    Checksum,
}

impl Phrase {
    /// Of randomness from two sources: one of them suffices.
    #[must_use]
    pub fn new(of_device: &[u8; 32], of_system: &[u8; 32]) -> Self {
        let mut material = Zeroizing::new([0; 64]);
        let (left, right) = material.split_at_mut(32);
        left.copy_from_slice(of_device);
        right.copy_from_slice(of_system);
        let mut entropy = Zeroizing::new([0; 32]);
        // Refused for more than 255 hashes' worth of output only.
        let _ = Hkdf::<Sha512>::new(None, &*material).expand(INFO, &mut *entropy);
        Self::of_entropy(entropy)
    }

    /// Reads words that are separated by any space, in any case.
    ///
    /// # Errors
    ///
    /// [`PhraseError`]; it holds no word.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(PhraseError::Count(count));
        }
        let mut bits = Zeroizing::new([0_u8; 33]);
        for (at, word) in text.split_whitespace().enumerate() {
            let lower = Zeroizing::new(word.to_ascii_lowercase());
            let index = LIST
                .lines()
                .position(|known| known == lower.as_str())
                .ok_or(PhraseError::Word(at.saturating_add(1)))?;
            for bit in 0..BITS {
                let is_set = (index >> (BITS.saturating_sub(1).saturating_sub(bit))) & 1 == 1;
                let place = at.saturating_mul(BITS).saturating_add(bit);
                if let Some(byte) = bits.get_mut(place / 8).filter(|_| is_set) {
                    *byte |= 0x80 >> (place % 8);
                }
            }
        }
        let mut entropy = Zeroizing::new([0; 32]);
        let (left, right) = bits.split_at(32);
        entropy.copy_from_slice(left);
        if right.first() != Sha256::digest(entropy.as_slice()).first() {
            return Err(PhraseError::Checksum);
        }
        Ok(Self::of_entropy(entropy))
    }

    fn of_entropy(entropy: Zeroizing<[u8; 32]>) -> Self {
        let checksum = Sha256::digest(entropy.as_slice());
        let bytes = Zeroizing::new([&entropy[..], checksum.get(..1).unwrap_or_default()].concat());
        // Room for all of it at once: a string that grows leaves copies behind.
        let mut words = Zeroizing::new(String::with_capacity(WORDS.saturating_mul(9)));
        for at in 0..WORDS {
            let index = (0..BITS).fold(0_usize, |index, bit| {
                let place = at.saturating_mul(BITS).saturating_add(bit);
                let byte = bytes.get(place / 8).copied().unwrap_or_default();
                (index << 1)
                    | usize::from(
                        byte.rotate_left(1)
                            .rotate_left(u32::try_from(place % 8).unwrap_or_default())
                            & 1,
                    )
            });
            if at > 0 {
                words.push(' ');
            }
            words.push_str(LIST.lines().nth(index).unwrap_or_default());
        }
        Self { entropy, words }
    }

    /// The words, with single spaces: the admin's password.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The password of a role.
    #[must_use]
    pub fn role(&self, name: &str) -> Zeroizing<String> {
        let secret = self.derive(&["1", "role", name]);
        // Two AES-128 keys are made of it: more than 16 bytes would add nothing.
        let half = secret.get(..16).unwrap_or_default();
        let encoded = Hrp::parse(&format!("kms-{name}-password-"))
            .ok()
            .and_then(|prefix| bech32::encode::<Bech32>(prefix, half).ok());
        Zeroizing::new(encoded.unwrap_or_default())
    }

    /// The bytes of wrap key 1.
    #[must_use]
    pub fn wrap_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(&["1", "wrap", "0x0001"])
    }

    fn derive(&self, path: &[&str]) -> Zeroizing<[u8; 32]> {
        let mut key = self.entropy.clone();
        for (at, component) in path.iter().enumerate() {
            let is_last = at.saturating_add(1) == path.len();
            // An HMAC takes a key of any length.
            let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key.as_slice()) else {
                continue;
            };
            mac.update(component.as_bytes());
            let mut output = mac.finalize().into_bytes();
            let (left, right) = output.split_at(32);
            key.copy_from_slice(if is_last { left } else { right });
            output.as_mut_slice().zeroize();
        }
        key
    }
}

impl fmt::Display for PhraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "there are {count} words, not {WORDS}"),
            Self::Word(at) => write!(f, "word {at} is not in the list of BIP-39"),
            Self::Checksum => write!(
                f,
                "the checksum does not fit: a word is another one, or in another place"
            ),
        }
    }
}

impl std::error::Error for PhraseError {}

const WORDS: usize = 24;
/// 2,048 words are told apart by so many bits.
const BITS: usize = 11;
const INFO: &[u8] = b"yubihsm setup BIP39 derivation";
/// BIP-39's English list.
const LIST: &str = include_str!("words.txt");

#[cfg(test)]
mod tests {
    use super::*;

    /// BIP-39's own vectors of 32 bytes.
    #[test]
    fn phrases_are_those_of_bip_39() {
        for (byte, words) in [
            (
                0x00,
                "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art",
            ),
            (
                0x7f,
                "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title",
            ),
            (
                0x80,
                "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
            ),
            (
                0xff,
                "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
            ),
        ] {
            assert_eq!(
                Phrase::of_entropy(Zeroizing::new([byte; 32])).words(),
                words
            );
            let parsed = Phrase::parse(&words.to_uppercase().replace(' ', "\n "))
                .ok()
                .unwrap();
            assert_eq!(*parsed.entropy, [byte; 32]);
        }
    }

    /// Made with `hkd32` 0.7 and `subtle-encoding` 0.5, as iqlusion's tmkms uses them.
    #[test]
    fn what_is_derived_is_what_tmkms_derives() {
        let phrase = Phrase::of_entropy(Zeroizing::new([0x7f; 32]));
        for (role, password) in [
            (
                "operator",
                "kms-operator-password-17pwe2mf0quzu9lvgy5ca8vnequl8k7zz",
            ),
            (
                "auditor",
                "kms-auditor-password-1q8cw0xew8s9vytfx6a38d2jjvyt36lj2",
            ),
            (
                "validator",
                "kms-validator-password-1vr3dtk5ksemam3469t8cse4p9s04zymm",
            ),
        ] {
            assert_eq!(phrase.role(role).as_str(), password);
        }
        let hex: String = phrase
            .wrap_key()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "7aabab367d5fdf8a49e647a736c4578c2f93f5ba5e1a219bd7f193207d452447"
        );
    }

    #[test]
    fn what_is_no_phrase_is_refused() {
        let words = "zoo ".repeat(23);
        let of = |last: &str| Phrase::parse(&format!("{words}{last}")).err();
        assert_eq!(of("vote"), None);
        assert_eq!(of("zoo"), Some(PhraseError::Checksum));
        assert_eq!(of("zoom"), Some(PhraseError::Word(24)));
        assert_eq!(of(""), Some(PhraseError::Count(23)));
        assert_eq!(of("vote vote"), Some(PhraseError::Count(25)));
    }
}
