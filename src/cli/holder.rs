//! Who holds a chain's key, as it was found and before it signs.

use std::path::PathBuf;

#[cfg(feature = "device")]
use crate::backend::device;
use crate::config::{Chain, Spanned};
use crate::keys::Kept;
use crate::types::PublicKey;

/// The consensus key of one chain.
pub(super) struct ChainKey {
    pub(super) chain: Chain,
    pub(super) holder: Holder,
}

/// Where it is.
pub(super) enum Holder {
    /// In a file, which has been read.
    File {
        /// What the file says.
        kept: Kept,
        /// The file.
        path: Spanned<PathBuf>,
    },
    /// In a device.
    #[cfg(feature = "device")]
    Device {
        /// The provider's name in the configuration.
        provider: &'static str,
        /// What the device says, or the state if the device was not asked.
        public_key: PublicKey,
        /// The way to it, if the command needs one.
        key: Option<device::Key>,
    },
}

impl ChainKey {
    pub(super) fn public_key(&self) -> PublicKey {
        self.holder.public_key()
    }
}

impl Holder {
    pub(super) fn public_key(&self) -> PublicKey {
        match self {
            Self::File { kept, .. } => kept.public_key(),
            #[cfg(feature = "device")]
            Self::Device { public_key, .. } => *public_key,
        }
    }

    /// The key's file; a key in a device has none, and no mark beside it.
    #[cfg_attr(
        not(feature = "device"),
        expect(
            clippy::unnecessary_wraps,
            reason = "without devices every key has a file"
        )
    )]
    pub(super) fn file(&self) -> Option<&Spanned<PathBuf>> {
        match self {
            Self::File { path, .. } => Some(path),
            #[cfg(feature = "device")]
            Self::Device { .. } => None,
        }
    }

    /// Whether it can be signed with: not if it is in a device that was not asked.
    pub(super) fn is_at_hand(&self) -> bool {
        match self {
            Self::File { .. } => true,
            #[cfg(feature = "device")]
            Self::Device { key, .. } => key.is_some(),
        }
    }

    /// The provider's name in the configuration.
    pub(super) fn provider(&self) -> &'static str {
        match self {
            Self::File { .. } => "softsign",
            #[cfg(feature = "device")]
            Self::Device { provider, .. } => provider,
        }
    }
}
