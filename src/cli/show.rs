//! A public key in every form that somebody asks for.

use core::fmt::Write as _;
use std::path::Path;

use super::Exit;
use super::command::Arguments;
use super::report::{complain, say, warn, with_cause};
use crate::files;
use crate::keys::{self, Kept, Prefix};
use crate::types::PublicKey;

/// The bech32 prefixes of a chain's consensus keys and addresses.
pub(super) struct Prefixes {
    key: Prefix,
    address: Prefix,
}

/// One form of a public key.
#[derive(Clone, Copy)]
enum Form {
    CosmosJson,
    Base64,
    Hex,
    Bech32,
    Address,
    Valcons,
}

/// In the order in which they are printed: what `create-validator` takes comes first.
const FORMS: &[(&str, Form)] = &[
    ("cosmos-json", Form::CosmosJson),
    ("base64", Form::Base64),
    ("hex", Form::Hex),
    ("bech32", Form::Bech32),
    ("address", Form::Address),
    ("valcons", Form::Valcons),
];

/// `softsign show PATH`.
pub(super) fn show(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let Some(path) = arguments.operands.first().map(Path::new) else {
        return Ok(Exit::Usage);
    };
    let prefixes = Prefixes::of(arguments)?;
    let form = arguments.value("format").map(|text| {
        FORMS
            .iter()
            .find(|(name, _)| text == name)
            .map(|(_, form)| *form)
            .ok_or_else(|| {
                let names: Vec<&str> = FORMS.iter().map(|(name, _)| *name).collect();
                format!(
                    "a form is one of {}, not {}",
                    names.join(", "),
                    text.display()
                )
            })
    });
    let form = form.transpose()?;
    let (bytes, warnings) = match files::read_foreign(path) {
        Ok(read) => read,
        Err(error) => {
            complain(&with_cause(&error), "PATH is the file of a key");
            return Ok(Exit::Key);
        }
    };
    for warning in warnings {
        warn(&warning);
    }
    match keys::read(&bytes) {
        Ok(kept) => {
            let key = kept.public_key();
            match form {
                Some(form) => say(&format!("{}\n", form.text(&key, &prefixes))),
                None => say_key(path, &key, &prefixes, matches!(kept, Kept::Sealed(_))),
            }
            Ok(Exit::Done)
        }
        Err(error) => {
            complain(
                &format_args!("{} {error}", path.display()),
                "PATH is the file of a validator's or an identity's key",
            );
            Ok(Exit::Key)
        }
    }
}

/// Prints whose key lies in a file: every command that writes one says it so.
pub(super) fn say_key(path: &Path, key: &PublicKey, prefixes: &Prefixes, is_sealed: bool) {
    let sealed = if is_sealed { " (encrypted)" } else { "" };
    let mut text = format!("{}{sealed}\n", path.display());
    for (name, form) in FORMS {
        let name = if matches!(form, Form::CosmosJson) {
            "public key"
        } else {
            name
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<10}  {}", form.text(key, prefixes));
    }
    say(&text);
}

impl Form {
    fn text(self, key: &PublicKey, prefixes: &Prefixes) -> String {
        match self {
            Self::CosmosJson => key.to_cosmos_json(),
            Self::Base64 => key.to_base64(),
            Self::Hex => key.to_hex(),
            Self::Bech32 => key.to_bech32(&prefixes.key),
            Self::Address => key.address_hex(),
            Self::Valcons => key.address_bech32(&prefixes.address),
        }
    }
}

impl Prefixes {
    /// From `--prefix`, that of the chain's accounts: `cosmos` has `cosmosvalconspub` and `cosmosvalcons`.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, lexopt::Error> {
        Self::named(match arguments.value("prefix") {
            None => "cosmos",
            Some(text) => text.to_str().unwrap_or_default(),
        })
    }

    /// Those that a chain makes from its accounts' prefix.
    pub(super) fn named(text: &str) -> Result<Self, lexopt::Error> {
        let make = |end: &str| Prefix::new(&format!("{text}{end}")).ok();
        match (make("valconspub"), make("valcons")) {
            (Some(key), Some(address)) if !text.is_empty() => Ok(Self { key, address }),
            _ => Err(format!("a prefix is lower-case ASCII, such as cosmos, not {text:?}").into()),
        }
    }
}
