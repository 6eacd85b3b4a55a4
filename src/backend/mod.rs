//! Who holds the key.
//!
//! A backend signs what is on disk and nothing else: it is handed a [`Committed`] slot or an
//! [`Extension`] of one, and neither can be made without the store. It does not judge.
//!
//! Another backend is one file or folder here that implements `Device`, one cargo feature that includes
//! `device`, one line among the providers of `config`, and one arm in `cli::device` that makes the device of
//! what its provider says. Everything else is there: `device` gives it a thread of its own, a queue that is
//! fair between chains, deadlines, the way back after trouble, and the check of each signature before it
//! leaves. Only a key in this process's memory, [`Softsign`], needs none of that and is a variant of [`Any`]
//! by itself. Features only add.

#[cfg(not(feature = "softsign"))]
compile_error!("a signer needs a backend: build with --features softsign");

#[cfg(feature = "device")]
pub mod device;
#[cfg(feature = "fortanixdsm")]
pub mod fortanixdsm;
#[cfg(feature = "ledger")]
pub mod ledger;
#[cfg(feature = "softsign")]
mod softsign;
#[cfg(feature = "yubihsm")]
pub mod yubihsm;

use core::fmt;
use std::borrow::Cow;

#[cfg(feature = "device")]
pub use device::Device;
#[cfg(feature = "softsign")]
pub use softsign::Softsign;

use crate::store::{Committed, Extension};
use crate::types::{PublicKey, Signature};

/// The holder of one consensus key.
pub trait Backend: Send {
    /// The key's public half.
    fn public_key(&self) -> PublicKey;

    /// Whether it signs vote extensions at all.
    fn signs_extensions(&self) -> bool {
        true
    }

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

    /// Signs a precommit and its extension, in one turn of a device that others wait for.
    ///
    /// # Errors
    ///
    /// The device's trouble; the precommit may be asked for again.
    fn sign_both(
        &mut self,
        committed: &Committed,
        extension: &Extension<'_>,
    ) -> Result<(Signature, Signature), Error> {
        Ok((self.sign(committed)?, self.sign_extension(extension)?))
    }
}

/// Any backend that is compiled in.
pub enum Any {
    /// A key in memory, from a file.
    #[cfg(feature = "softsign")]
    Softsign(Softsign),
    /// A key in a device.
    #[cfg(feature = "device")]
    Device(device::Key),
}

/// Why a backend did not sign, for the device's operator: in lower case and without full stops. It goes to
/// the node and into the log, so it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What happened, and to what.
    pub what: Cow<'static, str>,
    /// What to do.
    pub cure: Cow<'static, str>,
}

impl Backend for Any {
    fn public_key(&self) -> PublicKey {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref backend) => backend.public_key(),
            #[cfg(feature = "device")]
            Self::Device(ref backend) => backend.public_key(),
        }
    }

    fn signs_extensions(&self) -> bool {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref backend) => backend.signs_extensions(),
            #[cfg(feature = "device")]
            Self::Device(ref backend) => backend.signs_extensions(),
        }
    }

    fn sign(&mut self, committed: &Committed) -> Result<Signature, Error> {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref mut backend) => backend.sign(committed),
            #[cfg(feature = "device")]
            Self::Device(ref mut backend) => backend.sign(committed),
        }
    }

    fn sign_extension(&mut self, extension: &Extension<'_>) -> Result<Signature, Error> {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref mut backend) => backend.sign_extension(extension),
            #[cfg(feature = "device")]
            Self::Device(ref mut backend) => backend.sign_extension(extension),
        }
    }

    fn sign_both(
        &mut self,
        committed: &Committed,
        extension: &Extension<'_>,
    ) -> Result<(Signature, Signature), Error> {
        match *self {
            #[cfg(feature = "softsign")]
            Self::Softsign(ref mut backend) => backend.sign_both(committed, extension),
            #[cfg(feature = "device")]
            Self::Device(ref mut backend) => backend.sign_both(committed, extension),
        }
    }
}

impl Error {
    /// What happened, and what to do.
    pub fn new(what: impl Into<Cow<'static, str>>, cure: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.cure)
    }
}

impl std::error::Error for Error {}
