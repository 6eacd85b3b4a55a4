//! What coverage-guided fuzzing found worth keeping, run again through the same checks: no panic, and
//! every promise of `tests/fuzz/targets` held.

#![allow(
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "the targets are programs of their own under cargo-fuzz, and two share a peer"
)]

use std::path::Path;

#[path = "fuzz/targets/configuration.rs"]
mod configuration;
#[path = "fuzz/targets/frames.rs"]
mod frames;
#[path = "fuzz/targets/handshake.rs"]
mod handshake;
#[path = "fuzz/targets/reader.rs"]
mod reader;
#[path = "fuzz/targets/requests.rs"]
mod requests;
#[path = "fuzz/targets/state_file.rs"]
mod state_file;

/// Every file of a folder of seeds, and how many there were.
fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(target);
    let mut files = 0_u32;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&std::fs::read(path).unwrap());
        files += 1;
    }
    assert!(files > 0, "no seeds for {target}");
}

#[test]
fn configurations_are_parsed_or_their_problems_told() {
    run("configuration", configuration::check);
}

#[test]
fn frames_open_in_their_turn_or_never() {
    run("frames", frames::check);
}

#[test]
fn handshakes_authenticate_only_who_signed() {
    run("handshake", handshake::check);
}

#[test]
fn sign_bytes_are_read_as_they_are_written() {
    run("reader", reader::check);
}

#[test]
fn requests_are_signed_as_bytes_that_parse_or_refused() {
    run("requests", requests::check);
}

#[test]
fn state_files_are_sound_or_refused() {
    run("state_file", state_file::check);
}
