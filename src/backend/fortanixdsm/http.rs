//! HTTP/1.1 as far as it is needed: one request at a time, replies of bounded length.

use core::ops::Range;
use core::time::Duration;
use std::io::{self, Read};

use httparse::{EMPTY_HEADER, Status};
use zeroize::Zeroizing;

/// The longest head of a reply in bytes: what common servers and proxies allow.
pub(super) const HEAD_MAX_LEN: usize = 16 * 1024;

/// The longest body of a reply in bytes. What is said of a key is some KiB, with all that was written beside it.
pub(super) const BODY_MAX_LEN: usize = 64 * 1024;

/// How many header fields a reply may have.
const FIELDS_MAX: usize = 64;

/// The longest pause that a reply may ask for: an hour, or a day, is more likely a fault than a plan.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// What is waited if a reply does not say how long in seconds.
const PAUSE_UNTOLD: Duration = Duration::from_secs(1);

/// A whole reply. What came over the network is wiped on drop.
pub(super) struct Reply {
    pub(super) status: u16,
    /// From `Retry-After`; there is one for each 429.
    pub(super) pause: Option<Duration>,
    /// Whether another request may follow on the same connection.
    pub(super) is_last: bool,
    bytes: Zeroizing<Vec<u8>>,
    body: Range<usize>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection failed, or its time was up.
    Io(io::Error),
    /// The other side closed before the reply was whole; `true` if not a byte of it had come.
    Cut(bool),
    /// What came is not HTTP, or more than is read.
    Malformed(&'static str),
}

impl Reply {
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }

    /// Reads the reply to a request with a body.
    ///
    /// # Errors
    ///
    /// See [`Broken`]; the connection is good for nothing more.
    pub(super) fn read(stream: &mut impl Read) -> Result<Self, Broken> {
        let mut incoming = Incoming::new(stream);
        let head = incoming.head()?;
        let (body, is_whole) = match head.body {
            Body::None => (incoming.start..incoming.start, true),
            Body::Length(length) => (incoming.exactly(length)?, true),
            Body::Chunked => (incoming.chunks()?, true),
            Body::ToTheEnd => (incoming.rest()?, false),
        };
        if incoming.start != incoming.end {
            return Err(Broken::Malformed("there is more behind its end"));
        }
        Ok(Self {
            status: head.status,
            pause: head.pause,
            is_last: head.is_last || !is_whole,
            bytes: incoming.bytes,
            body,
        })
    }

    /// Reads what a proxy says to `CONNECT`: a head, and nothing behind it.
    ///
    /// # Errors
    ///
    /// As for `read`.
    pub(super) fn read_tunnel(stream: &mut impl Read) -> Result<u16, Broken> {
        let mut incoming = Incoming::new(stream);
        let head = incoming.head()?;
        let is_open = (200..300).contains(&head.status);
        if is_open && incoming.start != incoming.end {
            return Err(Broken::Malformed("there is more behind its head"));
        }
        Ok(head.status)
    }
}

struct Head {
    status: u16,
    pause: Option<Duration>,
    is_last: bool,
    body: Body,
}

/// How the length of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Length(usize),
    Chunked,
    ToTheEnd,
}

/// What has been read, of which `start..end` has not been looked at.
struct Incoming<'s, S> {
    stream: &'s mut S,
    /// As long as everything may be together.
    bytes: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
}

impl<'s, S: Read> Incoming<'s, S> {
    fn new(stream: &'s mut S) -> Self {
        let room = HEAD_MAX_LEN.saturating_add(BODY_MAX_LEN);
        Self {
            stream,
            bytes: Zeroizing::new(vec![0; room]),
            start: 0,
            end: 0,
        }
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads at least a byte more.
    fn more(&mut self) -> Result<(), Broken> {
        let is_first = self.end == 0;
        let free = self.bytes.get_mut(self.end..).unwrap_or_default();
        if free.is_empty() {
            return Err(Broken::Malformed("it is too long"));
        }
        match self.stream.read(free) {
            Ok(0) => Err(Broken::Cut(is_first)),
            Ok(count) => {
                self.end = self.end.saturating_add(count);
                Ok(())
            }
            // TLS ended without a word.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Broken::Cut(is_first))
            }
            Err(error) => Err(Broken::Io(error)),
        }
    }

