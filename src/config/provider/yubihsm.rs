//! `[[providers.yubihsm]]`: a YubiHSM 2, on USB or behind a connector.

use core::time::Duration;
use std::path::PathBuf;

use super::super::check::Links;
use super::super::field::{address, integer, path, text, word};
use super::super::report::{Report, quoted};
use super::super::section::{Field, Key, Reported, Section, Shape};
use super::super::{Address, Position, Spanned};
use super::{KeyType, Secret, key_type, keys, secret, signs_for};
use crate::types::ChainId;

/// One `[[providers.yubihsm]]`.
pub struct Yubihsm {
    /// How the device is reached.
    pub adapter: Adapter,
    /// The id of the authentication key.
    pub auth_key: u16,
    /// What belongs to the authentication key.
    pub password: Password,
    /// The keys to sign with.
    pub keys: Vec<YubihsmKey>,
    /// Which device, if there are several.
    pub serial_number: Option<Spanned<String>>,
    /// Whether to serve the device to other programs.
    pub connector_server: Option<ConnectorServer>,
    /// Where entries of the device's audit log are kept, so that it does not fill up.
    pub audit_log: Option<Spanned<PathBuf>>,
    /// Where this table begins.
    pub position: Position,
}

/// How a YubiHSM is reached.
#[derive(Debug, Clone)]
pub enum Adapter {
    /// Directly.
    Usb {
        /// For one command; a second if nothing is set.
        timeout: Duration,
    },
    /// Through a `yubihsm-connector`.
    Http {
        /// Always [`Address::Tcp`].
        addr: Spanned<Address>,
    },
}

/// Where the password of an authentication key is.
pub enum Password {
    /// In a file of its own.
    File(Spanned<PathBuf>),
    /// In the configuration.
    Text(Secret),
}

/// A server that speaks as `yubihsm-connector` does.
#[derive(Debug, Clone)]
pub struct ConnectorServer {
    /// Where it listens; always [`Address::Tcp`].
    pub laddr: Spanned<Address>,
    /// The authentication key that commands use through it.
    pub cli_auth_key: Option<u16>,
}

/// A key in the device.
#[derive(Debug, Clone)]
pub struct YubihsmKey {
    /// The chains it signs for, at least one.
    pub chain_ids: Vec<Spanned<ChainId>>,
    /// The object id of the key.
    pub id: Spanned<u16>,
    /// What it signs.
    pub key_type: KeyType,
}

