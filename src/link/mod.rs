//! A connected validator: sockets, deadlines, whole messages.
//!
//! Over `tcp://` messages travel in SecretConnection's frames, over `unix://` as they are. In steady
//! state a request is one read and a reply one write: the deadlines stand in the socket's own options
//! and are touched only when a message comes in pieces.

mod dial;
mod incoming;
mod outgoing;
mod socket;

use core::fmt;
use core::time::Duration;
use std::io;

pub use dial::{dial, random};
use incoming::Incoming;
use outgoing::Outgoing;
use socket::Socket;

use crate::types::{NodeId, PublicKey};
use crate::{secret, wire};

/// How long a connect may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a message may take once it has begun, and a reply: the node waits as long for ours.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// The least that the handshake and the silence between two messages may take. A node pings every 3.3 s.
pub const MIN_SILENCE: Duration = Duration::from_secs(10);

/// A connected validator, ready for its first request.
pub struct Link {
    socket: Socket,
    incoming: Incoming,
    outgoing: Outgoing,
    peer: Option<PublicKey>,
}

/// The two directions of a link, so that a reply can be written while its request is still borrowed.
pub struct Halves<'a> {
    /// Where requests come from.
    pub requests: Requests<'a>,
    /// Where replies go.
    pub replies: Replies<'a>,
}

/// The reading half of a link.
pub struct Requests<'a> {
    socket: &'a Socket,
    incoming: &'a mut Incoming,
}

/// The writing half of a link.
pub struct Replies<'a> {
    socket: &'a Socket,
    outgoing: &'a mut Outgoing,
}

/// Why a link could not be made, or ended.
#[derive(Debug)]
pub enum Error {
    /// The host name has no address.
    Resolve(io::Error),
    /// Nobody took the connection.
    Connect(io::Error),
    /// The connection broke.
    Io(io::Error),
    /// The peer closed it; `true` in the middle of the handshake.
    Closed {
        /// Before it could be used.
        in_handshake: bool,
    },
    /// Nothing came for this long; `true` in the middle of the handshake.
    Silent {
        /// How long was waited.
        waited: Duration,
        /// Before it could be used.
        in_handshake: bool,
    },
    /// A message was begun and not finished in time, or a reply was not taken.
    Slow,
    /// The SecretConnection failed.
    Secret(secret::Error),
    /// Bytes that are no message.
    Decode(wire::DecodeError),
    /// Not the peer that the address names.
    OtherPeer {
        /// The one in the address.
        pinned: NodeId,
        /// The one that answered.
        found: NodeId,
    },
}

impl Link {
    /// The two directions.
    pub fn halves(&mut self) -> Halves<'_> {
        Halves {
            requests: Requests {
                socket: &self.socket,
                incoming: &mut self.incoming,
            },
            replies: Replies {
                socket: &self.socket,
                outgoing: &mut self.outgoing,
            },
        }
    }

    /// The peer's SecretConnection key; `None` over a Unix socket, where nobody proves anything.
    #[must_use]
    pub fn peer(&self) -> Option<PublicKey> {
        self.peer
    }
}

impl Requests<'_> {
    /// The next message's body, without its length prefix.
    ///
    /// # Errors
    ///
    /// Any ends the link.
    pub fn receive(&mut self) -> Result<&[u8], Error> {
        self.incoming.receive(self.socket)
    }
}

impl Replies<'_> {
    /// Sends one encoded message.
    ///
    /// # Errors
    ///
    /// Any ends the link.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.outgoing.send(self.socket, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(
                f,
                "cannot find the address of this host name: {error}; write an IP address if this box has no resolver"
            ),
            Self::Connect(error) => {
                write!(f, "I/O error: {error}")?;
                f.write_str(connect_hint(error))
            }
            Self::Io(error) => write!(f, "I/O error: {error}{}", broken_hint(error)),
            Self::Closed { in_handshake: false } => f.write_str(
                "the node closed the connection: it stopped, or turned to another signer",
            ),
            Self::Closed { in_handshake: true } => f.write_str(
                "the peer hung up during the handshake: it is no priv_validator_laddr, or speaks another dialect; compare \
                 the port in `addr` with the node's config.toml",
            ),
            Self::Silent {
                waited,
                in_handshake: false,
            } => write!(
                f,
                "no request or ping from the node for {} s: it hangs, or serves another signer; if it does not come back, restart it",
                waited.as_secs()
            ),
            Self::Silent {
                waited,
                in_handshake: true,
            } => write!(
                f,
                "connected, but no handshake for {} s: the node serves one signer at a time and leaves others waiting, or it hangs; stop the other signer, or restart the node",
                waited.as_secs()
            ),
            Self::Slow => write!(
                f,
                "a message was begun and not finished within {} s: the network is slow, or the node hangs",
                MESSAGE_TIMEOUT.as_secs()
            ),
            Self::Secret(error) => {
                write!(f, "SecretConnection: {error}{}", secret_hint(*error))
            }
            Self::Decode(error) => write!(
                f,
                "the node sent what is no request: {error}; is the port in `addr` its priv_validator_laddr, and its version known to this tmkms?"
            ),
            Self::OtherPeer { pinned, found } => write!(
                f,
                "the peer is {found}, and the address pins {pinned}. A stock node makes a new identity for this port at \
                 every start, so a pin works only with a patched node: take the \"{pinned}@\" out of `addr`"
            ),
        }
    }
}

impl std::error::Error for Error {}

/// What a refused dial means to an operator.
fn connect_hint(error: &io::Error) -> &'static str {
    if socket::timed_out(error) {
        return ": no answer within a second; is the host up and the port open in its firewall?";
    }
    if error.kind() == io::ErrorKind::ConnectionRefused {
        ": the node is not up, or its priv_validator_laddr is unset or not this address; start it, or make the two agree"
    } else if error.kind() == io::ErrorKind::NotFound {
        ": there is no such socket: the node is not up, or its priv_validator_laddr is another path"
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        ": this user may not write to the node's socket; put it into the socket's group"
    } else if [
        io::ErrorKind::NetworkUnreachable,
        io::ErrorKind::HostUnreachable,
    ]
    .contains(&error.kind())
    {
        ": this machine has no way to the node; is the address right and the network up?"
    } else {
        ""
    }
}

/// What a connection that broke means to an operator.
fn broken_hint(error: &io::Error) -> &'static str {
    if [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].contains(&error.kind()) {
        ": the node was killed or restarted, or the network cut the connection"
    } else {
        ""
    }
}

/// What a failed SecretConnection means to an operator.
fn secret_hint(error: secret::Error) -> &'static str {
    match error {
        secret::Error::Hello | secret::Error::Auth | secret::Error::KeyType => {
            "; is the port in `addr` the node's priv_validator_laddr?"
        }
        secret::Error::Tag | secret::Error::Length | secret::Error::Signature => {
            "; the network damages what it carries, or somebody is in between"
        }
        secret::Error::WeakKey => "; whoever answers there is no node",
        secret::Error::Nonces => "",
    }
}
