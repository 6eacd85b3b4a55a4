//! Configuration text to values, with every problem at once.
