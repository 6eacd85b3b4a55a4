//! The real binary with the app of a Ledger behind it, and a node before it.

#[path = "../validator/mod.rs"]
mod validator;

mod app;
mod scene;
mod signing;
