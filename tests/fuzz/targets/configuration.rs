//! `tmkms.toml`: any text is either a configuration or a list of problems, each with its place.

#![cfg_attr(fuzzing, no_main)]

pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Err(problems) = tmkms::config::parse(text) {
        assert!(!problems.is_empty());
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
