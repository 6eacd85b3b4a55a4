//! `[[providers.…]]`: who holds the keys.

use core::net::SocketAddr;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::check::Links;
use super::field::{chain_ids, path, text, word};
use super::report::{Report, quoted};
use super::section::{Field, Key, Reported, Section, Shape};
use super::{Config, Spanned};
use crate::types::ChainId;

mod fortanixdsm;
mod yubihsm;

pub use fortanixdsm::{ApiKey, ClientCertificate, DsmKey, DsmKeyName, Fortanixdsm};
pub use yubihsm::{Adapter, ConnectorServer, Password, Yubihsm, YubihsmKey};

/// A text from the file that no message and no log may show. It is wiped on drop; the text of the
/// file itself is the caller's to wipe.
///
/// ```compile_fail
/// fn show(secret: &tmkms::config::Secret) {
///     println!("{secret:?}");
/// }
/// ```
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text, for the device or service it is meant for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyType {
    /// Proposals and votes.
    #[default]
    Consensus,
    /// Transactions: may be configured, and is never used.
    Account,
}

/// How a key file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// The 32-byte seed in base64.
    #[default]
    Base64,
    /// A node's `priv_validator_key.json`.
    Json,
}

/// One `[[providers.softsign]]`: a key in a file.
#[derive(Debug, Clone)]
pub struct Softsign {
    /// The chains it signs for, at least one.
    pub chain_ids: Vec<Spanned<ChainId>>,
    /// What it signs.
    pub key_type: KeyType,
    /// How the file is written.
    pub key_format: FileFormat,
    /// The file.
    pub path: Spanned<PathBuf>,
}

/// One `[[providers.ledgertm]]`: a Ledger with the Tendermint validator app.
#[derive(Debug, Clone)]
pub struct Ledgertm {
    /// The chain it signs for: its app has one watermark, and no chain id in it.
    pub chain_id: Spanned<ChainId>,
    /// An emulator's APDU port, in place of a device on USB.
    pub emulator: Option<SocketAddr>,
}

/// A provider's name in the file, and whether this program has it.
pub(super) struct Backend {
    name: &'static str,
    built: Built,
}

/// Whether a backend is in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Built {
    /// Compiled in.
    In,
    /// Left out of this build; the Cargo feature that puts it in.
    Feature(&'static str),
}

/// The backends of this build.
pub(super) const BACKENDS: [Backend; 4] = [
    Backend::new("softsign", built("softsign", cfg!(feature = "softsign"))),
    Backend::new("yubihsm", built("yubihsm", cfg!(feature = "yubihsm"))),
    Backend::new("ledgertm", built("ledger", cfg!(feature = "ledger"))),
    Backend::new(
        "fortanixdsm",
        built("fortanixdsm", cfg!(feature = "fortanixdsm")),
    ),
];

const fn built(feature: &'static str, compiled_in: bool) -> Built {
    if compiled_in {
        Built::In
    } else {
        Built::Feature(feature)
    }
}

impl Backend {
    pub(super) const fn new(name: &'static str, built: Built) -> Self {
        Self { name, built }
    }
}

pub(super) const SHAPE: Shape = Shape {
    title: "`providers`",
    keys: &[
        Key::new("softsign", "[[providers.softsign]]"),
        Key::new("yubihsm", "[[providers.yubihsm]]"),
        Key::new("ledgertm", "[[providers.ledgertm]]"),
        Key::new("fortanixdsm", "[[providers.fortanixdsm]]"),
    ],
    renamed: &[("ledger", "name the table `[[providers.ledgertm]]`")],
    misplaced: &[(
        "hashicorp",
        "use one of the providers softsign, yubihsm, ledgertm, fortanixdsm",
    )],
};

