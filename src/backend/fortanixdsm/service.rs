//! What the service is asked, and what it answers: JSON over `POST`.
//!
//! Members that are not needed are not looked at, and one that is `null` is one that is not there: the
//! service adds some with time.

use core::time::Duration;

use ct_codecs::{Base64, Decoder as _, Encoder as _};
use nojson::{JsonValueKind, RawJsonValue};
use zeroize::Zeroizing;

use super::fault::{Act, Fault};
use crate::config::DsmKeyName;
use crate::keys::json::{self, Object};
use crate::types::{PublicKey, Signature};

/// The longest API key or token in bytes. Either is some hundred.
pub(super) const CREDENTIAL_MAX_LEN: usize = 8 * 1024;

/// How long a session may be said to last, both ways: what is outside is not believed.
const SESSION_MIN: Duration = Duration::from_secs(1);
const SESSION_MAX: Duration = Duration::from_hours(24);

/// The DER of an Ed25519 public key up to its 32 bytes (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// An API key, which is user and password in base64 already.
    ApiKey(&'a str),
    /// The token of a session.
    Token(&'a str),
}

/// A session as the service gives it.
pub(super) struct Session {
    pub(super) token: Zeroizing<String>,
    pub(super) lasts: Duration,
}

/// A key that votes can be signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    /// What the service calls it, whatever its name.
    pub(super) kid: String,
    pub(super) public_key: PublicKey,
    /// Whether the service would hand the secret key out.
    pub(super) is_exportable: bool,
}

impl Act<'_> {
    const fn path(self) -> &'static str {
        match self {
            Self::Enter => "/sys/v1/session/auth",
            Self::Look(_) => "/crypto/v1/keys/info",
            Self::Sign(_) => "/crypto/v1/sign",
            Self::Leave => "/sys/v1/session/terminate",
        }
    }
}

