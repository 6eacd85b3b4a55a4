//! Keys as text: what is written to files, and what chains and operators read.

use core::fmt;

use bech32::{Bech32, Hrp};
use ct_codecs::{Base64, Decoder, Encoder, Hex};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::SigningKey;
use crate::types::PublicKey;

impl SigningKey {
    /// The content of a tmkms key file: the seed in base64, 44 characters, no line feed.
    #[must_use]
    pub fn to_base64_seed(&self) -> Zeroizing<String> {
        Zeroizing::new(base64(self.seed()))
    }
}

impl PublicKey {
    /// Reads 44 characters of base64.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        let len = Base64::decode(&mut key, text, None).ok()?.len();
        (len == key.len()).then_some(Self(key))
    }

    /// Reads 64 hexadecimal digits of either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        let len = Hex::decode(&mut key, text, None).ok()?.len();
        (len == key.len()).then_some(Self(key))
    }

    /// Base64, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64(&self.0)
    }

    /// Upper-case hexadecimal, as `key_format = { type = "hex" }` has it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("{self}").to_ascii_uppercase()
    }

    /// BIP-173 bech32 of amino's prefix for Ed25519 keys and the key: `cosmosvalconspub1zcjduepq…`.
    #[must_use]
    pub fn to_bech32(&self, prefix: &Prefix) -> String {
        let mut amino = [0; 37];
        let (head, tail) = amino.split_at_mut(AMINO_ED25519.len());
        head.copy_from_slice(&AMINO_ED25519);
        tail.copy_from_slice(&self.0);
        // 37 bytes with any prefix stay far below the 1,023 characters that fail.
        bech32::encode_lower::<Bech32>(prefix.0, &amino).unwrap_or_default()
    }

    /// The JSON that `create-validator --pubkey` takes.
    #[must_use]
    pub fn to_cosmos_json(&self) -> String {
        format!(
            r#"{{"@type":"/cosmos.crypto.ed25519.PubKey","key":"{}"}}"#,
            self.to_base64()
        )
    }

    /// The validator's address in bech32, `cosmosvalcons1…`.
    #[must_use]
    pub fn address_bech32(&self, prefix: &Prefix) -> String {
        // 20 bytes, as above.
        bech32::encode_lower::<Bech32>(prefix.0, &self.address()).unwrap_or_default()
    }

    /// The validator's address in upper-case hexadecimal, 40 digits.
    #[must_use]
    pub fn address_hex(&self) -> String {
        format!("{}", self.node_id()).to_ascii_uppercase()
    }
}

/// What stands before the `1` of a bech32 text, such as `cosmosvalconspub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix(Hrp);

/// A bech32 prefix has 1 to 83 visible ASCII characters, and letters of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixError;

impl Prefix {
    /// Takes over a prefix as written in a configuration.
    ///
    /// # Errors
    ///
    /// See [`PrefixError`].
    pub fn new(text: &str) -> Result<Self, PrefixError> {
        Hrp::parse(text).map(Self).map_err(|_| PrefixError)
    }
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bech32 prefix has 1 to 83 visible ASCII characters, and letters of one case")
    }
}

impl core::error::Error for PrefixError {}

/// Eight bytes that tell files apart by what is in them, for names such as `PATH.old-<fingerprint>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of a key: the first 8 bytes of its public half.
    #[must_use]
    pub fn of_key(key: &PublicKey) -> Self {
        Self::first(&key.0)
    }

    /// Of a file that is no readable key: the first 8 bytes of its SHA-256.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::first(&Sha256::digest(bytes))
    }

    fn first(bytes: &[u8]) -> Self {
        Self(bytes.first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for Fingerprint {
    /// 16 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

fn base64(bytes: &[u8; 32]) -> String {
    // Fails only for lengths near `usize::MAX`.
    Base64::encode_to_string(bytes).unwrap_or_default()
}

/// Amino's prefix for `tendermint/PubKeyEd25519`, and the length of the key.
const AMINO_ED25519: [u8; 5] = [0x16, 0x24, 0xde, 0x64, 0x20];

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "07A8A7CB0EAA389541D8C1FA0BDD4195231CA060EEE377FC9D3E3EACAB36267E";

    fn key() -> PublicKey {
        PublicKey::from_hex(HEX).unwrap()
    }

    #[test]
    fn prints_the_key_of_the_walkthrough_in_every_form() {
        assert_eq!(key().to_hex(), HEX);
        assert_eq!(
            key().to_base64(),
            "B6inyw6qOJVB2MH6C91BlSMcoGDu43f8nT4+rKs2Jn4="
        );
        assert_eq!(
            key().to_bech32(&Prefix::new("mtosvalconspub").unwrap()),
            "mtosvalconspub1zcjduepqq7520jcw4guf2swcc8aqhh2pj533egrqam3h0lya8cl2e2ekyelq3kjr7t"
        );
        assert_eq!(
            key().to_cosmos_json(),
            r#"{"@type":"/cosmos.crypto.ed25519.PubKey","key":"B6inyw6qOJVB2MH6C91BlSMcoGDu43f8nT4+rKs2Jn4="}"#
        );
        assert_eq!(
            key().address_hex(),
            "A95416816AA63174438258704CBEAE89495F1C86"
        );
        assert_eq!(
            key().address_bech32(&Prefix::new("mtosvalcons").unwrap()),
            "mtosvalcons1492pdqt25cchgsuztpcye04w39y478yxs2698l"
        );
    }

    #[test]
    fn reads_back_what_it_prints() {
        assert_eq!(PublicKey::from_base64(&key().to_base64()), Some(key()));
        assert_eq!(PublicKey::from_hex(&key().to_hex()), Some(key()));
        assert_eq!(PublicKey::from_hex(&key().to_string()), Some(key()));
    }

    #[test]
    fn reads_no_other_text_as_a_public_key() {
        for text in [
            "",
            "B6inyw6qOJVB2MH6C91BlSMcoGDu43f8nT4+rKs2Jn4",
            "AAAA",
            &HEX[2..],
        ] {
            assert_eq!(PublicKey::from_base64(text), None, "{text}");
            assert_eq!(PublicKey::from_hex(text), None, "{text}");
        }
        assert_eq!(PublicKey::from_hex(&format!("{HEX}00")), None);
        assert_eq!(PublicKey::from_hex(&HEX.replace('7', "g")), None);
    }

    #[test]
    fn a_prefix_is_visible_ascii_of_one_case() {
        assert!(Prefix::new("cosmosvalconspub").is_ok());
        let long = "x".repeat(84);
        for text in ["", "Cosmos", "a b", "ä", &long] {
            assert_eq!(Prefix::new(text), Err(PrefixError), "{text}");
        }
        let longest = Prefix::new(&"x".repeat(83)).unwrap();
        assert!(key().to_bech32(&longest).len() > 83);
    }

    #[test]
    fn a_fingerprint_is_short_and_of_the_public_key() {
        assert_eq!(Fingerprint::of_key(&key()).to_string(), "07a8a7cb0eaa3895");
        assert_eq!(Fingerprint::of_bytes(b"").to_string(), "e3b0c44298fc1c14");
    }
}
