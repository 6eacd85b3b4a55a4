//! Dialling a node, and the handshake.

use core::ops::Deref;
use core::time::Duration;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use super::incoming::Incoming;
use super::outgoing::{Outgoing, write_all};
use super::socket::{Socket, timed_out};
use super::{CONNECT_TIMEOUT, Error, Link, MESSAGE_TIMEOUT, MIN_SILENCE};
use crate::config::Address;
use crate::keys::SigningKey;
use crate::secret::{FRAME_LEN, HELLO_LEN, Hello};
use crate::types::NodeId;

/// Connects to a node, and shakes hands where the address is `tcp://`.
///
/// `timeout` is the longest silence to put up with; it is raised to [`MIN_SILENCE`]. `identity` proves
/// who we are over `tcp://`, is asked for when it is about to sign, and not at all over `unix://`.
///
/// # Errors
///
/// See [`Error`]; nothing is left open.
pub fn dial<K: Deref<Target = SigningKey>>(
    address: &Address,
    identity: impl FnOnce() -> Option<K>,
    timeout: Duration,
) -> Result<Link, Error> {
    let silence = timeout.max(MIN_SILENCE);
    let link = match address {
        Address::Tcp {
            peer_id,
            host,
            port,
        } => {
            let stream = connect_tcp(host, *port)?;
            stream.set_nodelay(true).map_err(Error::Io)?;
            shake_hands(Socket::Tcp(stream), identity, *peer_id, silence)?
        }
        Address::Unix(path) => Link {
            socket: Socket::Unix(connect_unix(path).map_err(Error::Connect)?),
            incoming: Incoming::new(None, silence),
            outgoing: Outgoing::new(None),
            peer: None,
        },
    };
    link.socket.set_read_timeout(silence).map_err(Error::Io)?;
    link.socket
        .set_write_timeout(MESSAGE_TIMEOUT)
        .map_err(Error::Io)?;
    Ok(link)
}

/// Tries every address of the host in turn. An IP address needs no resolver.
fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, Error> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs().map_err(Error::Resolve)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(Error::Connect(last))
}

/// A connect to a Unix socket blocks as long as the listener's queue is full, unless told otherwise.
fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket: OwnedFd = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_TIMEOUT))?;
    connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

fn shake_hands<K: Deref<Target = SigningKey>>(
    socket: Socket,
    identity: impl FnOnce() -> Option<K>,
    pinned: Option<NodeId>,
    silence: Duration,
) -> Result<Link, Error> {
    let clock = Clock {
        began: Instant::now(),
        limit: silence,
    };
    socket
        .set_write_timeout(MESSAGE_TIMEOUT)
        .map_err(Error::Io)?;

    let hello = Hello::new(random().map_err(Error::Io)?);
    write_all(&socket, hello.message())?;
    let mut answer = [0; HELLO_LEN];
    clock.read_exact(&socket, &mut answer)?;
    let greeted = match identity() {
        Some(identity) => hello.receive(&answer, &identity).map_err(Error::Secret)?,
        None => return Err(Error::Io(io::Error::other("no identity key"))),
    };

    write_all(&socket, greeted.frame())?;
    let mut frame = [0; FRAME_LEN];
    clock.read_exact(&socket, &mut frame)?;
    let authenticated = greeted.receive(&mut frame).map_err(Error::Secret)?;

    let found = authenticated.peer.node_id();
    match pinned {
        Some(pinned) if pinned != found => Err(Error::OtherPeer { pinned, found }),
        _ => Ok(Link {
            socket,
            incoming: Incoming::new(Some(authenticated.open), silence),
            outgoing: Outgoing::new(Some(authenticated.seal)),
            peer: Some(authenticated.peer),
        }),
    }
}

/// The handshake's deadline, however many pieces it comes in.
struct Clock {
    began: Instant,
    limit: Duration,
}

impl Clock {
    fn read_exact(&self, socket: &Socket, mut buffer: &mut [u8]) -> Result<(), Error> {
        let silent = || Error::Silent {
            waited: self.limit,
            in_handshake: true,
        };
        while !buffer.is_empty() {
            let left = self
                .limit
                .checked_sub(self.began.elapsed())
                .ok_or_else(silent)?;
            socket.set_read_timeout(left).map_err(Error::Io)?;
            match socket.read(buffer) {
                Ok(0) => return Err(Error::Closed { in_handshake: true }),
                Ok(read) => buffer = buffer.get_mut(read..).unwrap_or_default(),
                Err(error) if timed_out(&error) => return Err(silent()),
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(())
    }
}

/// A new secret: the ephemeral key of a handshake, or a seed.
///
/// # Errors
///
/// The system has no randomness to give.
pub fn random() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    // 32 bytes come whole once the kernel's pool is filled, and the call waits for that.
    match getrandom(bytes.as_mut_slice(), GetRandomFlags::empty()) {
        Ok(32) => Ok(bytes),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) => Err(error.into()),
    }
}
