//! Writing: a name never stands for a part of a file, and no file is lost to another.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags, RenameFlags, access, linkat, open, renameat_with},
    io::Errno,
    process::geteuid,
};

use super::{Error, Identity, Problem};

/// Makes a file that is not there yet, with all its bytes, and syncs it.
///
/// # Errors
///
/// [`Problem::Exists`] if anything has that name, a dangling symbolic link too; the system's. The
/// name is as it was before, unless only the last sync failed.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::new(path, Problem::Exists));
    }
    Staged::write(path, bytes, mode, None)?.publish(path, rename_new)
}

/// Puts other bytes in the place of a file, or makes it: all of them, or none.
///
/// A symbolic link stays, and what it leads to is replaced. Run by root, the file keeps its owner.
///
/// # Errors
///
/// The system's; the old file is still there, unless only the last sync failed.
pub fn replace_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let (real, old) = match path.canonicalize() {
        Ok(real) => {
            let old = real.metadata().map_err(Error::system(path, "examine"))?;
            if !old.is_file() {
                return Err(Error::new(path, Problem::NotAFile));
            }
            (real, Some((old.uid(), old.gid())))
        }
        // A link that leads nowhere may be a disk that is not mounted.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            (path.to_owned(), None)
        }
        Err(error) => return Err(Error::system(path, "follow")(error)),
    };
    let owner = old.filter(|_| geteuid().is_root());
    Staged::write(&real, bytes, mode, owner)?.publish(&real, |from, to| {
        fs::rename(from, to).map_err(Error::system(to, "replace"))
    })
}

/// Gives a file, or a symbolic link, the name `to`, and its owner alone the bits on it.
///
/// It has the new name for certain before it loses the old one: without a journal, a power cut in the
/// middle of a rename may leave neither.
///
/// # Errors
///
/// [`Problem::Exists`] if anything else has the name `to`; the system's. Nothing is ever overwritten.
pub fn move_aside(path: &Path, to: &Path) -> Result<(), Error> {
    let kind = path
        .symlink_metadata()
        .map_err(Error::system(path, "examine"))?;
    if !kind.is_file() && !kind.is_symlink() {
        return Err(Error::new(path, Problem::NotAFile));
    }
    let linked = match linkat(CWD, path, CWD, to, AtFlags::empty()) {
        Ok(()) => true,
        // One that was cut short has linked it already.
        Err(Errno::EXIST) if are_one(path, to) => true,
        Err(Errno::EXIST) => return Err(Error::new(to, Problem::Exists)),
        // No links here, or none to a file of somebody else's.
        Err(_) => {
            rename_new(path, to)?;
            false
        }
    };
    let mode = kind.permissions().mode() & 0o7777;
    if kind.is_file() && mode & 0o7077 != 0 {
        fs::set_permissions(to, fs::Permissions::from_mode(mode & 0o700))
            .map_err(Error::system(to, "chmod"))?;
    }
    sync_directory(to)?;
    if linked {
        if !are_one(path, to) {
            return Err(Error::new(path, Problem::Changed));
        }
        fs::remove_file(path).map_err(Error::system(path, "remove"))?;
    } else if directory(path) == directory(to) {
        return Ok(());
    }
    sync_directory(path)
}

/// Whether two names, not what they lead to, are of one file.
fn are_one(one: &Path, other: &Path) -> bool {
    let inode = |path: &Path| path.symlink_metadata().map(|it| (it.dev(), it.ino()));
    matches!((inode(one), inode(other)), (Ok(one), Ok(other)) if one == other)
}

/// Gives the file that `path` leads to a second name, `to`, so that it is kept when `path` is replaced.
///
/// # Errors
///
/// [`Problem::Exists`] if another file has the name `to`; the system's. Nothing is ever overwritten.
pub fn keep_as(path: &Path, to: &Path) -> Result<(), Error> {
    let real = path
        .canonicalize()
        .map_err(Error::system(path, "examine"))?;
    match fs::hard_link(&real, to) {
        Ok(()) => sync_directory(to),
        // One that was cut short has linked it already.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let (ours, theirs) = (Identity::at(&real)?, Identity::at(to)?);
            if ours == theirs {
                Ok(())
            } else {
                Err(Error::new(to, Problem::Exists))
            }
        }
        Err(error) => Err(Error::system(to, "link")(error)),
    }
}