    fn skip(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    fn head(&mut self) -> Result<Head, Broken> {
        loop {
            let found = read_head(self.unread())?;
            match found {
                Some((_, len)) if len > HEAD_MAX_LEN => {
                    return Err(Broken::Malformed("its head is too long"));
                }
                // An interim reply, which another one follows.
                Some((head, len)) if (100..200).contains(&head.status) => self.skip(len),
                Some((head, len)) => {
                    self.skip(len);
                    return Ok(head);
                }
                None if self.end > HEAD_MAX_LEN => {
                    return Err(Broken::Malformed("its head is too long"));
                }
                None => self.more()?,
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Range<usize>, Broken> {
        if length > BODY_MAX_LEN {
            return Err(Broken::Malformed("it is too long"));
        }
        while self.unread().len() < length {
            self.more()?;
        }
        let body = self.start..self.start.saturating_add(length);
        self.skip(length);
        Ok(body)
    }

    fn rest(&mut self) -> Result<Range<usize>, Broken> {
        let start = self.start;
        loop {
            match self.more() {
                Ok(()) => {}
                Err(Broken::Cut(_)) => break,
                Err(error) => return Err(error),
            }
        }
        self.start = self.end;
        Ok(start..self.end)
    }

    /// Moves the chunks together, over what stood between them.
    fn chunks(&mut self) -> Result<Range<usize>, Broken> {
        let began = self.start;
        let mut filled = began;
        loop {
            let size = loop {
                match httparse::parse_chunk_size(self.unread()) {
                    Ok(Status::Complete((len, size))) => {
                        self.skip(len);
                        break size;
                    }
                    Ok(Status::Partial) => self.more()?,
                    Err(_) => return Err(Broken::Malformed("its chunks are no chunks")),
                }
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size == 0 {
                self.trailers()?;
                return Ok(began..filled);
            }
            let chunk = self.exactly(size)?;
            self.bytes.copy_within(chunk, filled);
            filled = filled.saturating_add(size);
            while self.unread().len() < LINE_END.len() {
                self.more()?;
            }
            if !self.unread().starts_with(LINE_END) {
                return Err(Broken::Malformed("its chunks are no chunks"));
            }
            self.skip(LINE_END.len());
        }
    }

    /// Whatever lines stand behind the last chunk, up to the empty one.
    fn trailers(&mut self) -> Result<(), Broken> {
        loop {
            let end = self.unread().windows(2).position(|two| two == LINE_END);
            match end {
                Some(0) => {
                    self.skip(LINE_END.len());
                    return Ok(());
                }
                Some(len) => self.skip(len.saturating_add(LINE_END.len())),
                None => self.more()?,
            }
        }
    }
}

const LINE_END: &[u8] = b"\r\n";

/// The head at the beginning of `bytes`, and its length; `None` if it is not whole yet.
fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Broken> {
    const NOT_HTTP: Broken = Broken::Malformed("it is not HTTP");
    let mut fields = [EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let len = match response.parse(bytes) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(NOT_HTTP),
    };
    let status = response.code.ok_or(NOT_HTTP)?;
    let mut is_last = response.version != Some(1);
    let mut length = None;
    let mut is_chunked = false;
    let mut pause = (status == 429).then_some(PAUSE_UNTOLD);
    for field in response.headers.iter() {
        let value = field.value.trim_ascii();
        if field.name.eq_ignore_ascii_case("content-length") {
            let told = number(value).ok_or(NOT_HTTP)?;
            if length.is_some_and(|before| before != told) {
                return Err(Broken::Malformed("it has two lengths"));
            }
            length = Some(told);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") || is_chunked {
                return Err(Broken::Malformed(
                    "it is encoded in a way that was not asked for",
                ));
            }
            is_chunked = true;
        } else if field.name.eq_ignore_ascii_case("connection") {
            let mut words = value.split(|byte| *byte == b',');
            is_last |= words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
        } else if field.name.eq_ignore_ascii_case("retry-after") {
            pause = Some(number(value).map_or(PAUSE_UNTOLD, |seconds| {
                Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)).min(PAUSE_MAX)
            }));
        }
    }
    let body = match (status, length, is_chunked) {
        (100..200 | 204 | 304, _, _) => Body::None,
        (_, Some(_), true) => return Err(Broken::Malformed("it has two lengths")),
        (_, None, true) => Body::Chunked,
        (_, Some(length), false) => Body::Length(length),
        (_, None, false) => Body::ToTheEnd,
    };
    let head = Head {
        status,
        pause,
        is_last,
        body,
    };
    Ok(Some((head, len)))
}

/// Decimal digits and nothing else: `parse` alone would take a plus sign.
fn number(digits: &[u8]) -> Option<usize> {
    let text = core::str::from_utf8(digits).ok()?;
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Longer than anything that is read, whatever it is.
    is_plain.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it has in pieces of some bytes, then ends.
    struct Pieces<'b>(&'b [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn read(text: &str) -> Result<Reply, String> {
        let by = |size| Reply::read(&mut Pieces(text.as_bytes(), size));
        let (whole, bytewise) = (by(usize::MAX), by(1));
        // However it comes. What stands behind the end of a reply has come with it, or not.
        match (&whole, &bytewise) {
            (Ok(whole), Ok(bytewise)) => {
                assert_eq!(whole.status, bytewise.status, "{text}");
                assert_eq!(whole.body(), bytewise.body(), "{text}");
            }
            (Err(Broken::Malformed("there is more behind its end")), Ok(_)) => {}
            (Err(whole), Err(bytewise)) => {
                assert_eq!(format!("{whole:?}"), format!("{bytewise:?}"), "{text}");
            }
            (whole, bytewise) => panic!("{text}: {:?}, {:?}", whole.is_ok(), bytewise.is_ok()),
        }
        whole.map_err(|broken| format!("{broken:?}"))
    }

    #[test]
    fn reads_bodies_of_every_form() {
        for (text, status, body, is_last) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                200,
                "hello",
                false,
            ),
            (
                "HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello",
                200,
                "hello",
                false,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", false),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                404,
                "",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 1\r\n\r\nx",
                200,
                "x",
                true,
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
                200,
                "x",
                true,
            ),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
                200,
                "hello",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
                200,
                "0123456789",
                false,
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                200,
                "x",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                200,
                "x",
                false,
            ),
        ] {
            let reply = read(text).unwrap();
            assert_eq!((reply.status, reply.is_last), (status, is_last), "{text}");
            assert_eq!(reply.body(), body.as_bytes(), "{text}");
        }
    }

