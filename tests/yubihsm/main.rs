//! The program with a YubiHSM 2: the real binary, the crate's fake device as a process behind its connector, and
//! a proxy between them that does what cables, connectors and time do.

#[path = "../validator/mod.rs"]
mod validator;

mod commands;
mod faults;
mod proxy;
mod scene;
mod sharing;
mod signing;
mod wrong;
