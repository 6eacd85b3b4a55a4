//! The state file: a permitted slot becomes a committed one.

pub mod foreign;
