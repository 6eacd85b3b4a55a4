//! The `tmkms` binary.

#![forbid(unsafe_code)]

fn main() {}
