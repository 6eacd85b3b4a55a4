//! What an operator types before, after and between signing: the state moved in and out, and `check`.

#![allow(
    unreachable_pub,
    reason = "modules of a test are reached by their neighbours"
)]

#[path = "../validator/mod.rs"]
mod validator;

#[path = "../signing/scene.rs"]
#[allow(
    dead_code,
    reason = "one module for two tests, neither of which uses all of it"
)]
mod scene;

mod check;
mod check_dial;
mod export;
mod import;
mod shelf;
mod show;
