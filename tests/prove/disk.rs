//! A disk that forgets: of everything that was not synced, any part may be there after a power cut.
//!
//! Each sector of 512 bytes, each file's length and each name is remembered in all the values it had
//! since the last sync that covers it, and after a cut has any one of them, whatever the others have.
//! That is more than any file system with a journal can lose, so what holds here holds there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ground::{Outcome, Rng};
use super::trace::{Event, Handle};

pub const SECTOR: usize = 512;

type Sector = [u8; SECTOR];

#[derive(Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Vec<Option<usize>>>,
    open: HashMap<Handle, usize>,
    /// Which of the files are directories: with their names goes what lies in them.
    folders: HashSet<usize>,
    /// For each file that is a key's mark, the key's file when it was written.
    marks: HashMap<usize, usize>,
}

/// The first value is what the disk has for certain, the last what a process would read.
#[derive(Clone)]
struct File {
    sectors: Vec<Vec<Sector>>,
    lengths: Vec<u64>,
}

/// One state of a disk after a cut.
#[derive(Debug, Default)]
pub struct Cut {
    names: BTreeMap<PathBuf, (usize, Vec<u8>)>,
}

impl Cut {
    /// What a name leads to.
    pub fn get(&self, path: &Path) -> Option<&[u8]> {
        self.names.get(path).map(|(_, bytes)| bytes.as_slice())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let names = self.names.iter();
        names.map(|(path, (_, bytes))| (path.as_path(), bytes.as_slice()))
    }

    /// Every name and its bytes.
    pub fn into_files(self) -> BTreeMap<PathBuf, Vec<u8>> {
        let names = self.names.into_iter();
        names.map(|(path, (_, bytes))| (path, bytes)).collect()
    }

    /// Puts other bytes in a file's place.
    pub fn put(&mut self, path: &Path, bytes: Vec<u8>) {
        if let Some((_, old)) = self.names.get_mut(path) {
            *old = bytes;
        }
    }
}

