//! Every command from the outside: the real binary, its output, its exit code, and what it left on disk.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a test's modules are for the test alone"
)]

mod place;
mod ran;
#[path = "../validator/mod.rs"]
mod validator;

mod help;
mod import;
mod init;
mod keygen;
mod locked;
mod start_files;
mod start_links;
mod start_many;
mod state_damage;
mod state_import;
mod state_init;
mod state_show;
mod walkthrough;
