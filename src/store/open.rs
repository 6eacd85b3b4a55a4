//! Finding a state and opening it: first a look that changes nothing, then, once everything else has
//! been found in order as well, the step that does.

use core::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::Store;
use super::foreign;
use super::held::{Held, read_whole};
use super::origin::{self, OriginError};
use super::record::{self, Contents, Damage, Header, Record, Status, offset};
use super::retired::Retired;
use crate::files;
use crate::guard::Watermark;
use crate::types::{ChainId, PublicKey};

/// What lies at a state file's path, held and locked where there is something.
#[derive(Debug)]
pub enum Found {
    /// A sound state of this chain and key.
    Ours(Ready),
    /// A state of tmkms, `FilePV` or horcrux.
    Foreign(Convertible),
    /// Nothing.
    Missing(Vacant),
}

/// A sound state, locked and not yet touched.
#[derive(Debug)]
pub struct Ready {
    pub(super) held: Held,
    pub(super) contents: Contents,
}

/// A foreign state, locked and not yet touched.
#[derive(Debug)]
pub struct Convertible {
    held: Held,
    format: foreign::Format,
    header: Header,
    watermark: Watermark,
}

/// A path at which a state may be made.
#[derive(Debug)]
pub struct Vacant {
    path: PathBuf,
    chain_id: ChainId,
    public_key: PublicKey,
}

/// What a state begins with.
#[derive(Debug, Clone)]
pub struct Initial {
    /// How far the chain is signed.
    pub watermark: Watermark,
    /// The node's own state file, to be read until the first commit.
    pub origin: Option<PathBuf>,
}

/// A state that was made from a foreign one.
#[derive(Debug)]
pub struct Adopted {
    /// The open state.
    pub store: Store,
    /// Where the original is kept.
    pub kept: PathBuf,
}

/// What a state file says, read without a lock: for showing.
#[derive(Debug)]
pub struct Snapshot {
    /// The chain it names; `None` in foreign files.
    pub chain_id: Option<ChainId>,
    /// The key it names; `None` in foreign files.
    pub public_key: Option<PublicKey>,
    /// Where this copy is in its life; `None` in foreign files.
    pub status: Option<Status>,
    /// The foreign format, if it is one.
    pub format: Option<foreign::Format>,
    /// How far the chain is signed.
    pub watermark: Watermark,
}

/// Why a state cannot be used. Each names what was found; the caller knows the command that mends it.
#[derive(Debug)]
pub enum OpenError {
    /// Another process holds the file.
    Locked,
    /// A file of ours that is not whole.
    Damaged(Damage),
    /// Neither ours nor a readable state of another program, or one of another chain or key.
    Unreadable(OriginError),
    /// Made for another chain.
    OtherChain(ChainId),
    /// Made for another key.
    OtherKey(PublicKey),
    /// This copy was retired when its state went elsewhere; held and locked, for who brings it back.
    Retired(Box<Retired>),
    /// A file could not be made.
    File(files::Error),
    /// The system said no.
    Io(io::Error),
}

/// Looks at a state file and locks it; writes nothing.
///
/// # Errors
///
/// See [`OpenError`].
pub fn find(path: &Path, chain_id: &ChainId, public_key: &PublicKey) -> Result<Found, OpenError> {
    let Some(held) = Held::lock(path)? else {
        return Ok(Found::Missing(Vacant {
            path: path.to_owned(),
            chain_id: *chain_id,
            public_key: *public_key,
        }));
    };
    let bytes = held.read().map_err(OpenError::Io)?;
    if !is_ours(&bytes) {
        let foreign = foreign::read(&bytes).map_err(|error| OpenError::Unreadable(error.into()))?;
        let watermark = foreign
            .watermark(chain_id, public_key)
            .map_err(OpenError::Unreadable)?;
        return Ok(Found::Foreign(Convertible {
            held,
            format: foreign.format,
            header: Header {
                chain_id: *chain_id,
                public_key: *public_key,
                origin: None,
            },
            watermark,
        }));
    }
    let contents = Contents::parse(&bytes).map_err(OpenError::Damaged)?;
    if contents.header.chain_id != *chain_id {
        return Err(OpenError::OtherChain(contents.header.chain_id));
    }
    if contents.header.public_key != *public_key {
        return Err(OpenError::OtherKey(contents.header.public_key));
    }
    if let Some(sign_bytes) = contents.newest.watermark.sign_bytes()
        && sign_bytes.chain_id() != chain_id.as_bytes()
    {
        return Err(OpenError::Damaged(Damage::Records));
    }
    if contents.newest.status == Status::Retired {
        let retired = Retired::new(Ready { held, contents });
        return Err(OpenError::Retired(Box::new(retired)));
    }
    Ok(Found::Ours(Ready { held, contents }))
}

/// Reads a state file of any kind without locking it, for showing. `None`: there is no file.
///
/// # Errors
///
/// See [`OpenError`].
pub fn peek(path: &Path) -> Result<Option<Snapshot>, OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::Io(error)),
    };
    let bytes = read_whole(&file).map_err(OpenError::Io)?;
    if !is_ours(&bytes) {
        let foreign = foreign::read(&bytes).map_err(|error| OpenError::Unreadable(error.into()))?;
        return Ok(Some(Snapshot {
            chain_id: None,
            public_key: None,
            status: None,
            format: Some(foreign.format),
            watermark: foreign.unchecked_watermark(),
        }));
    }
    let contents = Contents::parse(&bytes).map_err(OpenError::Damaged)?;
    Ok(Some(Snapshot {
        chain_id: Some(contents.header.chain_id),
        public_key: Some(contents.header.public_key),
        status: Some(contents.newest.status),
        format: None,
        watermark: contents.newest.watermark,
    }))
}

