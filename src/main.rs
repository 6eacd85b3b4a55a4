//! The `tmkms` binary.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tmkms::cli::main()
}
