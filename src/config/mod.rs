//! The configuration: the text of `tmkms.toml` to a [`Config`], or every problem of it at once.
//!
//! The file is TOML 1.0 and some of 1.1, without dates. A syntax error ends the reading, so it is
//! reported alone; everything else is reported in one run, each with line, column and cure. Nothing
//! is looked up outside the text: paths are taken as written, relative to the current directory, and
//! whether a file exists is for the caller to see, who finds its [`Position`] beside each value.
//!
//! A value that could not be read is never held against another one: a chain whose key has a
//! misspelled `chain_ids` is not called a chain without a key as well.

use core::fmt;
use std::path::PathBuf;

mod address;
mod chain;
mod check;
mod endpoint;
mod field;
mod hook;
mod provider;
mod report;
mod section;
mod template;
mod validator;

use check::Links;
use report::Report;
use section::{Key, Reported, Section, Shape};

pub use address::{Address, UNIX_PATH_MAX_LEN};
pub use chain::{Chain, KeyFormat};
pub use endpoint::Endpoint;
pub use field::PATH_MAX_LEN;
pub use hook::{HOOK_TIMEOUT_DEFAULT, StateHook};
pub use provider::{
    Adapter, ApiKey, ClientCertificate, ConnectorServer, DsmKey, DsmKeyName, FileFormat,
    Fortanixdsm, KeyType, Ledgertm, Password, Secret, Softsign, Yubihsm, YubihsmKey,
};
pub use template::{Draft, NETWORKS, Network, UnknownNetwork, networks, template};
pub use validator::{TIMEOUT_DEFAULT, TIMEOUT_MAX, Validator};

/// The longest configuration in bytes. A chain takes about 600 of them: room for a thousand chains.
pub const TEXT_MAX_LEN: usize = 1 << 20;

/// A place in the text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Compared first: keep the fields in this order.
    pub line: usize,
    /// In characters, not bytes; a tab is one.
    pub column: usize,
}

impl fmt::Display for Position {
    /// `LINE:COLUMN`, as compilers print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and where it stands in the text.
///
/// A default stands where its table begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was read.
    pub value: T,
    /// Where it begins.
    pub position: Position,
}

impl<T> Spanned<T> {
    pub(crate) const fn new(value: T, position: Position) -> Self {
        Self { value, position }
    }
}

/// Something to change in the text, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` if it is about the whole text.
    pub position: Option<Position>,
    /// What is wrong, in lower case, without a full stop. Never quotes a secret.
    pub message: String,
    /// What to type, in lower case, without a full stop.
    pub cure: String,
}

impl fmt::Display for Problem {
    /// `LINE:COLUMN: message; cure`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}; {}", self.message, self.cure)
    }
}

/// What a text without problems says.
pub struct Parsed {
    /// The settings.
    pub config: Config,
    /// What the operator should know or change, though nothing is refused for it.
    pub warnings: Vec<Problem>,
}

/// The settings of a file, each kind in the order of the file.
#[derive(Default)]
pub struct Config {
    /// `[[chain]]`, at least one.
    pub chains: Vec<Chain>,
    /// `[[validator]]`, at least one; each names one of the chains.
    pub validators: Vec<Validator>,
    /// `[[providers.softsign]]`.
    pub softsign: Vec<Softsign>,
    /// `[[providers.yubihsm]]`.
    pub yubihsm: Vec<Yubihsm>,
    /// `[[providers.ledgertm]]`.
    pub ledgertm: Vec<Ledgertm>,
    /// `[[providers.fortanixdsm]]`.
    pub fortanixdsm: Vec<Fortanixdsm>,
}

/// Everything that a text says, right and wrong, so that what it names can be looked at in the same run.
pub struct Survey {
    /// The settings that could be read. If there are problems, a default may stand for what is wrong.
    pub config: Config,
    /// Files whose tables are not in `config`.
    pub strays: Strays,
    /// What must be changed, in the order of the text.
    pub problems: Vec<Problem>,
    /// What the operator should know or change, though nothing is refused for it.
    pub warnings: Vec<Problem>,
}

/// Key files that are named by tables in which something else is wrong.
#[derive(Default)]
pub struct Strays {
    /// `path` of consensus keys, of any format.
    pub keys: Vec<Spanned<PathBuf>>,
    /// `secret_key` of validators.
    pub identities: Vec<Spanned<PathBuf>>,
}