/// Puts a file under the first free of the names `PATH.old-WORD`, `PATH.old-WORD.1`, and so on.
///
/// # Errors
///
/// What `put` says of the last name that was tried; [`Problem::Exists`] if a hundred are taken.
pub fn aside(
    path: &Path,
    word: &str,
    put: impl Fn(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let mut attempt = 0_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".old-{word}"));
        if attempt > 0 {
            name.push(format!(".{attempt}"));
        }
        let name = PathBuf::from(name);
        match put(&name) {
            Ok(()) => return Ok(name),
            Err(error) if matches!(error.problem, Problem::Exists) && attempt < ASIDE_MAX => {
                attempt = attempt.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes a directory, and those above it, with mode 0700, and syncs the name of each. One that is there
/// already is left as it is.
///
/// # Errors
///
/// The system's; a file has that name.
pub fn create_dir_private(path: &Path) -> Result<(), Error> {
    let new: Vec<&Path> = path
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::system(path, "create the directory"))?;
    // One that was there may have been made by an attempt that was cut short.
    sync_directory(path)?;
    new.into_iter().try_for_each(sync_directory)
}

/// A file that is written and synced, and has no name of its own yet.
struct Staged {
    temporary: PathBuf,
    file: File,
}

impl Staged {
    fn write(path: &Path, bytes: &[u8], mode: u32, owner: Option<Owner>) -> Result<Self, Error> {
        let name = path
            .file_name()
            .ok_or_else(|| Error::new(path, Problem::NotAFile))?;
        // Always the same name, so that crashes leave one file behind at most.
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".new");
        let temporary = path.with_file_name(hidden);
        match fs::remove_file(&temporary) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::system(&temporary, "remove")(error)),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = open(&temporary, flags, Mode::from_raw_mode(mode))
            .map_err(Error::system(&temporary, "create"))?;
        let staged = Self {
            temporary,
            file: File::from(file),
        };
        match staged.put(bytes, owner) {
            Ok(()) => Ok(staged),
            Err(error) => Err(staged.discard(Error::system(path, "write")(error))),
        }
    }

    fn put(&self, bytes: &[u8], owner: Option<Owner>) -> io::Result<()> {
        if let Some((uid, gid)) = owner {
            fchown(&self.file, Some(uid), Some(gid))?;
        }
        (&self.file).write_all(bytes)?;
        self.file.sync_all()
    }

    fn publish(
        self,
        path: &Path,
        rename: impl FnOnce(&Path, &Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Err(error) = rename(&self.temporary, path) {
            return Err(self.discard(error));
        }
        // The temporary name is the same for all: another process may have made it its own.
        let ours = Identity::of(&self.file).map_err(Error::system(path, "examine"))?;
        if Identity::at(path)? != ours {
            return Err(Error::new(path, Problem::Changed));
        }
        sync_directory(path)
    }

    /// Removes what was begun; if that fails too, the first error is still the one to tell.
    fn discard(self, error: Error) -> Error {
        fs::remove_file(&self.temporary).ok();
        error
    }
}

/// The highest number behind a name of [`aside`].
const ASIDE_MAX: u32 = 99;

type Owner = (u32, u32);

fn rename_new(from: &Path, to: &Path) -> Result<(), Error> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Error::new(to, Problem::Exists)),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rename_reserved(from, to),
        Err(error) => Err(Error::system(from, "rename")(error)),
    }
}

/// For file systems without `RENAME_NOREPLACE`, as NFS: takes the name with an empty file first.
fn rename_reserved(from: &Path, to: &Path) -> Result<(), Error> {
    let reserved = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    match reserved {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::new(to, Problem::Exists));
        }
        Err(error) => return Err(Error::system(to, "create")(error)),
    }
    fs::rename(from, to).map_err(|error| {
        fs::remove_file(to).ok();
        Error::system(from, "rename")(error)
    })
}

