//! HTTP as `yubihsm-connector` speaks it, from both ends.
//!
//! One write for a message, headers read in any case and however the bytes arrive, lengths limited before
//! memory is taken, and a deadline for a message as a whole.

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use super::fault::Fault;
use super::frame::FRAME_MAX_LEN;

/// The most bytes before a body.
const HEAD_MAX_LEN: usize = 4096;

/// A connection to a connector.
pub(super) struct Connection {
    stream: TcpStream,
    host: String,
}

/// What stands before the body of a message.
struct Head {
    first_line: String,
    length: Length,
    is_last: bool,
    has_origin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Of(usize),
    Chunked,
    /// Up to the end of the connection; of a request, none.
    Unsaid,
}

/// A request, as a connector reads it.
pub(super) struct Request {
    /// `POST /connector/api`.
    pub(super) what: String,
    pub(super) body: Vec<u8>,
    /// Whether the connection is to be closed after the answer.
    pub(super) is_last: bool,
    /// Whether a web page sent it.
    pub(super) has_origin: bool,
}

impl Connection {
    pub(super) fn open(host: &str, deadline: Duration) -> Result<Self, Fault> {
        let absent = |error: io::Error| Fault::NoConnector(host.to_owned(), error.to_string());
        let addresses: Vec<_> = host.to_socket_addrs().map_err(absent)?.collect();
        let mut failed = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in addresses.iter().take(ADDRESSES) {
            match TcpStream::connect_timeout(address, deadline) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(absent)?;
                    return Ok(Self {
                        stream,
                        host: host.to_owned(),
                    });
                }
                Err(error) => failed = error,
            }
        }
        Err(absent(failed))
    }

    /// Sends a command, and reads the answer's bytes.
    pub(super) fn exchange(&mut self, frame: &[u8], deadline: Duration) -> Result<Vec<u8>, Fault> {
        if self.has_ended() {
            // It was closed while it was idle. A command that has left is never sent again: the device counts.
            *self = Self::open(&self.host, deadline)?;
        }
        let until = Until::new(deadline);
        self.attempt(frame, &until).map_err(|ended| match ended {
            Ended::Io(error) => Fault::of_io(&error, deadline),
            Ended::Fault(fault) => fault,
        })
    }

    /// Whether the other end has hung up, or has sent what nobody asked for.
    fn has_ended(&self) -> bool {
        let is_quiet = self.stream.set_nonblocking(true).is_ok()
            && matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        !(is_quiet && self.stream.set_nonblocking(false).is_ok())
    }

    fn attempt(&mut self, frame: &[u8], until: &Until) -> Result<Vec<u8>, Ended> {
        let mut request = format!(
            "POST /connector/api HTTP/1.1\r\nHost: {}\r\nUser-Agent: tmkms\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            self.host,
            frame.len()
        )
        .into_bytes();
        request.extend_from_slice(frame);
        until.write(&mut self.stream, &request)?;
        let mut reader = Reader::new(&mut self.stream, until);
        let head = reader.head()?;
        let status = head.first_line.split(' ').nth(1).unwrap_or_default();
        if !head.first_line.starts_with("HTTP/1.") || status != "200" {
            let line: String = head
                .first_line
                .chars()
                .filter(|c| !c.is_control())
                .take(80)
                .collect();
            return Err(Ended::Fault(Fault::Connector(format!("it said {line:?}"))));
        }
        let body = match head.length {
            Length::Of(len) => reader.take(len)?,
            Length::Chunked => reader.chunks()?,
            Length::Unsaid => {
                return Err(Ended::Fault(Fault::Connector(
                    "it did not say how long its answer is".to_owned(),
                )));
            }
        };
        Ok(body)
    }
}

/// Reads a request. `None`: the connection has ended where it may.
pub(super) fn read_request(
    stream: &mut TcpStream,
    idle: Duration,
    whole: Duration,
) -> io::Result<Option<Request>> {
    stream.set_read_timeout(Some(idle))?;
    if stream.peek(&mut [0])? == 0 {
        return Ok(None);
    }
    let until = Until::new(whole);
    let mut reader = Reader::new(stream, &until);
    let mut read = || -> Result<Request, Ended> {
        let head = reader.head()?;
        let mut words = head.first_line.split(' ');
        let what = format!(
            "{} {}",
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default()
        );
        let body = match head.length {
            Length::Of(len) => reader.take(len)?,
            Length::Unsaid => Vec::new(),
            Length::Chunked => reader.chunks()?,
        };
        Ok(Request {
            what,
            body,
            is_last: head.is_last,
            has_origin: head.has_origin,
        })
    };
    read().map(Some).map_err(|ended| match ended {
        Ended::Io(error) => error,
        Ended::Fault(_) => ErrorKind::InvalidData.into(),
    })
}

/// Writes an answer, in one piece: clients of this protocol do not all put two together.
pub(super) fn write_answer(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    body: &[u8],
    whole: Duration,
) -> io::Result<()> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    Until::new(whole).write(stream, &answer)
}

/// How many addresses of a name are tried.
const ADDRESSES: usize = 2;

