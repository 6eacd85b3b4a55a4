//! `[[providers.fortanixdsm]]`: a key in Fortanix DSM, a service on the network.

use super::super::Spanned;
use super::super::check::Links;
use super::super::field::text;
use super::super::report::{Report, quoted};
use super::super::section::{Field, Key, Reported, Section, Shape};
use super::{KeyType, Secret, key_type, keys, secret, signs_for};
use crate::types::ChainId;

/// One `[[providers.fortanixdsm]]`.
pub struct Fortanixdsm {
    /// `https://host[:port]`, without a path and without a slash at its end.
    pub api_endpoint: Spanned<String>,
    /// What proves to the service who we are.
    pub api_key: Secret,
    /// The keys to sign with.
    pub signing_keys: Vec<DsmKey>,
}

/// A key in the service.
#[derive(Debug, Clone)]
pub struct DsmKey {
    /// The chains it signs for, at least one.
    pub chain_ids: Vec<Spanned<ChainId>>,
    /// Which key.
    pub key: Spanned<DsmKeyName>,
    /// What it signs.
    pub key_type: KeyType,
}

/// How a key is named to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DsmKeyName {
    /// By its UUID, in lower case with hyphens.
    Id(String),
    /// By a name that can be given to another key.
    Name(String),
}

pub(super) const SHAPE: Shape = Shape {
    title: "[[providers.fortanixdsm]]",
    keys: &[
        Key::new(
            "api_endpoint",
            r#"api_endpoint = "https://amer.smartkey.io""#,
        ),
        Key::new("api_key", r#"api_key = "…""#),
        Key::new(
            "signing_keys",
            r#"signing_keys = [{ chain_ids = ["cosmoshub-4"], key_name = "…" }]"#,
        ),
    ],
    renamed: &[("keys", "write `signing_keys`")],
    misplaced: &[],
};

const KEY: Shape = Shape {
    title: "a key in `signing_keys`",
    keys: &[
        Key::new("chain_ids", r#"chain_ids = ["cosmoshub-4"]"#),
        Key::new(
            "key_id",
            r#"key_id = "72e9ed9e-9eb4-46bd-a135-e78ed9bfd611""#,
        ),
        Key::new("key_name", r#"key_name = "My Key""#),
        Key::new("type", r#"type = "consensus""#),
    ],
    renamed: &[
        ("key", "write `key_id` or `key_name`"),
        ("key_type", "write `type`"),
    ],
    misplaced: &[],
};

/// Reads one `[[providers.fortanixdsm]]`.
pub(super) fn read(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Fortanixdsm, Reported> {
    let api_endpoint = section.required(report, "api_endpoint", endpoint);
    let api_key = section.required(report, "api_key", secret);
    let keys = keys(report, section, links, "signing_keys", &KEY, read_key);
    Ok(Fortanixdsm {
        api_endpoint: api_endpoint?,
        api_key: api_key?.value,
        signing_keys: keys?,
    })
}

fn read_key(
    report: &mut Report<'_>,
    table: &Section<'_>,
    links: &mut Links,
) -> Result<DsmKey, Reported> {
    let key_type = key_type(report, table, "type");
    let chain_ids = signs_for(report, table, links, key_type);
    let id = table.optional(report, "key_id", uuid);
    let name = table.optional(report, "key_name", |report, field| {
        text(report, field).map(|name| DsmKeyName::Name(name.to_owned()))
    });
    let key = match (id, name) {
        (Ok(Some(_)), Ok(Some(name))) => {
            report.problem(
                Some(name.position),
                "the key has an id and a name".into(),
                "remove `key_name`: the id always means the same key".into(),
            );
            Err(Reported)
        }
        (Ok(Some(key)), Ok(None)) | (Ok(None), Ok(Some(key))) => Ok(key),
        (Ok(None), Ok(None)) => Err(table.missing(report, "key_id")),
        (Err(Reported), _) | (_, Err(Reported)) => Err(Reported),
    };
    Ok(DsmKey {
        chain_ids: chain_ids?,
        key: key?,
        key_type: key_type?,
    })
}

fn endpoint(report: &mut Report<'_>, field: &Field<'_>) -> Result<String, Reported> {
    let text = text(report, field)?;
    let authority = text
        .strip_prefix("https://")
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    match authority {
        Some(authority) if !authority.is_empty() && authority.bytes().all(known) => {
            Ok(format!("https://{authority}"))
        }
        Some(_) | None => Err(field.refuse_with(
            report,
            format!("{} is no endpoint", quoted(text)),
            format!(
                "write https, the host and nothing behind it: `{}`",
                field.key.example
            ),
        )),
    }
}

fn uuid(report: &mut Report<'_>, field: &Field<'_>) -> Result<DsmKeyName, Reported> {
    let text = text(report, field)?;
    let groups = text.split('-').map(str::len);
    let hex = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    if groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(hex) {
        return Ok(DsmKeyName::Id(text.to_ascii_lowercase()));
    }
    Err(field.refuse(report, format!("{} is no UUID", quoted(text))))
}
