//! Files: owner and mode, atomic creation, moving aside.
//!
//! A secret is read from a handle whose owner and mode were looked at after opening, so that what
//! was checked is what is read. A file is written beside its name, synced, and only then given the
//! name; the directory is synced last. So a name holds the old content or the new, never a part.
//!
//! Callers that may run twice at once hold a lock of their own; without one, the loser is told.

mod identity;
mod place;
mod read;
#[cfg(test)]
pub(crate) mod scratch;
mod wipe;
mod write;

use core::fmt;
use std::{
    io,
    path::{Path, PathBuf},
};

pub use identity::Identity;
pub use place::{Medium, others_files};
pub use read::{FILE_MAX_LEN, Warning, loose_directories, read_foreign, read_secret};
pub use wipe::{Old, replace_and_wipe};
pub(crate) use write::sync_directory;
pub use write::{
    aside, create, create_dir_private, directory, keep_as, may_change_directory, move_aside,
    replace_atomic,
};

/// What is wrong with which file.
#[derive(Debug)]
pub struct Error {
    /// The file, as the caller named it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a file.
#[derive(Debug)]
pub enum Problem {
    /// The system refused a call; `act` is the verb for it.
    System {
        /// What was tried: `open`, `sync`, …
        act: &'static str,
        /// The system's answer.
        error: io::Error,
    },
    /// A directory, a pipe, a device, or no name at all.
    NotAFile,
    /// More bytes than are read.
    TooLong,
    /// Permission bits for others than the owner, on a secret.
    Wide {
        /// The permission bits.
        mode: u32,
    },
    /// Neither ours nor root's.
    Owner {
        /// The user id that owns the file.
        uid: u32,
        /// The user id we run as.
        us: u32,
    },
    /// A second name for the same file, where it must have one alone.
    Linked,
    /// There already, where nothing may be.
    Exists,
    /// Another process wrote it at the same moment.
    Changed,
}

impl Error {
    fn new(path: &Path, problem: Problem) -> Self {
        Self {
            path: path.to_owned(),
            problem,
        }
    }

    /// For `map_err`: the call named by `act` failed on `path`.
    fn system<E: Into<io::Error>>(path: &Path, act: &'static str) -> impl FnOnce(E) -> Self {
        move |error| {
            let error = error.into();
            Self::new(path, Problem::System { act, error })
        }
    }
}

impl fmt::Display for Error {
    /// One line that names the file and, where there is one, the command that cures it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = quoted(&self.path);
        match &self.problem {
            Problem::System { act, .. } => write!(f, "cannot {act} {path}"),
            Problem::NotAFile => write!(f, "{path} is not a regular file"),
            Problem::TooLong => write!(f, "{path} has more than {FILE_MAX_LEN} bytes"),
            Problem::Wide { mode } => write!(
                f,
                "{path} is a secret that others than its owner may use (mode {mode:04o}): chmod 600 {path}"
            ),
            Problem::Owner { uid, us } => write!(
                f,
                "{path} is a secret that belongs to user {uid}, not to us: chown {us} {path}"
            ),
            Problem::Linked => write!(f, "{path} has another name, a hard link, as well"),
            Problem::Exists => write!(f, "{path} exists already and is not overwritten"),
            Problem::Changed => write!(f, "{path} is being written by another process"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.problem {
            Problem::System { error, .. } => Some(error),
            Problem::NotAFile
            | Problem::TooLong
            | Problem::Wide { .. }
            | Problem::Owner { .. }
            | Problem::Linked
            | Problem::Exists
            | Problem::Changed => None,
        }
    }
}

/// A path as it can be pasted into a shell.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_command_cures_it() {
        let wide = Error::new(Path::new("/k/a.key"), Problem::Wide { mode: 0o644 });
        assert!(
            wide.to_string()
                .ends_with("(mode 0644): chmod 600 /k/a.key"),
            "{wide}"
        );
        let owner = Error::new(Path::new("/k/a.key"), Problem::Owner { uid: 7, us: 1000 });
        assert!(
            owner.to_string().ends_with(": chown 1000 /k/a.key"),
            "{owner}"
        );
    }

    #[test]
    fn quotes_a_path_that_a_shell_would_split() {
        assert_eq!(quoted(Path::new("/my keys/it's")), r"'/my keys/it'\''s'");
        assert_eq!(quoted(Path::new("")), "''");
    }
}
