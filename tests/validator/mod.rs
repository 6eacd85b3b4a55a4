//! A stand-in for the validator node: listens, handshakes, asks, and judges the answers.
//!
//! It shares `tmkms::secret` with the product, which is symmetric and held to vectors of its own.
//! Messages and sign-bytes are made and read here a second time, so that the product's `wire` and
//! `canon` are not their own judges.
//!
//! A test takes it in with `mod validator;`, the demo with `#[path]`.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    reason = "one module for several tests, none of which uses all of it"
)]

mod home;
mod message;
mod proto;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use tmkms::keys::SigningKey;
use tmkms::secret::{Authenticated, FRAME_LEN, HELLO_LEN, Hello};
use tmkms::types::{NodeId, PublicKey};

pub use home::{Home, IDENTITY_SEED, Process};
pub use message::{Block, KeyReply, PRECOMMIT, PREVOTE, ProposalRequest, Reply, Time, VoteRequest};
pub use proto::{Fields, Proto, Value, delimited};

/// The longest reply that stock nodes read, in bytes: `maxRemoteSignerMsgSize` of CometBFT.
pub const REPLY_MAX_LEN: usize = 10_240;

/// How long a stock node waits for a reply.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// A listening node. Its identity is fixed, where a stock node makes one up at each start.
pub struct Validator {
    listener: Listener,
    identity: SigningKey,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Validator {
    /// Listens on a free port of 127.0.0.1.
    pub fn listen_tcp() -> io::Result<Self> {
        Self::listen_tcp_at("127.0.0.1:0")
    }

    /// Listens on `host:port`, as a node does that comes back after a restart.
    pub fn listen_tcp_at(addr: &str) -> io::Result<Self> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        loop {
            match TcpListener::bind(addr) {
                // A child that another thread is just spawning holds copies of all sockets up to its exec.
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline =>
                {
                    std::thread::yield_now();
                }
                listener => return Ok(Self::new(Listener::Tcp(listener?))),
            }
        }
    }

    /// Listens on a Unix socket at `path`, which must not exist and is removed on drop.
    pub fn listen_unix(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        Ok(Self::new(Listener::Unix(listener, path.to_owned())))
    }

    fn new(listener: Listener) -> Self {
        Self {
            listener,
            identity: SigningKey::from_seed(&[0x4e; 32]).expect("not all zeros"),
        }
    }

    /// Listens under another identity.
    pub fn with_identity(mut self, identity: SigningKey) -> Self {
        self.identity = identity;
        self
    }

    /// The address as `tmkms.toml` wants it.
    pub fn addr(&self) -> String {
        match &self.listener {
            Listener::Tcp(_) => format!("tcp://{}", self.host_and_port()),
            Listener::Unix(_, path) => format!("unix://{}", path.display()),
        }
    }

    /// The address with the peer pinned; on a Unix socket there is nothing to pin.
    pub fn pinned_addr(&self) -> String {
        match &self.listener {
            Listener::Tcp(_) => format!("tcp://{}@{}", self.node_id(), self.host_and_port()),
            Listener::Unix(..) => self.addr(),
        }
    }

    /// `127.0.0.1:port`, for a validator that will come back there; empty on a Unix socket.
    pub fn host_and_port(&self) -> String {
        match &self.listener {
            Listener::Tcp(listener) => match listener.local_addr() {
                Ok(addr) => addr.to_string(),
                Err(error) => panic!("the listener has no address: {error}"),
            },
            Listener::Unix(..) => String::new(),
        }
    }

    /// The node's peer id.
    pub fn node_id(&self) -> NodeId {
        self.identity.public_key().node_id()
    }

    /// Waits for the signer to dial and, on TCP, to prove its identity.
    pub fn accept(&self, timeout: Duration) -> io::Result<Connection> {
        let deadline = Instant::now() + timeout;
        match self.accept_stream(timeout)? {
            Stream::Tcp(stream) => {
                let left = deadline.saturating_duration_since(Instant::now());
                Connection::handshake(Stream::Tcp(stream), &self.identity, left)
            }
            Stream::Unix(stream) => Ok(Connection::plain(Stream::Unix(stream))),
        }
    }

