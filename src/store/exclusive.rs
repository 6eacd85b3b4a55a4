//! One signer for each key and chain on this host, whatever its configuration says.
//!
//! An abstract Unix socket is bound under a name made from the two. The kernel frees it when the
//! process ends, however it ends, and it needs no directory. It reaches as far as the network
//! namespace; and a local user who takes the name first keeps us from starting, no more.

use core::fmt::{self, Write as _};
use std::fs::{File, TryLockError};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::types::{ChainId, PublicKey};

/// Held for as long as the process may sign with one key on one chain.
#[derive(Debug)]
pub struct Claim {
    _socket: UnixDatagram,
}

/// Why a key and chain could not be claimed.
#[derive(Debug)]
pub enum ClaimError {
    /// Another process on this host holds it.
    Taken,
    /// The kernel did not give us a socket.
    Io(io::Error),
}

impl Claim {
    /// Claims one key on one chain until the value is dropped.
    ///
    /// # Errors
    ///
    /// See [`ClaimError`].
    pub fn new(public_key: &PublicKey, chain_id: &ChainId) -> Result<Self, ClaimError> {
        let digest = Sha256::new()
            .chain_update(public_key.0)
            .chain_update(chain_id.as_bytes())
            .finalize();
        let mut name = String::from("tmkms-");
        for byte in digest {
            write!(name, "{byte:02x}").map_err(|_| ClaimError::Io(io::ErrorKind::Other.into()))?;
        }
        let address = SocketAddr::from_abstract_name(name).map_err(ClaimError::Io)?;
        match UnixDatagram::bind_addr(&address) {
            Ok(socket) => Ok(Self { _socket: socket }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(ClaimError::Taken),
            Err(error) => Err(ClaimError::Io(error)),
        }
    }
}

/// Whether a process holds the state file at `path`. A file that is not there is held by nobody.
///
/// # Errors
///
/// The system's.
pub fn is_in_use(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str(
                "another process on this host holds this key for this chain: two signers would double-sign",
            ),
            Self::Io(error) => write!(f, "cannot lock the key for this host: {error}"),
        }
    }
}

impl std::error::Error for ClaimError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    #[test]
    fn a_file_is_in_use_as_long_as_somebody_has_locked_it() {
        let scratch = Scratch::new();
        let path = scratch.path("state.json");
        assert!(!is_in_use(&path).unwrap(), "there is no file");
        std::fs::write(&path, "").unwrap();
        assert!(!is_in_use(&path).unwrap());
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        assert!(is_in_use(&path).unwrap());
        drop(held);
        assert!(!is_in_use(&path).unwrap());
        // A file where a directory should be: whether the state is in use is not known.
        let error = is_in_use(&path.join("state.json")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_claim_that_fails_says_whether_another_holds_the_key() {
        let taken = ClaimError::Taken.to_string();
        assert!(taken.contains("another process on this host"), "{taken}");
        let other = ClaimError::Io(io::Error::other("no sockets")).to_string();
        assert_eq!(other, "cannot lock the key for this host: no sockets");
    }

    #[test]
    fn a_key_is_claimed_once_on_each_chain_until_let_go() {
        let key = PublicKey([0x5e; 32]);
        let [one, two] = ["claim-1", "claim-2"].map(|id| ChainId::new(id).unwrap());
        let held = Claim::new(&key, &one).unwrap();
        assert!(matches!(Claim::new(&key, &one), Err(ClaimError::Taken)));
        assert!(Claim::new(&key, &two).is_ok());
        drop(held);
        assert!(Claim::new(&key, &one).is_ok());
    }
}
