//! The configuration and the keys that it names, read for `start` and for `state`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Exit;
use super::device::{self, Ask};
use super::holder::{ChainKey, Holder};
use super::report::{Report, quoted, with_cause};
use crate::config::{
    self, Chain, Config, FileFormat, KeyFormat, KeyType, Position, Problem, Softsign, Spanned,
    Strays,
};
use crate::files;
use crate::keys::{self, ImportError, Kept, Prefix, Sealed};
use crate::types::PublicKey;

/// What a configuration says, with the keys that it names.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) keys: Vec<ChainKey>,
    /// Identities of validators that could not be read whole.
    pub(super) strays: Vec<Spanned<PathBuf>>,
}

/// Reads the configuration and every consensus key; what is wrong goes into the report.
///
/// `ask` says when a device is spoken to.
pub(super) fn load(file: &Path, ask: Ask, report: &mut Report) -> Setup {
    let Read { config, strays } = read_config(file, report);
    for path in &strays.keys {
        if let Some(bytes) = read_secret(path, Role::Consensus, report)
            && let Err(error) = keys::read(&bytes)
        {
            bad_key(path, &error, report);
        }
    }
    let mut keys: Vec<ChainKey> = Vec::new();
    for provider in &config.softsign {
        if provider.key_type == KeyType::Account {
            check_account(provider, report);
            continue;
        }
        let Some(bytes) = read_secret(&provider.path, Role::Consensus, report) else {
            continue;
        };
        // Looked at in any case, also if no chain can be read that it signs for.
        if let Err(error) = parse(&bytes, provider.key_format) {
            if provider.key_format == FileFormat::Json && keys::parse_seed(&bytes).is_ok() {
                report.problem(
                    Exit::Key,
                    provider.path.position,
                    format!(
                        "{} is a base64 seed, not JSON",
                        provider.path.value.display()
                    ),
                    "remove the line `key_format = \"json\"`".to_owned(),
                );
            } else {
                bad_key(&provider.path, &error, report);
            }
            continue;
        }
        for id in &provider.chain_ids {
            let chain = config
                .chains
                .iter()
                .find(|chain| chain.id.value == id.value);
            let taken = keys.iter().any(|key| key.chain.id.value == id.value);
            // A value for each chain: a key is shared by nobody. A second key is reported already.
            if let (Some(chain), false, Ok(key)) =
                (chain, taken, parse(&bytes, provider.key_format))
            {
                let path = provider.path.clone();
                keys.push(ChainKey {
                    chain: chain.clone(),
                    holder: Holder::File { kept: key, path },
                });
            }
        }
    }
    // No device is disturbed for a configuration that has to be changed first.
    if !report.has_problems() {
        keys.extend(device::chain_keys(&config, ask, report));
    }
    Setup {
        config,
        keys,
        strays: strays.identities,
    }
}

/// What could be read of the configuration.
#[derive(Default)]
struct Read {
    config: Config,
    strays: Strays,
}

fn read_config(file: &Path, report: &mut Report) -> Read {
    let text = match read_text(file) {
        Ok(text) => text,
        Err(error) => {
            report.add(
                Exit::Config,
                Problem {
                    position: None,
                    message: format!("cannot read the configuration: {error}"),
                    cure: "name it with -c FILE, or make one: tmkms init HOME".to_owned(),
                },
            );
            return Read::default();
        }
    };
    let survey = config::survey(&text);
    for problem in survey.problems {
        report.add(Exit::Config, problem);
    }
    for warning in survey.warnings {
        report.warning(warning);
    }
    Read {
        config: survey.config,
        strays: survey.strays,
    }
}

/// The configuration may hold a password, so it is wiped; it need not be a secret.
pub(super) fn read_text(file: &Path) -> Result<Zeroizing<String>, String> {
    use std::io::Read as _;
    let limit = u64::try_from(config::TEXT_MAX_LEN)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    // Room for all of it at once: a string that grows leaves copies behind.
    let len = opened.metadata().map_or(0, |metadata| metadata.len());
    let room = usize::try_from(len.min(limit))
        .unwrap_or(0)
        .saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(room));
    match opened.take(limit).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err("it is not UTF-8 text".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What a key file is for: it decides how a missing one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Consensus,
    Account,
    Identity,
}

/// Reads a secret that the configuration names; a directory that others may write to is a warning.
fn read_secret(
    path: &Spanned<PathBuf>,
    role: Role,
    report: &mut Report,
) -> Option<Zeroizing<Vec<u8>>> {
    for warning in files::loose_directories(&path.value) {
        report.warning(Problem {
            position: Some(path.position),
            message: warning.to_string(),
            cure: "so that nobody else can put another key there".to_owned(),
        });
    }
    match files::read_secret(&path.value) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            report.problem(
                Exit::Key,
                path.position,
                with_cause(&error),
                secret_cure(&error, role),
            );
            None
        }
    }
}

