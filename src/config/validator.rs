//! `[[validator]]`: a node to dial.

use core::time::Duration;
use std::path::PathBuf;

use super::check::Links;
use super::field::{address, chain_id, flag, integer, path, text};
use super::report::{Report, quoted};
use super::section::{Field, Key, Reported, Section, Shape};
use super::{Address, Spanned};
use crate::types::{ChainId, Height};

/// `timeout` if it is not set.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The longest `timeout`: a dead node must be noticed within the hour.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(TIMEOUT_MAX_SECS.unsigned_abs());
const TIMEOUT_MAX_SECS: i64 = 3_600;

/// One `[[validator]]`.
#[derive(Debug, Clone)]
pub struct Validator {
    /// Where the node listens: its `priv_validator_laddr`.
    pub addr: Spanned<Address>,
    /// The chain that the node asks signatures for; one of [`super::Config::chains`].
    pub chain_id: Spanned<ChainId>,
    /// Whether to dial again when the link has ended.
    pub reconnect: bool,
    /// `1 s..=`[`TIMEOUT_MAX`].
    pub timeout: Duration,
    /// The key file that proves who we are. Always there for [`Address::Tcp`], ignored for
    /// [`Address::Unix`].
    pub secret_key: Option<Spanned<PathBuf>>,
    /// The last height to sign at.
    pub max_height: Option<Height>,
}

pub(super) const SHAPE: Shape = Shape {
    title: "[[validator]]",
    keys: &[
        Key::new("addr", r#"addr = "tcp://127.0.0.1:26658""#),
        Key::new("chain_id", r#"chain_id = "cosmoshub-4""#),
        Key::new("reconnect", "reconnect = true"),
        Key::new("timeout", "timeout = 10"),
        Key::new(
            "secret_key",
            r#"secret_key = "/home/user/.kms/secrets/kms-identity.key""#,
        ),
        Key::new("max_height", r#"max_height = "500000""#),
        Key::new("protocol_version", r#"protocol_version = "v0.34""#),
    ],
    renamed: &[
        ("laddr", "write `addr`: the signer dials, the node listens"),
        (
            "id",
            "write `chain_id`; the node's id belongs in `addr`, before an `@`",
        ),
    ],
    misplaced: &[
        ("peer_id", "put it in `addr`: `tcp://PEER_ID@HOST:PORT`"),
        ("node_id", "put it in `addr`: `tcp://PEER_ID@HOST:PORT`"),
        ("host", "put it in `addr`: `tcp://HOST:PORT`"),
        ("port", "put it in `addr`: `tcp://HOST:PORT`"),
        (
            "path",
            "write `secret_key` for the key of the connection; the consensus key belongs in `[[providers.softsign]]`",
        ),
        ("state_file", "move it to `[[chain]]`"),
        ("key_format", "move it to `[[chain]]`"),
        ("sign_extensions", "move it to `[[chain]]`"),
    ],
};

/// Reads one `[[validator]]`.
pub(super) fn read(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Validator, Reported> {
    let id = section.required(report, "chain_id", chain_id);
    match id {
        Ok(id) => {
            links.validators.add(id);
        }
        Err(Reported) => links.validators.complete = false,
    }
    let addr = section.required(report, "addr", address);
    if let Ok(addr) = &addr {
        links.add_address(addr);
        if addr.value.is_unspecified() {
            report.warn(
                addr.position,
                format!("{} is an address to listen on", addr.value),
                "write the node's own address; `127.0.0.1` if it runs on this machine".into(),
            );
        }
    }
    let secret_key = section.optional(report, "secret_key", path);
    let identity = secret_key.as_ref().ok().cloned().flatten();
    if let Some(path) = &identity {
        links.add_identity(path);
    }
    let is_unix = addr.as_ref().is_ok_and(|addr| !addr.value.is_tcp());
    let secret_key = if addr.is_ok() && !is_unix && !section.has("secret_key") {
        Err(section.missing(report, "secret_key"))
    } else {
        secret_key
    };
    let reconnect = section.optional(report, "reconnect", flag);
    let timeout = section.optional(report, "timeout", |report, field| {
        integer(report, field, &(1..=TIMEOUT_MAX_SECS)).map(Duration::from_secs)
    });
    let max_height = section.optional(report, "max_height", height);
    // It changes nothing, and what is wrong with it is noted.
    let _ = section.optional(report, "protocol_version", protocol_version);
    if let (Ok(chain_id), Ok(addr), Ok(secret_key)) = (id, addr, secret_key) {
        return Ok(Validator {
            addr,
            chain_id,
            // Where one of these is wrong, that is noted, and the key can be looked at all the same.
            reconnect: set(reconnect).unwrap_or(true),
            timeout: set(timeout).unwrap_or(TIMEOUT_DEFAULT),
            secret_key,
            max_height: set(max_height),
        });
    }
    let unused = identity.filter(|_| !is_unix);
    links.strays.identities.extend(unused);
    Err(Reported)
}

fn set<T>(read: Result<Option<Spanned<T>>, Reported>) -> Option<T> {
    read.ok().flatten().map(|value| value.value)
}

/// A height, as a string of digits or as an integer.
fn height(report: &mut Report<'_>, field: &Field<'_>) -> Result<Height, Reported> {
    let (number, shown) = if let Some(number) = field.value.as_integer() {
        (Some(number), number.to_string())
    } else if let Some(text) = field.value.as_str() {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        (text.parse().ok().filter(|_| digits), quoted(text))
    } else {
        return Err(field.wrong_type(report, "a string of digits"));
    };
    number.and_then(Height::new).ok_or_else(|| {
        field.refuse_with(
            report,
            format!("`max_height` cannot be {shown}: heights are integers from 1"),
            format!(
                "write it like this: `{}`, or remove the line to sign at any height",
                field.key.example
            ),
        )
    })
}

/// The version of the node. It changes nothing: from v0.34 on, the node's own bytes tell.
fn protocol_version(report: &mut Report<'_>, field: &Field<'_>) -> Result<(), Reported> {
    const CURE: &str = r#"write `protocol_version = "v0.34"`, or remove the line"#;
    let text = text(report, field)?;
    let message = match version(text) {
        Some(version) if version >= FIRST_VERSION => return Ok(()),
        None if text == "ledger" => return Ok(()),
        Some(_) => true,
        None => text == "legacy",
    };
    Err(if message {
        field.refuse_with(
            report,
            format!(
                "{} means a node older than v0.34, whose Amino encoding this program does not speak",
                quoted(text)
            ),
            format!("if the node has been upgraded since, {CURE}"),
        )
    } else {
        field.refuse_with(
            report,
            format!("{} is no version of a node", quoted(text)),
            CURE.into(),
        )
    })
}

/// The first version that encodes with Protocol Buffers.
const FIRST_VERSION: (u32, u32) = (0, 34);

/// Major and minor number of `v1`, `v0.34`, `v0.34.24`, `v1.0.0-rc1`, with or without the `v`.
fn version(text: &str) -> Option<(u32, u32)> {
    let release = text.split('-').next()?;
    let mut numbers = release
        .strip_prefix('v')
        .unwrap_or(release)
        .split('.')
        .map(|part| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| digits)
        });
    let major = numbers.next()??;
    let minor = match numbers.next() {
        Some(minor) => minor?,
        None => 0,
    };
    match (numbers.next(), numbers.next()) {
        (None | Some(Some(_)), None) => Some((major, minor)),
        (_, _) => None,
    }
}
