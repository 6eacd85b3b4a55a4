//! The state file: a permitted slot becomes a committed one by being on disk.
//!
//! A commit is one `pwrite` of one sector into the older of two records and one `fdatasync`: no
//! metadata changes, one device flush, and what it overwrites is stale. A power cut therefore always
//! leaves two sound records; `record` has the bytes.
//!
//! ```text
//! guard::judge ─ Permit ─▶ Store::commit ─▶ Committed ─▶ Backend::sign
//!              └ Replay ─▶ Store::recall ─┘     └─ extension ─▶ Extension ─▶ Backend::sign_extension
//! ```
//!
//! After a write or a sync that failed nothing is known about the disk, so the store is poisoned: it
//! signs no more until the process is restarted and reads the file again.

mod exclusive;
pub mod foreign;
pub mod handover;
mod held;
pub mod mark;
mod open;
pub mod origin;
mod record;
mod retired;

use core::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::io::Errno;

pub use exclusive::{Claim, ClaimError, is_in_use};
pub use open::{
    Adopted, Convertible, Found, Initial, OpenError, Ready, Snapshot, Vacant, find, peek,
    watermark_of,
};
pub use record::{Damage, Status};
pub use retired::{Leaving, Retired};

use crate::canon::{self, SignBytes};
use crate::guard::{self, Permit, Refusal, Replay, Verdict, Watermark};
use crate::types::{ChainId, PublicKey, Step};
use origin::OriginError;
use record::{Header, Record, offset};

/// A slot that is on disk: what a backend needs to see before it signs.
///
/// ```compile_fail
/// fn forge(sign_bytes: tmkms::canon::SignBytes, chain_id: tmkms::types::ChainId) -> tmkms::store::Committed {
///     tmkms::store::Committed { sign_bytes, chain_id }
/// }
/// ```
#[must_use = "a slot that is committed and not signed is lost"]
pub struct Committed {
    sign_bytes: SignBytes,
    chain_id: ChainId,
}

/// The sign-bytes of a vote extension whose non-nil precommit is committed.
pub struct Extension<'a> {
    sign_bytes: &'a [u8],
}

/// The open state of one chain: locked, sound, and newer on disk than anything signed.
#[derive(Debug)]
pub struct Store {
    file: File,
    path: PathBuf,
    /// Device and inode of `file`: the path must go on naming them.
    inode: (u64, u64),
    header: Header,
    digest: [u8; 32],
    newest: Record,
    poisoned: bool,
}

/// Why a permitted slot did not become a committed one. All but `Stale` poison the store.
#[derive(Debug)]
pub enum Error {
    /// A write, a sync or a look at the path failed.
    Io(io::Error),
    /// The path no longer names the file that is held and locked.
    Moved,
    /// An earlier failure; nothing is known about the disk since.
    Poisoned,
    /// The permit was not made for this watermark. A fault of ours.
    Stale,
}

/// Why the node's own state file, from which a new state began, could not be read once more.
#[derive(Debug)]
pub enum RefreshError {
    /// It is there and cannot be read, or is no state of this chain and key.
    Origin(OriginError),
    /// What it says could not be kept.
    Store(Error),
}

impl Store {
    /// The rules of [`guard::judge`], applied to this chain's watermark.
    ///
    /// # Errors
    ///
    /// The refusal; nothing has changed.
    pub fn judge(&self, request: SignBytes) -> Result<Verdict, Refusal> {
        guard::judge(&self.newest.watermark, request)
    }

    /// Puts a permitted slot on disk: one sector into the older record, one data sync.
    ///
    /// # Errors
    ///
    /// [`Error`]; the slot may or may not be on disk, nothing may be signed, and but for
    /// [`Error::Stale`] the store is poisoned.
    pub fn commit(&mut self, permit: Permit) -> Result<Committed, Error> {
        let (over, sign_bytes) = permit.into_parts();
        if over != self.newest.watermark.position() {
            return Err(Error::Stale);
        }
        self.write(Status::Active, &Watermark::signed(sign_bytes))?;
        Ok(Committed {
            sign_bytes,
            chain_id: self.header.chain_id,
        })
    }

