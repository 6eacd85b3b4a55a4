//! Opening the encrypted keys that `start` needs.

use std::path::PathBuf;
use std::sync::Arc;

use super::Exit;
use super::passphrase::Keyholder;
use super::plan::{Dial, Planned};
use super::report::Report;
use crate::config::Spanned;
use crate::keys::{Kept, SigningKey};

/// Opens consensus keys; what does not open goes into the report.
pub(super) fn chains(
    planned: Vec<Planned<Kept>>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Vec<Planned<SigningKey>> {
    planned
        .into_iter()
        .filter_map(|chain| {
            let key = open(chain.key, &chain.key_file, keyholder, report)?;
            Some(Planned {
                chain: chain.chain,
                key,
                key_file: chain.key_file,
                claim: chain.claim,
                state: chain.state,
                marked: chain.marked,
                begin: chain.begin,
            })
        })
        .collect()
}

/// Opens identities; what does not open goes into the report.
pub(super) fn dials(
    dials: Vec<Dial<Kept>>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Vec<Dial<Arc<SigningKey>>> {
    dials
        .into_iter()
        .filter_map(|dial| {
            let Dial {
                validator,
                identity,
            } = dial;
            let identity = match (identity, &validator.secret_key) {
                (Some(key), Some(path)) => Some(Arc::new(open(key, path, keyholder, report)?)),
                _ => None,
            };
            Some(Dial {
                validator,
                identity,
            })
        })
        .collect()
}

/// Opens one key; one that does not open goes into the report.
pub(super) fn open(
    key: Kept,
    path: &Spanned<PathBuf>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Option<SigningKey> {
    let sealed = match key {
        Kept::Plain(key) => return Some(key),
        Kept::Sealed(sealed) => sealed,
    };
    keyholder
        .open(&path.value, &sealed)
        .map_err(|refused| {
            report.problem(Exit::Key, path.position, refused.message, refused.cure);
        })
        .ok()
}
