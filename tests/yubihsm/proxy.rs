//! A connector in front of the connector: passes requests on, or does not.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What happens to requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They are passed on.
    None,
    /// New connections are closed, and old ones with the next request.
    Away,
    /// They are read, and never answered.
    Silent,
    /// They are passed on, and the connection is cut before the answer.
    CutBeforeAnswer,
    /// They are answered with these bytes instead of the device's.
    Answer(Vec<u8>),
    /// They are answered with these bytes instead of HTTP.
    Raw(Vec<u8>),
    /// The answer's headers are spelled in lower case, and it comes in pieces of one byte.
    Pieces,
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    device: Mutex<String>,
    /// And for how many requests; then there is none again.
    fault: Mutex<(Fault, usize)>,
    requests: AtomicUsize,
    /// The code of each command that was passed on.
    commands: Mutex<Vec<u8>>,
    /// The number of each session that the device has opened.
    sessions: Mutex<Vec<u8>>,
    is_over: AtomicBool,
}

impl Proxy {
    pub(crate) fn new(device: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            device: Mutex::new(device.to_owned()),
            fault: Mutex::new((Fault::None, 0)),
            requests: AtomicUsize::new(0),
            commands: Mutex::default(),
            sessions: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Puts another device behind it; connections to the one before end with their next request.
    pub(crate) fn behind(&self, device: &str) {
        self.next(device);
        self.set_for(Fault::Away, 1);
    }

    /// Puts another device behind it for new connections.
    pub(crate) fn next(&self, device: &str) {
        device.clone_into(&mut self.shared.device.lock().unwrap());
    }

    /// From now on, until it is set again.
    pub(crate) fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = (fault, usize::MAX);
    }

    /// For the next `count` requests.
    pub(crate) fn set_for(&self, fault: Fault, count: usize) {
        *self.shared.fault.lock().unwrap() = (fault, count);
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// The codes of the commands that came so far.
    pub(crate) fn commands(&self) -> Vec<u8> {
        self.shared.commands.lock().unwrap().clone()
    }
}

impl Proxy {
    /// The number of the session that was opened last.
    pub(crate) fn last_session(&self) -> u8 {
        *self.shared.sessions.lock().unwrap().last().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

impl Shared {
    fn next_fault(&self) -> Fault {
        let mut fault = self.fault.lock().unwrap();
        if fault.1 == 0 {
            return Fault::None;
        }
        if fault.1 != usize::MAX {
            fault.1 -= 1;
        }
        fault.0.clone()
    }
}

/// Version, serial number, the log's room and use, and algorithms, one of which the crate does not know.
const DEVICE_INFO: [u8; 15] = [
    0x86, 0, 12, 2, 2, 0, 0x07, 0x5b, 0xcd, 0x15, 62, 3, 1, 2, 0x32,
];

fn serve(stream: TcpStream, shared: &Shared) {
    if *shared.fault.lock().unwrap() == (Fault::Away, usize::MAX) {
        return;
    }
    let address = shared.device.lock().unwrap().clone();
    let Ok(mut device) = TcpStream::connect(address) else {
        return;
    };
    device.set_nodelay(true).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut client = BufReader::new(stream);
    while let Ok(Some((head, body))) = message(&mut client) {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        shared.commands.lock().unwrap().extend(body.first());
        let fault = shared.next_fault();
        match fault {
            Fault::Away => return,
            Fault::Silent => continue,
            Fault::Raw(bytes) => {
                let _ = client.get_mut().write_all(&bytes);
                return;
            }
            Fault::Answer(bytes) => {
                if answer(client.get_mut(), &bytes).is_err() {
                    return;
                }
                continue;
            }
            Fault::None | Fault::CutBeforeAnswer | Fault::Pieces => {}
        }
        // The fake has no answer to it without a session: this is firmware 2.2's.
        if body == [6, 0, 0] && fault == Fault::None {
            if answer(client.get_mut(), &DEVICE_INFO).is_err() {
                return;
            }
            continue;
        }
        let request = [head.as_bytes(), &body].concat();
        if device.write_all(&request).is_err() {
            return;
        }
        let Ok(Some((_, body))) = message(&mut BufReader::with_capacity(1, &mut device)) else {
            return;
        };
        if let [0x83, _, _, session, ..] = body.as_slice() {
            shared.sessions.lock().unwrap().push(*session);
        }
        let sent = match fault {
            Fault::CutBeforeAnswer => return,
            Fault::Pieces => pieces(client.get_mut(), &body),
            _ => answer(client.get_mut(), &body),
        };
        if sent.is_err() {
            return;
        }
    }
}

fn answer(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn pieces(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    for byte in head.as_bytes().iter().chain(body) {
        stream.write_all(&[*byte])?;
    }
    Ok(())
}

/// Head and body of a message; none at the end of the connection.
fn message(stream: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    let mut len = 0;
    loop {
        let start = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let line = head[start..].trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok(Some((head, body)))
}
