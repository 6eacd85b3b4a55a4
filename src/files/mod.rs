//! Files: owner and mode, atomic creation, moving aside.
