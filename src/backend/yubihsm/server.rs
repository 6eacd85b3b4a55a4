//! Sharing the device with other programs, as `yubihsm-connector` does: `connector_server`.
//!
//! A guest speaks to the device itself, with a password of its own; what it says is encrypted, and passed on as
//! it is. It cannot keep the signer waiting for longer than one command, nor make this process grow: requests
//! are bounded in size, time and number.

use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::fault::Fault;
use super::http::{read_request, write_answer};
use super::line::{Line, Who};

/// A server that is bound and not started.
pub struct Server {
    listener: TcpListener,
    line: Arc<Line>,
}

impl Server {
    pub(super) fn bind(host: &str, line: Arc<Line>) -> io::Result<Self> {
        let listener = TcpListener::bind(host)?;
        Ok(Self { listener, line })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for the rest of the process.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn start(self) -> io::Result<()> {
        let _ = thread::Builder::new()
            .name("connector".to_owned())
            .spawn(move || self.run())?;
        Ok(())
    }

    fn run(self) {
        let guests = Arc::new(AtomicUsize::new(0));
        loop {
            let Ok((stream, _)) = self.listener.accept() else {
                // Out of descriptors, most likely: others may close some.
                thread::sleep(PAUSE);
                continue;
            };
            let guest = Guest(Arc::clone(&guests));
            if guests.fetch_add(1, Ordering::SeqCst) >= GUESTS {
                continue;
            }
            let line = Arc::clone(&self.line);
            // One that cannot be served is hung up on.
            let _ = thread::Builder::new()
                .name("connector guest".to_owned())
                .spawn(move || {
                    let _guest = guest;
                    let _ = serve(stream, &line);
                });
        }
    }
}

/// One of the connections that there may be.
struct Guest(Arc<AtomicUsize>);

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, line: &Line) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let address = stream.local_addr()?;
    while let Some(request) = read_request(&mut stream, IDLE, WHOLE)? {
        let mut answer = |status: &str, kind: &str, body: &[u8]| {
            write_answer(&mut stream, status, kind, body, WHOLE)
        };
        match request.what.as_str() {
            // A browser that somebody else's page has sent here.
            _ if request.has_origin => answer("403 Forbidden", TEXT, b"not for web pages\n")?,
            "GET /connector/status" => answer("200 OK", TEXT, status(address).as_bytes())?,
            "POST /connector/api" => match line.exchange(Who::Guest, &request.body) {
                Ok(frame) => answer("200 OK", BYTES, &frame)?,
                Err(Fault::Crowded) => {
                    answer("503 Service Unavailable", TEXT, b"the device is busy\n")?;
                }
                Err(Fault::Garbled(what)) => answer("400 Bad Request", TEXT, what.as_bytes())?,
                Err(fault) => answer("502 Bad Gateway", TEXT, fault.error().what.as_bytes())?,
            },
            _ => answer("404 Not Found", TEXT, b"not found\n")?,
        }
        if request.is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// As `yubihsm-connector` writes it, which other programs parse.
fn status(address: SocketAddr) -> String {
    format!(
        "status=OK\nserial=*\nversion=3.0.0\npid={}\naddress={}\nport={}\n",
        process::id(),
        address.ip(),
        address.port()
    )
}

const TEXT: &str = "text/plain";
const BYTES: &str = "application/octet-stream";

/// How many connections there may be; a device has 16 sessions.
const GUESTS: usize = 16;
/// How long one may be silent, and how long a message may take.
const IDLE: Duration = Duration::from_mins(1);
const WHOLE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
