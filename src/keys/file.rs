//! Keys out of files.
//!
//! The digits of a key are decoded in constant time. Telling the forms apart is not: it looks for the first
//! character that does not fit. It is done once, before there is a connection on which it could be timed.

use core::fmt;
use std::borrow::Cow;

use ct_codecs::{Base64, Decoder, Error as CodecError, Hex};
use nojson::RawJsonValue;
use zeroize::{Zeroize, Zeroizing};

use super::{
    Fault, ImportError, Kind, SEED_LEN, Sealed, SigningKey,
    json::{self, Broken, Object},
};
use crate::types::PublicKey;

/// A validator's key, and how it was written down.
pub struct Imported {
    /// The key.
    pub key: SigningKey,
    /// The form it was found in.
    pub format: Format,
}

/// The forms in which validators' Ed25519 keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `priv_validator_key.json` of CometBFT, cosmos/kms and horcrux.
    PrivValidatorKey,
    /// tmkms' key file: base64 of the 32-byte seed.
    Seed,
    /// Base64 of seed and public key, 64 bytes: the inner value of a `priv_validator_key.json`.
    Pair,
    /// The seed in hexadecimal digits.
    HexSeed,
    /// Seed and public key in hexadecimal digits.
    HexPair,
    /// The 32 bytes of the seed themselves.
    RawSeed,
    /// The 64 bytes of seed and public key themselves.
    RawPair,
}

/// A key as it lies in a file.
pub enum Kept {
    /// For whoever may read the file.
    Plain(SigningKey),
    /// For whoever has the passphrase as well.
    Sealed(Sealed),
}

impl Kept {
    /// The public half; of a sealed key, as the file claims.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Plain(key) => key.public_key(),
            Self::Sealed(sealed) => sealed.public_key(),
        }
    }
}

/// Reads a key in any form, sealed ones too.
///
/// # Errors
///
/// [`ImportError`]; it carries no byte of the file.
pub fn read(bytes: &[u8]) -> Result<Kept, ImportError> {
    if Sealed::recognises(bytes) {
        let sealed = Sealed::parse(bytes).map_err(ImportError::Sealed)?;
        return Ok(Kept::Sealed(sealed));
    }
    parse(bytes).map(|imported| Kept::Plain(imported.key))
}

/// Reads a validator's key in any form of [`Format`], recognised by content.
///
/// # Errors
///
/// [`ImportError`]; it carries no byte of the file.
pub fn parse(bytes: &[u8]) -> Result<Imported, ImportError> {
    let text = trimmed(bytes)?.trim_ascii_start();
    if is_raw(bytes) {
        from_bytes(bytes, Format::RawSeed, Format::RawPair)
    } else if text.starts_with(b"{") {
        parse_object(text)
    } else if text.starts_with(b"-----BEGIN ") {
        Err(ImportError::Kind(Kind::Armoured))
    } else if is_hex(text) {
        let mut room = Zeroizing::new([0; ROOM_LEN]);
        let decoded =
            Hex::decode(room.as_mut_slice(), text, None).map_err(|_| ImportError::Unrecognised)?;
        from_bytes(decoded, Format::HexSeed, Format::HexPair)
    } else {
        parse_base64(text)
    }
}

/// Reads tmkms' key file: base64 of a 32-byte seed, and white space after it at most.
///
/// For `secret_key` of a validator, and `path` of softsign with `key_format = "base64"`.
///
/// # Errors
///
/// [`ImportError`]; it carries no byte of the file.
pub fn parse_seed(bytes: &[u8]) -> Result<SigningKey, ImportError> {
    let bytes = trimmed(bytes)?;
    if Sealed::recognises(bytes) {
        return Err(ImportError::Kind(Kind::Encrypted));
    }
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ImportError::Kind(Kind::Json));
    }
    if is_hex(bytes) {
        return Err(ImportError::Kind(Kind::Hex));
    }
    let Imported { key, format } = parse_base64(bytes)?;
    if format == Format::Seed {
        Ok(key)
    } else {
        Err(ImportError::Length(PAIR_LEN))
    }
}

/// Reads a `priv_validator_key.json`: `path` of softsign with `key_format = "json"`.
///
/// # Errors
///
/// [`ImportError`]; it carries no byte of the file.
pub fn parse_json(bytes: &[u8]) -> Result<SigningKey, ImportError> {
    parse_object(trimmed(bytes)?).map(|imported| imported.key)
}

