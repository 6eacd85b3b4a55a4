//! Golden vectors: bytes and outcomes from the programs that nodes run, one file a case.
//!
//! A file has header lines, the first of which says what is expected, an empty line, and hex. The
//! programs that wrote them are in `generate/`.

mod canon;
mod case;
mod wire;
