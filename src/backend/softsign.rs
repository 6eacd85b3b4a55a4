//! The key in memory.

use super::{Backend, Error};
use crate::keys::SigningKey;
use crate::store::{Committed, Extension};
use crate::types::{PublicKey, Signature};

/// A consensus key read from a file. It is shared by nobody and wiped on drop.
pub struct Softsign {
    key: SigningKey,
}

impl Softsign {
    /// Takes the key over.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }
}

impl Backend for Softsign {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    fn sign(&mut self, committed: &Committed) -> Result<Signature, Error> {
        Ok(self.key.sign(committed.sign_bytes().as_bytes()))
    }

    fn sign_extension(&mut self, extension: &Extension<'_>) -> Result<Signature, Error> {
        Ok(self.key.sign(extension.sign_bytes()))
    }
}