/// Whether this can be an account key of tmkms: base64 of 32 bytes, a secp256k1 scalar.
///
/// Such a key may stand in a configuration. It is never used.
///
/// # Errors
///
/// [`ImportError`]; it carries no byte of the file.
pub fn check_account(bytes: &[u8]) -> Result<(), ImportError> {
    let mut room = Zeroizing::new([0; ROOM_LEN]);
    let scalar = decode(trimmed(bytes)?, &mut room).map_err(|_| ImportError::Unrecognised)?;
    if scalar.len() != SEED_LEN {
        return Err(ImportError::Length(scalar.len()));
    }
    if scalar.iter().all(|byte| *byte == 0) {
        return Err(ImportError::Zeros);
    }
    Ok(())
}

/// Without the white space at the end, and not without a content.
fn trimmed(bytes: &[u8]) -> Result<&[u8], ImportError> {
    let bytes = bytes.trim_ascii_end();
    if bytes.is_empty() {
        Err(ImportError::Empty)
    } else if bytes.iter().all(|byte| *byte == 0) {
        Err(ImportError::Zeros)
    } else {
        Ok(bytes)
    }
}

/// Whether these are the bytes of a key and no text: random ones are never all printable.
fn is_raw(bytes: &[u8]) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    matches!(bytes.len(), SEED_LEN | PAIR_LEN | YUBIHSM_LEN) && !bytes.iter().all(is_text)
}

/// Whether this is a key in hexadecimal: as base64 it would have a length that no key has, or be an
/// export of a `YubiHSM` that happens to use 22 of 64 characters only.
fn is_hex(text: &[u8]) -> bool {
    matches!(
        text.len().checked_div(2),
        Some(SEED_LEN | PAIR_LEN | YUBIHSM_LEN)
    ) && text.len().is_multiple_of(2)
        && text.iter().all(u8::is_ascii_hexdigit)
}

fn parse_base64(text: &[u8]) -> Result<Imported, ImportError> {
    let mut room = Zeroizing::new([0; ROOM_LEN]);
    let decoded = decode(text, &mut room).map_err(|_| ImportError::Unrecognised)?;
    from_bytes(decoded, Format::Seed, Format::Pair)
}

/// Tells by the length, and 64 bytes by the public half, what the bytes are.
fn from_bytes(bytes: &[u8], alone: Format, pair: Format) -> Result<Imported, ImportError> {
    let (seed, rest) = bytes
        .split_first_chunk::<SEED_LEN>()
        .ok_or(ImportError::Length(bytes.len()))?;
    match bytes.len() {
        SEED_LEN => Ok(Imported {
            key: from_seed(seed)?,
            format: alone,
        }),
        PAIR_LEN => {
            let key = from_seed(seed)?;
            if key.public_key().0 != rest {
                return Err(ImportError::Kind(Kind::Expanded));
            }
            Ok(Imported { key, format: pair })
        }
        YUBIHSM_LEN => Err(ImportError::Kind(Kind::YubiHsm)),
        other => Err(ImportError::Length(other)),
    }
}

fn parse_object(bytes: &[u8]) -> Result<Imported, ImportError> {
    let text = core::str::from_utf8(bytes).map_err(|_| ImportError::Unrecognised)?;
    let json = json::parse(text).map_err(ImportError::Json)?;
    let file = Object::new(text, json.value()).map_err(ImportError::Json)?;
    if Sealed::recognises(bytes) {
        return Err(ImportError::Kind(Kind::Encrypted));
    }
    let Some(secret) = file.get("priv_key") else {
        return Err(without_secret(&file));
    };
    let (kind, value) = typed(text, "priv_key", secret)?;
    match &*kind {
        "tendermint/PrivKeyEd25519" => {}
        other => return Err(ImportError::Kind(key_type(other))),
    }
    if !file.has("pub_key") && !file.has("address") {
        return Err(ImportError::Kind(Kind::NodeKey));
    }
    let key = secret_value(value)?;
    check_public(text, &file, &key.public_key())?;
    let format = Format::PrivValidatorKey;
    Ok(Imported { key, format })
}

