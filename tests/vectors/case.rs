//! One vector file.

use std::fmt::Debug;
use std::path::Path;
use std::str::FromStr;

pub(crate) struct Case {
    pub(crate) name: String,
    header: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
}

/// The cases of a folder by name. There are as many as said, so that none is lost unnoticed.
pub(crate) fn all(folder: &str, count: usize) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(folder);
    let mut cases: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| Case::read(&entry.unwrap().path()))
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(cases.len(), count, "files in tests/vectors/{folder}");
    cases
}

impl Case {
    fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let (header, body) = text.split_once("\n\n").expect(&name);
        let header = header
            .lines()
            .map(|line| line.split_once(':').expect(&name))
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect();
        let bytes = hex(&body.replace('\n', "")).expect(&name);
        Self {
            name,
            header,
            bytes,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.header.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key)
            .unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    pub(crate) fn number<T: FromStr<Err: Debug>>(&self, key: &str) -> T {
        self.text(key).parse().expect(&self.name)
    }

    pub(crate) fn hex(&self, key: &str) -> Vec<u8> {
        hex(self.text(key)).expect(&self.name)
    }

    pub(crate) fn expect(&self) -> &str {
        assert_eq!(self.header[0].0, "expect", "{}", self.name);
        &self.header[0].1
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok())
        .collect()
}
