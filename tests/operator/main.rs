//! What an operator does around signing, tried on the real binary: the state moved in and out, `check`,
//! hooks, a home, completions, the unit, and what the log says when something is wrong.

#![allow(
    unreachable_pub,
    reason = "modules of a test are reached by their neighbours"
)]

#[path = "../validator/mod.rs"]
mod validator;

#[path = "../signing/scene.rs"]
#[allow(
    dead_code,
    reason = "one module for several tests, none of which uses all of it"
)]
mod scene;

mod check;
mod check_dial;
mod completions;
mod export;
mod hook;
mod import;
mod init;
mod shelf;
mod show;