/// What a JSON file without a `priv_key` is.
fn without_secret(file: &Object<'_, '_>) -> ImportError {
    if file.has("privateShard") || file.has("secret_share") {
        ImportError::Kind(Kind::HorcruxShard)
    } else if file.has("eciesKey") || file.has("rsaKey") || file.has("rsa_key") {
        ImportError::Kind(Kind::HorcruxTransport)
    } else if file.has("height") && file.has("step") {
        ImportError::Kind(Kind::State)
    } else if file.has("pub_key") || file.has("address") {
        wrong("priv_key", Fault::Missing)
    } else {
        ImportError::Unrecognised
    }
}

/// Takes amino's `{"type": …, "value": …}` apart.
fn typed<'text, 'raw>(
    text: &str,
    name: &'static str,
    value: RawJsonValue<'text, 'raw>,
) -> Result<(Cow<'text, str>, RawJsonValue<'text, 'raw>), ImportError> {
    let object = Object::new(text, value).map_err(|broken| match broken {
        Broken::Twice(_) => ImportError::Json(broken),
        Broken::Truncated | Broken::Syntax(_) | Broken::NotAnObject => wrong(name, Fault::Type),
    })?;
    let member = |part| object.get(part).ok_or(wrong(name, Fault::Missing));
    let kind = member("type")?
        .to_unquoted_string_str()
        .map_err(|_| wrong(name, Fault::Type))?;
    Ok((kind, member("value")?))
}

/// Go's private key: seed and public key, which Go believes and we compute.
fn secret_value(value: RawJsonValue<'_, '_>) -> Result<SigningKey, ImportError> {
    let name = "priv_key";
    let mut text = value
        .to_unquoted_string_str()
        .map_err(|_| wrong(name, Fault::Type))?;
    let mut room = Zeroizing::new([0; ROOM_LEN]);
    let decoded = decode(text.as_bytes(), &mut room);
    if let Cow::Owned(copy) = &mut text {
        copy.zeroize();
    }
    let (seed, public) = decoded
        .map_err(|fault| wrong(name, fault))?
        .split_first_chunk::<SEED_LEN>()
        .filter(|(_, public)| public.len() == PUBLIC_LEN)
        .ok_or(wrong(name, Fault::Length))?;
    let key = from_seed(seed)?;
    if key.public_key().0 == public {
        Ok(key)
    } else {
        Err(wrong(name, Fault::Mismatch))
    }
}

/// Members that say whose key it is must say the truth, or the file was put together from two.
fn check_public(text: &str, file: &Object<'_, '_>, public: &PublicKey) -> Result<(), ImportError> {
    if let Some(member) = file.get("pub_key") {
        let name = "pub_key";
        let (kind, value) = typed(text, name, member)?;
        if kind != "tendermint/PubKeyEd25519" {
            return Err(wrong(name, Fault::Type));
        }
        let value = value
            .to_unquoted_string_str()
            .map_err(|_| wrong(name, Fault::Type))?;
        let stated = PublicKey::from_base64(&value).ok_or(wrong(name, Fault::Encoding))?;
        if stated != *public {
            return Err(wrong(name, Fault::Mismatch));
        }
    }
    if let Some(member) = file.get("address") {
        let name = "address";
        let stated = member
            .to_unquoted_string_str()
            .map_err(|_| wrong(name, Fault::Type))?;
        if !stated.eq_ignore_ascii_case(&public.address_hex()) {
            return Err(wrong(name, Fault::Mismatch));
        }
    }
    Ok(())
}

fn key_type(name: &str) -> Kind {
    match name {
        "tendermint/PrivKeySecp256k1"
        | "cometbft/PrivKeySecp256k1eth"
        | "ethermint/PrivKeyEthSecp256k1" => Kind::Secp256k1,
        "cometbft/PrivKeyBls12_381" | "tendermint/PrivKeyBls12_381" => Kind::Bls12381,
        "cometbft/PrivKeyMlDsa65" => Kind::MlDsa65,
        "tendermint/PrivKeySr25519" => Kind::Sr25519,
        _ => Kind::OtherType,
    }
}

fn from_seed(seed: &[u8; SEED_LEN]) -> Result<SigningKey, ImportError> {
    SigningKey::from_seed(seed).map_err(|_| ImportError::Zeros)
}

fn decode<'room>(text: &[u8], room: &'room mut [u8; ROOM_LEN]) -> Result<&'room [u8], Fault> {
    Base64::decode(room, text, None).map_err(|error| match error {
        CodecError::Overflow => Fault::Length,
        CodecError::InvalidInput => Fault::Encoding,
    })
}

