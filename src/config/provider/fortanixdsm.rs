//! `[[providers.fortanixdsm]]`: a key in Fortanix DSM, a service on the network.

use core::time::Duration;
use std::path::PathBuf;

use super::super::check::Links;
use super::super::field::{integer, path, text};
use super::super::report::{Report, quoted};
use super::super::section::{Field, Key, Reported, Section, Shape};
use super::super::{Endpoint, Spanned};
use super::{KeyType, Secret, key_type, keys, secret, signs_for};
use crate::types::ChainId;

/// One `[[providers.fortanixdsm]]`.
pub struct Fortanixdsm {
    /// The service, always over TLS.
    pub api_endpoint: Spanned<Endpoint>,
    /// What proves to the service who we are.
    pub api_key: ApiKey,
    /// The keys to sign with.
    pub signing_keys: Vec<DsmKey>,
    /// The only certificate authorities to trust, in PEM; if not set, those that Mozilla trusts.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// What the service may ask for before it speaks HTTP.
    pub client_certificate: Option<ClientCertificate>,
    /// An HTTP proxy that tunnels to the service; without it none is used, whatever the environment says.
    pub proxy: Option<Spanned<Endpoint>>,
    /// For one request as a whole, a new connection included.
    pub timeout: Duration,
}

/// Where the API key is.
pub enum ApiKey {
    /// In the configuration.
    Text(Secret),
    /// In a file of its own.
    File(Spanned<PathBuf>),
    /// Where the service manager puts credentials, or in the environment.
    Surroundings,
}

/// A certificate and its key, both in PEM.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub cert_file: Spanned<PathBuf>,
    /// Its private key.
    pub key_file: Spanned<PathBuf>,
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
            "api_key_file",
            r#"api_key_file = "/home/user/.kms/secrets/fortanix-api-key""#,
        ),
        Key::new(
            "signing_keys",
            r#"signing_keys = [{ chain_ids = ["cosmoshub-4"], key_name = "…" }]"#,
        ),
        Key::new("ca_file", r#"ca_file = "/home/user/.kms/dsm-ca.pem""#),
        Key::new(
            "client_cert_file",
            r#"client_cert_file = "/home/user/.kms/dsm-client.pem""#,
        ),
        Key::new(
            "client_key_file",
            r#"client_key_file = "/home/user/.kms/secrets/dsm-client.key""#,
        ),
        Key::new("proxy", r#"proxy = "http://10.0.0.1:3128""#),
        Key::new("timeout_ms", "timeout_ms = 2000"),
    ],
    renamed: &[
        ("keys", "write `signing_keys`"),
        ("endpoint", "write `api_endpoint`"),
        ("timeout", "write `timeout_ms`"),
    ],
    misplaced: &[],
};

/// For one request. A vote may take two of them and a little more, and the node waits 5 s.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);
const TIMEOUTS_MS: core::ops::RangeInclusive<i64> = 100..=2_300;

const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

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
    let api_key = api_key(report, section, links);
    let keys = keys(report, section, links, "signing_keys", &KEY, read_key);
    let ca_file = section.optional(report, "ca_file", path);
    let client_certificate = client_certificate(report, section, links);
    let proxy = section.optional(report, "proxy", proxy);
    let timeout = section.optional(report, "timeout_ms", |report, field| {
        integer(report, field, &TIMEOUTS_MS).map(Duration::from_millis)
    });
    Ok(Fortanixdsm {
        api_endpoint: api_endpoint?,
        api_key: api_key?,
        signing_keys: keys?,
        ca_file: ca_file?,
        client_certificate: client_certificate?,
        proxy: proxy?,
        timeout: timeout?.map_or(TIMEOUT_DEFAULT, |timeout| timeout.value),
    })
}

fn api_key(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<ApiKey, Reported> {
    let file = section.optional(report, "api_key_file", path);
    let key = section.optional(report, "api_key", secret);
    match (file?, key?) {
        (Some(_), Some(key)) => {
            report.problem(
                Some(key.position),
                "there is an API key and a file with one".into(),
                "remove `api_key`".into(),
            );
            Err(Reported)
        }
        (Some(file), None) => {
            links.add_key_file(&file);
            Ok(ApiKey::File(file))
        }
        (None, Some(key)) => {
            report.warn(
                key.position,
                "the API key stands in this file, which is copied and shown more than a secret should be".into(),
                "put it into a file of its own and name that with `api_key_file`, or give it to the service manager as the credential fortanix-api-key".into(),
            );
            Ok(ApiKey::Text(key.value))
        }
        (None, None) => Ok(ApiKey::Surroundings),
    }
}

fn client_certificate(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Option<ClientCertificate>, Reported> {
    let cert_file = section.optional(report, "client_cert_file", path);
    let key_file = section.optional(report, "client_key_file", path);
    match (cert_file?, key_file?) {
        (Some(cert_file), Some(key_file)) => {
            links.add_key_file(&key_file);
            Ok(Some(ClientCertificate {
                cert_file,
                key_file,
            }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(section.missing(report, "client_key_file")),
        (None, Some(_)) => Err(section.missing(report, "client_cert_file")),
    }
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

fn endpoint(report: &mut Report<'_>, field: &Field<'_>) -> Result<Endpoint, Reported> {
    let text = text(report, field)?;
    Endpoint::parse(text, "https", HTTPS_PORT).ok_or_else(|| {
        field.refuse_with(
            report,
            format!("{} is no endpoint", quoted(text)),
            format!(
                "write https, the host and nothing behind it: `{}`",
                field.key.example
            ),
        )
    })
}

fn proxy(report: &mut Report<'_>, field: &Field<'_>) -> Result<Endpoint, Reported> {
    let text = text(report, field)?;
    Endpoint::parse(text, "http", HTTP_PORT).ok_or_else(|| {
        // What was written may hold a password.
        field.refuse_with(
            report,
            "`proxy` is no proxy".into(),
            format!(
                "write http, the host and the port, without a user and a password: `{}`",
                field.key.example
            ),
        )
    })
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
