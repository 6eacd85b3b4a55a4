//! Messages of the privval protocol, to and from bytes.
