//! HTTP/1.1 from the server's side, right and wrong.

use std::io::{self, Read, Write};
use std::net::TcpStream;

pub struct Request {
    pub path: String,
    pub authorization: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The next request; `None` if there is none any more.
    pub fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        let mut more = |bytes: &mut Vec<u8>| {
            let count = stream.read(&mut piece)?;
            bytes.extend_from_slice(&piece[..count]);
            Ok::<bool, io::Error>(count > 0)
        };
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !more(&mut bytes)? {
                return Ok(None);
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.lines();
        let path = lines.next().and_then(|line| line.split(' ').nth(1));
        let path = path.unwrap_or_default().trim_end_matches('?').to_owned();
        let field = |name: &str| {
            let mut fields = text.lines().filter_map(|line| line.split_once(':'));
            let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.trim()).to_owned()
        };
        let length: usize = field("content-length").parse().unwrap_or(0);
        while bytes.len() < head + length {
            if !more(&mut bytes)? {
                return Ok(None);
            }
        }
        Ok(Some(Self {
            path,
            authorization: field("authorization"),
            body: bytes[head..head + length].to_vec(),
        }))
    }
}

pub struct Response {
    pub status: u16,
    pub fields: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(body: String) -> Self {
        Self {
            status: 200,
            fields: "Content-Type: application/json\r\n".to_owned(),
            body: body.into_bytes(),
        }
    }

    /// Errors are plain text.
    pub fn error(status: u16, text: &str) -> Self {
        Self {
            status,
            fields: "Content-Type: text/plain\r\n".to_owned(),
            body: text.as_bytes().to_vec(),
        }
    }

    /// Head and body as they go over the network.
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.body.len();
        let length = format!("Content-Length: {length}\r\n");
        let mut bytes = self.head(&length);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The same in chunks of seven bytes, with a trailer.
    pub fn chunks(&self) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked\r\n");
        for chunk in self.body.chunks(7) {
            bytes.extend_from_slice(format!("{:X};note\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
        bytes
    }

    pub fn head(&self, more: &str) -> Vec<u8> {
        let Self { status, fields, .. } = self;
        format!("HTTP/1.1 {status} as it is\r\nStrict-Transport-Security: max-age=31536000\r\n{fields}{more}\r\n")
            .into_bytes()
    }
}

/// What a server without TLS says.
pub fn plain(mut stream: &TcpStream) -> io::Result<()> {
    let mut hello = [0; 1024];
    let _ = stream.read(&mut hello)?;
    stream.write_all(&Response::error(400, "speak HTTP").bytes())
}
