//! A disk that forgets: of everything that was not synced, any part may be there after a power cut.
//!
//! Each sector of 512 bytes, each file's length and each name is remembered in all the values it had
//! since the last sync that covers it, and after a cut has any one of them, whatever the others have.
//! That is more than any file system with a journal can lose, so what holds here holds there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ground::Rng;
use super::trace::Event;

pub const SECTOR: usize = 512;

type Sector = [u8; SECTOR];

#[derive(Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Vec<Option<usize>>>,
}

/// The first value is what the disk has for certain, the last what a process would read.
#[derive(Clone)]
struct File {
    sectors: Vec<Vec<Sector>>,
    lengths: Vec<u64>,
}

impl Disk {
    /// Everything below a directory, as it is, and synced.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut disk = Self::default();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let kind = path.symlink_metadata()?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let number = disk.make();
                    disk.write(number, 0, &fs::read(&path)?);
                    disk.files[number].settle();
                    let _ = disk.names.insert(path, vec![Some(number)]);
                }
            }
        }
        Ok(disk)
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(path) => {
                if self.current(path).is_none() {
                    let number = self.make();
                    self.name(path, Some(number));
                }
            }
            Event::Write {
                path,
                offset,
                bytes,
            } => {
                if let Some(number) = self.current(path) {
                    self.write(number, *offset, bytes);
                }
            }
            Event::Truncate(path, length) => {
                if let Some(number) = self.current(path) {
                    let file = &mut self.files[number];
                    if file.lengths.last() != Some(length) {
                        file.lengths.push(*length);
                    }
                }
            }
            Event::Sync(path) => {
                if let Some(number) = self.current(path) {
                    self.files[number].settle();
                }
                for (name, versions) in &mut self.names {
                    if name.parent() == Some(path) {
                        let _ = versions.drain(..versions.len() - 1);
                    }
                }
            }
            Event::Rename(from, to) => {
                let moved = self.current(from);
                self.name(to, moved);
                self.name(from, None);
            }
            Event::Link(from, to) => {
                let linked = self.current(from);
                self.name(to, linked);
            }
            Event::Unlink(path) => self.name(path, None),
            Event::Say(_) => {}
        }
    }

    /// Whether a cut could leave this name without a file.
    pub fn may_lack(&self, path: &Path) -> bool {
        self.names
            .get(path)
            .is_none_or(|versions| versions.contains(&None))
    }

    /// Every state that a cut could leave a name in, its bytes included; `None` is no file. Where they
    /// are more than `limit`, the two extremes and as many random ones.
    pub fn states(&self, path: &Path, limit: usize, rng: &mut Rng) -> Vec<Option<Vec<u8>>> {
        let Some(versions) = self.names.get(path) else {
            return vec![None];
        };
        let mut seen: Vec<Option<usize>> = Vec::new();
        let mut states = Vec::new();
        for version in versions {
            if seen.contains(version) {
                continue;
            }
            seen.push(*version);
            match version {
                None => states.push(None),
                Some(number) => {
                    states.extend(self.files[*number].states(limit, rng).into_iter().map(Some));
                }
            }
        }
        states
    }

    /// One random state of everything below a directory: each name, each sector for itself.
    pub fn cut(&self, below: &Path, rng: &mut Rng) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for (path, versions) in &self.names {
            if !path.starts_with(below) {
                continue;
            }
            if let Some(number) = rng.pick(versions) {
                let _ = found.insert(path.clone(), self.files[*number].random(rng));
            }
        }
        found
    }

    fn make(&mut self) -> usize {
        self.files.push(File {
            sectors: Vec::new(),
            lengths: vec![0],
        });
        self.files.len() - 1
    }

    fn current(&self, path: &Path) -> Option<usize> {
        *self.names.get(path)?.last()?
    }

    fn name(&mut self, path: &Path, target: Option<usize>) {
        self.names
            .entry(path.to_owned())
            .or_insert_with(|| vec![None])
            .push(target);
    }

    fn write(&mut self, number: usize, offset: u64, bytes: &[u8]) {
        let file = &mut self.files[number];
        let start = offset as usize;
        let end = start + bytes.len();
        while file.sectors.len() * SECTOR < end {
            file.sectors.push(vec![[0; SECTOR]]);
        }
        let mut at = start;
        while at < end {
            let (index, inside) = (at / SECTOR, at % SECTOR);
            let len = (SECTOR - inside).min(end - at);
            let versions = &mut file.sectors[index];
            let mut sector = *versions.last().expect("never empty");
            sector[inside..inside + len].copy_from_slice(&bytes[at - start..at - start + len]);
            versions.push(sector);
            at += len;
        }
        let length = *file.lengths.last().expect("never empty");
        if end as u64 > length {
            file.lengths.push(end as u64);
        }
    }
}

impl File {
    fn settle(&mut self) {
        for versions in &mut self.sectors {
            let _ = versions.drain(..versions.len() - 1);
        }
        let _ = self.lengths.drain(..self.lengths.len() - 1);
    }

    fn states(&self, limit: usize, rng: &mut Rng) -> Vec<Vec<u8>> {
        let choices: Vec<usize> = self
            .sectors
            .iter()
            .map(Vec::len)
            .chain([self.lengths.len()])
            .collect();
        let total = choices
            .iter()
            .try_fold(1_usize, |total, next| total.checked_mul(*next));
        match total {
            Some(total) if total <= limit => (0..total)
                .map(|mut index| {
                    let pick: Vec<usize> = choices
                        .iter()
                        .map(|count| {
                            let one = index % count;
                            index /= count;
                            one
                        })
                        .collect();
                    self.build(&pick)
                })
                .collect(),
            _ => {
                let first = vec![0; choices.len()];
                let last: Vec<usize> = choices.iter().map(|count| count - 1).collect();
                let mut states = vec![self.build(&first), self.build(&last)];
                states.extend((2..limit).map(|_| self.random(rng)));
                states
            }
        }
    }

    fn random(&self, rng: &mut Rng) -> Vec<u8> {
        let pick: Vec<usize> = self
            .sectors
            .iter()
            .map(Vec::len)
            .chain([self.lengths.len()])
            .map(|count| rng.below(count as u64) as usize)
            .collect();
        self.build(&pick)
    }

    fn build(&self, pick: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (versions, index) in self.sectors.iter().zip(pick) {
            bytes.extend_from_slice(&versions[*index]);
        }
        bytes.resize(self.lengths[pick[pick.len() - 1]] as usize, 0);
        bytes
    }
}