enum Ended {
    Io(io::Error),
    Fault(Fault),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The end of the time that a message has.
struct Until(Option<Instant>);

impl Until {
    fn new(whole: Duration) -> Self {
        Self(Instant::now().checked_add(whole))
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.0.map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            Err(ErrorKind::TimedOut.into())
        } else {
            Ok(left)
        }
    }

    fn write(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            stream.set_write_timeout(Some(self.left()?))?;
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads one message, and not a byte more than there may be.
struct Reader<'a> {
    stream: &'a mut TcpStream,
    until: &'a Until,
    /// What has arrived and is not used yet.
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(stream: &'a mut TcpStream, until: &'a Until) -> Self {
        Self {
            stream,
            until,
            buffer: Vec::new(),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 1024];
        self.stream.set_read_timeout(Some(self.until.left()?))?;
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.buffer
                        .extend_from_slice(chunk.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Up to and with the line end.
    fn line(&mut self, room: &mut usize) -> Result<String, Ended> {
        let end = loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                break end;
            }
            if self.buffer.len() > *room {
                return Err(Ended::Fault(Fault::Connector(
                    "its headers are too long".to_owned(),
                )));
            }
            self.fill()?;
        };
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        *room = room
            .checked_sub(line.len())
            .ok_or_else(|| Ended::Fault(Fault::Connector("its headers are too long".to_owned())))?;
        while line
            .last()
            .is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
        {
            let _ = line.pop();
        }
        String::from_utf8(line)
            .map_err(|_| Ended::Fault(Fault::Connector("its headers are not text".to_owned())))
    }

    fn head(&mut self) -> Result<Head, Ended> {
        let mut room = HEAD_MAX_LEN;
        let mut head = Head {
            first_line: self.line(&mut room)?,
            length: Length::Unsaid,
            is_last: false,
            has_origin: false,
        };
        loop {
            let line = self.line(&mut room)?;
            if line.is_empty() {
                return Ok(head);
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(Ended::Fault(Fault::Connector(
                    "a header without a value".to_owned(),
                )));
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    let len = value.parse().ok().filter(|len| *len <= FRAME_MAX_LEN);
                    let len = len.ok_or_else(too_long)?;
                    if head.length != Length::Unsaid && head.length != Length::Of(len) {
                        return Err(Ended::Fault(Fault::Connector("two lengths".to_owned())));
                    }
                    head.length = Length::Of(len);
                }
                "transfer-encoding" => {
                    if !value.eq_ignore_ascii_case("chunked") || head.length != Length::Unsaid {
                        return Err(Ended::Fault(Fault::Connector(
                            "an encoding that no connector uses".to_owned(),
                        )));
                    }
                    head.length = Length::Chunked;
                }
                "connection" => head.is_last = value.eq_ignore_ascii_case("close"),
                "origin" => head.has_origin = true,
                _ => {}
            }
        }
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, Ended> {
        while self.buffer.len() < len {
            self.fill()?;
        }
        let rest = self.buffer.split_off(len);
        Ok(core::mem::replace(&mut self.buffer, rest))
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Ended> {
        let mut body = Vec::new();
        let mut room = HEAD_MAX_LEN;
        loop {
            let line = self.line(&mut room)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let len = usize::from_str_radix(digits, 16).map_err(|_| too_long())?;
            if body.len().saturating_add(len) > FRAME_MAX_LEN {
                return Err(too_long());
            }
            body.extend(self.take(len)?);
            if len == 0 {
                while !self.line(&mut room)?.is_empty() {}
                return Ok(body);
            }
            if !self.line(&mut room)?.is_empty() {
                return Err(too_long());
            }
        }
    }
}

fn too_long() -> Ended {
    Ended::Fault(Fault::Connector(
        "its answer is longer than a device's".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const SECOND: Duration = Duration::from_secs(5);

    /// What is made of an answer that arrives in these pieces.
    fn answered(pieces: &'static [&'static str]) -> Result<Vec<u8>, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let request = read_request(&mut stream, SECOND, SECOND).unwrap().unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
            }
            request
        });
        let mut connection = Connection::open(&host, SECOND).unwrap();
        let answer = connection.exchange(b"frame", SECOND);
        let request = peer.join().unwrap();
        assert_eq!(request.what, "POST /connector/api");
        assert_eq!(request.body, b"frame");
        answer
    }

    #[test]
    fn answers_are_read_however_they_are_cut_and_spelled() {
        let whole: &[&[&str]] = &[
            &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "abc"],
            &["HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r", "\na", "b", "c"],
            &["HTTP/1.1 200 Fine\r\nCONTENT-LENGTH:  3 \r\nX: y\r\n\r\nabc"],
            &["HTTP/1.0 200 OK\nContent-Length: 3\n\nabc"],
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            ],
        ];
        for pieces in whole {
            assert_eq!(answered(pieces).as_deref(), Ok(&b"abc"[..]), "{pieces:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_a_fault() {
        let broken: &[&[&str]] = &[
            &["HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 3140\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc"],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"],
            &["\u{1}\u{2}"],
            &["SSH-2.0-OpenSSH_9.2\r\n\r\n"],
            &[],
        ];
        for pieces in broken {
            assert!(answered(pieces).is_err(), "{pieces:?}");
        }
    }
}
