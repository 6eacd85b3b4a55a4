//! Which file it is, whatever it is called.

use std::{fs::File, io, os::unix::fs::MetadataExt, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Statx, StatxFlags, makedev, statx},
    io::Errno,
};

use super::Error;

/// A file on this host: its device, its inode there, and when it was born.
///
/// Two names of one file have the same identity. A copy, or a backup put back, has another: inode
/// numbers are used again, birth times are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device number, as in `st_dev`.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// Seconds since 1970 and nanoseconds; `None` where the file system does not keep them.
    pub birth: Option<(i64, u32)>,
}

impl Identity {
    /// The file behind an open handle.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn of(file: &File) -> io::Result<Self> {
        match statx(file, c"", AtFlags::EMPTY_PATH, MASK) {
            Ok(found) => Ok(Self::from(found)),
            // Kernels before 4.11 and some sandboxes have no statx.
            Err(Errno::NOSYS) => file.metadata().map(|old| Self::unborn(&old)),
            Err(error) => Err(error.into()),
        }
    }

    /// The file that `path` leads to, through symbolic links.
    ///
    /// # Errors
    ///
    /// The system's; `NotFound` if there is none.
    pub fn at(path: &Path) -> Result<Self, Error> {
        match statx(CWD, path, AtFlags::empty(), MASK) {
            Ok(found) => Ok(Self::from(found)),
            Err(Errno::NOSYS) => path
                .metadata()
                .map(|old| Self::unborn(&old))
                .map_err(Error::system(path, "examine")),
            Err(error) => Err(Error::system(path, "examine")(error)),
        }
    }

    fn unborn(old: &std::fs::Metadata) -> Self {
        Self {
            dev: old.dev(),
            ino: old.ino(),
            birth: None,
        }
    }
}

impl From<Statx> for Identity {
    fn from(found: Statx) -> Self {
        let born = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        Self {
            dev: makedev(found.stx_dev_major, found.stx_dev_minor),
            ino: found.stx_ino,
            birth: born.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
        }
    }
}

const MASK: StatxFlags = StatxFlags::INO.union(StatxFlags::BTIME);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::scratch::Scratch;

    #[test]
    fn the_path_the_handle_and_a_hard_link_are_one_file() {
        let scratch = Scratch::new();
        let path = scratch.file("a", b"x", 0o600);
        let link = scratch.path("b");
        fs::hard_link(&path, &link).unwrap();
        let identity = Identity::at(&path).unwrap();
        assert_eq!(Identity::of(&File::open(&path).unwrap()).unwrap(), identity);
        assert_eq!(Identity::at(&link).unwrap(), identity);
        assert_eq!(identity.dev, fs::metadata(&path).unwrap().dev());
    }

    #[test]
    fn a_copy_is_another_file() {
        let scratch = Scratch::new();
        let path = scratch.file("a", b"x", 0o600);
        let copy = scratch.path("b");
        assert_eq!(fs::copy(&path, &copy).unwrap(), 1);
        assert_ne!(Identity::at(&path).unwrap(), Identity::at(&copy).unwrap());
    }

    #[test]
    fn what_is_not_there_has_none() {
        let scratch = Scratch::new();
        assert!(Identity::at(&scratch.path("absent")).is_err());
    }
}
