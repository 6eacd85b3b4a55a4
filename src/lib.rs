//! A remote signer for Tendermint and CometBFT validators.
//!
//! The node listens on `priv_validator_laddr`; the signer dials it, one blocking thread for each
//! `[[validator]]`, and answers its requests. It never signs two different things for one height,
//! round and step.
//!
//! # Modules
//!
//! A module imports only from lower ranks; `tests/layers.rs` holds the sources to it.
//!
//! ```text
//!  rank
//!   6   cli                                              the process: parse, open, spawn, supervise, exit code
//!   5   session                                          the loop of one connection: read, answer, log, redial
//!   4   link            signer                           a connected validator │ one chain: judge, commit, sign, answer
//!   3   secret          backend ─▶ store                 handshake and frames │ who holds the key │ Permit → Committed
//!   2   wire            config         guard             messages ↔ bytes │ text → Config │ the signing rules
//!   1   canon  keys  files  log                          sign-bytes │ key formats │ owner, mode, atomic create │ log lines
//!   0   types                                            newtypes; imports nothing
//! ```
//!
//! `types keys canon wire config guard secret` are pure: no socket, file, clock, randomness or log.

#![forbid(unsafe_code)]

pub mod backend;
pub mod canon;
pub mod cli;
pub mod config;
pub mod files;
pub mod guard;
pub mod keys;
pub mod link;
pub mod log;
pub mod secret;
pub mod session;
pub mod signer;
pub mod store;
pub mod types;
pub mod wire;
