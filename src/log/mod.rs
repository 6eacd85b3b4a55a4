//! Log lines as tmkms prints them.
