//! `make prove`: what was tried against the claim that no slot is ever signed twice.
//!
//! Each proof runs the real program, or its own store, against something that goes wrong, and prints a
//! figure. Seeds are printed, and `--seed` repeats a run. Nothing here measures time.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    clippy::match_same_arms,
    clippy::assigning_clones,
    clippy::semicolon_if_nothing_returned,
    reason = "a program for 64-bit machines, whose modules see each other"
)]

#[path = "../validator/mod.rs"]
mod validator;

mod cuts;
mod damage;
mod disk;
mod failing;
mod filepv;
mod ground;
mod hostile;
mod kills;
mod model;
mod races;
mod secrets;
mod trace;

use std::process::ExitCode;

use ground::{Ground, Outcome};

type Proof = (&'static str, fn(&Ground) -> Outcome);

/// In the order of `make prove`. The count of each is what `--count` sets.
const PROOFS: &[Proof] = &[
    ("cuts", cuts::run),
    ("damage", damage::run),
    ("kills", kills::run),
    ("filepv", filepv::run),
    ("model", model::run),
    ("failing", failing::run),
    ("hostile", hostile::run),
    ("races", races::run),
    ("secrets", secrets::run),
];

fn main() -> ExitCode {
    let ground = match Ground::from_arguments() {
        Ok(ground) => ground,
        Err(error) => return usage(&error.to_string()),
    };
    let Some((name, proof)) = PROOFS.iter().find(|(name, _)| *name == ground.proof) else {
        return usage("no such proof");
    };
    match proof(&ground) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("prove {name}: FAILED (seed {}): {error}", ground.seed);
            ExitCode::FAILURE
        }
    }
}

fn usage(error: &str) -> ExitCode {
    let names: Vec<&str> = PROOFS.iter().map(|(name, _)| *name).collect();
    eprintln!(
        "{error}\nusage: prove PROOF [--count N] [--seed N] [--binary TMKMS] [--filepv SERVER]\nproofs: {}",
        names.join(" ")
    );
    ExitCode::from(2)
}
