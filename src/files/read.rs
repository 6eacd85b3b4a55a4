//! Reading: secrets strictly, other programs' files with a warning.

use core::fmt;
use std::{
    fs::{File, Metadata},
    io::{ErrorKind, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::geteuid,
};
use zeroize::Zeroizing;

use super::{Error, Problem, quoted};

/// The most bytes read of a key or a state file. The longest that any program writes, a
/// post-quantum `priv_validator_key.json`, has about 8 KiB.
pub const FILE_MAX_LEN: usize = 64 * 1024;

/// What an operator should mend, though it stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A file that others than its owner may read or write.
    Wide {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory in which others than its owner may replace files.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Reads a file that nobody but us and root may use.
///
/// No bits for group and others; below `$CREDENTIALS_DIRECTORY`, where systemd keeps the group's, no
/// bits for others. The owner is us or root, or anyone if we are root. The bytes are wiped on drop
/// and were never moved.
///
/// # Errors
///
/// [`Error`], with the command that cures it; nothing was read if owner or mode are wrong.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    read_secret_in(path, credentials.as_deref())
}

/// Reads a file that another program wrote, whoever may use it.
///
/// The bytes may be a secret all the same, and are wiped on drop.
///
/// # Errors
///
/// [`Error`]: not there, not a file, too long.
pub fn read_foreign(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Vec<Warning>), Error> {
    let (file, metadata) = open_file(path)?;
    let mode = metadata.permissions().mode() & MODE_BITS;
    let warnings = if mode & Place::Ordinary.forbidden() == 0 {
        Vec::new()
    } else {
        let path = path.to_owned();
        vec![Warning::Wide { path, mode }]
    };
    Ok((fill(path, file, &metadata)?, warnings))
}

/// The directories above `path`, up to the root, in which others than their owner may put another
/// file in its place. Those with the sticky bit are not among them.
///
/// Says nothing about a path that does not exist: reading it does.
#[must_use]
pub fn loose_directories(path: &Path) -> Vec<Warning> {
    let Ok(real) = path.canonicalize() else {
        return Vec::new();
    };
    let loose = |directory: &Path| {
        let mode = directory.metadata().ok()?.permissions().mode() & MODE_BITS;
        let path = directory.to_owned();
        (mode & 0o022 != 0 && mode & STICKY == 0).then_some(Warning::Directory { path, mode })
    };
    real.ancestors().skip(1).filter_map(loose).collect()
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wide { path, mode } => {
                let path = quoted(path);
                write!(
                    f,
                    "others than its owner may use {path} (mode {mode:04o}): chmod 600 {path}"
                )
            }
            Self::Directory { path, mode } => {
                let path = quoted(path);
                write!(
                    f,
                    "others than its owner may replace files in {path} (mode {mode:04o}): chmod go-w {path}"
                )
            }
        }
    }
}

fn read_secret_in(path: &Path, credentials: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (file, metadata) = open_file(path)?;
    let place = Place::of(path, credentials);
    let us = geteuid().as_raw();
    match refusal(metadata.permissions().mode(), metadata.uid(), us, place) {
        Some(problem) => Err(Error::new(path, problem)),
        None => fill(path, file, &metadata),
    }
}

/// Where a secret lies decides who may have bits on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ordinary,
    Credentials,
}

impl Place {
    fn of(path: &Path, credentials: Option<&Path>) -> Self {
        let below = |directory: &Path| {
            let (path, directory) = (path.canonicalize().ok()?, directory.canonicalize().ok()?);
            (path != directory && path.starts_with(directory)).then_some(Self::Credentials)
        };
        credentials.and_then(below).unwrap_or(Self::Ordinary)
    }

    const fn forbidden(self) -> u32 {
        match self {
            Self::Ordinary => 0o077,
            Self::Credentials => 0o007,
        }
    }
}

fn refusal(mode: u32, uid: u32, us: u32, place: Place) -> Option<Problem> {
    if us != ROOT && uid != us && uid != ROOT {
        return Some(Problem::Owner { uid, us });
    }
    (mode & place.forbidden() != 0).then_some(Problem::Wide {
        mode: mode & MODE_BITS,
    })
}

fn open_file(path: &Path) -> Result<(File, Metadata), Error> {
    // A pipe without a writer would hold up a blocking open for ever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty()).map_err(Error::system(path, "open"))?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(Error::system(path, "examine"))?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(Error::new(path, Problem::NotAFile))
    }
}

/// Reads into memory taken once, with a byte to spare that shows growth.
fn fill(path: &Path, mut file: File, metadata: &Metadata) -> Result<Zeroizing<Vec<u8>>, Error> {
    let size = usize::try_from(metadata.len())
        .ok()
        .filter(|size| *size <= FILE_MAX_LEN)
        .ok_or_else(|| Error::new(path, Problem::TooLong))?;
    let mut bytes = Zeroizing::new(vec![0; size.saturating_add(1)]);
    let mut len = 0_usize;
    while let Some(rest) = bytes.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => {
                bytes.truncate(len);
                return Ok(bytes);
            }
            Ok(count) => len = len.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::system(path, "read")(error)),
        }
    }
    Err(Error::new(path, Problem::Changed))
}

