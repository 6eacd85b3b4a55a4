//! Sign-bytes: the only bytes that are ever signed.