impl Disk {
    /// Everything below a directory, as it is, and synced.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut disk = Self::default();
        let mut folders = vec![root.to_owned()];
        let mut inodes = HashMap::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                use std::os::unix::fs::MetadataExt;
                let path = entry?.path();
                let kind = path.symlink_metadata()?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let number = *inodes.entry(kind.ino()).or_insert_with(|| disk.make());
                    disk.write(number, 0, &fs::read(&path)?);
                    disk.files[number].settle();
                    let _ = disk.names.insert(path, vec![Some(number)]);
                }
            }
        }
        let names: Vec<PathBuf> = disk.names.keys().cloned().collect();
        for name in names {
            disk.note_mark(&name);
        }
        Ok(disk)
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Open {
                path,
                handle,
                create,
            } => {
                if *create && self.current(path).is_none() {
                    let number = self.make();
                    self.name(path, Some(number));
                }
                if let Some(number) = self.current(path) {
                    let _ = self.open.insert(*handle, number);
                }
            }
            Event::Write {
                path,
                handle,
                offset,
                bytes,
            } => {
                if let Some(number) = self.open.get(handle) {
                    self.write(*number, *offset, bytes);
                    self.note_mark(path);
                }
            }
            Event::Truncate(handle, length) => {
                if let Some(number) = self.open.get(handle) {
                    let file = &mut self.files[*number];
                    if file.lengths.last() != Some(length) {
                        file.lengths.push(*length);
                    }
                }
            }
            Event::Sync(path, handle) => {
                if let Some(number) = self.open.get(handle) {
                    self.files[*number].settle();
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
            Event::Mkdir(path) => {
                let number = self.make();
                let _ = self.folders.insert(number);
                self.name(path, Some(number));
            }
            Event::Unlink(path) => self.name(path, None),
            Event::Say(_) => {}
        }
    }

    /// Whether a mark in this state was made for the key file that is there with it.
    pub fn is_bound(&self, cut: &Cut, key: &Path, mark: &Path) -> bool {
        match (cut.names.get(key), cut.names.get(mark)) {
            (Some((key, _)), Some((mark, _))) => self.marks.get(mark) == Some(key),
            _ => false,
        }
    }

    /// Every state that a cut could leave of what lies below a directory: each name, each sector, each
    /// length for itself. Where they are more than `limit`, the extremes of each set of names and as many
    /// random ones.
    pub fn cuts(
        &self,
        below: &Path,
        limit: usize,
        rng: &mut Rng,
        each: &mut dyn FnMut(Cut) -> Outcome,
    ) -> Outcome {
        let names: Vec<(&PathBuf, Vec<Option<usize>>)> = self
            .names
            .iter()
            .filter(|(path, _)| path.starts_with(below))
            .map(|(path, versions)| {
                let mut distinct = Vec::new();
                for version in versions {
                    if !distinct.contains(version) {
                        distinct.push(*version);
                    }
                }
                (path, distinct)
            })
            .collect();
        let counts: Vec<usize> = names.iter().map(|(_, versions)| versions.len()).collect();
        let mut sets = Vec::new();
        let mut total = Some(0_usize);
        for pick in product(&counts) {
            let picked = names.iter().zip(&pick);
            let set = self.without_folders(
                picked.map(|((path, versions), at)| (path.as_path(), versions, *at)),
            );
            let mut numbers: Vec<usize> = set.iter().map(|(_, number)| *number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let choices: Vec<usize> = numbers
                .iter()
                .flat_map(|number| self.files[*number].choices())
                .collect();
            let states = choices
                .iter()
                .try_fold(1_usize, |all, next| all.checked_mul(*next));
            total = total.zip(states).and_then(|(a, b)| a.checked_add(b));
            sets.push((set, numbers, choices));
        }
        let all = total.is_some_and(|total| total <= limit);
        for (set, numbers, choices) in &sets {
            if all {
                for pick in product(choices) {
                    each(self.build(set, numbers, &pick))?;
                }
            } else {
                each(self.build(set, numbers, &vec![0; choices.len()]))?;
                let last: Vec<usize> = choices.iter().map(|count| count - 1).collect();
                each(self.build(set, numbers, &last))?;
            }
        }
        if !all {
            // Where there is something to pick in the files, not only in the names.
            let open: Vec<_> = sets
                .iter()
                .filter(|(_, _, choices)| choices.iter().any(|count| *count > 1))
                .collect();
            for _ in 0..limit {
                let Some((set, numbers, choices)) = rng.choose(&open) else {
                    break;
                };
                let pick: Vec<usize> = choices.iter().map(|count| rng_below(rng, *count)).collect();
                each(self.build(set, numbers, &pick))?;
            }
        }
        Ok(())
    }

    /// One random state of everything below a directory.
    pub fn cut(&self, below: &Path, rng: &mut Rng) -> Cut {
        self.one(below, &mut |count| rng_below(rng, count))
    }

    /// Everything below a directory as a process would read it.
    pub fn newest(&self, below: &Path) -> Cut {
        self.one(below, &mut |count| count - 1)
    }

    fn one(&self, below: &Path, pick: &mut dyn FnMut(usize) -> usize) -> Cut {
        let names = self.names.iter();
        let set = self.without_folders(
            names
                .filter(|(path, _)| path.starts_with(below))
                .map(|(path, versions)| (path.as_path(), versions, pick(versions.len()))),
        );
        let mut numbers: Vec<usize> = set.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let picks: Vec<usize> = numbers
            .iter()
            .flat_map(|number| self.files[*number].choices())
            .map(pick)
            .collect();
        self.build(&set, &numbers, &picks)
    }

    /// The files of a set of names: neither directories nor what lies in one that is not there.
    fn without_folders<'a>(
        &self,
        picked: impl Iterator<Item = (&'a Path, &'a Vec<Option<usize>>, usize)>,
    ) -> Vec<(&'a Path, usize)> {
        let (mut set, mut gone) = (Vec::new(), Vec::new());
        for (path, versions, at) in picked {
            let is_folder = versions
                .iter()
                .flatten()
                .any(|number| self.folders.contains(number));
            match versions[at] {
                None if is_folder => gone.push(path),
                Some(number) if !is_folder => set.push((path, number)),
                None | Some(_) => {}
            }
        }
        set.retain(|(path, _)| !gone.iter().any(|folder| path.starts_with(folder)));
        set
    }

    fn build(&self, set: &[(&Path, usize)], numbers: &[usize], pick: &[usize]) -> Cut {
        let mut contents = HashMap::new();
        let mut at = 0;
        for number in numbers {
            let file = &self.files[*number];
            let count = file.choices().count();
            let _ = contents.insert(*number, file.build(&pick[at..at + count]));
            at += count;
        }
        let mut cut = Cut::default();
        for (path, number) in set {
            let bytes = contents[number].clone();
            let _ = cut.names.insert((*path).to_owned(), (*number, bytes));
        }
        cut
    }

    fn note_mark(&mut self, path: &Path) {
        let text = path.to_string_lossy();
        if let Some(key) = text.strip_suffix(".begin-once")
            && let (Some(mark), Some(key)) = (self.current(path), self.current(Path::new(key)))
        {
            let _ = self.marks.insert(mark, key);
        }
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
            if versions.last() != Some(&sector) {
                versions.push(sector);
            }
            at += len;
            let length = *file.lengths.last().expect("never empty");
            if at as u64 > length {
                file.lengths.push(at as u64);
            }
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

    fn choices(&self) -> impl Iterator<Item = usize> {
        self.sectors
            .iter()
            .map(Vec::len)
            .chain([self.lengths.len()])
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

fn rng_below(rng: &mut Rng, count: usize) -> usize {
    if count == 1 {
        return 0;
    }
    rng.below(count as u64) as usize
}

/// Every way to pick one of each.
fn product(counts: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let total: usize = counts.iter().product();
    (0..total).map(move |mut index| {
        counts
            .iter()
            .map(|count| {
                let one = index % count;
                index /= count;
                one
            })
            .collect()
    })
}