/// A whole request, in memory that is taken once and wiped.
pub(super) fn request(
    host: &str,
    act: Act<'_>,
    credential: Credential<'_>,
    body: &str,
) -> Zeroizing<Vec<u8>> {
    let (scheme, secret) = match credential {
        Credential::ApiKey(key) => ("Basic ", key),
        Credential::Token(token) => ("Bearer ", token),
    };
    let length = body.len().to_string();
    let kind = if body.is_empty() {
        ""
    } else {
        "\r\nContent-Type: application/json"
    };
    let parts = [
        "POST ",
        act.path(),
        " HTTP/1.1\r\nHost: ",
        host,
        "\r\nAuthorization: ",
        scheme,
        secret,
        "\r\nUser-Agent: tmkms\r\nAccept: application/json",
        kind,
        "\r\nContent-Length: ",
        &length,
        "\r\n\r\n",
        body,
    ];
    let room = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// What is asked to learn about a key.
pub(super) fn look(name: &DsmKeyName) -> String {
    match name {
        DsmKeyName::Id(id) => format!("{{\"kid\":{}}}", nojson::Json(id)),
        DsmKeyName::Name(name) => format!("{{\"name\":{}}}", nojson::Json(name)),
    }
}

/// What is asked to sign: Ed25519 hashes the message itself, with SHA-512.
pub(super) fn sign(kid: &str, message: &[u8]) -> Result<String, Fault> {
    let data = Base64::encode_to_string(message).map_err(|_| {
        Fault::refused("the message is too long", "this is a fault of this program")
    })?;
    Ok(format!(
        "{{\"key\":{{\"kid\":{}}},\"hash_alg\":\"SHA512\",\"data\":\"{data}\"}}",
        nojson::Json(kid)
    ))
}

/// Whether a text can stand in a header field, as an API key and a token have to.
pub(super) fn is_credential(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= CREDENTIAL_MAX_LEN
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Session {
    pub(super) fn read(body: &[u8]) -> Result<Self, Fault> {
        read(body, |members| {
            let token = members.text("access_token")?;
            let is_bearer = members
                .text_if_any("token_type")?
                .is_none_or(|word| word.eq_ignore_ascii_case("bearer"));
            if !is_bearer || !is_credential(&token) {
                return Err(Fault::odd("the session has no token of the type Bearer"));
            }
            let seconds: u64 = members
                .value("expires_in")
                .and_then(|value| value.as_integer_str().ok()?.parse().ok())
                .ok_or_else(|| Fault::odd("the session does not say how long it lasts"))?;
            Ok(Self {
                token,
                lasts: Duration::from_secs(seconds).clamp(SESSION_MIN, SESSION_MAX),
            })
        })
    }
}

impl Info {
    /// Reads what the service says of the key that `asked` names, which `label` calls it in sentences.
    pub(super) fn read(body: &[u8], asked: &DsmKeyName, label: &str) -> Result<Self, Fault> {
        read(body, |members| {
            let kid = members.text("kid")?.to_ascii_lowercase();
            if matches!(asked, DsmKeyName::Id(id) if *id != kid) {
                return Err(Fault::odd("it speaks of another key than it was asked for"));
            }
            let operations = members.words("key_ops")?;
            let can = |operation: &str| operations.iter().any(|word| word == operation);
            members.check_use(label, can("SIGN"))?;
            let der = members.bytes::<44>("pub_key")?;
            let (prefix, key) = der.split_at(SPKI_PREFIX.len());
            let public_key = key.try_into().ok().filter(|_| prefix == SPKI_PREFIX);
            Ok(Self {
                kid,
                public_key: public_key
                    .map(PublicKey)
                    .ok_or_else(|| Fault::odd("`pub_key` is no public key of Ed25519"))?,
                is_exportable: can("EXPORT"),
            })
        })
    }
}

/// Reads a signature made with the key `kid`.
pub(super) fn signature(body: &[u8], kid: &str) -> Result<Signature, Fault> {
    read(body, |members| {
        let told = members.text_if_any("kid")?;
        if told.is_some_and(|told| !told.eq_ignore_ascii_case(kid)) {
            return Err(Fault::odd(
                "it signed with another key than it was asked for",
            ));
        }
        members.bytes::<64>("signature").map(Signature)
    })
}

/// The members of the object that a body is.
struct Members<'text, 'raw>(Object<'text, 'raw>);

fn read<T>(
    body: &[u8],
    make: impl FnOnce(&Members<'_, '_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::odd("it is no text"))?;
    let broken = |error| Fault::odd(&format!("it {error}"));
    let json = json::parse(text).map_err(broken)?;
    make(&Members(Object::new(text, json.value()).map_err(broken)?))
}

impl<'text, 'raw> Members<'text, 'raw> {
    fn value(&self, name: &str) -> Option<RawJsonValue<'text, 'raw>> {
        self.0
            .get(name)
            .filter(|value| value.kind() != JsonValueKind::Null)
    }

    fn text_if_any(&self, name: &str) -> Result<Option<Zeroizing<String>>, Fault> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match value.to_unquoted_string_str() {
            Ok(text) => Ok(Some(Zeroizing::new(text.into_owned()))),
            Err(_) => Err(Fault::odd(&format!("`{name}` is no text"))),
        }
    }

    fn text(&self, name: &str) -> Result<Zeroizing<String>, Fault> {
        self.text_if_any(name)?
            .ok_or_else(|| Fault::odd(&format!("`{name}` is missing")))
    }

    /// The texts of a list, which may not be there.
    fn words(&self, name: &str) -> Result<Vec<String>, Fault> {
        let odd = || Fault::odd(&format!("`{name}` is no list of words"));
        let Some(value) = self.value(name) else {
            return Ok(Vec::new());
        };
        value
            .to_array()
            .map_err(|_| odd())?
            .map(|word| match word.to_unquoted_string_str() {
                Ok(word) => Ok(word.into_owned()),
                Err(_) => Err(odd()),
            })
            .collect()
    }

    /// So many bytes in base64.
    fn bytes<const LEN: usize>(&self, name: &str) -> Result<[u8; LEN], Fault> {
        let text = self.text(name)?;
        // A byte to spare, so that one too many is seen.
        let mut room = vec![0; LEN.saturating_add(1)];
        Base64::decode(&mut room, text.as_bytes(), None)
            .ok()
            .and_then(|bytes| <[u8; LEN]>::try_from(bytes).ok())
            .ok_or_else(|| Fault::odd(&format!("`{name}` is not {LEN} bytes in base64")))
    }

    /// Whether votes can be signed with the key that this speaks of.
    fn check_use(&self, label: &str, can_sign: bool) -> Result<(), Fault> {
        let kind = self.text("obj_type")?;
        let curve = self.text_if_any("elliptic_curve")?;
        if *kind != "EC" || curve.as_ref().is_none_or(|curve| **curve != "Ed25519") {
            let what = curve.as_ref().map_or(&*kind, |curve| &**curve);
            return Err(Fault::refused(
                format!("the key {label} is not an Ed25519 key, but {}", plain(what)),
                "name the validator's own key: a consensus key is an elliptic curve key on Ed25519",
            ));
        }
        let is_off = self
            .value("enabled")
            .is_some_and(|value| value.as_raw_str() == "false");
        if is_off {
            return Err(Fault::refused(
                format!("the key {label} is disabled"),
                "enable it in the service's pages",
            ));
        }
        if let Some(state) = self.text_if_any("state")?
            && *state != "Active"
        {
            return Err(Fault::refused(
                format!("the key {label} is not active, but {}", plain(&state)),
                "activate it in the service's pages; one that is deactivated or compromised signs no more",
            ));
        }
        if !can_sign {
            return Err(Fault::refused(
                format!("the key {label} is not for signing"),
                "permit the operation Sign in the service's pages",
            ));
        }
        Ok(())
    }
}

/// A word of the service's as it can be shown.
fn plain(word: &str) -> String {
    word.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KID: &str = "72e9ed9e-9eb4-46bd-a135-e78ed9bfd611";
    const SPKI: &str = "MCowBQYDK2VwAyEAB6inyw6qOJVB2MH6C91BlSMcoGDu43f8nT4+rKs2Jn4=";

    fn info(members: &str) -> Result<Info, Fault> {
        let text = format!(
            r#"{{"kid":"{KID}","obj_type":"EC","elliptic_curve":"Ed25519","pub_key":"{SPKI}","enabled":true,"key_ops":["SIGN","VERIFY"],"state":"Active","more":{{}},{members}"x":null}}"#
        );
        Info::read(text.as_bytes(), &DsmKeyName::Id(KID.into()), "k")
    }

    #[test]
    fn asks_as_the_service_wants_it() {
        let name = DsmKeyName::Name("My \"Key\"\n".into());
        assert_eq!(look(&name), r#"{"name":"My \"Key\"\n"}"#);
        assert_eq!(
            look(&DsmKeyName::Id(KID.into())),
            format!(r#"{{"kid":"{KID}"}}"#)
        );
        assert_eq!(
            sign(KID, b"hi").unwrap(),
            format!(r#"{{"key":{{"kid":"{KID}"}},"hash_alg":"SHA512","data":"aGk="}}"#)
        );
        let request = request("dsm:8443", Act::Enter, Credential::ApiKey("a2V5"), "{}");
        let text = core::str::from_utf8(&request).unwrap();
        assert!(text.starts_with("POST /sys/v1/session/auth HTTP/1.1\r\nHost: dsm:8443\r\n"));
        assert!(text.contains("\r\nAuthorization: Basic a2V5\r\n"));
        assert!(text.ends_with("\r\nContent-Length: 2\r\n\r\n{}"));
        assert_eq!(request.len(), request.capacity());
    }

    #[test]
    fn reads_a_key_and_the_members_that_it_needs() {
        let key = info("").unwrap();
        assert_eq!((&*key.kid, key.is_exportable), (KID, false));
        assert_eq!(
            key.public_key.to_hex(),
            "07A8A7CB0EAA389541D8C1FA0BDD4195231CA060EEE377FC9D3E3EACAB36267E"
        );
        let text = format!(
            r#"{{"kid":"{}","obj_type":"EC","elliptic_curve":"Ed25519","pub_key":"{SPKI}","enabled":null,"state":null,"key_ops":["EXPORT","SIGN"]}}"#,
            KID.to_uppercase()
        );
        let named = Info::read(text.as_bytes(), &DsmKeyName::Name("n".into()), "n").unwrap();
        assert_eq!((&*named.kid, named.is_exportable), (KID, true));
    }

    #[test]
    fn says_why_a_key_is_of_no_use() {
        let text = |old: &str, new: &str| {
            format!(
                r#"{{"kid":"{KID}","obj_type":"EC","elliptic_curve":"Ed25519","pub_key":"{SPKI}","enabled":true,"key_ops":["SIGN","VERIFY"],"state":"Active"}}"#
            )
            .replace(old, new)
        };
        for (old, new, found) in [
            ("72e9", "82e9", "another key than it was asked for"),
            ("\"EC\"", "\"RSA\"", "not an Ed25519 key, but Ed25519"),
            (
                "\"Ed25519\"",
                "\"SecP256K1\"",
                "not an Ed25519 key, but SecP256K1",
            ),
            ("\"Ed25519\"", "null", "not an Ed25519 key, but EC"),
            ("true", "false", "is disabled"),
            ("Active", "Deactivated", "is not active, but Deactivated"),
            ("\"SIGN\",", "", "is not for signing"),
            ("[\"SIGN\",\"VERIFY\"]", "null", "is not for signing"),
            (
                "[\"SIGN\",\"VERIFY\"]",
                "[1]",
                "`key_ops` is no list of words",
            ),
            ("MCow", "MCox", "no public key of Ed25519"),
            ("MCowBQYDK2VwAyEA", "", "`pub_key` is not 44 bytes"),
            ("Jn4=", "Jn5=", "`pub_key` is not 44 bytes"),
            ("\"kid\"", "\"kit\"", "`kid` is missing"),
            (
                "\"72e9ed9e-9eb4-46bd-a135-e78ed9bfd611\"",
                "7",
                "`kid` is no text",
            ),
            ("{", "", "not valid JSON"),
            ("}", "", "ends in the middle"),
            ("\"state\"", "\"kid\"", "a member for the second time"),
        ] {
            let fault = Info::read(text(old, new).as_bytes(), &DsmKeyName::Id(KID.into()), "k");
            let shown = fault.expect_err(new).error.to_string();
            assert!(shown.contains(found), "{new}: {shown}");
        }
        assert!(Info::read(b"\xff", &DsmKeyName::Id(KID.into()), "k").is_err());
        assert!(Info::read(b"[]", &DsmKeyName::Id(KID.into()), "k").is_err());
    }

    #[test]
    fn reads_a_session() {
        for (body, token, seconds) in [
            (
                r#"{"token_type":"Bearer","expires_in":600,"access_token":"abc","entity_id":"x"}"#,
                "abc",
                600,
            ),
            (
                r#"{"expires_in":0,"access_token":"a\u002Db","challenge":null}"#,
                "a-b",
                1,
            ),
            (
                r#"{"expires_in":99999999,"access_token":"abc"}"#,
                "abc",
                86_400,
            ),
        ] {
            let session = Session::read(body.as_bytes()).unwrap();
            assert_eq!(*session.token, token);
            assert_eq!(session.lasts.as_secs(), seconds);
        }
        for body in [
            r#"{"token_type":"Basic","expires_in":600,"access_token":"abc"}"#,
            r#"{"expires_in":600,"access_token":""}"#,
            r#"{"expires_in":600,"access_token":"a\r\nb"}"#,
            r#"{"expires_in":600,"access_token":"a b"}"#,
            r#"{"expires_in":600,"access_token":null}"#,
            r#"{"expires_in":"600","access_token":"abc"}"#,
            r#"{"expires_in":-1,"access_token":"abc"}"#,
            r#"{"expires_in":1.5,"access_token":"abc"}"#,
            r#"{"access_token":"abc"}"#,
        ] {
            assert!(Session::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn reads_a_signature_of_its_length_and_key() {
        let base64 = Base64::encode_to_string([7; 64]).unwrap();
        let long = Base64::encode_to_string([7; 65]).unwrap();
        let short = Base64::encode_to_string([7; 63]).unwrap();
        for body in [
            format!(
                r#"{{"kid":"{}","signature":"{base64}"}}"#,
                KID.to_uppercase()
            ),
            format!(r#"{{"kid":null,"signature":"{base64}"}}"#),
            format!(r#"{{"signature":"{base64}","new":[1,{{}}]}}"#),
        ] {
            assert_eq!(signature(body.as_bytes(), KID), Ok(Signature([7; 64])));
        }
        for body in [
            format!(r#"{{"kid":"82e9","signature":"{base64}"}}"#),
            format!(r#"{{"signature":"{long}"}}"#),
            format!(r#"{{"signature":"{short}"}}"#),
            r#"{"signature":""}"#.to_owned(),
            r#"{"signature":null}"#.to_owned(),
            r#"{}"#.to_owned(),
            base64,
        ] {
            assert!(signature(body.as_bytes(), KID).is_err(), "{body}");
        }
    }
}
