//! The program as a node and an operator see it: the real binary, its sockets, its files, its log.

#[path = "../validator/mod.rs"]
mod validator;

mod answers;
mod begin;
mod claims;
mod crash;
mod deadlines;
mod disk;
mod foreign;
mod links;
mod node_files;
mod refusals;
mod rules;
mod scene;
mod secret;
mod several;