const SOFTSIGN: Shape = Shape {
    title: "[[providers.softsign]]",
    keys: &[
        Key::new("chain_ids", r#"chain_ids = ["cosmoshub-4"]"#),
        Key::new("key_type", r#"key_type = "consensus""#),
        Key::new("key_format", r#"key_format = "base64""#),
        Key::new(
            "path",
            r#"path = "/home/user/.kms/secrets/cosmoshub-4-consensus.key""#,
        ),
    ],
    renamed: &[
        ("id", r#"write `chain_ids = ["…"]`"#),
        ("type", "write `key_type`"),
        ("format", "write `key_format`"),
        ("key", "write `path`"),
        ("key_file", "write `path`"),
        ("key_path", "write `path`"),
    ],
    misplaced: &[
        ("secret_key", "move it to `[[validator]]`, or write `path`"),
        ("state_file", "move it to `[[chain]]`"),
    ],
};

const LEDGERTM: Shape = Shape {
    title: "[[providers.ledgertm]]",
    keys: &[
        Key::new("chain_ids", r#"chain_ids = ["cosmoshub-4"]"#),
        Key::new("emulator", r#"emulator = "tcp://127.0.0.1:9999""#),
    ],
    renamed: &[("id", r#"write `chain_ids = ["…"]`"#)],
    misplaced: &[],
};

/// Reads all providers into `config`.
pub(super) fn read(
    report: &mut Report<'_>,
    providers: &Section<'_>,
    links: &mut Links,
    backends: &[Backend],
    config: &mut Config,
) {
    links.keys.complete &= !providers.misspelled;
    config.softsign = each(
        report, providers, links, backends, "softsign", &SOFTSIGN, softsign,
    );
    config.yubihsm = each(
        report,
        providers,
        links,
        backends,
        "yubihsm",
        &yubihsm::SHAPE,
        yubihsm::read,
    );
    config.ledgertm = each(
        report, providers, links, backends, "ledgertm", &LEDGERTM, ledgertm,
    );
    config.fortanixdsm = each(
        report,
        providers,
        links,
        backends,
        "fortanixdsm",
        &fortanixdsm::SHAPE,
        fortanixdsm::read,
    );
}

fn each<T>(
    report: &mut Report<'_>,
    providers: &Section<'_>,
    links: &mut Links,
    backends: &[Backend],
    name: &str,
    shape: &'static Shape,
    read: fn(&mut Report<'_>, &Section<'_>, &mut Links) -> Result<T, Reported>,
) -> Vec<T> {
    let Ok(tables) = providers.tables(report, name, shape) else {
        links.keys.complete = false;
        return Vec::new();
    };
    if let Some(first) = tables.first() {
        let absent = backends.iter().find(|backend| backend.name == name);
        let absent = match absent.map(|backend| backend.built) {
            Some(Built::In) | None => None,
            Some(Built::Feature(feature)) => Some((
                format!("this build has no {name}"),
                format!("build it with `cargo build --release --features {feature}`"),
            )),
        };
        if let Some((message, cure)) = absent {
            report.problem(Some(first.position), message, cure);
        }
    }
    let read: Vec<_> = tables
        .iter()
        .map(|table| read(report, table, links))
        .collect();
    read.into_iter().flatten().collect()
}

fn softsign(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Softsign, Reported> {
    let key_type = key_type(report, section, "key_type");
    let chain_ids = signs_for(report, section, links, key_type);
    let formats = [("base64", FileFormat::Base64), ("json", FileFormat::Json)];
    let key_format = section.optional(report, "key_format", |report, field| {
        word(report, field, &formats)
    });
    let path = section.required(report, "path", path);
    if let Ok(path) = &path {
        links.add_key_file(path);
    }
    match (chain_ids, key_type, key_format, path) {
        (Ok(chain_ids), Ok(key_type), Ok(key_format), Ok(path)) => Ok(Softsign {
            chain_ids,
            key_type,
            key_format: key_format.map_or(FileFormat::default(), |format| format.value),
            path,
        }),
        (_, key_type, _, path) => {
            if key_type != Ok(KeyType::Account) {
                links.strays.keys.extend(path);
            }
            Err(Reported)
        }
    }
}

fn ledgertm(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Ledgertm, Reported> {
    let chain_ids = signs_for(report, section, links, Ok(KeyType::Consensus));
    let emulator = section.optional(report, "emulator", emulator_port);
    if let Ok(Some(emulator)) = &emulator {
        report.warn(
            emulator.position,
            "this signs with an emulator of a Ledger, not with a device".into(),
            "remove `emulator`, unless this is a test".into(),
        );
    }
    if let Some(second) = chain_ids.as_ref().ok().and_then(|ids| ids.get(1)) {
        report.problem(
            Some(second.position),
            "a Ledger signs for one chain: the watermark of its app does not tell chains apart"
                .into(),
            "leave one chain here, and give the others providers of their own".into(),
        );
        return Err(Reported);
    }
    let chain_id = chain_ids?.first().copied().ok_or(Reported)?;
    links.add_ledger(Spanned::new(
        emulator?.map(|port| port.value),
        section.position,
    ));
    Ok(Ledgertm {
        chain_id,
        emulator: emulator?.map(|port| port.value),
    })
}

/// Where an emulator listens for APDUs.
fn emulator_port(report: &mut Report<'_>, field: &Field<'_>) -> Result<SocketAddr, Reported> {
    let text = text(report, field)?;
    text.strip_prefix("tcp://")
        .and_then(|address| address.parse().ok())
        .filter(|address: &SocketAddr| address.port() != 0)
        .ok_or_else(|| {
            field.refuse(
                report,
                format!(
                    "{} is no address of an emulator, with numbers alone",
                    quoted(text)
                ),
            )
        })
}

/// The keys of a device, in a list of tables; a device may have none.
fn keys<T>(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
    key: &str,
    shape: &'static Shape,
    read: fn(&mut Report<'_>, &Section<'_>, &mut Links) -> Result<T, Reported>,
) -> Result<Vec<T>, Reported> {
    let Ok(tables) = section.tables(report, key, shape) else {
        links.keys.complete = false;
        return Err(Reported);
    };
    links.keys.complete &= section.has(key) || !section.misspelled;
    let read: Vec<_> = tables
        .iter()
        .map(|table| read(report, table, links))
        .collect();
    read.into_iter().collect()
}

/// The kind of a key, which is called `type` or `key_type`.
fn key_type(
    report: &mut Report<'_>,
    section: &Section<'_>,
    key: &str,
) -> Result<KeyType, Reported> {
    let types = [
        ("consensus", KeyType::Consensus),
        ("account", KeyType::Account),
    ];
    let read = section.optional(report, key, |report, field| word(report, field, &types));
    read.map(|read| read.map_or(KeyType::default(), |read| read.value))
}

/// The `chain_ids` of a key.
fn signs_for(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
    key_type: Result<KeyType, Reported>,
) -> Result<Vec<Spanned<ChainId>>, Reported> {
    let ids = section.required(report, "chain_ids", |report, field| {
        chain_ids(report, field, |id| links.add_key(id, key_type))
    });
    if ids.is_err() || key_type.is_err() {
        links.keys.complete = false;
    }
    ids.map(|ids| ids.value)
}

/// A text that is not to be shown.
fn secret(report: &mut Report<'_>, field: &Field<'_>) -> Result<Secret, Reported> {
    text(report, field).map(|text| Secret(Zeroizing::new(text.to_owned())))
}
