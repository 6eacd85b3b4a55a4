//! Ed25519 keys: signing, verifying, and the text forms in which operators keep and print them.

mod signing;

pub use signing::{SeedError, SigningKey, verify};
