//! Where a passphrase comes from, asked for once however many keys it opens.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use zeroize::Zeroizing;

use super::command::Arguments;
use super::report::{quoted, with_cause};
use super::terminal;
use crate::files;
use crate::keys::{PASSPHRASE_MAX_LEN, Passphrase, Sealed, SealedError, SigningKey};

/// The name of the credential that systemd hands over.
const CREDENTIAL: &str = "tmkms-passphrase";
/// How often a terminal is asked again.
const ATTEMPTS: u32 = 3;

/// Whoever knows the passphrases, and what they have told.
pub(super) struct Keyholder {
    source: Source,
    /// The last one that was told.
    told: Option<Passphrase>,
    /// What was opened: the same key is not paid for twice.
    opened: Vec<SigningKey>,
}

enum Source {
    Told,
    File(PathBuf),
    Terminal,
}

/// Why no passphrase was told, or none that fits, and what to do.
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) cure: String,
}

impl Keyholder {
    /// From the flags, else `$TMKMS_PASSPHRASE_FILE`, else systemd's credential, else the terminal.
    ///
    /// A descriptor is read at once, before anything else can be opened under its number.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, lexopt::Error> {
        let mut told = None;
        let source = match (
            arguments.parsed::<u32>("passphrase-fd")?,
            arguments.value("passphrase-file"),
        ) {
            (Some(_), Some(_)) => {
                return Err(
                    "--passphrase-fd and --passphrase-file are two ways for one thing".into(),
                );
            }
            (Some(number), None) => {
                let bytes = read_descriptor(number)
                    .map_err(|error| format!("cannot read descriptor {number}: {error}"))?;
                told = Some(Passphrase::new(&bytes).map_err(|error| error.to_string())?);
                Source::Told
            }
            (None, Some(path)) => Source::File(path.into()),
            (None, None) => Source::of_environment(),
        };
        Ok(Self {
            source,
            told,
            opened: Vec::new(),
        })
    }

    /// Opens a sealed key. At a terminal, a wrong passphrase is asked for again.
    pub(super) fn open(&mut self, path: &Path, sealed: &Sealed) -> Result<SigningKey, Refused> {
        let public_key = sealed.public_key();
        let known = self
            .opened
            .iter()
            .find(|key| key.public_key() == public_key);
        if let Some(key) = known {
            return Ok(key.twin());
        }
        let prompt = format!("passphrase of {}: ", path.display());
        let mut attempt = 0_u32;
        let key = loop {
            let passphrase = if let Some(told) = self.told.take() {
                told
            } else {
                attempt = attempt.saturating_add(1);
                self.tell(&prompt)?
            };
            match sealed.open(&passphrase) {
                Ok(key) => {
                    self.told = Some(passphrase);
                    break key;
                }
                Err(SealedError::Passphrase)
                    if matches!(self.source, Source::Terminal) && attempt < ATTEMPTS => {}
                Err(error) => {
                    if !matches!(self.source, Source::Terminal) {
                        // Other keys may be of this passphrase.
                        self.told = Some(passphrase);
                    }
                    return Err(self.refused(path, error));
                }
            }
        };
        self.opened.push(key.twin());
        Ok(key)
    }

    /// The passphrase that a key is going to have; at a terminal it is typed twice.
    pub(super) fn fresh(&mut self, path: &Path) -> Result<&Passphrase, Refused> {
        let passphrase = match self.told.take() {
            Some(told) => told,
            None => self.tell(&format!("new passphrase for {}: ", path.display()))?,
        };
        if matches!(self.source, Source::Terminal)
            && !self.tell("the same again: ")?.is(&passphrase)
        {
            return Err(Refused {
                message: "the two passphrases differ".to_owned(),
                cure: "nothing was written: run the command again".to_owned(),
            });
        }
        Ok(self.told.insert(passphrase))
    }

    fn tell(&self, prompt: &str) -> Result<Passphrase, Refused> {
        let (bytes, from) = match &self.source {
            Source::Told => {
                return Err(Refused::new("the passphrase was read already".to_owned()));
            }
            Source::File(path) => {
                let bytes = files::read_secret(path).map_err(|error| Refused {
                    message: with_cause(&error),
                    cure: "that file is to hold the passphrase, for its owner alone".to_owned(),
                })?;
                (bytes, quoted(path))
            }
            Source::Terminal => {
                let line = terminal::ask(prompt).map_err(|error| Refused::at_terminal(&error))?;
                (line, "the terminal".to_owned())
            }
        };
        Passphrase::new(&bytes).map_err(|error| Refused::new(format!("{error}, from {from}")))
    }

    fn refused(&self, path: &Path, error: SealedError) -> Refused {
        let message = format!("{} {error}", path.display());
        let cure = match (error, &self.source) {
            (SealedError::Passphrase, Source::File(file)) => format!(
                "is {} the passphrase of this key? One file serves all keys of a configuration",
                quoted(file)
            ),
            (SealedError::Passphrase, Source::Told | Source::Terminal) => {
                "all keys of a configuration that is started without a terminal take one passphrase"
                    .to_owned()
            }
            (SealedError::Memory { .. }, _) => {
                "give the process more memory, or encrypt again with less --work".to_owned()
            }
            (SealedError::Damaged | SealedError::Version | SealedError::Work, _) => {
                "take the file from a backup".to_owned()
            }
        };
        Refused { message, cure }
    }
}