const MODE_BITS: u32 = 0o7777;
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::scratch::{Scratch, set_mode};

    #[test]
    fn reads_a_secret_that_only_its_owner_may_use() {
        let scratch = Scratch::new();
        for mode in [0o400, 0o600, 0o700] {
            let path = scratch.file("key", b"secret", mode);
            assert_eq!(
                **read_secret_in(&path, None).unwrap(),
                *b"secret",
                "{mode:o}"
            );
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn refuses_a_secret_with_any_bit_for_group_or_others() {
        let scratch = Scratch::new();
        let path = scratch.file("key", b"secret", 0o600);
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            set_mode(&path, 0o600 | bit);
            let problem = read_secret_in(&path, None).unwrap_err().problem;
            assert!(
                matches!(problem, Problem::Wide { mode } if mode == 0o600 | bit),
                "{bit:o}"
            );
        }
    }

    #[test]
    fn lets_systemd_keep_the_bits_of_the_group() {
        let scratch = Scratch::new();
        let path = scratch.file("key", b"secret", 0o440);
        let directory = path.parent().unwrap();
        assert!(read_secret_in(&path, Some(directory)).is_ok());
        assert!(read_secret_in(&path, Some(&scratch.path("absent"))).is_err());
        set_mode(&path, 0o444);
        assert!(read_secret_in(&path, Some(directory)).is_err());
    }

    #[test]
    fn a_way_out_of_the_credentials_is_not_below_them() {
        let scratch = Scratch::new();
        let path = scratch.file("key", b"secret", 0o440);
        let directory = scratch.path("credentials");
        fs::create_dir(&directory).unwrap();
        let around = directory.join("../key");
        assert_eq!(Place::of(&around, Some(&directory)), Place::Ordinary);
        assert_eq!(Place::of(&path, path.parent()), Place::Credentials);
    }

    #[test]
    fn the_owner_is_us_or_root_or_anyone_if_we_are_root() {
        let refused = |uid, us| refusal(0o100_600, uid, us, Place::Ordinary).is_some();
        assert!(!refused(1000, 1000));
        assert!(!refused(0, 1000));
        assert!(refused(1001, 1000));
        assert!(!refused(1001, 0));
    }

    #[test]
    fn reads_no_directory_pipe_or_absent_file() {
        let scratch = Scratch::new();
        let directory = scratch.path("");
        let problem = read_secret_in(&directory, None).unwrap_err().problem;
        assert!(matches!(problem, Problem::NotAFile));
        let pipe = scratch.path("pipe");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, Mode::RUSR, 0).unwrap();
        assert!(matches!(
            read_foreign(&pipe).unwrap_err().problem,
            Problem::NotAFile
        ));
        let problem = read_foreign(&scratch.path("absent")).unwrap_err().problem;
        assert!(
            matches!(problem, Problem::System { act: "open", error } if error.kind() == ErrorKind::NotFound)
        );
    }

    #[test]
    fn reads_up_to_the_limit_and_no_further() {
        let scratch = Scratch::new();
        let path = scratch.file("key", &vec![7; FILE_MAX_LEN], 0o600);
        assert_eq!(read_secret_in(&path, None).unwrap().len(), FILE_MAX_LEN);
        let path = scratch.file("longer", &vec![7; FILE_MAX_LEN + 1], 0o600);
        let problem = read_secret_in(&path, None).unwrap_err().problem;
        assert!(matches!(problem, Problem::TooLong));
        let path = scratch.file("empty", b"", 0o600);
        assert!(read_secret_in(&path, None).unwrap().is_empty());
    }

    #[test]
    fn notices_a_file_that_grows_while_it_is_read() {
        let scratch = Scratch::new();
        let path = scratch.file("key", b"abc", 0o600);
        let (file, metadata) = open_file(&path).unwrap();
        fs::write(&path, b"abcd").unwrap();
        let problem = fill(&path, file, &metadata).unwrap_err().problem;
        assert!(matches!(problem, Problem::Changed));
    }

    #[test]
    fn reads_a_wide_foreign_file_with_a_warning() {
        let scratch = Scratch::new();
        let path = scratch.file("priv_validator_key.json", b"{}", 0o644);
        let (bytes, warnings) = read_foreign(&path).unwrap();
        assert_eq!(**bytes, *b"{}");
        assert_eq!(
            warnings,
            [Warning::Wide {
                path: path.clone(),
                mode: 0o644
            }]
        );
        assert!(warnings[0].to_string().contains(": chmod 600 /"));
        set_mode(&path, 0o600);
        assert_eq!(read_foreign(&path).unwrap().1, []);
    }

    #[test]
    fn warns_of_a_directory_where_others_may_replace_the_key() {
        let scratch = Scratch::new();
        let path = scratch.file("key", b"secret", 0o600);
        let directory = path.parent().unwrap();
        let warned = || {
            let warnings = loose_directories(&path);
            warnings.iter().any(
                |warning| matches!(warning, Warning::Directory { path, .. } if path == directory),
            )
        };
        assert!(!warned());
        for (mode, expected) in [
            (0o720, true),
            (0o702, true),
            (0o755, false),
            (0o1777, false),
        ] {
            set_mode(directory, mode);
            assert_eq!(warned(), expected, "{mode:o}");
        }
        set_mode(directory, 0o700);
    }
}
