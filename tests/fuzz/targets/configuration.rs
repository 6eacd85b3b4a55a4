//! `tmkms.toml`: any text is either a configuration or a list of problems, each with its place.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = tmkms::config::parse(text) {
        assert!(!problems.is_empty());
    }
});
