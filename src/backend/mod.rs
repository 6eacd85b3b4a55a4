//! Who holds the key.
//!
//! A backend signs what is on disk and nothing else: it is handed a [`Committed`] slot or an
//! [`Extension`] of one, and neither can be made without the store. It does not judge.
//!
//! Another backend is one file beside `softsign.rs` that implements [`Backend`], one variant of [`Any`]
//! behind its cargo feature, and one arm in each `match` below. Features only add. A device that
//! several chains share is shared inside its backend: each chain owns a value of its own.

#[cfg(not(feature = "softsign"))]
compile_error!("a signer needs a backend: build with --features softsign");

#[cfg(feature = "softsign")]
mod softsign;

use core::fmt;

#[cfg(feature = "softsign")]
pub use softsign::Softsign;

use crate::store::{Committed, Extension};
use crate::types::{PublicKey, Signature};

/// The holder of one consensus key.
pub trait Backend: Send {
    /// The key's public half.
    fn public_key(&self) -> PublicKey;

    /// Signs a committed vote or proposal. The same bytes may be asked for again.
    ///
    /// # Errors
    ///
    /// The device's trouble; the slot stays taken.
    fn sign(&mut self, committed: &Committed) -> Result<Signature, Error>;

    /// Signs the extension of a committed precommit.
    ///
    /// # Errors
    ///
    /// The device's trouble; the precommit may be asked for again.
    fn sign_extension(&mut self, extension: &Extension<'_>) -> Result<Signature, Error>;
}

/// Any backend that is compiled in.
pub enum Any {
    /// A key in memory, from a file.
    #[cfg(feature = "softsign")]
    Softsign(Softsign),
}

/// Why a backend did not sign: a sentence for the device's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error(pub &'static str);

impl Backend for Any {
    fn public_key(&self) -> PublicKey {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref backend) => backend.public_key(),
        }
    }

    fn sign(&mut self, committed: &Committed) -> Result<Signature, Error> {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref mut backend) => backend.sign(committed),
        }
    }

    fn sign_extension(&mut self, extension: &Extension<'_>) -> Result<Signature, Error> {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref mut backend) => backend.sign_extension(extension),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Error {}
