//! The real binary with the app of a Ledger behind it, and a node before it.

#[path = "../validator/mod.rs"]
mod validator;

mod app;
mod check;
mod init;
mod scene;
mod signing;
mod trouble;
