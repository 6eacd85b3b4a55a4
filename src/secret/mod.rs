//! SecretConnection: handshake and frames, without a socket.
