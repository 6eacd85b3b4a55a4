//! One chain: judge, commit, sign, answer.
