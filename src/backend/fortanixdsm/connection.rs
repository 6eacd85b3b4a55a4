//! One connection to the service: TCP, a proxy if there is one, TLS, and a request at a time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::fault::Fault;
use super::http::{Broken, Reply};
use super::resolver::Resolver;
use crate::config::Endpoint;

/// How the service is reached.
pub(super) struct Route {
    pub(super) service: Endpoint,
    pub(super) proxy: Option<Endpoint>,
    pub(super) resolver: Resolver,
    /// The longest that a request is waited for, for the sentences.
    pub(super) timeout: Duration,
}

/// A connection over which one request after another is sent.
pub(super) struct Connection {
    tls: StreamOwned<ClientConnection, Socket>,
}

impl Connection {
    /// Connects, up to the end of the TLS handshake.
    ///
    /// # Errors
    ///
    /// What the network, the proxy or TLS failed with; nothing is left open.
    pub(super) fn open(
        route: &mut Route,
        config: &Arc<ClientConfig>,
        deadline: Instant,
    ) -> Result<Self, Fault> {
        let Route {
            service, timeout, ..
        } = &*route;
        let timeout = *timeout;
        let name = ServerName::try_from(service.host.clone()).map_err(|_| {
            Fault::wrong(
                format!("{} is no name that a certificate could have", service.host),
                "write the name of the service as `api_endpoint`",
            )
        })?;
        let client = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| Fault::of_tls(&error))?;
        let mut socket = connect(route, deadline)?;
        if let Some(proxy) = &route.proxy {
            tunnel(&mut socket, proxy, &route.service, timeout)?;
        }
        let mut tls = StreamOwned::new(client, socket);
        while tls.conn.is_handshaking() {
            let _ = tls
                .conn
                .complete_io(&mut tls.sock)
                .map_err(|error| Fault::of_io(&error, timeout))?;
        }
        Ok(Self { tls })
    }

    /// Sends a request and reads the reply to it.
    ///
    /// # Errors
    ///
    /// See [`Broken`]; the connection is good for nothing more.
    pub(super) fn exchange(&mut self, request: &[u8], deadline: Instant) -> Result<Reply, Broken> {
        self.tls.sock.deadline = deadline;
        self.tls.write_all(request).map_err(Broken::Io)?;
        self.tls.flush().map_err(Broken::Io)?;
        Reply::read(&mut self.tls)
    }

    /// Whether the other side has neither closed nor said anything that nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        if self.tls.sock.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let quiet = loop {
            match self.tls.conn.read_tls(&mut self.tls.sock.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break false,
                // Tickets for later sessions may come at any time.
                Ok(_) => match self.tls.conn.process_new_packets() {
                    Ok(state) if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() => {
                        break false;
                    }
                    Ok(_) => {}
                    Err(_) => break false,
                },
            }
        };
        quiet && self.tls.sock.stream.set_nonblocking(false).is_ok()
    }
}

/// A stream on which nothing lasts longer than a deadline, in however many pieces it comes.
struct Socket {
    stream: TcpStream,
    deadline: Instant,
}

impl Socket {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // The system rounds what is below its tick to zero, which is for ever.
        Ok(Some(left.max(Duration::from_millis(1))))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tries every address in turn, each for its share of the time that is left.
fn connect(route: &mut Route, deadline: Instant) -> Result<Socket, Fault> {
    let Endpoint { host, port } = route.proxy.as_ref().unwrap_or(&route.service);
    let (who, cure) = if route.proxy.is_some() {
        ("the proxy", "is `proxy` right, and does it run?")
    } else {
        (
            "the service",
            "is `api_endpoint` right? look at the network and at the firewalls between here and there",
        )
    };
    let addresses = route
        .resolver
        .resolve(host, *port, deadline)
        .map_err(|error| {
            Fault::away(
                format!("the name {host} of {who} is not resolved: {error}"),
                "look at the resolver of this machine, or write the address into /etc/hosts",
            )
        })?;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let time = deadline.saturating_duration_since(Instant::now());
        let share = time.checked_div(left.max(1)).unwrap_or(time);
        left = left.saturating_sub(1);
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, share) {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                give_up_on_silence(&stream, half(route.timeout));
                return Ok(Socket { stream, deadline });
            }
            Err(error) => last = error,
        }
    }
    Err(Fault::away(
        format!("{who} at {host}:{port} cannot be connected to: {last}"),
        cure,
    ))
}

fn half(time: Duration) -> Duration {
    time.checked_div(2).unwrap_or(time)
}

/// Has the system end a connection on which nothing is even acknowledged any more: a firewall has forgotten
/// it, or the machine is gone. So there is time for another one, while a slow service has all of its time.
fn give_up_on_silence(stream: &TcpStream, limit: Duration) {
    let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    // Without it, only the deadline of the request helps.
    let _ = sockopt::set_tcp_user_timeout(stream, millis);
}

/// Has a proxy pass everything through (RFC 9110 §9.3.6).
fn tunnel(
    socket: &mut Socket,
    proxy: &Endpoint,
    service: &Endpoint,
    timeout: Duration,
) -> Result<(), Fault> {
    let Endpoint { host, port } = proxy;
    let target = service.authority(0);
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    let status = socket
        .write_all(request.as_bytes())
        .map_err(Broken::Io)
        .and_then(|()| Reply::read_tunnel(socket))
        .map_err(|broken| {
            let fault = Fault::broken(broken, timeout);
            Fault::away(
                format!(
                    "the proxy at {host}:{port} gives no tunnel: {}",
                    fault.error.what
                ),
                "is `proxy` an HTTP proxy, and does it run?",
            )
        })?;
    match status {
        200..300 => Ok(()),
        407 => Err(Fault::wrong(
            format!("the proxy at {host}:{port} wants a password (407)"),
            "let it pass connections from this machine without one",
        )),
        500.. => Err(Fault::away(
            format!("the proxy at {host}:{port} does not reach {target} ({status})"),
            "look at the proxy's log and at the network behind it",
        )),
        _ => Err(Fault::wrong(
            format!("the proxy at {host}:{port} gives no tunnel to {target} ({status})"),
            "allow CONNECT to it in the proxy's rules",
        )),
    }
}
