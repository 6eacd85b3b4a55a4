//! Where the disks that a cut leaves are put, to be loaded as the program loads them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use ct_codecs::{Base64, Decoder};
use tmkms::guard::{Position, Watermark};
use tmkms::store::mark::{self, Void};
use tmkms::store::{Found, Initial, OpenError, find};
use tmkms::types::{PublicKey, Step};

use super::super::disk::{Cut, Disk};
use super::super::ground::{chain_id, public_key};
use super::CHAIN;

type Failure = Box<dyn std::error::Error>;

/// What a disk says of its chain when it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loaded {
    Missing,
    /// No state, and a mark with which one begins.
    Begins(Position),
    At(Position),
    Retired(Position),
    Refused,
}

/// Where the files of a run lie.
pub struct Layout {
    pub root: PathBuf,
    pub state: PathBuf,
    pub key: PathBuf,
}

impl Layout {
    pub fn mark(&self) -> PathBuf {
        mark::path(&self.key)
    }
}

/// What is on a disk whatever its inodes are called: the state, and a mark that is whole.
#[derive(Clone, Copy)]
struct Seen {
    state: Loaded,
    mark: Option<Position>,
    /// Whether a sound run leaves it, and not only one with a fault planted in it.
    is_sound: bool,
}

pub struct Bench {
    root: PathBuf,
    there: HashMap<PathBuf, Vec<u8>>,
    seen: HashMap<u128, Seen>,
    torn: HashSet<u128>,
    /// What the state file itself held.
    contents: HashSet<u64>,
    /// States made where there was none but the beginning of one.
    pub made: u64,
    /// Whether what is loaded comes from a trace in which a fault was planted.
    pub is_planted: bool,
}

impl Bench {
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            there: HashMap::new(),
            seen: HashMap::new(),
            torn: HashSet::new(),
            contents: HashSet::new(),
            made: 0,
            is_planted: false,
        }
    }

    /// Loads a disk as `start` would find it.
    pub fn load(&mut self, disk: &Disk, cut: &Cut, layout: &Layout) -> Result<Loaded, Failure> {
        let print = fingerprint(cut, layout);
        let mut seen = match self.seen.get(&print) {
            Some(seen) => *seen,
            None => self.look(cut, layout)?,
        };
        if !self.is_planted {
            seen.is_sound = true;
            let mut content = DefaultHasher::new();
            cut.get(&layout.state).hash(&mut content);
            let _ = self.contents.insert(content.finish());
        }
        let _ = self.seen.insert(print, seen);
        Ok(match (seen.state, seen.mark) {
            (Loaded::Missing, Some(at)) if disk.is_bound(cut, &layout.key, &layout.mark()) => {
                Loaded::Begins(at)
            }
            (state, _) => state,
        })
    }

    /// Loads a disk whose state was torn inside a sector. `None`: it was loaded before.
    pub fn load_torn(&mut self, cut: &Cut, layout: &Layout) -> Result<Option<Loaded>, Failure> {
        let print = fingerprint(cut, layout);
        if !self.torn.insert(print) || self.seen.contains_key(&print) {
            return Ok(None);
        }
        Ok(Some(self.look(cut, layout)?.state))
    }

    /// How many distinct disks there were, by what they said.
    pub fn count(&self, which: impl Fn(Loaded) -> bool) -> usize {
        let seen = self.seen.values();
        seen.filter(|seen| seen.is_sound && which(seen.state))
            .count()
    }

    pub fn contents(&self) -> usize {
        self.contents.len()
    }

    pub fn torn(&self) -> usize {
        self.torn.len()
    }

    fn look(&mut self, cut: &Cut, layout: &Layout) -> Result<Seen, Failure> {
        self.place(cut, layout)?;
        let state = self.root.join(layout.state.strip_prefix(&layout.root)?);
        let key = self.root.join(layout.key.strip_prefix(&layout.root)?);
        let found = load(&state)?;
        if found == Loaded::Missing {
            self.make_over(&state)?;
        }
        let mark = match (cut.get(&layout.key), cut.get(&layout.mark())) {
            (Some(secret), Some(text)) => match tmkms::keys::read(secret) {
                // Its inode is another on this bench, which is looked at last.
                Ok(kept) => match mark::find(&key, &kept.public_key())? {
                    mark::Found::Valid(_) | mark::Found::Void(Void::Copied) => marked(text),
                    mark::Found::Void(_) | mark::Found::None => None,
                },
                Err(_) => None,
            },
            _ => None,
        };
        Ok(Seen {
            state: found,
            mark,
            is_sound: false,
        })
    }

    /// Makes the directory what the cut says, file by file.
    fn place(&mut self, cut: &Cut, layout: &Layout) -> Result<(), Failure> {
        let mut wanted = HashMap::new();
        for (path, bytes) in cut.iter() {
            let _ = wanted.insert(self.root.join(path.strip_prefix(&layout.root)?), bytes);
        }
        let gone: Vec<PathBuf> = self
            .there
            .keys()
            .filter(|path| !wanted.contains_key(*path))
            .cloned()
            .collect();
        for path in gone {
            fs::remove_file(&path)?;
            let _ = self.there.remove(&path);
        }
        for (path, bytes) in wanted {
            if self.there.get(&path).is_some_and(|old| old == bytes) {
                continue;
            }
            if !self.there.contains_key(&path) {
                fs::create_dir_all(path.parent().ok_or("no directory")?)?;
            }
            fs::write(&path, bytes)?;
            let _ = self.there.insert(path, bytes.to_vec());
        }
        Ok(())
    }

    /// What an earlier attempt left beside the state is in nobody's way.
    fn make_over(&mut self, state: &Path) -> Result<(), Failure> {
        let name = state.file_name().ok_or("no name")?.to_string_lossy();
        let begun = state.with_file_name(format!(".{name}.new"));
        if !self.there.contains_key(&begun) {
            return Ok(());
        }
        let Found::Missing(vacant) = find(state, &chain_id(CHAIN), &public_key())? else {
            return Err("a state that was missing".into());
        };
        let store = vacant.create(&Initial {
            watermark: Watermark::ZERO,
            origin: None,
        })?;
        drop(store);
        fs::remove_file(state)?;
        let _ = self.there.remove(&begun);
        self.made += u64::from(!self.is_planted);
        Ok(())
    }
}