pub(super) const SHAPE: Shape = Shape {
    title: "[[providers.yubihsm]]",
    keys: &[
        Key::new("adapter", r#"adapter = { type = "usb" }"#),
        Key::new(
            "auth",
            r#"auth = { key = 1, password_file = "/home/user/.kms/secrets/yubihsm-password" }"#,
        ),
        Key::new(
            "keys",
            r#"keys = [{ chain_ids = ["cosmoshub-4"], key = 1 }]"#,
        ),
        Key::new("serial_number", r#"serial_number = "0123456789""#),
        Key::new(
            "connector_server",
            r#"connector_server = { laddr = "tcp://127.0.0.1:12345" }"#,
        ),
        Key::new(
            "audit_log",
            r#"audit_log = "/var/lib/tmkms/yubihsm-audit.log""#,
        ),
    ],
    renamed: &[
        ("chain_ids", IN_KEYS),
        ("key", IN_KEYS),
        (
            "connector",
            r#"write `adapter = { type = "http", addr = … }`"#,
        ),
    ],
    misplaced: &[
        (
            "password",
            "put it in `auth`: `auth = { key = 1, password = … }`",
        ),
        (
            "password_file",
            "put it in `auth`: `auth = { key = 1, password_file = … }`",
        ),
    ],
};

const IN_KEYS: &str = r#"put it in `keys`: `keys = [{ chain_ids = ["…"], key = 1 }]`"#;

const ADAPTER: Shape = Shape {
    title: "`adapter`",
    keys: &[
        Key::new("type", r#"type = "usb""#),
        Key::new("timeout_ms", "timeout_ms = 1000"),
        Key::new("addr", r#"addr = "tcp://127.0.0.1:12345""#),
    ],
    renamed: &[],
    misplaced: &[],
};

const AUTH: Shape = Shape {
    title: "`auth`",
    keys: &[
        Key::new("key", "key = 1"),
        Key::new(
            "password_file",
            r#"password_file = "/home/user/.kms/secrets/yubihsm-password""#,
        ),
        Key::new("password", r#"password = "…""#),
    ],
    renamed: &[],
    misplaced: &[],
};

const KEY: Shape = Shape {
    title: "a key in `keys`",
    keys: &[
        Key::new("chain_ids", r#"chain_ids = ["cosmoshub-4"]"#),
        Key::new("key", "key = 1"),
        Key::new("type", r#"type = "consensus""#),
    ],
    renamed: &[
        (
            "id",
            r#"write `chain_ids = ["…"]` for the chain, `key` for the number in the device"#,
        ),
        ("key_type", "write `type`"),
    ],
    misplaced: &[],
};

const SERVER: Shape = Shape {
    title: "`connector_server`",
    keys: &[
        Key::new("laddr", r#"laddr = "tcp://127.0.0.1:12345""#),
        Key::new("cli", "cli = { auth_key = 2 }"),
    ],
    renamed: &[],
    misplaced: &[],
};

const CLI: Shape = Shape {
    title: "`cli`",
    keys: &[Key::new("auth_key", "auth_key = 2")],
    renamed: &[],
    misplaced: &[],
};

/// Reads one `[[providers.yubihsm]]`.
pub(super) fn read(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Yubihsm, Reported> {
    let adapter = section.required_table(report, "adapter", &ADAPTER);
    let adapter = adapter.and_then(|table| read_adapter(report, &table));
    let auth = section.required_table(report, "auth", &AUTH);
    let auth = auth.and_then(|table| read_auth(report, &table, links));
    let keys = keys(report, section, links, "keys", &KEY, read_key);
    let serial_number = section.optional(report, "serial_number", serial_number);
    let server = match section.table(report, "connector_server", &SERVER) {
        Ok(Some(table)) => read_server(report, &table).map(Some),
        Ok(None) => Ok(None),
        Err(Reported) => Err(Reported),
    };
    let audit_log = section.optional(report, "audit_log", path);
    let (auth_key, password) = auth?;
    Ok(Yubihsm {
        adapter: adapter?,
        auth_key,
        password,
        keys: keys?,
        serial_number: serial_number?,
        connector_server: server?,
        audit_log: audit_log?,
        position: section.position,
    })
}

fn read_adapter(report: &mut Report<'_>, table: &Section<'_>) -> Result<Adapter, Reported> {
    let kinds = [("usb", true), ("http", false)];
    let usb = table.required(report, "type", |report, field| word(report, field, &kinds))?;
    let timeout = table.optional(report, "timeout_ms", |report, field| {
        integer(report, field, &(1..=60_000)).map(Duration::from_millis)
    });
    if usb.value {
        table.optional(report, "addr", |report, field| stray(report, field, "usb"))?;
        let timeout = timeout?.map_or(Duration::from_secs(1), |timeout| timeout.value);
        Ok(Adapter::Usb { timeout })
    } else {
        let addr = table.required(report, "addr", tcp_address);
        table.optional(report, "timeout_ms", |report, field| {
            stray(report, field, "http")
        })?;
        Ok(Adapter::Http { addr: addr? })
    }
}

/// Refuses a key that the other kind of adapter has.
fn stray(report: &mut Report<'_>, field: &Field<'_>, kind: &str) -> Result<(), Reported> {
    Err(field.refuse_with(
        report,
        format!(
            "an adapter of the type {kind:?} has no `{}`",
            field.key.name
        ),
        format!("remove `{}`, or change the type", field.key.name),
    ))
}

fn read_auth(
    report: &mut Report<'_>,
    table: &Section<'_>,
    links: &mut Links,
) -> Result<(u16, Password), Reported> {
    let key = table.required(report, "key", object_id);
    let file = table.optional(report, "password_file", path);
    let password = table.optional(report, "password", secret);
    let password = match (file, password) {
        (Ok(Some(_)), Ok(Some(password))) => {
            report.problem(
                Some(password.position),
                "`auth` has a password and a file with one".into(),
                "remove `password`".into(),
            );
            Err(Reported)
        }
        (Ok(Some(file)), Ok(None)) => {
            links.add_key_file(&file);
            Ok(Password::File(file))
        }
        (Ok(None), Ok(Some(password))) => Ok(Password::Text(password.value)),
        (Ok(None), Ok(None)) => Err(table.missing(report, "password_file")),
        (Err(Reported), _) | (_, Err(Reported)) => Err(Reported),
    };
    Ok((key?.value, password?))
}

fn read_key(
    report: &mut Report<'_>,
    table: &Section<'_>,
    links: &mut Links,
) -> Result<YubihsmKey, Reported> {
    let key_type = key_type(report, table, "type");
    let chain_ids = signs_for(report, table, links, key_type);
    let id = table.required(report, "key", object_id);
    Ok(YubihsmKey {
        chain_ids: chain_ids?,
        id: id?,
        key_type: key_type?,
    })
}

fn read_server(report: &mut Report<'_>, table: &Section<'_>) -> Result<ConnectorServer, Reported> {
    let laddr = table.required(report, "laddr", tcp_address);
    let auth_key = match table.table(report, "cli", &CLI) {
        Ok(Some(cli)) => cli.optional(report, "auth_key", object_id),
        Ok(None) => Ok(None),
        Err(Reported) => Err(Reported),
    };
    Ok(ConnectorServer {
        laddr: laddr?,
        cli_auth_key: auth_key?.map(|key| key.value),
    })
}

/// The number of an object in the device: two bytes, 0 is none.
fn object_id(report: &mut Report<'_>, field: &Field<'_>) -> Result<u16, Reported> {
    integer(report, field, &(1..=i64::from(u16::MAX)))
}

fn tcp_address(report: &mut Report<'_>, field: &Field<'_>) -> Result<Address, Reported> {
    match address(report, field)? {
        tcp @ Address::Tcp { peer_id: None, .. } => Ok(tcp),
        other @ (Address::Tcp { .. } | Address::Unix(_)) => {
            Err(field.refuse(report, format!("{other} is no address of a connector")))
        }
    }
}

fn serial_number(report: &mut Report<'_>, field: &Field<'_>) -> Result<String, Reported> {
    /// Decimal digits of a serial number, leading zeros included.
    const DIGITS: usize = 10;
    let text = text(report, field)?;
    if text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(field.refuse_with(
        report,
        format!("{} is no serial number", quoted(text)),
        "write the ten digits that `tmkms yubihsm detect` prints".into(),
    ))
}
