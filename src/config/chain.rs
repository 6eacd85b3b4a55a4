//! `[[chain]]`: what is signed for, how its keys are printed, where its state is kept.

use std::path::PathBuf;

use super::Spanned;
use super::check::Links;
use super::field::{chain_id, flag, path, prefix, word};
use super::hook::{self, StateHook};
use super::report::Report;
use super::section::{Key, Reported, Section, Shape};
use crate::types::ChainId;

/// One `[[chain]]`.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The chain id as its nodes send it.
    pub id: Spanned<ChainId>,
    /// How the chain's keys are printed.
    pub key_format: KeyFormat,
    /// Whether vote extensions are signed; `None` leaves it to each request, which is right for
    /// every version of a node.
    pub sign_extensions: Option<bool>,
    /// Where the last signed height, round and step are kept: `<id>_priv_validator_state.json` if
    /// nothing is set.
    pub state_file: Spanned<PathBuf>,
    /// What is asked at start how high the chain is.
    pub state_hook: Option<StateHook>,
}

/// How public keys are printed. [`KeyFormat::Hex`] if nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KeyFormat {
    /// `{ type = "bech32", … }`.
    Bech32 {
        /// Before account keys, like `cosmospub`.
        account_key_prefix: String,
        /// Before consensus keys, like `cosmosvalconspub`.
        consensus_key_prefix: String,
    },
    /// `{ type = "cosmos-json" }`.
    CosmosJson,
    /// `{ type = "hex" }`.
    #[default]
    Hex,
}

pub(super) const SHAPE: Shape = Shape {
    title: "[[chain]]",
    keys: &[
        Key::new("id", r#"id = "cosmoshub-4""#),
        Key::new(
            "key_format",
            r#"key_format = { type = "bech32", account_key_prefix = "cosmospub", consensus_key_prefix = "cosmosvalconspub" }"#,
        ),
        Key::new("sign_extensions", "sign_extensions = true"),
        Key::new(
            "state_file",
            r#"state_file = "/home/user/.kms/state/cosmoshub-4-consensus.json""#,
        ),
        Key::new(
            "state_hook",
            r#"state_hook = { cmd = ["/usr/local/bin/height"] }"#,
        ),
    ],
    renamed: &[("chain_id", "write `id`"), ("name", "write `id`")],
    misplaced: &[
        ("type", IN_KEY_FORMAT),
        ("account_key_prefix", IN_KEY_FORMAT),
        ("consensus_key_prefix", IN_KEY_FORMAT),
        (
            "path",
            "move it to `[[providers.softsign]]`, or write `state_file`",
        ),
        ("max_height", "move it to `[[validator]]`"),
    ],
};

const IN_KEY_FORMAT: &str = r#"put it in braces: `key_format = { type = "bech32", account_key_prefix = …, consensus_key_prefix = … }`"#;

const KEY_FORMAT: Shape = Shape {
    title: "`key_format`",
    keys: &[
        Key::new("type", r#"type = "bech32""#),
        Key::new("account_key_prefix", r#"account_key_prefix = "cosmospub""#),
        Key::new(
            "consensus_key_prefix",
            r#"consensus_key_prefix = "cosmosvalconspub""#,
        ),
    ],
    renamed: &[],
    misplaced: &[],
};

/// Reads one `[[chain]]`.
pub(super) fn read(
    report: &mut Report<'_>,
    section: &Section<'_>,
    links: &mut Links,
) -> Result<Chain, Reported> {
    let id = section.required(report, "id", chain_id);
    let mut is_new = false;
    match id {
        Ok(id) => is_new = links.chains.add(id),
        Err(Reported) => links.chains.complete = false,
    }
    let key_format = section.table(report, "key_format", &KEY_FORMAT);
    let key_format = key_format.and_then(|table| match table {
        Some(table) => read_key_format(report, &table),
        None => Ok(KeyFormat::default()),
    });
    let sign_extensions = section.optional(report, "sign_extensions", flag);
    if let Ok(Some(Spanned {
        value: false,
        position,
    })) = sign_extensions
    {
        report.warn(
            position,
            "without signatures over vote extensions, nodes of v0.38 and later panic on chains that have them".into(),
            "remove the line, unless the node is older".into(),
        );
    }
    let state_hook = hook::read(report, section);
    let state_file = match section.optional(report, "state_file", path) {
        Ok(Some(path)) => {
            links.add_state_file(&path);
            Ok(path)
        }
        // Not the default, if the name that was meant is misspelled.
        Ok(None) if section.misspelled => Err(Reported),
        Ok(None) => id.and_then(|id| {
            let path = default_state_file(report, section, id.value)?;
            // Of a chain that is there twice, the same file is no news.
            if is_new {
                links.add_state_file(&path);
            }
            Ok(path)
        }),
        Err(Reported) => Err(Reported),
    };
    Ok(Chain {
        id: id?,
        // What is wrong with these is noted; the state can be looked at all the same.
        key_format: key_format.unwrap_or_default(),
        sign_extensions: sign_extensions.ok().flatten().map(|flag| flag.value),
        state_file: state_file?,
        state_hook: state_hook?,
    })
}

fn default_state_file(
    report: &mut Report<'_>,
    section: &Section<'_>,
    id: ChainId,
) -> Result<Spanned<PathBuf>, Reported> {
    if id.as_str().contains('/') {
        return Err(section.missing(report, "state_file"));
    }
    let path = PathBuf::from(format!("{id}_priv_validator_state.json"));
    Ok(Spanned::new(path, section.position))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bech32,
    CosmosJson,
    Hex,
}

fn read_key_format(report: &mut Report<'_>, table: &Section<'_>) -> Result<KeyFormat, Reported> {
    let kinds = [
        ("bech32", Kind::Bech32),
        ("cosmos-json", Kind::CosmosJson),
        ("hex", Kind::Hex),
    ];
    let kind = table.required(report, "type", |report, field| word(report, field, &kinds))?;
    if kind.value == Kind::Bech32 {
        let account = table.required(report, "account_key_prefix", prefix);
        let consensus = table.required(report, "consensus_key_prefix", prefix);
        return Ok(KeyFormat::Bech32 {
            account_key_prefix: account?.value,
            consensus_key_prefix: consensus?.value,
        });
    }
    for key in ["account_key_prefix", "consensus_key_prefix"] {
        let unused = table.optional(report, key, prefix)?;
        if let Some(unused) = unused {
            report.warn(
                unused.position,
                format!("`{key}` has no effect with this `type`"),
                r#"remove it, or write `type = "bech32"`"#.into(),
            );
        }
    }
    Ok(match kind.value {
        Kind::CosmosJson => KeyFormat::CosmosJson,
        Kind::Bech32 | Kind::Hex => KeyFormat::Hex,
    })
}
