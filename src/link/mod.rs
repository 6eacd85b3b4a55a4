//! A connected validator: sockets, deadlines, messages.
