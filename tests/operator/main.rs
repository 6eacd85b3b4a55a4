//! What an operator sets up around the signer, tried on the real binary: hooks, a home, completions, the
//! unit, and what the log says when something is wrong.

#[path = "../validator/mod.rs"]
mod validator;

#[path = "../signing/scene.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    reason = "one module for several tests, none of which uses all of it"
)]
mod scene;

mod completions;
mod hook;
mod init;
mod install;
mod unit;