    #[test]
    fn says_what_is_no_reply() {
        let fields: String = (0..65).map(|field| format!("F{field}: x\r\n")).collect();
        let long = "x".repeat(HEAD_MAX_LEN);
        let chunks = format!("2000\r\n{}\r\n", "x".repeat(0x2000)).repeat(11);
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(90_000));
        for (text, broken) in [
            ("", "Cut(true)"),
            ("HTTP/1.1 200 OK\r\nContent-Le", "Cut(false)"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                "Cut(false)",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                "Cut(false)",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n",
                "Cut(false)",
            ),
            ("SSH-2.0-OpenSSH\r\n", "it is not HTTP"),
            ("HTTP/2 200\r\n\r\n", "it is not HTTP"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
                "it is not HTTP",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello",
                "it is not HTTP",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                "two lengths",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                "two lengths",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "not asked for",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
                "too long",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                "too long",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                "too long",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                "no chunks",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello",
                "no chunks",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n",
                "behind its end",
            ),
            (
                &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
                "too long",
            ),
            (
                &format!("HTTP/1.1 200 OK\r\n{fields}\r\n"),
                "it is not HTTP",
            ),
            (
                &format!("HTTP/1.1 200 OK\r\nLong: {long}\r\n\r\n"),
                "head is too long",
            ),
            (&endless, "too long"),
        ] {
            let found = read(text).err().unwrap_or_else(|| panic!("{text:.99}"));
            assert!(found.contains(broken), "{found}: {text:.99}");
        }
    }

    #[test]
    fn a_pause_is_in_seconds_and_bounded() {
        for (status, field, pause) in [
            (429, "Retry-After: 7", Some(7)),
            (503, "Retry-After: 0", Some(0)),
            (429, "Retry-After: 999999999999999999999", Some(60)),
            (429, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", Some(1)),
            (429, "X: y", Some(1)),
            (503, "X: y", None),
        ] {
            let text = format!("HTTP/1.1 {status} x\r\n{field}\r\nContent-Length: 0\r\n\r\n");
            let found = read(&text).unwrap().pause;
            assert_eq!(found, pause.map(Duration::from_secs), "{field}");
        }
    }

    #[test]
    fn a_tunnel_is_open_when_the_proxy_says_so_and_nothing_else() {
        let tunnel = |text: &str| Reply::read_tunnel(&mut Pieces(text.as_bytes(), usize::MAX));
        let open = "HTTP/1.1 200 Connection established\r\n\r\n";
        assert_eq!(tunnel(open).unwrap(), 200);
        assert_eq!(
            tunnel("HTTP/1.1 407 Who are you\r\n\r\nwords").unwrap(),
            407
        );
        assert!(tunnel(&format!("{open}more")).is_err());
    }
}