const fn wrong(name: &'static str, fault: Fault) -> ImportError {
    ImportError::Member { name, fault }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrivValidatorKey => "priv_validator_key.json",
            Self::Seed => "a base64 seed",
            Self::Pair => "base64 of seed and public key",
            Self::HexSeed => "a hexadecimal seed",
            Self::HexPair => "seed and public key in hexadecimal",
            Self::RawSeed => "the bytes of a seed",
            Self::RawPair => "the bytes of seed and public key",
        })
    }
}

const PUBLIC_LEN: usize = 32;
const PAIR_LEN: usize = 64;
const YUBIHSM_LEN: usize = 96;
/// The longest decoded key that is told apart by its length.
const ROOM_LEN: usize = 128;

#[cfg(test)]
mod tests {
    use ct_codecs::Encoder;

    use super::*;
    use crate::keys::{Place, SealedError};

    /// The key whose seed is the SHA-256 of "it's a secret", as CometBFT's tests have it.
    const KEY: &str = r#"{
  "address": "DC52D5CF8DFD1793D71038B342A29B01AD8A5D63",
  "pub_key": {
    "type": "tendermint/PubKeyEd25519",
    "value": "VWpDbxIY0wlC7+eYQg9R3JtqMRuSnFeCV0V9BcX88jA="
  },
  "priv_key": {
    "type": "tendermint/PrivKeyEd25519",
    "value": "nYNNP8rE7iVTa3DhU3b+u2l4YatXNAXYuJKQQX/RYHBVakNvEhjTCULv55hCD1Hcm2oxG5KcV4JXRX0FxfzyMA=="
  }
}"#;
    const SEED: &str = "nYNNP8rE7iVTa3DhU3b+u2l4YatXNAXYuJKQQX/RYHA=";
    const PAIR: &str =
        "nYNNP8rE7iVTa3DhU3b+u2l4YatXNAXYuJKQQX/RYHBVakNvEhjTCULv55hCD1Hcm2oxG5KcV4JXRX0FxfzyMA==";
    const ADDRESS: &str = "DC52D5CF8DFD1793D71038B342A29B01AD8A5D63";

    /// Another key, of tmkms' own tests, with members that no program reads.
    const OTHER: &str = r#"{"address":"275184F7F3BB2D1EB56FB91F0DC9E0FE6FB64097","pub_key":{"type":"tendermint/PubKeyEd25519","value":"Dicjr17rwt2WMy+Wo/hLGc2qPpx03kvyUJCJGqh1MXM="},"last_height":"0","last_round":0,"last_step":0,"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"qIoGOuRm6GHobrRGq9t2I388pnWO7ZB9FE0R+M8TM6oOJyOvXuvC3ZYzL5aj+EsZzao+nHTeS/JQkIkaqHUxcw=="}}"#;

    const NODE_KEY: &str = r#"{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"GRKDcf6krxXq2csRmIC0TNO/SZqoDIxN7JbxehQnjqGkBIVze7BvLGGn72mA68qvubnex30PhoJcXHGYtMl/tA=="}}"#;

    fn address(text: &str) -> Result<(String, Format), ImportError> {
        parse(text.as_bytes()).map(|found| (found.key.public_key().address_hex(), found.format))
    }

    fn error(text: &str) -> Option<ImportError> {
        parse(text.as_bytes()).err()
    }

    fn without(member: &str) -> String {
        KEY.replace(&format!("\"{member}\""), "\"ignored\"")
    }

    #[test]
    fn recognises_every_form_of_one_key() {
        let key = |format| Ok((ADDRESS.to_owned(), format));
        assert_eq!(address(KEY), key(Format::PrivValidatorKey));
        assert_eq!(
            address(&format!("\n {KEY}\n")),
            key(Format::PrivValidatorKey)
        );
        assert_eq!(address(&without("address")), key(Format::PrivValidatorKey));
        assert_eq!(address(&without("pub_key")), key(Format::PrivValidatorKey));
        assert_eq!(
            address(
                &KEY.replace('/', "\\/")
                    .replace(ADDRESS, &ADDRESS.to_lowercase())
            ),
            key(Format::PrivValidatorKey)
        );
        assert_eq!(address(SEED), key(Format::Seed));
        assert_eq!(address(&format!("{SEED}\r\n")), key(Format::Seed));
        assert_eq!(address(PAIR), key(Format::Pair));
        assert_eq!(address(&format!(" {PAIR}\n")), key(Format::Pair));
    }

    #[test]
    fn recognises_hexadecimal_and_bare_bytes_of_one_key() {
        let found = |bytes: &[u8]| {
            parse(bytes).map(|found| (found.key.public_key().address_hex(), found.format))
        };
        let key = |format| Ok((ADDRESS.to_owned(), format));
        let pair = Base64::decode_to_vec(PAIR, None).unwrap();
        let hex = Hex::encode_to_string(&pair).unwrap();
        assert_eq!(found(&pair[..32]), key(Format::RawSeed));
        assert_eq!(found(&pair), key(Format::RawPair));
        for hex in [hex.clone(), hex.to_uppercase(), format!("{hex}\n")] {
            assert_eq!(found(hex.as_bytes()), key(Format::HexPair));
            assert_eq!(found(&hex.as_bytes()[..64]), key(Format::HexSeed));
        }
        assert_eq!(
            found(format!("{}\r\n", &hex[..64]).as_bytes()),
            key(Format::HexSeed)
        );
    }

    #[test]
    fn expanded_keys_are_told_from_pairs_in_every_encoding() {
        for (len, kind) in [(64, Kind::Expanded), (96, Kind::YubiHsm)] {
            let bytes = vec![0xc7; len];
            let expected = Some(ImportError::Kind(kind));
            let hex = Hex::encode_to_string(&bytes).unwrap();
            let base64 = Base64::encode_to_string(&bytes).unwrap();
            assert_eq!(parse(&bytes).err(), expected);
            assert_eq!(error(&hex), expected);
            assert_eq!(error(&base64), expected);
        }
    }

    #[test]
    fn a_text_that_was_cut_to_32_bytes_is_no_key() {
        assert_eq!(error(&SEED[..32]), Some(ImportError::Length(24)));
        assert_eq!(
            error(&format!("{}\n", &SEED[..31])),
            Some(ImportError::Unrecognised)
        );
        assert_eq!(
            error("TEST KEY ONLY: DO **NOT** USE!!!"),
            Some(ImportError::Unrecognised)
        );
    }

    #[test]
    fn an_encrypted_key_is_read_without_its_passphrase_and_parsed_by_no_other() {
        let file = include_bytes!("../../tests/vectors/keys/encrypted.json");
        assert!(matches!(read(file), Ok(Kept::Sealed(_))));
        assert!(matches!(read(SEED.as_bytes()), Ok(Kept::Plain(_))));
        let encrypted = Some(ImportError::Kind(Kind::Encrypted));
        assert_eq!(parse(file).err(), encrypted);
        assert_eq!(parse_seed(file).err(), encrypted);
        assert_eq!(parse_json(file).err(), encrypted);
        assert_eq!(
            read(&file[..200]).err(),
            Some(ImportError::Sealed(SealedError::Damaged))
        );
    }

    #[test]
    fn ignores_members_that_are_not_its_own() {
        assert_eq!(
            address(OTHER).unwrap().0,
            "275184F7F3BB2D1EB56FB91F0DC9E0FE6FB64097"
        );
    }

    #[test]
    fn writes_the_seed_that_tmkms_reads() {
        let key = parse(KEY.as_bytes()).unwrap().key;
        assert_eq!(*key.to_base64_seed(), SEED);
        assert_eq!(key.to_base64_seed().capacity(), 44);
        assert!(parse_seed(key.to_base64_seed().as_bytes()).is_ok());
    }

    #[test]
    fn reads_the_key_files_of_the_tests_of_tmkms() {
        let public = |text: &str| {
            parse_seed(text.as_bytes())
                .unwrap()
                .public_key()
                .to_string()
        };
        assert_eq!(
            public("DEADBEEFDEADBEEFDEADBEEFDEADBEEFDEADBEEFDEA="),
            "cba8cec72988a6cd9a61902f38ebc383bb4e3ccabb5a78df69500fd5d5c6ec1e"
        );
        assert_eq!(
            public("VEVTVCBLRVkgT05MWTogRE8gKipOT1QqKiBVU0UhISE=\n"),
            "f5a673af4e44f5cb78ae5467b3de9b444fb22dece1663ed40d9a5eac4a04e60c"
        );
    }

    #[test]
    fn refuses_by_name_what_is_no_validators_key() {
        let typed = |name: &str| KEY.replace("tendermint/PrivKeyEd25519", name);
        for (text, kind) in [
            (NODE_KEY.to_owned(), Kind::NodeKey),
            (typed("tendermint/PrivKeySecp256k1"), Kind::Secp256k1),
            (typed("cometbft/PrivKeyBls12_381"), Kind::Bls12381),
            (typed("tendermint/PrivKeyBls12_381"), Kind::Bls12381),
            (typed("cometbft/PrivKeyMlDsa65"), Kind::MlDsa65),
            (typed("tendermint/PrivKeySr25519"), Kind::Sr25519),
            (typed("nobody/PrivKeyLater"), Kind::OtherType),
            (
                r#"{"keyType":"ed25519","pubKey":"AA==","privateShard":"AA==","id":1}"#.to_owned(),
                Kind::HorcruxShard,
            ),
            (
                r#"{"pub_key":"AA==","secret_share":"AA==","rsa_key":"AA==","id":1}"#.to_owned(),
                Kind::HorcruxShard,
            ),
            (
                r#"{"eciesKey":"AA==","eciesPubs":["AA=="],"id":1}"#.to_owned(),
                Kind::HorcruxTransport,
            ),
            (
                r#"{"rsaKey":"AA==","rsaPubs":["AA=="],"id":1}"#.to_owned(),
                Kind::HorcruxTransport,
            ),
            (
                r#"{"height":"5","round":0,"step":3}"#.to_owned(),
                Kind::State,
            ),
            (
                r#"{"height":"5","round":"0","step":2,"block_id":null}"#.to_owned(),
                Kind::State,
            ),
            (Base64::encode_to_string([7; 64]).unwrap(), Kind::Expanded),
            (Base64::encode_to_string([7; 96]).unwrap(), Kind::YubiHsm),
        ] {
            assert_eq!(error(&text), Some(ImportError::Kind(kind)), "{text}");
        }
    }

    #[test]
    fn refuses_halves_that_do_not_belong_together() {
        let other = |from: &str, to: &str| error(&KEY.replace(from, to));
        let mismatch = |name| Some(wrong(name, Fault::Mismatch));
        assert_eq!(other("nYNN", "oYNN"), mismatch("priv_key"));
        assert_eq!(other("\"VWpD", "\"WWpD"), mismatch("pub_key"));
        assert_eq!(other("DC52", "DC53"), mismatch("address"));
        assert_eq!(other(ADDRESS, ""), mismatch("address"));
    }

    #[test]
    fn says_which_member_is_wrong() {
        let other = |from: &str, to: &str| error(&KEY.replace(from, to));
        for (found, name, fault) in [
            (error(&without("priv_key")), "priv_key", Fault::Missing),
            (
                error(r#"{"priv_key":7,"address":""}"#),
                "priv_key",
                Fault::Type,
            ),
            (
                error(r#"{"priv_key":{"type":7,"value":""}}"#),
                "priv_key",
                Fault::Type,
            ),
            (
                error(r#"{"priv_key":{"value":""}}"#),
                "priv_key",
                Fault::Missing,
            ),
            (other("nYNN", "nY-N"), "priv_key", Fault::Encoding),
            (other("nYNN", "nYNNnYNN"), "priv_key", Fault::Length),
            (other("nYNN", &"A".repeat(400)), "priv_key", Fault::Length),
            (other(PAIR, SEED), "priv_key", Fault::Length),
            (
                other(&format!("\"{PAIR}\""), "null"),
                "priv_key",
                Fault::Type,
            ),
            (
                other("PubKeyEd25519", "PubKeySecp256k1"),
                "pub_key",
                Fault::Type,
            ),
            (other("VWpD", "VWpDVWpD"), "pub_key", Fault::Encoding),
            (
                other(&format!("\"{ADDRESS}\""), "7"),
                "address",
                Fault::Type,
            ),
        ] {
            assert_eq!(found, Some(wrong(name, fault)), "{name} {fault:?}");
        }
    }

    #[test]
    fn refuses_what_is_empty_zero_broken_or_unknown() {
        let place = |line, column| Place { line, column };
        for (text, expected) in [
            ("", ImportError::Empty),
            (" \n\t", ImportError::Empty),
            ("\0\0\0\0", ImportError::Zeros),
            (
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                ImportError::Zeros,
            ),
            ("{", ImportError::Json(Broken::Truncated)),
            (
                "{\"priv_key\":\n x",
                ImportError::Json(Broken::Syntax(place(2, 2))),
            ),
            (
                "{\"a\":1,\"a\":2}",
                ImportError::Json(Broken::Twice(place(1, 8))),
            ),
            (
                "{\"priv_key\":{\"type\":\"\",\"type\":\"\"}}",
                ImportError::Json(Broken::Twice(place(1, 24))),
            ),
            ("{}", ImportError::Unrecognised),
            ("[]", ImportError::Unrecognised),
            ("null", ImportError::Length(3)),
            ("no key", ImportError::Unrecognised),
            (
                "-----BEGIN TENDERMINT PRIVATE KEY-----",
                ImportError::Kind(Kind::Armoured),
            ),
            ("AAAA", ImportError::Length(3)),
        ] {
            assert_eq!(error(text), Some(expected), "{text}");
        }
        assert_eq!(parse(&[0xff; 33]).err(), Some(ImportError::Unrecognised));
        assert_eq!(parse(&[0; 32]).err(), Some(ImportError::Zeros));
        assert_eq!(error(&"A".repeat(40_000)), Some(ImportError::Unrecognised));
    }

    #[test]
    fn a_key_file_is_a_seed_and_nothing_else() {
        let error = |text: &str| parse_seed(text.as_bytes()).err();
        assert_eq!(error(KEY), Some(ImportError::Kind(Kind::Json)));
        assert_eq!(error(PAIR), Some(ImportError::Length(64)));
        assert_eq!(error(&format!(" {SEED}")), Some(ImportError::Unrecognised));
        assert_eq!(
            error(&format!("{SEED}{SEED}")),
            Some(ImportError::Unrecognised)
        );
        assert_eq!(
            error(&SEED.replace('=', "")),
            Some(ImportError::Unrecognised)
        );
        assert_eq!(error(""), Some(ImportError::Empty));
        let hex = format!("{}\n", ADDRESS.repeat(2).split_at(64).0);
        assert_eq!(error(&hex), Some(ImportError::Kind(Kind::Hex)));
    }

    #[test]
    fn json_where_json_was_asked_for() {
        assert!(parse_json(KEY.as_bytes()).is_ok());
        assert!(matches!(
            parse_json(SEED.as_bytes()),
            Err(ImportError::Json(Broken::Syntax(_)))
        ));
        assert_eq!(
            parse_json(NODE_KEY.as_bytes()).err(),
            Some(ImportError::Kind(Kind::NodeKey))
        );
    }

    #[test]
    fn an_account_key_is_recognised_by_its_length_alone() {
        let check = |text: &str| check_account(text.as_bytes());
        assert_eq!(
            check("qW5i7TlV5lvjJwPxLYe2tc8mA57PqUjcUQeklUGOUzA=\n"),
            Ok(())
        );
        assert_eq!(check("AAAA"), Err(ImportError::Length(3)));
        assert_eq!(check(KEY), Err(ImportError::Unrecognised));
        assert_eq!(check(""), Err(ImportError::Empty));
    }

    #[test]
    fn no_error_carries_a_byte_of_the_key() {
        let secret = &PAIR[..20];
        for text in [
            KEY.replace("DC52", "DC53"),
            KEY.replace("tendermint/PrivKeyEd25519", PAIR),
            format!("{{\"{PAIR}\":1,\"{PAIR}\":2}}"),
            format!("{{\"priv_key\":\"{PAIR}\"}}"),
            format!("{PAIR}{PAIR}"),
            KEY[..KEY.len() - 3].to_owned(),
        ] {
            let error = error(&text).unwrap();
            let said = format!("{error} {error:?}");
            assert!(!said.contains(secret) && !said.contains("nYNN"), "{said}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn no_change_of_one_byte_and_no_cut_goes_wrong() {
        for text in [KEY, OTHER, NODE_KEY, SEED, PAIR] {
            let bytes = text.as_bytes();
            for at in 0..bytes.len() {
                drop(parse(&bytes[..at]));
                for value in [0, b'"', b'{', b'\\', b'0', 0x80, 0xff] {
                    let mut changed = bytes.to_vec();
                    changed[at] = value;
                    drop((
                        parse(&changed),
                        parse_seed(&changed),
                        check_account(&changed),
                    ));
                }
            }
        }
    }
}
