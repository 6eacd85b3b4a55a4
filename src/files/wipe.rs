//! Replacing a secret so that its old bytes do not stay on the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::{Error, Identity, Problem, replace_atomic};

/// What became of the bytes of a file that was replaced.
#[derive(Debug)]
pub enum Old {
    /// Overwritten where they lay, and synced.
    Overwritten,
    /// Nobody can name them any more, and they could not be overwritten.
    Left(io::Error),
}

/// Puts `bytes` in the place of `known`, then overwrites the old ones, which have no name by then.
///
/// A file system that writes elsewhere (copy on write, journaled data) and an SSD that does so inside keep
/// the old bytes for a while all the same.
///
/// # Errors
///
/// [`Problem::Linked`]: it has another name, under which the old bytes would stay or be lost;
/// [`Problem::Changed`]: it holds something else than `known`; the system's. The old file is still there.
pub fn replace_and_wipe(path: &Path, known: &[u8], bytes: &[u8], mode: u32) -> Result<Old, Error> {
    // Before it is replaced: a file that cannot be overwritten is known in time.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut old = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
        .map_err(Error::system(path, "open for writing"))?;
    let metadata = old.metadata().map_err(Error::system(path, "examine"))?;
    if !metadata.is_file() {
        return Err(Error::new(path, Problem::NotAFile));
    }
    if metadata.nlink() != 1 {
        return Err(Error::new(path, Problem::Linked));
    }
    let is_known = holds(&mut old, known).map_err(Error::system(path, "read"))?;
    let own = Identity::of(&old).map_err(Error::system(path, "examine"))?;
    if !is_known || Identity::at(path)? != own {
        return Err(Error::new(path, Problem::Changed));
    }
    replace_atomic(path, bytes, mode)?;
    Ok(match overwrite(&old, known.len()) {
        Ok(()) => Old::Overwritten,
        Err(error) => Old::Left(error),
    })
}

fn holds(file: &mut File, known: &[u8]) -> io::Result<bool> {
    // A byte more would show.
    let limit = known.len().saturating_add(1);
    let mut content = Zeroizing::new(Vec::with_capacity(limit.saturating_add(1)));
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let _ = file.take(limit).read_to_end(&mut content)?;
    // How long this takes tells where two secrets differ, to somebody who can write to the key's own file.
    Ok(*content == known)
}

fn overwrite(mut file: &File, len: usize) -> io::Result<()> {
    if file.metadata()?.nlink() != 0 {
        // Somebody gave it a name meanwhile: it is theirs now.
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    file.rewind()?;
    file.write_all(&vec![0; len])?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read};

    use super::*;
    use crate::files::scratch::Scratch;

    #[test]
    fn the_old_bytes_are_overwritten_where_they_lay() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"secret", 0o600);
        let mut old = File::open(&path).unwrap();
        let done = replace_and_wipe(&path, b"secret", b"sealed", 0o600).unwrap();
        assert!(matches!(done, Old::Overwritten), "{done:?}");
        let mut left = Vec::new();
        assert_eq!(old.read_to_end(&mut left).unwrap(), 6);
        assert_eq!(left, [0; 6]);
        assert_eq!(fs::read(&path).unwrap(), b"sealed");
        assert_eq!(scratch.names(), ["a.key"]);
    }

    #[test]
    fn a_file_with_two_names_is_left_as_it_is() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"secret", 0o600);
        fs::hard_link(&path, scratch.path("b.key")).unwrap();
        let problem = replace_and_wipe(&path, b"secret", b"sealed", 0o600)
            .unwrap_err()
            .problem;
        assert!(matches!(problem, Problem::Linked));
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::read(scratch.path("b.key")).unwrap(), b"secret");
    }

    #[test]
    fn a_file_that_somebody_named_meanwhile_is_not_overwritten() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"secret", 0o600);
        let old = OpenOptions::new().write(true).open(&path).unwrap();
        assert!(overwrite(&old, 6).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }

    #[test]
    fn another_content_than_was_read_is_left_as_it_is() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"other!", 0o600);
        for known in [&b"secret"[..], b"other", b"other!!", b""] {
            let problem = replace_and_wipe(&path, known, b"sealed", 0o600)
                .unwrap_err()
                .problem;
            assert!(matches!(problem, Problem::Changed));
        }
        assert_eq!(fs::read(&path).unwrap(), b"other!");
    }

    #[test]
    fn what_leads_there_stays_and_what_is_not_there_is_not_made() {
        let scratch = Scratch::new();
        let path = scratch.file("real", b"secret", 0o600);
        let link = scratch.path("link");
        std::os::unix::fs::symlink("real", &link).unwrap();
        assert!(replace_and_wipe(&link, b"secret", b"sealed", 0o600).is_ok());
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"sealed");
        assert!(replace_and_wipe(&scratch.path("absent"), b"", b"", 0o600).is_err());
        assert_eq!(scratch.names(), ["link", "real"]);
    }
}
