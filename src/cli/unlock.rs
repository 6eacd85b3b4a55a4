//! Opening the encrypted keys that `start` needs.

use std::path::PathBuf;
use std::sync::Arc;

use super::Exit;
use super::holder::Holder;
use super::passphrase::Keyholder;
use super::plan::{Dial, Planned};
use super::report::Report;
use crate::backend::{Any, Softsign};
use crate::config::Spanned;
use crate::keys::{Kept, SigningKey};

/// Opens consensus keys; what does not open goes into the report.
pub(super) fn chains(
    planned: Vec<Planned<Holder>>,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Vec<Planned<Any>> {
    planned
        .into_iter()
        .filter_map(|chain| {
            let key = backend(chain.key, keyholder, report)?;
            Some(Planned {
                chain: chain.chain,
                key,
                provider: chain.provider,
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

/// What signs with a key. One in a device is there only if the device was asked for it.
pub(super) fn backend(
    holder: Holder,
    keyholder: &mut Keyholder,
    report: &mut Report,
) -> Option<Any> {
    match holder {
        Holder::File { kept, path } => {
            let key = open(kept, &path, keyholder, report)?;
            Some(Any::Softsign(Softsign::new(key)))
        }
        #[cfg(feature = "device")]
        Holder::Device { key, .. } => key.map(Any::Device),
    }
}

/// Opens one key; one that does not open goes into the report.
fn open(
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
