//! The keys of the service.

use std::collections::BTreeMap;
use std::path::Path;

use ct_codecs::{Base64, Decoder, Encoder};
use ed25519_compact::{KeyPair, Seed};
use nojson::RawJson;

use crate::Result;

/// An Ed25519 public key in DER up to its 32 bytes.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

pub struct Key {
    pub name: String,
    pair: KeyPair,
    pub curve: &'static str,
    pub is_enabled: bool,
    pub operations: &'static str,
    pub state: String,
}

/// By kid.
pub struct Keys(BTreeMap<String, Key>);

impl Keys {
    /// What every directory has. The seed of key N is 32 times N.
    pub fn new() -> Self {
        const SIGN: &str = r#"["SIGN","VERIFY","APPMANAGEABLE"]"#;
        let mut keys = Self(BTreeMap::new());
        for (number, name, curve, operations, state) in [
            (1, "validator", "Ed25519", SIGN, "Active"),
            (2, "second", "Ed25519", SIGN, "Active"),
            (3, "account", "SecP256K1", SIGN, "Active"),
            (
                4,
                "exportable",
                "Ed25519",
                r#"["SIGN","VERIFY","EXPORT"]"#,
                "Active",
            ),
            (5, "verifier", "Ed25519", r#"["VERIFY"]"#, "Active"),
            (6, "retired", "Ed25519", SIGN, "Deactivated"),
        ] {
            let key = Key {
                name: name.to_owned(),
                pair: KeyPair::from_seed(Seed::new([number; 32])),
                curve,
                is_enabled: true,
                operations,
                state: state.to_owned(),
            };
            keys.0.insert(kid(number), key);
        }
        keys
    }

    /// Takes a validator's key over from its node.
    pub fn import(&mut self, name: &str, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path)?;
        let json = RawJson::parse(&text)?;
        let value = json.value().to_member("priv_key")?.required()?;
        let value = value.to_member("value")?.required()?;
        let secret = Base64::decode_to_vec(value.to_unquoted_string_str()?.as_bytes(), None)?;
        let seed = secret.first_chunk::<32>().ok_or("the key is short")?;
        let key = Key {
            name: name.to_owned(),
            pair: KeyPair::from_seed(Seed::new(*seed)),
            curve: "Ed25519",
            is_enabled: true,
            operations: r#"["SIGN","VERIFY"]"#,
            state: "Active".to_owned(),
        };
        self.0.retain(|_, key| key.name != name);
        let number = u8::try_from(self.0.len())? + 100;
        self.0.insert(kid(number), key);
        Ok(())
    }

    /// The key that a `{"kid":…}` or `{"name":…}` means.
    pub fn find(&self, kid: Option<&str>, name: Option<&str>) -> Option<(&str, &Key)> {
        let mut all = self.0.iter();
        let (kid, key) = match (kid, name) {
            (Some(kid), _) => all.find(|(known, _)| known.eq_ignore_ascii_case(kid))?,
            (None, Some(name)) => all.find(|(_, key)| key.name == name)?,
            (None, None) => return None,
        };
        Some((kid, key))
    }

    pub fn named(&mut self, name: &str) -> Option<&mut Key> {
        self.0.values_mut().find(|key| key.name == name)
    }

    /// Gives what is behind two names to the other one, or a name away.
    pub fn rename(&mut self, from: &str, to: &str) {
        for key in self.0.values_mut() {
            if key.name == from {
                key.name = to.to_owned();
            } else if key.name == to {
                key.name = from.to_owned();
            }
        }
    }
}

fn kid(number: u8) -> String {
    format!("72e9ed9e-9eb4-46bd-a135-{number:012x}")
}

impl Key {
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.pair.sk.sign(message, None)
    }

    /// What `keys/info` says, with members that nobody asked for.
    pub fn info(&self, kid: &str) -> Result<String> {
        let der = [&SPKI[..], &self.pair.pk[..]].concat();
        let der = Base64::encode_to_string(der)?;
        Ok(format!(
            r#"{{"acct_id":"f5a1e9c8-0000-4000-8000-000000000001","activation_date":"20261101T000000Z","created_at":"20261101T000000Z","creator":{{"user":"f5a1e9c8-0000-4000-8000-000000000002"}},"custom_metadata":{{"note":"a \"note\" \u00e9"}},"elliptic_curve":"{}","enabled":{},"key_ops":{},"key_size":null,"kid":"{kid}","lastused_at":"19700101T000000Z","name":{},"never_exportable":true,"obj_type":"EC","origin":"FortanixHSM","pub_key":"{der}","public_only":false,"state":"{}","value":null}}"#,
            self.curve,
            self.is_enabled,
            self.operations,
            nojson::Json(&self.name),
            self.state
        ))
    }
}