    /// Hands back the watermark's own bytes, which are on disk already.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`], or [`Error::Stale`] if the watermark has moved on since it was judged.
    pub fn recall(&mut self, replay: &Replay) -> Result<Committed, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        match self.newest.watermark.sign_bytes() {
            Some(stored) if stored == replay.sign_bytes() => Ok(Committed {
                sign_bytes: *stored,
                chain_id: self.header.chain_id,
            }),
            _ => Err(Error::Stale),
        }
    }

    /// Reads the node's own state file once more, as long as nothing was signed under a state that began
    /// from it, and raises the watermark to what it says. Does nothing in any other case.
    ///
    /// # Errors
    ///
    /// [`RefreshError`]; the watermark is as it was, and nothing should be signed.
    pub fn refresh(&mut self) -> Result<bool, RefreshError> {
        let Some(path) = self
            .header
            .origin
            .as_deref()
            .filter(|_| self.newest.status == Status::New)
        else {
            return Ok(false);
        };
        let seen = match origin::read(
            Path::new(path),
            &self.header.chain_id,
            &self.header.public_key,
        ) {
            // A node that was started without its key has made itself another: no word of ours.
            Err(OriginError::OtherKey) => None,
            other => other.map_err(RefreshError::Origin)?,
        };
        match seen {
            Some(seen) => self.raise(&seen).map_err(RefreshError::Store),
            None => Ok(false),
        }
    }

    /// Raises the watermark to one that is known from elsewhere. `Ok(false)`: it is not higher.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn raise(&mut self, watermark: &Watermark) -> Result<bool, Error> {
        if watermark.position() <= self.newest.watermark.position() {
            return Ok(false);
        }
        self.write(self.newest.status, watermark)?;
        Ok(true)
    }

    /// The chain that this state belongs to.
    #[must_use]
    pub fn chain_id(&self) -> &ChainId {
        &self.header.chain_id
    }

    /// The key that this state belongs to.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.header.public_key
    }

    /// How far the chain is signed.
    #[must_use]
    pub fn watermark(&self) -> &Watermark {
        &self.newest.watermark
    }

    /// Whether a failure has ended this store.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Where the state lies, as the configuration names it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, status: Status, watermark: &Watermark) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        // Sound until the sync has returned: any way out in between leaves the store poisoned.
        self.poisoned = true;
        let record = Record {
            sequence: self.newest.sequence.checked_add(1).ok_or(Error::Stale)?,
            status,
            watermark: *watermark,
        };
        self.check_path()?;
        let sector = record.render(&self.digest);
        self.file
            .write_all_at(&sector, offset(record.sequence))
            .and_then(|()| self.file.sync_data())
            .map_err(Error::Io)?;
        self.newest = record;
        self.poisoned = false;
        Ok(())
    }

    /// A file that was deleted, replaced or cut short would take our records with it. An inode that is
    /// held open cannot be given to another file, so its number tells.
    ///
    /// The times are not asked for: a kernel that has handed one out gives the next write a new one, and
    /// that is the inode written at every commit where there is no journal.
    fn check_path(&self) -> Result<(), Error> {
        let wanted = StatxFlags::INO | StatxFlags::SIZE;
        let (inode, len) = match statx(CWD, &self.path, AtFlags::empty(), wanted) {
            Ok(named) if StatxFlags::from_bits_retain(named.stx_mask).contains(wanted) => {
                let device = makedev(named.stx_dev_major, named.stx_dev_minor);
                ((device, named.stx_ino), named.stx_size)
            }
            Err(Errno::NOENT) => return Err(Error::Moved),
            // Kernels before 4.11, and sandboxes that do not know the call.
            Ok(_) | Err(_) => match std::fs::metadata(&self.path) {
                Ok(named) => ((named.dev(), named.ino()), named.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Moved),
                Err(error) => return Err(Error::Io(error)),
            },
        };
        if inode == self.inode && len == record::FILE_LEN_U64 {
            Ok(())
        } else {
            Err(Error::Moved)
        }
    }
}

impl Committed {
    /// The bytes to sign.
    #[must_use]
    pub fn sign_bytes(&self) -> &SignBytes {
        &self.sign_bytes
    }

    /// The sign-bytes of an extension of this precommit, written into `buffer`. `None` for what has no
    /// extension: a proposal, a prevote, a precommit for nil.
    #[must_use]
    pub fn extension<'a>(
        &self,
        extension: &[u8],
        buffer: &'a mut Vec<u8>,
    ) -> Option<Extension<'a>> {
        let slot = self.sign_bytes.slot();
        if slot.step != Step::Precommit || self.sign_bytes.block_hash().is_none() {
            return None;
        }
        buffer.clear();
        canon::extension(buffer, &self.chain_id, slot.height, slot.round, extension);
        Some(Extension { sign_bytes: buffer })
    }
}

impl Extension<'_> {
    /// The bytes to sign.
    #[must_use]
    pub fn sign_bytes(&self) -> &[u8] {
        self.sign_bytes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("the state could not be written to disk"),
            Self::Moved => {
                f.write_str("the state file was deleted, replaced or cut short while in use")
            }
            Self::Poisoned => f.write_str(
                "an earlier write of the state failed, so nothing is signed until a restart",
            ),
            Self::Stale => f.write_str("the watermark moved between judging and committing"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Moved | Self::Poisoned | Self::Stale => None,
        }
    }
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(error) => write!(f, "the node's own state: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RefreshError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Store(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests;
