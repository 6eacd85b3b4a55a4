//! Where a file lies: on what kind of file system, and below whose directories.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;
use rustix::process::geteuid;

/// A kind of file system that a state or a key is better not kept on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// NFS, CIFS and their like.
    Network(&'static str),
    /// In memory: gone with the next boot.
    Memory(&'static str),
    /// A program's: what a flush means is up to it.
    Fuse,
    /// A container's own layer: gone with the container.
    Overlay,
}

impl Medium {
    /// What the file at `path` lies on, or, if there is none, its directory. `None`: nothing of note,
    /// or the system does not say.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let known = [Some(path), path.parent()]
            .into_iter()
            .flatten()
            .map(|path| {
                if path.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    path
                }
            })
            .find_map(|path| statfs(path).ok())?;
        // The word has another width and sign on each architecture; the numbers have 32 bits.
        let magic = u32::try_from(i128::from(known.f_type) & 0xffff_ffff).ok()?;
        MEDIA
            .iter()
            .find(|(number, _)| *number == magic)
            .map(|(_, medium)| *medium)
    }
}

/// The file and the directories above it that belong neither to us nor to root, with their owners.
#[must_use]
pub fn others_files(path: &Path) -> Vec<(PathBuf, u32)> {
    let us = geteuid().as_raw();
    let real = path.canonicalize().or_else(|error| {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        parent.ok_or(error)?.canonicalize()
    });
    let Ok(real) = real else {
        return Vec::new();
    };
    real.ancestors()
        .filter_map(|path| {
            let uid = path.metadata().ok()?.uid();
            (uid != us && uid != 0).then(|| (path.to_owned(), uid))
        })
        .collect()
}

/// `linux/magic.h`, and `fs/smb/client`.
const MEDIA: [(u32, Medium); 12] = [
    (0x6969, Medium::Network("nfs")),
    (0x517b, Medium::Network("smb")),
    (0xff53_4d42, Medium::Network("cifs")),
    (0xfe53_4d42, Medium::Network("smb2")),
    (0x0102_1997, Medium::Network("9p")),
    (0x00c3_6400, Medium::Network("ceph")),
    (0x5346_414f, Medium::Network("afs")),
    (0x7461_636f, Medium::Network("ocfs2")),
    (0x0102_1994, Medium::Memory("tmpfs")),
    (0x8584_58f6, Medium::Memory("ramfs")),
    (0x6573_5546, Medium::Fuse),
    (0x794c_7630, Medium::Overlay),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    #[test]
    fn what_lies_in_shared_memory_lies_in_memory() {
        let path = Path::new("/dev/shm");
        if path.is_dir() {
            assert!(matches!(Medium::of(path), Some(Medium::Memory(_))));
            let missing = path.join("tmkms-not-there");
            assert!(matches!(Medium::of(&missing), Some(Medium::Memory(_))));
        }
    }

    #[test]
    fn our_own_files_are_not_others() {
        let scratch = Scratch::new();
        let path = scratch.file("a", b"x", 0o600);
        let inside = |owned: Vec<(PathBuf, u32)>| {
            owned
                .iter()
                .any(|(owned, _)| owned.starts_with(path.parent().unwrap()))
        };
        assert!(!inside(others_files(&path)));
        assert!(!inside(others_files(&scratch.path("absent"))));
    }
}