    /// Waits for the signer to dial, and says nothing.
    pub fn accept_stream(&self, timeout: Duration) -> io::Result<Stream> {
        // Zero would be for ever. Linux applies the timeout to accept(2), too.
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        match &self.listener {
            Listener::Tcp(listener) => {
                set_socket_timeout(listener, Timeout::Recv, timeout)?;
                let (stream, _) = listener.accept().map_err(timed_out)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(listener, _) => {
                set_socket_timeout(listener, Timeout::Recv, timeout)?;
                let (stream, _) = listener.accept().map_err(timed_out)?;
                Ok(Stream::Unix(stream))
            }
        }
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = &self.listener {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A socket of either kind, for tests that speak no protocol at all.
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Dials `tcp://host:port` or `unix:///path`, as a signer does.
    pub fn dial(addr: &str) -> io::Result<Self> {
        if let Some(path) = addr.strip_prefix("unix://") {
            return UnixStream::connect(path).map(Self::Unix);
        }
        let stream = TcpStream::connect(addr.strip_prefix("tcp://").unwrap_or(addr))?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Reads up to `deadline`.
    fn read_until(&mut self, deadline: Instant, buffer: &mut [u8]) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(left))?,
            Self::Unix(stream) => stream.set_read_timeout(Some(left))?,
        }
        self.read(buffer).map_err(timed_out)
    }

    /// Fills `buffer` before `deadline`.
    fn fill(&mut self, deadline: Instant, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = match self.read_until(deadline, buffer) {
                // What a read with a deadline says after the process was stopped and went on.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[read..];
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connected signer. Dropping it closes the socket.
pub struct Connection {
    stream: Stream,
    secret: Option<Authenticated>,
    /// What has been read and not yet been taken for a message.
    pending: Vec<u8>,
    timeout: Duration,
}

impl Connection {
    /// Goes through the handshake of SecretConnection; either end can call it.
    pub fn handshake(
        mut stream: Stream,
        identity: &SigningKey,
        timeout: Duration,
    ) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        let mut ephemeral = Zeroizing::new([0; 32]);
        getrandom(&mut ephemeral[..], GetRandomFlags::empty())?;
        let hello = Hello::new(ephemeral);
        stream.write_all(hello.message())?;
        let mut peer = [0; HELLO_LEN];
        stream.fill(deadline, &mut peer)?;
        let greeted = hello.receive(&peer, identity).map_err(io::Error::other)?;
        stream.write_all(greeted.frame())?;
        let mut frame = [0; FRAME_LEN];
        stream.fill(deadline, &mut frame)?;
        let authenticated = greeted.receive(&mut frame).map_err(io::Error::other)?;
        Ok(Self {
            secret: Some(authenticated),
            ..Self::plain(stream)
        })
    }

    /// Speaks in the clear, as on a Unix socket.
    pub fn plain(stream: Stream) -> Self {
        Self {
            stream,
            secret: None,
            pending: Vec::new(),
            timeout: REPLY_TIMEOUT,
        }
    }

    /// Waits this long for each message.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Whom the handshake has shown; `None` on a Unix socket.
    pub fn peer(&self) -> Option<PublicKey> {
        self.secret.as_ref().map(|secret| secret.peer)
    }

    /// The socket below, for bytes that were not sealed or come in pieces.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Hangs up, as a drop does.
    pub fn hang_up(&mut self) {
        let _ = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// What `bytes` look like on the socket: sealed on TCP. They must be sent before any others.
    pub fn sealed(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let Some(secret) = &mut self.secret else {
            return Ok(bytes.to_vec());
        };
        let mut sealed = Vec::new();
        for chunk in bytes.chunks(tmkms::secret::DATA_LEN) {
            let mut frame = [0; FRAME_LEN];
            let result = secret.seal.seal(chunk, &mut frame);
            result.map_err(io::Error::other)?;
            sealed.extend_from_slice(&frame);
        }
        Ok(sealed)
    }

    /// One frame with `data`, which may be empty: only over TCP.
    pub fn sealed_frame(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        let secret = self.secret.as_mut().ok_or(io::ErrorKind::Unsupported)?;
        let mut frame = [0; FRAME_LEN];
        let result = secret.seal.seal(data, &mut frame);
        result.map_err(io::Error::other)?;
        Ok(frame.to_vec())
    }

    /// Sends `bytes` as they are, sealed on TCP: no length is put before them.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sealed = self.sealed(bytes)?;
        self.stream.write_all(&sealed)
    }

    /// Sends the body of a `Message` with its length before it, in one write, as nodes do.
    pub fn send(&mut self, body: &[u8]) -> io::Result<()> {
        self.send_raw(&delimited(body))
    }

    /// Reads the body of one `Message`, at most [`REPLY_MAX_LEN`] bytes.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.receive_up_to(REPLY_MAX_LEN)
    }

    /// Reads the body of one `Message`; the signer's side has another limit than the node's.
    pub fn receive_up_to(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        loop {
            if let Some((length, head)) = proto::varint(&self.pending) {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > limit {
                    return Err(invalid(format!("a message of {length} bytes")));
                }
                if self.pending.len() >= head + length {
                    let body = self.pending[head..head + length].to_vec();
                    self.pending.drain(..head + length);
                    return Ok(body);
                }
            }
            self.read_more(deadline)?;
        }
    }

    /// Sends one request and reads its one reply.
    pub fn request(&mut self, body: &[u8]) -> io::Result<Vec<u8>> {
        if !self.pending.is_empty() {
            return Err(invalid("bytes that nobody asked for"));
        }
        self.send(body)?;
        self.receive()
    }

    /// Waits for the signer to hang up, and fails if it says anything first.
    pub fn expect_close(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + self.timeout;
        match self.read_more(deadline) {
            Ok(()) => Err(invalid("bytes where the end was expected")),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Pings.
    pub fn ping(&mut self) -> io::Result<()> {
        let reply = self.request(&Proto::new().message(7, &Proto::new()).into_bytes())?;
        if reply == [0x42, 0] {
            Ok(())
        } else {
            Err(invalid(format!("{reply:02x?} for a ping response")))
        }
    }

    /// Asks for the public key of a chain.
    pub fn pub_key(&mut self, chain_id: &str) -> io::Result<KeyReply> {
        let request = Proto::new().bytes(1, chain_id.as_bytes());
        let reply = self.request(&Proto::new().message(1, &request).into_bytes())?;
        KeyReply::read(&reply)
    }

    /// Asks for a vote's signature.
    pub fn sign_vote(&mut self, request: &VoteRequest) -> io::Result<Reply> {
        let reply = self.request(&request.body())?;
        Reply::read(4, &reply)
    }

    /// Asks for a proposal's signature.
    pub fn sign_proposal(&mut self, request: &ProposalRequest) -> io::Result<Reply> {
        let reply = self.request(&request.body())?;
        Reply::read(6, &reply)
    }

    /// Moves at least one byte to `pending`, or fails.
    fn read_more(&mut self, deadline: Instant) -> io::Result<()> {
        let mut frame = [0; FRAME_LEN];
        let Some(secret) = &mut self.secret else {
            let read = self.stream.read_until(deadline, &mut frame)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.pending.extend_from_slice(&frame[..read]);
            return Ok(());
        };
        self.stream.fill(deadline, &mut frame)?;
        let data = secret.open.open(&mut frame).map_err(io::Error::other)?;
        self.pending.extend_from_slice(data);
        Ok(())
    }
}

/// Sockets say "would block" where they mean that the time is over.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}
