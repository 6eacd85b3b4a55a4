//! The process: parse, open everything, spawn, supervise, exit code.
