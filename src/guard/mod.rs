//! The signing rules: what may be signed, given what was signed before.