fn secret_cure(error: &files::Error, role: Role) -> String {
    let path = quoted(&error.path);
    match &error.problem {
        files::Problem::System { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
            match role {
                Role::Consensus => format!(
                    "is a disk not mounted? take the validator's key over with `tmkms softsign import KEY.json {path}`, or make a new one with `tmkms softsign keygen {path}`"
                ),
                Role::Identity => {
                    format!("any new key will do: make one with `tmkms softsign keygen {path}`")
                }
                Role::Account => {
                    "this program signs no transactions: remove the provider".to_owned()
                }
            }
        }
        files::Problem::System { .. } => "is the path right, and may this user read it?".to_owned(),
        files::Problem::Wide { .. } => {
            "run that chmod; was the key seen by others meanwhile?".to_owned()
        }
        files::Problem::Owner { .. } => "run that chown".to_owned(),
        files::Problem::NotAFile
        | files::Problem::TooLong
        | files::Problem::Linked
        | files::Problem::Exists
        | files::Problem::Changed => "name the key's own file".to_owned(),
    }
}

/// An encrypted key may stand for one of either format.
fn parse(bytes: &[u8], format: FileFormat) -> Result<Kept, ImportError> {
    if Sealed::recognises(bytes) {
        return keys::read(bytes);
    }
    match format {
        FileFormat::Base64 => keys::parse_seed(bytes),
        FileFormat::Json => keys::parse_json(bytes),
    }
    .map(Kept::Plain)
}

fn bad_key(path: &Spanned<PathBuf>, error: &ImportError, report: &mut Report) {
    report.problem(
        Exit::Key,
        path.position,
        format!("{} {error}", path.value.display()),
        if matches!(error, ImportError::Sealed(_)) {
            "take the file from a backup".to_owned()
        } else {
            format!(
                "take the validator's key over with `tmkms softsign import KEY.json {}`",
                quoted(&path.value)
            )
        },
    );
}

/// Account keys are looked at, so that a broken one is found, and sign nothing.
fn check_account(provider: &Softsign, report: &mut Report) {
    let Some(bytes) = read_secret(&provider.path, Role::Account, report) else {
        return;
    };
    match keys::check_account(&bytes) {
        Ok(()) => report.warning(Problem {
            position: Some(provider.path.position),
            message: format!("{} is an account key", provider.path.value.display()),
            cure: "this program signs no transactions: the key is not used".to_owned(),
        }),
        Err(error) => report.problem(
            Exit::Key,
            provider.path.position,
            format!("{} {error}", provider.path.value.display()),
            "this program signs no transactions: remove the provider".to_owned(),
        ),
    }
}

/// Reads the identity that is shown to the node over `tcp://`.
pub(super) fn identity(
    path: &Spanned<PathBuf>,
    consensus: &[ChainKey],
    report: &mut Report,
) -> Option<Kept> {
    let bytes = read_secret(path, Role::Identity, report)?;
    let key = match parse(&bytes, FileFormat::Base64) {
        Ok(key) => key,
        Err(error) => {
            report.problem(
                Exit::Key,
                path.position,
                format!("{} {error}", path.value.display()),
                format!(
                    "make an identity key: tmkms softsign keygen {}",
                    quoted(&path.value)
                ),
            );
            return None;
        }
    };
    let own = key.public_key();
    if consensus.iter().any(|chain| chain.public_key() == own) {
        report.problem(
            Exit::Key,
            path.position,
            format!("{} is a consensus key as well", path.value.display()),
            "name another file here, and make its key with `tmkms softsign keygen ANOTHER_PATH`"
                .to_owned(),
        );
        return None;
    }
    Some(key)
}

/// A public key as the chain's `key_format` prints it.
pub(super) fn display(key: &PublicKey, format: &KeyFormat) -> String {
    match format {
        KeyFormat::Bech32 {
            consensus_key_prefix,
            ..
        } => Prefix::new(consensus_key_prefix)
            .map_or_else(|_| key.to_hex(), |prefix| key.to_bech32(&prefix)),
        KeyFormat::CosmosJson => key.to_cosmos_json(),
        KeyFormat::Hex => key.to_hex(),
    }
}

/// A position for what belongs to the whole of a chain.
pub(super) fn position_of(chain: &Chain) -> Position {
    chain.id.position
}
