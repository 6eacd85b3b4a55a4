//! The real binary with its key in a stand-in for Fortanix DSM: real TLS, the service's JSON, and everything
//! that can go wrong in between.

#[path = "../validator/mod.rs"]
mod validator;

mod faults;
mod losses;
mod network;
mod secrets;
mod service;
mod sessions;
mod signing;
mod stage;
mod start;
