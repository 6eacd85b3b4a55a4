//! Sign-bytes, as they come from state files and from raw-bytes requests: what is parsed is written
//! again as the same bytes, and is taken for what a validator signs.

#![cfg_attr(fuzzing, no_main)]

use tmkms::canon::{SignBytes, is_lookalike};

pub fn check(bytes: &[u8]) {
    let lookalike = is_lookalike(bytes);
    if let Ok(parsed) = SignBytes::parse(bytes) {
        assert_eq!(parsed.as_bytes(), bytes);
        assert!(lookalike, "a vote that would be signed as raw bytes");
        assert!(parsed.same_but_timestamp(&parsed));
        let _ = (
            parsed.slot(),
            parsed.block_id(),
            parsed.timestamp(),
            parsed.chain_id(),
        );
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