/// Whether this user may make, rename and remove files where `path` lies: asked before anything is done.
///
/// # Errors
///
/// The system's answer.
pub fn may_change_directory(path: &Path) -> io::Result<()> {
    Ok(access(directory(path), Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The directory that holds the name.
#[must_use]
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

pub(crate) fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = directory(path);
    let synced = File::open(directory).and_then(|handle| handle.sync_all());
    match synced {
        Ok(()) => Ok(()),
        // File systems that cannot sync a directory answer so.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        Err(error) => Err(Error::system(directory, "sync")(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::files::scratch::{Scratch, mode, set_mode};

    #[test]
    fn creates_with_the_mode_and_leaves_nothing_else_behind() {
        let scratch = Scratch::new();
        let path = scratch.path("a.key");
        create(&path, b"bytes", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(scratch.names(), ["a.key"]);
    }

    #[test]
    fn never_creates_over_what_is_there() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"old", 0o600);
        let problem = create(&path, b"new", 0o600).unwrap_err().problem;
        assert!(matches!(problem, Problem::Exists));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let link = scratch.path("link");
        symlink("nowhere", &link).unwrap();
        let problem = create(&link, b"new", 0o600).unwrap_err().problem;
        assert!(matches!(problem, Problem::Exists));
        assert_eq!(scratch.names(), ["a.key", "link"]);
    }

    #[test]
    fn replaces_whole_and_takes_over_what_a_crash_left() {
        let scratch = Scratch::new();
        let path = scratch.file("state.json", b"a longer old content", 0o644);
        assert_eq!(
            scratch.file(".state.json.new", b"half", 0o666),
            scratch.path(".state.json.new")
        );
        replace_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(scratch.names(), ["state.json"]);
    }

    #[test]
    fn a_link_at_the_temporary_name_is_not_followed() {
        let scratch = Scratch::new();
        let victim = scratch.file("victim", b"precious", 0o600);
        symlink(&victim, scratch.path(".state.json.new")).unwrap();
        replace_atomic(&scratch.path("state.json"), b"new", 0o600).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(scratch.names(), ["state.json", "victim"]);
    }

    #[test]
    fn replaces_what_a_symbolic_link_leads_to() {
        let scratch = Scratch::new();
        let path = scratch.file("real", b"old", 0o600);
        let link = scratch.path("link");
        symlink("real", &link).unwrap();
        replace_atomic(&link, b"new", 0o600).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn does_not_replace_a_link_that_leads_nowhere_or_a_directory() {
        let scratch = Scratch::new();
        let link = scratch.path("link");
        symlink("unmounted/state.json", &link).unwrap();
        assert!(replace_atomic(&link, b"new", 0o600).is_err());
        assert!(link.is_symlink());
        let directory = scratch.path("directory");
        create_dir_private(&directory).unwrap();
        let problem = replace_atomic(&directory, b"new", 0o600)
            .unwrap_err()
            .problem;
        assert!(matches!(problem, Problem::NotAFile));
    }

    #[test]
    fn the_file_keeps_its_owner_when_root_replaces_it() {
        if !geteuid().is_root() {
            return;
        }
        let scratch = Scratch::new();
        let path = scratch.file("state.json", b"old", 0o600);
        std::os::unix::fs::chown(&path, Some(12345), Some(54321)).unwrap();
        replace_atomic(&path, b"new", 0o600).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (12345, 54321));
    }

    #[test]
    fn says_so_when_another_process_took_the_temporary_name() {
        let scratch = Scratch::new();
        let path = scratch.path("a.key");
        let mine = Staged::write(&path, b"mine", 0o600, None).unwrap();
        let theirs = Staged::write(&path, b"theirs", 0o600, None).unwrap();
        let problem = mine.publish(&path, rename_new).unwrap_err().problem;
        assert!(matches!(problem, Problem::Changed));
        assert!(theirs.publish(&path, rename_new).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }

    #[test]
    fn moves_aside_and_narrows_the_mode() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"old", 0o644);
        let aside = scratch.path("a.key.old-0123");
        move_aside(&path, &aside).unwrap();
        assert_eq!(fs::read(&aside).unwrap(), b"old");
        assert_eq!(mode(&aside), 0o600);
        assert_eq!(scratch.names(), ["a.key.old-0123"]);
    }

    #[test]
    fn finishes_a_move_that_a_power_cut_stopped_between_the_two_names() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"old", 0o600);
        let aside = scratch.path("a.key.old-0123");
        fs::hard_link(&path, &aside).unwrap();
        move_aside(&path, &aside).unwrap();
        assert_eq!(fs::read(&aside).unwrap(), b"old");
        assert_eq!(scratch.names(), ["a.key.old-0123"]);
    }

    #[test]
    fn moves_a_link_aside_and_not_what_it_leads_to() {
        let scratch = Scratch::new();
        let path = scratch.file("real", b"old", 0o644);
        let link = scratch.path("link");
        symlink("real", &link).unwrap();
        move_aside(&link, &scratch.path("aside")).unwrap();
        assert!(scratch.path("aside").is_symlink());
        assert_eq!(mode(&path), 0o644);
    }

    #[test]
    fn moves_nothing_over_another_file_and_no_directory() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"old", 0o600);
        let aside = scratch.file("aside", b"older", 0o600);
        let error = move_aside(&path, &aside).unwrap_err();
        assert!(matches!(error.problem, Problem::Exists));
        assert_eq!(error.path, aside);
        let problem = rename_reserved(&path, &aside).unwrap_err().problem;
        assert!(matches!(problem, Problem::Exists));
        assert_eq!(fs::read(&aside).unwrap(), b"older");
        let directory = scratch.path("directory");
        create_dir_private(&directory).unwrap();
        let problem = move_aside(&directory, &scratch.path("b"))
            .unwrap_err()
            .problem;
        assert!(matches!(problem, Problem::NotAFile));
    }

    #[test]
    fn renames_without_the_flag_too() {
        let scratch = Scratch::new();
        let path = scratch.file("a.key", b"old", 0o600);
        rename_reserved(&path, &scratch.path("b")).unwrap();
        assert_eq!(fs::read(scratch.path("b")).unwrap(), b"old");
        assert!(rename_reserved(&path, &scratch.path("c")).is_err());
        assert_eq!(scratch.names(), ["b"]);
    }

    #[test]
    fn makes_private_directories_and_leaves_those_that_are_there() {
        let scratch = Scratch::new();
        let deep = scratch.path("kms/secrets");
        create_dir_private(&deep).unwrap();
        assert_eq!(mode(&deep), 0o700);
        assert_eq!(mode(&scratch.path("kms")), 0o700);
        set_mode(&deep, 0o755);
        create_dir_private(&deep).unwrap();
        assert_eq!(mode(&deep), 0o755);
        let file = scratch.file("file", b"", 0o600);
        assert!(create_dir_private(&file).is_err());
    }

    #[test]
    fn a_path_without_a_name_is_no_file() {
        let problem = create(Path::new("absent/.."), b"", 0o600)
            .unwrap_err()
            .problem;
        assert!(matches!(problem, Problem::NotAFile));
    }
}
