//! What another program's state file means for one chain and one key.

use core::fmt;
use std::io;
use std::path::Path;

use super::foreign::{self, Foreign, ForeignError};
use crate::canon::SignBytes;
use crate::files;
use crate::guard::{Position, Watermark};
use crate::keys::verify;
use crate::types::{ChainId, PublicKey, Signature};

/// Why another program's state file does not tell how far a chain is signed.
#[derive(Debug)]
pub enum OriginError {
    /// It could not be read.
    File(files::Error),
    /// It is no state file of a known program, or not whole.
    Format(ForeignError),
    /// What was signed last belongs to another chain.
    OtherChain(String),
    /// What was signed last was signed by another key.
    OtherKey,
}

impl Foreign {
    /// How far the chain is signed, checked as far as the file allows: the chain id stands in the
    /// sign-bytes, and the signature shows the key. Bytes that we would not sign today are known by
    /// their position only.
    ///
    /// # Errors
    ///
    /// [`OriginError::OtherChain`], [`OriginError::OtherKey`].
    pub fn watermark(&self, chain_id: &ChainId, key: &PublicKey) -> Result<Watermark, OriginError> {
        if let Some(bytes) = &self.sign_bytes {
            if let Ok(sign_bytes) = SignBytes::parse(bytes)
                && sign_bytes.chain_id() != chain_id.as_bytes()
            {
                let found = String::from_utf8_lossy(sign_bytes.chain_id()).into_owned();
                return Err(OriginError::OtherChain(found));
            }
            if let Some(signature) = self.signature
                && !verify(key, bytes, &Signature(signature))
            {
                return Err(OriginError::OtherKey);
            }
        }
        Ok(self.unchecked_watermark())
    }

    /// How far some chain is signed, for showing.
    #[must_use]
    pub fn unchecked_watermark(&self) -> Watermark {
        let stated = Position::new(self.height, self.round, self.step).unwrap_or(Position::ZERO);
        let signed = self
            .sign_bytes
            .as_deref()
            .and_then(|bytes| SignBytes::parse(bytes).ok())
            .map(Watermark::signed);
        match signed {
            Some(signed) if signed.position() >= stated => signed,
            _ => Watermark::at(stated),
        }
    }

    /// The chain that what was signed last belongs to, where the file says so.
    #[must_use]
    pub fn chain_id(&self) -> Option<ChainId> {
        let sign_bytes = SignBytes::parse(self.sign_bytes.as_deref()?).ok()?;
        ChainId::new(core::str::from_utf8(sign_bytes.chain_id()).ok()?).ok()
    }
}

/// Reads another program's state file for one chain and key. `None`: there is none.
///
/// # Errors
///
/// See [`OriginError`].
pub fn read(
    path: &Path,
    chain_id: &ChainId,
    key: &PublicKey,
) -> Result<Option<Watermark>, OriginError> {
    let bytes = match files::read_foreign(path) {
        Ok((bytes, _)) => bytes,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(OriginError::File(error)),
    };
    foreign::read(&bytes)
        .map_err(OriginError::Format)?
        .watermark(chain_id, key)
        .map(Some)
}

fn is_missing(error: &files::Error) -> bool {
    match &error.problem {
        files::Problem::System { error, .. } => error.kind() == io::ErrorKind::NotFound,
        files::Problem::NotAFile
        | files::Problem::TooLong
        | files::Problem::Wide { .. }
        | files::Problem::Owner { .. }
        | files::Problem::Linked
        | files::Problem::Exists
        | files::Problem::Changed => false,
    }
}

impl From<ForeignError> for OriginError {
    fn from(error: ForeignError) -> Self {
        Self::Format(error)
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => {
                error.fmt(f)?;
                match std::error::Error::source(error) {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
            Self::Format(error) => write!(f, "it {error}"),
            Self::OtherChain(chain) => write!(f, "it is the state of another chain, {chain}"),
            Self::OtherKey => f.write_str("what it holds was signed by another key"),
        }
    }
}

impl std::error::Error for OriginError {}
