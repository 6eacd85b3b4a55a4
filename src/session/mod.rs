//! The loop of one connection: read, answer, log, redial.