impl Source {
    fn of_environment() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let credential = |directory: OsString| {
            let path = Path::new(&directory).join(CREDENTIAL);
            path.symlink_metadata().is_ok().then_some(path)
        };
        set("TMKMS_PASSPHRASE_FILE")
            .map(PathBuf::from)
            .or_else(|| set("CREDENTIALS_DIRECTORY").and_then(credential))
            .map_or(Self::Terminal, Self::File)
    }
}

impl Refused {
    pub(super) fn because(message: String, cure: &str) -> Self {
        let cure = cure.to_owned();
        Self { message, cure }
    }

    fn new(message: String) -> Self {
        Self::because(message, WAYS)
    }

    fn at_terminal(error: &io::Error) -> Self {
        let kind = error.kind();
        let message = if matches!(kind, ErrorKind::Interrupted | ErrorKind::UnexpectedEof) {
            "no passphrase was typed".to_owned()
        } else if kind == ErrorKind::InvalidInput {
            format!("the passphrase has more than {PASSPHRASE_MAX_LEN} bytes")
        } else {
            format!("a passphrase is needed, and there is no terminal to ask at: {error}")
        };
        Self::new(message)
    }
}

/// Reads a line, or all there is, from a descriptor that we were started with.
fn read_descriptor(number: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    let wanted = i32::try_from(number).map_err(|_| io::Error::from(Errno::BADF))?;
    // A second handle to what is open there. Old kernels and some sandboxes have only the file's name.
    let file = match pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|us| pidfd_getfd(us, wanted, PidfdGetfdFlags::empty()))
    {
        Ok(handle) => File::from(handle),
        Err(Errno::NOSYS | Errno::PERM | Errno::MFILE) => {
            File::open(format!("/proc/self/fd/{number}"))?
        }
        Err(error) => return Err(error.into()),
    };
    let limit = PASSPHRASE_MAX_LEN.saturating_add(2);
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    let mut byte = Zeroizing::new([0]);
    while bytes.len() < limit {
        match (&file).read(byte.as_mut_slice()) {
            Ok(0) => break,
            Ok(_) => bytes.extend_from_slice(byte.as_slice()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.ends_with(b"\n") {
            break;
        }
    }
    Ok(bytes)
}

const WAYS: &str = "give it with --passphrase-fd N, --passphrase-file FILE, $TMKMS_PASSPHRASE_FILE, or as the \
                    systemd credential tmkms-passphrase, else at a terminal";