/// The program's own loading, opening included.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = fs::read(path).unwrap_or_default();
    // A key that the program made itself is known from its state only.
    let key = public_key_in(&text).unwrap_or_else(public_key);
    Ok(match find(path, &chain_id(CHAIN), &key) {
        Ok(Found::Missing(_)) => Loaded::Missing,
        Ok(Found::Foreign(foreign)) => Loaded::At(foreign.watermark().position()),
        Ok(Found::Ours(ready)) => {
            let found = ready.watermark().position();
            let store = ready.open()?;
            if store.watermark().position() != found {
                return Err("opening changed the watermark".into());
            }
            Loaded::At(found)
        }
        Err(OpenError::Retired(retired)) => Loaded::Retired(retired.watermark().position()),
        Err(OpenError::Damaged(_) | OpenError::Unreadable(_)) => Loaded::Refused,
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    })
}

/// The names and the bytes of a disk, in 128 bits.
fn fingerprint(cut: &Cut, layout: &Layout) -> u128 {
    let mut halves = [DefaultHasher::new(), DefaultHasher::new()];
    1_u8.hash(&mut halves[1]);
    for half in &mut halves {
        for (path, bytes) in cut.iter() {
            path.strip_prefix(&layout.root).unwrap_or(path).hash(half);
            bytes.hash(half);
        }
    }
    let [high, low] = halves.map(|half| u128::from(half.finish()));
    high << 64 | low
}

fn public_key_in(state: &[u8]) -> Option<PublicKey> {
    let text = std::str::from_utf8(state.get(..512)?).ok()?;
    let bytes = Base64::decode_to_vec(member(text, "public_key")?, None).ok()?;
    Some(PublicKey(bytes.try_into().ok()?))
}

/// How far a mark says that its key has signed.
fn marked(text: &[u8]) -> Option<Position> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, round) = text.split_once(r#""round":"#)?;
    let (round, _) = round.split_once(',')?;
    let height = member(text, "height")?.parse().ok()?;
    let step = Step::from_word(member(text, "step")?);
    Position::new(height, round.parse().ok()?, step)
}

/// A member of a line of JSON that needs no escapes.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!(r#""{name}":""#))?;
    Some(rest.split_once('"')?.0)
}
