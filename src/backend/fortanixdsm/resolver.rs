//! From a name to addresses, without waiting for ever.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long the resolver is waited for when the last answer would do as well.
const PATIENCE: Duration = Duration::from_millis(300);

/// Room for the system's resolver, in bytes: memory is locked, so the usual 2 MiB would be taken.
const STACK_LEN: usize = 256 * 1024;

/// The system's resolver, which has no deadline: it is asked on a thread of its own, one at a time.
#[derive(Default)]
pub(super) struct Resolver {
    pending: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
    /// The last answer. TLS sees whether who is there now is still the one we mean.
    known: Vec<SocketAddr>,
}

impl Resolver {
    /// The addresses of a host, always the same one for a value of this.
    ///
    /// # Errors
    ///
    /// The name has no address, or none was told before the deadline, and none is known from before.
    pub(super) fn resolve(
        &mut self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        match self.ask(host, port, deadline) {
            Ok(addresses) => self.known = addresses,
            Err(error) if self.known.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(self.known.clone())
    }

    fn ask(&mut self, host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => start(host.to_owned(), port)?,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = if self.known.is_empty() {
            left
        } else {
            left.min(PATIENCE)
        };
        match pending.recv_timeout(wait) {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            )),
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.pending = Some(pending);
                Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
            }
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

fn start(host: String, port: u16) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (send, receive) = sync_channel(1);
    let _ = thread::Builder::new()
        .name("resolver".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || {
            let answer = (host.as_str(), port).to_socket_addrs();
            // Nobody may be waiting any more.
            let _ = send.try_send(answer.map(Iterator::collect));
        })?;
    Ok(receive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn an_address_needs_no_resolver() {
        let mut resolver = Resolver::default();
        for (host, shown) in [("127.0.0.1", "127.0.0.1:443"), ("::1", "[::1]:443")] {
            let found = resolver.resolve(host, 443, Instant::now()).unwrap();
            assert_eq!(found, [shown.parse().unwrap()]);
        }
        assert!(resolver.pending.is_none() && resolver.known.is_empty());
    }

    #[test]
    fn the_last_answer_does_when_there_is_no_other() {
        let mut resolver = Resolver::default();
        let found = resolver.resolve("localhost", 443, later()).unwrap();
        assert!(!found.is_empty());
        // A resolver that never answers.
        let (_silent, pending) = sync_channel(1);
        resolver.pending = Some(pending);
        assert_eq!(resolver.resolve("localhost", 443, later()).unwrap(), found);
        assert!(resolver.pending.is_some());
        resolver.known.clear();
        let error = resolver.resolve("localhost", 443, Instant::now());
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