/// How far one chain and key are signed, as a state file of any kind says. `None`: there is no file.
///
/// # Errors
///
/// See [`OpenError`].
pub fn watermark_of(
    path: &Path,
    chain_id: &ChainId,
    public_key: &PublicKey,
) -> Result<Option<Watermark>, OpenError> {
    match peek(path)? {
        None => Ok(None),
        Some(Snapshot {
            format: Some(_), ..
        }) => origin::read(path, chain_id, public_key).map_err(OpenError::Unreadable),
        Some(state) => match (state.chain_id, state.public_key) {
            (Some(chain), _) if chain != *chain_id => Err(OpenError::OtherChain(chain)),
            (_, Some(key)) if key != *public_key => Err(OpenError::OtherKey(key)),
            _ => Ok(Some(state.watermark)),
        },
    }
}

/// A file that begins like ours, or is exactly as long, was ours: damaged, it must not be taken for
/// something else.
fn is_ours(bytes: &[u8]) -> bool {
    bytes.starts_with(record::MAGIC) || bytes.len() == record::FILE_LEN
}

impl Ready {
    /// How far the chain is signed.
    #[must_use]
    pub fn watermark(&self) -> &Watermark {
        &self.contents.newest.watermark
    }

    /// Opens the state. The newest record is written again in place and synced first: what was read may
    /// have been only in the page cache of a process that was killed between write and sync.
    ///
    /// # Errors
    ///
    /// I/O.
    pub fn open(self) -> Result<Store, OpenError> {
        let store = self.held.into_store(self.contents);
        let sector = store.newest.render(&store.digest);
        store
            .file
            .write_all_at(&sector, offset(store.newest.sequence))
            .and_then(|()| store.file.sync_data())
            .map_err(OpenError::Io)?;
        Ok(store)
    }
}

impl Convertible {
    /// Whose file it is.
    #[must_use]
    pub fn format(&self) -> foreign::Format {
        self.format
    }

    /// How far the chain is signed.
    #[must_use]
    pub fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    pub(super) fn at(self, watermark: &Watermark) -> Self {
        Self {
            watermark: *watermark,
            ..self
        }
    }

    /// Puts a state of ours in the foreign file's place and keeps the original beside it.
    ///
    /// # Errors
    ///
    /// I/O; the path then still names the original.
    pub fn adopt(self) -> Result<Adopted, OpenError> {
        let kept = keep(&self.held.path, self.format.word())?;
        // The lock on the original is held until the new file is locked.
        let store = make(
            &self.held.path,
            &self.header,
            &self.watermark,
            files::replace_atomic,
        )?;
        Ok(Adopted { store, kept })
    }
}

impl Vacant {
    /// Where the state would lie.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the state, whole and durable, and opens it.
    ///
    /// # Errors
    ///
    /// [`OpenError::File`], also if another process was faster; [`OpenError::Locked`].
    pub fn create(self, initial: &Initial) -> Result<Store, OpenError> {
        let origin = match &initial.origin {
            None => None,
            Some(path) => Some(
                path.to_str()
                    .ok_or_else(|| OpenError::Io(io::ErrorKind::InvalidFilename.into()))?
                    .to_owned(),
            ),
        };
        let header = Header {
            chain_id: self.chain_id,
            public_key: self.public_key,
            origin,
        };
        make(&self.path, &header, &initial.watermark, files::create)
    }
}

/// Puts a whole and synced state file in its place with `publish`, locks it, and opens it.
pub(super) fn make(
    path: &Path,
    header: &Header,
    watermark: &Watermark,
    publish: impl FnOnce(&Path, &[u8], u32) -> Result<(), files::Error>,
) -> Result<Store, OpenError> {
    let newest = Record {
        sequence: 1,
        status: Status::New,
        watermark: *watermark,
    };
    let bytes = Contents::render(header, &newest)
        .ok_or_else(|| OpenError::Io(io::ErrorKind::InvalidFilename.into()))?;
    publish(path, &bytes, 0o600).map_err(OpenError::File)?;
    match find(path, &header.chain_id, &header.public_key)? {
        Found::Ours(ready) => ready.open(),
        Found::Foreign(_) | Found::Missing(_) => Err(OpenError::Locked),
    }
}

/// Keeps what lies at `path` under `PATH.old-WORD`, or the next free `PATH.old-WORD.N`.
pub(super) fn keep(path: &Path, word: &str) -> Result<PathBuf, OpenError> {
    files::aside(path, word, |to| files::keep_as(path, to)).map_err(OpenError::File)
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("another process is using it"),
            Self::Damaged(damage) => write!(f, "it is damaged: {damage}"),
            Self::Unreadable(error) => error.fmt(f),
            Self::OtherChain(chain) => write!(f, "it is the state of another chain, {chain}"),
            Self::OtherKey(key) => write!(f, "it is the state of another key, {key}"),
            Self::Retired(_) => {
                f.write_str("it is retired: this state went elsewhere, and this copy may not sign")
            }
            Self::File(error) => {
                error.fmt(f)?;
                match std::error::Error::source(error) {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
