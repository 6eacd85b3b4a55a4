//! The state file as the process holds it: open, locked, and the one that its path names.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::record::{Contents, FILE_LEN};
use super::{OpenError, Store};

/// How often locking is tried again when the path changes hands meanwhile.
const LOCK_TRIES: usize = 16;
/// What a foreign state file may measure. The largest known has under 2 KiB.
const MAX_LEN: u64 = 64 * 1024;

/// An open file that is locked, and is the one that its path names.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    pub(super) path: PathBuf,
    inode: (u64, u64),
}

impl Held {
    /// `None`: there is no file.
    pub(super) fn lock(path: &Path) -> Result<Option<Self>, OpenError> {
        for _ in 0..LOCK_TRIES {
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                // Neither a terminal nor a pipe may hold us up.
                .custom_flags(
                    i32::try_from((OFlags::NOCTTY | OFlags::NONBLOCK).bits()).unwrap_or(0),
                )
                .open(path);
            let file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(OpenError::Io(error)),
            };
            if !file.metadata().map_err(OpenError::Io)?.is_file() {
                return Err(OpenError::Io(io::Error::other("not a regular file")));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(OpenError::Locked),
                Err(TryLockError::Error(error)) => return Err(OpenError::Io(error)),
            }
            let held = Self::new(file, path).map_err(OpenError::Io)?;
            // A rename between open and lock leaves us with a lock on a file that has no name.
            match std::fs::metadata(path) {
                Ok(named) if (named.dev(), named.ino()) == held.inode => return Ok(Some(held)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(OpenError::Io(error)),
            }
        }
        Err(OpenError::Locked)
    }

    fn new(file: File, path: &Path) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            inode: (metadata.dev(), metadata.ino()),
            file,
            path: path.to_owned(),
        })
    }

    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        read_whole(&self.file)
    }

    pub(super) fn into_store(self, contents: Contents) -> Store {
        Store {
            file: self.file,
            path: self.path,
            inode: self.inode,
            header: contents.header,
            digest: contents.digest,
            newest: contents.newest,
            poisoned: false,
        }
    }
}

pub(super) fn read_whole(file: &File) -> io::Result<Vec<u8>> {
    // One of ours is then read at once.
    let mut bytes = Vec::with_capacity(FILE_LEN.saturating_add(1));
    let _ = file.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::files::scratch::Scratch;

    /// What commands do that replace a state: lock it, rename another over it, let go. Whoever opened the
    /// old one before and locks it after holds a file that has no name.
    #[test]
    fn what_is_held_is_what_the_path_names_whoever_replaces_it() {
        let scratch = Scratch::new();
        let path = scratch.path("state.json");
        std::fs::write(&path, "0").unwrap();
        let held: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (path, fresh) = (&path, scratch.path(&format!("fresh-{thread}")));
                    scope.spawn(move || {
                        let mut times = 0;
                        for _ in 0..2_000 {
                            let held = match Held::lock(path) {
                                Ok(held) => held.expect("there is always a file"),
                                Err(OpenError::Locked) => continue,
                                Err(error) => panic!("{error:?}"),
                            };
                            let named = std::fs::metadata(path).unwrap();
                            assert_eq!((named.dev(), named.ino()), held.inode);
                            std::fs::write(&fresh, "1").unwrap();
                            std::fs::rename(&fresh, path).unwrap();
                            times += 1;
                        }
                        times
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert!(held > 0);
    }
}
