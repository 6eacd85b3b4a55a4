//! What the directory of a node tells about its key: how far it has signed, and for which chain.

use std::io;
use std::path::{Path, PathBuf};

use super::report::with_cause;
use crate::files;
use crate::guard::Watermark;
use crate::keys;
use crate::store::foreign;
use crate::types::{ChainId, PublicKey};

/// Where a node keeps its state, seen from the directory of its `priv_validator_key.json`.
pub(super) const NODE_STATE: &str = "../data/priv_validator_state.json";

/// The chain that a node has signed for, as its own state beside its key shows.
pub(super) fn chain_of(input: &Path) -> Option<ChainId> {
    let (bytes, _) = files::read_foreign(input).ok()?;
    let key = keys::parse(&bytes).ok()?.key.public_key();
    let (watermark, _) = node_state(input, &key).ok()??;
    let id = core::str::from_utf8(watermark.sign_bytes()?.chain_id()).ok()?;
    ChainId::new(id).ok()
}

/// The node's own state beside the node's key, if there is one.
pub(super) fn node_state(
    input: &Path,
    key: &PublicKey,
) -> Result<Option<(Watermark, PathBuf)>, (PathBuf, String)> {
    // Through symbolic links: the state lies beside the real key.
    let Some(directory) = input
        .canonicalize()
        .ok()
        .and_then(|real| real.parent().map(Path::to_owned))
    else {
        return Ok(None);
    };
    let path = directory.join(NODE_STATE);
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Not to be seen is not the same as not there.
        Err(error) => return Err((path, format!("cannot be looked for: {error}"))),
    };
    let tell = |error: String| (path.clone(), error);
    let (bytes, _) = files::read_foreign(&path).map_err(|error| tell(with_cause(&error)))?;
    let foreign = foreign::read(&bytes).map_err(|error| tell(format!("it {error}")))?;
    let watermark = match foreign.chain_id() {
        Some(chain) => foreign
            .watermark(&chain, key)
            .map_err(|error| tell(error.to_string()))?,
        None => foreign.unchecked_watermark(),
    };
    Ok(Some((watermark, path)))
}
