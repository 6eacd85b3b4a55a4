//! Holds the sources to the ranks of `src/lib.rs`: imports point down, and only the outer modules touch
//! the world.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const RANKS: &[(&str, u8)] = &[
    ("types", 0),
    ("canon", 1),
    ("keys", 1),
    ("files", 1),
    ("log", 1),
    ("wire", 2),
    ("config", 2),
    ("guard", 2),
    ("secret", 3),
    ("backend", 3),
    ("store", 3),
    ("link", 4),
    ("signer", 4),
    ("session", 5),
    ("cli", 6),
];

/// Neither socket, file, clock, thread, randomness nor environment, and no log line either.
const PURE: &[&str] = &[
    "types", "keys", "canon", "wire", "config", "guard", "secret",
];
/// These may have them. `signer` has its mutex and nothing else of the world.
const WORLDLY: &[&str] = &["files", "log", "link", "store", "backend", "session", "cli"];
const WORLD: &[&str] = &[
    "std::net",
    "std::fs",
    "std::time",
    "std::thread",
    "std::env",
    "std::process",
    "std::os::unix::net",
    "std::os::fd",
    "rustix::",
    "signal_hook::",
    "std::io::stdout",
    "std::io::stderr",
];

fn rank(module: &str) -> u8 {
    RANKS
        .iter()
        .find(|(name, _)| *name == module)
        .unwrap_or_else(|| panic!("{module} has no rank: give it one here and in src/lib.rs"))
        .1
}

/// Every source file below `src`, its module, and its text without comments and tests.
fn sources() -> Vec<(PathBuf, String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .filter(|path| !is_test(path))
        .filter_map(|path| {
            let inside = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let module = inside
                .split('/')
                .next()
                .unwrap()
                .trim_end_matches(".rs")
                .to_owned();
            let text = production(&fs::read_to_string(&path).unwrap());
            (module != "lib" && module != "main").then_some((path, module, text))
        })
        .collect()
}

/// Files that their parent declares under `#[cfg(test)]`.
fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let parent = path.parent().unwrap();
    let declaration = format!("mod {stem};");
    [parent.join("mod.rs"), parent.with_extension("rs")]
        .iter()
        .filter_map(|declaring| fs::read_to_string(declaring).ok())
        .any(|text| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            lines
                .windows(2)
                .any(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(&declaration))
        })
}

fn production(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"))
        .unwrap_or(lines.len());
    let mut kept = String::new();
    for line in lines[..end]
        .iter()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The modules that a text names after `crate::`, in braces as well.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0_i32;
            for item in list.split_inclusive([',', '{', '}']) {
                let word: String = item
                    .trim_start()
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if depth == 0 && !word.is_empty() {
                    found.insert(word);
                }
                depth += i32::from(item.ends_with('{')) - i32::from(item.ends_with('}'));
                if depth < 0 {
                    break;
                }
            }
        } else {
            found.insert(
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            );
        }
    }
    found
}

#[test]
fn imports_are_read_in_every_form() {
    let text = "use crate::wire::{self, Request};\nuse crate::{backend, guard, store::{Store, x}, types};\ncrate::log::init(true);";
    let expected = ["backend", "guard", "log", "store", "types", "wire"];
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_import_points_to_a_lower_rank() {
    let sources = sources();
    assert!(sources.len() > 40, "only {} files were read", sources.len());
    for (path, module, text) in sources {
        for import in imports(&text) {
            let down = rank(&import) < rank(&module);
            // A backend signs what the store has committed.
            let allowed = (module.as_str(), import.as_str()) == ("backend", "store");
            assert!(
                down || allowed || import == module,
                "{}: {module} must not import {import}",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_outer_modules_touch_the_world() {
    for (path, module, text) in sources() {
        if WORLDLY.contains(&module.as_str()) {
            continue;
        }
        for name in WORLD {
            assert!(
                !text.contains(name),
                "{}: {module} must not use {name}",
                path.display()
            );
        }
    }
}

#[test]
fn pure_modules_log_nothing() {
    for (path, module, text) in sources() {
        if PURE.contains(&module.as_str()) {
            for level in ["error!", "warn!", "info!", "debug!", "trace!"] {
                assert!(
                    !text.contains(&format!("log::{level}")),
                    "{}: {module} must not log",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn files_are_short_enough_to_be_read_in_one_sitting() {
    for (path, _, text) in sources() {
        let lines = text.lines().count();
        assert!(
            lines <= 400,
            "{}: {lines} lines before its tests",
            path.display()
        );
    }
}