/// Reads a configuration to sign with, as far as it can be read.
///
/// Without problems, each of its chains has exactly one consensus key.
#[must_use]
pub fn survey(text: &str) -> Survey {
    survey_for(text, Purpose::Sign, &provider::BACKENDS)
}

/// Reads a configuration to sign with.
///
/// Of the chains of an `Ok`, each has exactly one consensus key.
///
/// # Errors
///
/// Every problem, in the order of the text; never an empty list.
pub fn parse(text: &str) -> Result<Parsed, Vec<Problem>> {
    read(text, Purpose::Sign, &provider::BACKENDS)
}

/// Reads a configuration to set up a device with: it may lack chains, validators and keys.
///
/// # Errors
///
/// Every problem, in the order of the text; never an empty list.
pub fn parse_for_device(text: &str) -> Result<Parsed, Vec<Problem>> {
    read(text, Purpose::Device, &provider::BACKENDS)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Sign,
    Device,
}

fn read(
    text: &str,
    purpose: Purpose,
    backends: &[provider::Backend],
) -> Result<Parsed, Vec<Problem>> {
    let survey = survey_for(text, purpose, backends);
    if survey.problems.is_empty() {
        Ok(Parsed {
            config: survey.config,
            warnings: survey.warnings,
        })
    } else {
        Err(survey.problems)
    }
}

fn survey_for(text: &str, purpose: Purpose, backends: &[provider::Backend]) -> Survey {
    let refused = |problems| Survey {
        config: Config::default(),
        strays: Strays::default(),
        problems,
        warnings: Vec::new(),
    };
    if text.len() > TEXT_MAX_LEN {
        return refused(vec![Problem {
            position: None,
            message: format!(
                "the file has {} bytes, of at most {TEXT_MAX_LEN}",
                text.len()
            ),
            cure: "look whether this is the right file, or spread the chains over several".into(),
        }]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut report = Report::new(text);
    let root = match toml_span::parse(text) {
        Ok(root) => root,
        Err(error) => {
            report.syntax(&error);
            return refused(report.finish().problems);
        }
    };
    let mut links = Links::default();
    let config = match Section::open(&mut report, &root, &ROOT, "") {
        Ok(root) => sections(&mut report, &root, &mut links, backends),
        Err(Reported) => Config::default(),
    };
    if purpose == Purpose::Sign {
        links.check_complete(&mut report);
    }
    links.check(&mut report);
    let found = report.finish();
    Survey {
        config,
        strays: links.strays,
        problems: found.problems,
        warnings: found.warnings,
    }
}

const ROOT: Shape = Shape {
    title: "the file",
    keys: &[
        Key::new("chain", "[[chain]]"),
        Key::new("validator", "[[validator]]"),
        Key::new("providers", "[[providers.softsign]]"),
    ],
    renamed: &[("softsign", "name the table `[[providers.softsign]]`")],
    misplaced: &[
        (
            "tx_signer",
            "remove it: transactions are not signed by this program",
        ),
        ("metrics", "remove it: there are no metrics in this version"),
        (
            "prometheus",
            "remove it: there are no metrics in this version",
        ),
    ],
};

fn sections(
    report: &mut Report<'_>,
    root: &Section<'_>,
    links: &mut Links,
    backends: &[provider::Backend],
) -> Config {
    let mut config = Config::default();
    if root.misspelled {
        links.chains.complete = false;
        links.validators.complete = false;
        links.keys.complete = false;
    }
    match root.tables(report, "chain", &chain::SHAPE) {
        Ok(tables) => config.chains.extend(
            tables
                .iter()
                .filter_map(|table| chain::read(report, table, links).ok()),
        ),
        Err(Reported) => links.chains.complete = false,
    }
    match root.tables(report, "validator", &validator::SHAPE) {
        Ok(tables) => config.validators.extend(
            tables
                .iter()
                .filter_map(|table| validator::read(report, table, links).ok()),
        ),
        Err(Reported) => links.validators.complete = false,
    }
    match root.table(report, "providers", &provider::SHAPE) {
        Ok(Some(table)) => provider::read(report, &table, links, backends, &mut config),
        Ok(None) => {}
        Err(Reported) => links.keys.complete = false,
    }
    config
}

#[cfg(test)]
mod tests;
