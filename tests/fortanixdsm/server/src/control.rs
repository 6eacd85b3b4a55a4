//! What the server does wrong, and when.
//!
//! Lines to the control port, each answered by one:
//!
//! * `fault ACT TIMES KIND [ARGUMENTS]`: the next TIMES requests of a kind (`auth`, `info`, `sign`,
//!   `terminate`, or `any`) go wrong; `*` for all of them. The kinds stand in `service.rs`.
//! * `heal`: none do any more
//! * `certificate good|other-name|other-ca|expired|future|plain`: for connections from now on
//! * `client on|off`: a client certificate is asked for
//! * `lifetime SECONDS`: of sessions from now on
//! * `expire`: no session is valid any more
//! * `drop`: every connection is closed
//! * `key NAME enabled|disabled|STATE`, `rename NAME NAME`
//! * `count`: how often what was seen
//! * `secret`: the API key in use; `rekey`: another one from now on; `tokens`: every session's there was

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use crate::certificates::Certificates;
use crate::keys::Keys;
use crate::lock;

pub struct World {
    pub keys: Keys,
    pub api_key: String,
    pub tokens: BTreeSet<String>,
    pub all_tokens: Vec<String>,
    pub lifetime: u32,
    pub counts: BTreeMap<String, u64>,
    faults: Vec<Fault>,
    certificates: Certificates,
    certificate: String,
    asks_client: bool,
    streams: Vec<TcpStream>,
}

struct Fault {
    act: String,
    /// `None`: for ever.
    times: Option<u32>,
    what: Vec<String>,
}

impl World {
    pub fn new(certificates: Certificates, api_key: String) -> Self {
        Self {
            keys: Keys::new(),
            api_key,
            tokens: BTreeSet::new(),
            all_tokens: Vec::new(),
            lifetime: 600,
            counts: BTreeMap::new(),
            faults: Vec::new(),
            certificates,
            certificate: "good".to_owned(),
            asks_client: false,
            streams: Vec::new(),
        }
    }

    /// How a new connection is to be spoken to; without TLS if there is nothing to speak it with.
    pub fn connected(&mut self, stream: &TcpStream) -> io::Result<Option<Arc<ServerConfig>>> {
        self.count("connections");
        self.streams.push(stream.try_clone()?);
        Ok(self
            .certificates
            .config(&self.certificate, self.asks_client))
    }

    pub fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    /// What is to go wrong with this request.
    pub fn fault(&mut self, act: &str) -> Vec<String> {
        let hit = self
            .faults
            .iter_mut()
            .find(|fault| fault.act == act || fault.act == "any");
        let Some(fault) = hit else {
            return Vec::new();
        };
        let what = fault.what.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        self.faults.retain(|fault| fault.times != Some(0));
        what
    }

    fn obey(&mut self, words: &[&str]) -> Option<String> {
        match words {
            ["fault", act, times, what @ ..] => self.faults.push(Fault {
                act: (*act).to_owned(),
                times: match *times {
                    "*" => None,
                    times => Some(times.parse().ok().filter(|times| *times > 0)?),
                },
                what: what.iter().map(|word| (*word).to_owned()).collect(),
            }),
            ["heal"] => self.faults.clear(),
            ["certificate", kind] => self.certificate = (*kind).to_owned(),
            ["client", "on"] => self.asks_client = true,
            ["client", "off"] => self.asks_client = false,
            ["lifetime", seconds] => self.lifetime = seconds.parse().ok()?,
            ["expire"] => self.tokens.clear(),
            ["drop"] => {
                for stream in self.streams.drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            ["key", name, "enabled"] => self.keys.named(name)?.is_enabled = true,
            ["key", name, "disabled"] => self.keys.named(name)?.is_enabled = false,
            ["key", name, state] => self.keys.named(name)?.state = (*state).to_owned(),
            ["rename", from, to] => self.keys.rename(from, to),
            ["count"] => {
                let counts = self.counts.iter();
                let counts: Vec<_> = counts
                    .map(|(what, count)| format!("{what}={count}"))
                    .collect();
                return Some(counts.join(" "));
            }
            ["secret"] => return Some(self.api_key.clone()),
            ["tokens"] => return Some(self.all_tokens.join(" ")),
            ["rekey"] => {
                self.api_key = self.api_key.chars().rev().collect();
                self.tokens.clear();
            }
            _ => return None,
        }
        Some("ok".to_owned())
    }
}

/// Does what the lines of a control connection say.
pub fn obey(stream: &TcpStream, world: &Mutex<World>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = lock(world)
            .obey(&words)
            .unwrap_or_else(|| "what?".to_owned());
        let mut writer = stream;
        if writeln!(writer, "{answer}").is_err() {
            return;
        }
    }
}
