//! Between the `yubihsm` crate and a [`Line`].
//!
//! The crate opens its own connections, and takes none of ours: so it is given one to this process. Its HTTP
//! client has no deadline to speak of, misreads an answer that comes in two pieces or spells its headers in
//! another case, and its USB code resets every device on the bus; here nothing of that reaches us.
//! The listener is on a loopback address that is made up, and is gone when the crate has connected.

use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::rand::{GetRandomFlags, getrandom};
use yubihsm::{Connector, HttpConfig};

use super::http;
use super::line::{Line, Who};

/// A connector for the crate whose commands go over the line.
pub(super) fn connector(line: &Arc<Line>) -> io::Result<Connector> {
    let mut made_up = [0; 3];
    let _ = getrandom(&mut made_up, GetRandomFlags::empty())?;
    let [a, b, c] = made_up;
    // Neither the network's own address nor its broadcast.
    let address = Ipv4Addr::new(127, a, b, c.clamp(1, 254));
    let listener = TcpListener::bind((address, 0))?;
    // The crate connects with the first command, which comes at once.
    set_socket_timeout(&listener, Timeout::Recv, Some(WHOLE))?;
    let port = listener.local_addr()?.port();
    let line = Arc::clone(line);
    let _ = thread::Builder::new()
        .name("device line".to_owned())
        .spawn(move || serve(listener, &line))?;
    Ok(Connector::http(&HttpConfig {
        addr: address.to_string(),
        port,
        timeout_ms: 0,
    }))
}

fn serve(listener: TcpListener, line: &Line) {
    let Ok((mut stream, _)) = listener.accept() else {
        return;
    };
    drop(listener);
    // The crate leaves without a word, and the line stays as it is.
    let _ = answer(&mut stream, line);
}

fn answer(stream: &mut TcpStream, line: &Line) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = http::read_request(stream, IDLE, WHOLE)? {
        match line.exchange(Who::Signer, &request.body) {
            Ok(frame) => {
                http::write_answer(stream, "200 OK", "application/octet-stream", &frame, WHOLE)?;
            }
            // The crate need not know why: the line does.
            Err(_) => return Err(ErrorKind::ConnectionAborted.into()),
        }
    }
    Ok(())
}

/// Nobody else is on this connection: it may be silent for as long as the crate holds it.
const IDLE: Duration = Duration::from_hours(24 * 365);
const WHOLE: Duration = Duration::from_secs(5);
