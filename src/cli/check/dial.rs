//! `check --dial`: who answers at each address, and what it asks first. Nothing is signed.

use core::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::Exit;
use super::super::plan::Dial;
use super::super::report::Report;
use crate::keys::SigningKey;
use crate::link::{self, Link, dial};
use crate::types::{ChainId, NodeId, PublicKey};
use crate::wire::{self, Refusal, Request, Response};

/// How long a node is listened to. It pings every 3.3 s.
const LISTEN: Duration = Duration::from_secs(4);

/// What became of one connection.
pub(super) struct Dialled {
    pub(super) chain_id: ChainId,
    pub(super) addr: String,
    /// A running signer has this connection.
    pub(super) skipped: bool,
    pub(super) peer: Option<NodeId>,
    /// What the node asked, in order.
    pub(super) asked: Vec<String>,
    pub(super) problem: Option<String>,
}

/// Dials all at once: one that hangs must not hold the others up.
pub(super) fn dial_all(
    dials: Vec<(Dial<Arc<SigningKey>>, PublicKey, bool)>,
    report: &mut Report,
) -> Vec<Dialled> {
    let mut threads = Vec::new();
    for (dial, public_key, skip) in dials {
        let position = dial.validator.addr.position;
        threads.push((
            position,
            thread::spawn(move || dial_one(&dial, public_key, skip)),
        ));
    }
    let mut all = Vec::new();
    for (position, thread) in threads {
        // A panic ends the process.
        let Ok(dialled) = thread.join() else { continue };
        if let Some(problem) = &dialled.problem {
            report.problem(
                Exit::Failed,
                position,
                format!("{}: {problem}", dialled.addr),
                "compare `addr` with `priv_validator_laddr` in the node's config.toml, and see that the node is up"
                    .to_owned(),
            );
        }
        all.push(dialled);
    }
    all
}

fn dial_one(terms: &Dial<Arc<SigningKey>>, public_key: PublicKey, skipped: bool) -> Dialled {
    let Dial {
        validator,
        identity,
    } = terms;
    let mut dialled = Dialled {
        chain_id: validator.chain_id.value,
        addr: validator.addr.value.to_string(),
        skipped,
        peer: None,
        asked: Vec::new(),
        problem: None,
    };
    if skipped {
        return dialled;
    }
    match dial(
        &validator.addr.value,
        || identity.as_deref(),
        validator.timeout,
    ) {
        Ok(mut link) => {
            dialled.peer = link.peer().map(|key| key.node_id());
            dialled.listen(&mut link, public_key);
        }
        Err(error) => dialled.problem = Some(error.to_string()),
    }
    dialled
}

impl Dialled {
    /// Answers pings and for the public key, and refuses the rest, for as long as it takes to see that
    /// somebody asks.
    fn listen(&mut self, link: &mut Link, public_key: PublicKey) {
        let began = Instant::now();
        let mut message = Vec::new();
        while began.elapsed() < LISTEN {
            let link::Halves {
                mut requests,
                mut replies,
            } = link.halves();
            let is_last = match requests.receive() {
                Err(error) => {
                    self.problem = Some(error.to_string());
                    return;
                }
                Ok(body) => match wire::decode(body) {
                    Err(error) => {
                        self.problem = Some(link::Error::Decode(error).to_string());
                        return;
                    }
                    Ok(request) => self.answer(&request, public_key, &mut message),
                },
            };
            if let Err(error) = replies.send(&message) {
                self.problem = Some(error.to_string());
                return;
            }
            if is_last {
                return;
            }
        }
    }

    /// Whether this request says all there is to learn.
    fn answer(
        &mut self,
        request: &Request<'_>,
        public_key: PublicKey,
        message: &mut Vec<u8>,
    ) -> bool {
        let refused = request.refuse(Refusal {
            code: 0,
            description: "this is a check of the connection: it signs nothing",
        });
        let (asked, asked_for, response) = match request {
            Request::Ping => ("a ping".to_owned(), None, Response::Ping),
            Request::PubKey { chain_id } => (
                "the public key".to_owned(),
                Some(*chain_id).filter(|id| !id.is_empty()),
                Response::PubKey(public_key),
            ),
            Request::SignVote { vote, chain_id, .. } => (
                format!("a vote at {}/{}", vote.height, vote.round),
                Some(*chain_id),
                refused,
            ),
            Request::SignProposal { proposal, chain_id } => (
                format!("a proposal at {}/{}", proposal.height, proposal.round),
                Some(*chain_id),
                refused,
            ),
            Request::RawBytes => ("raw bytes".to_owned(), None, refused),
        };
        self.asked.push(asked);
        match asked_for {
            Some(id) if id != self.chain_id.as_bytes() => {
                self.problem = Some(format!(
                    "the node is on the chain {}, not on {}",
                    String::from_utf8_lossy(id).escape_debug(),
                    self.chain_id
                ));
                wire::encode(&refused, message);
                true
            }
            _ => {
                wire::encode(&response, message);
                !matches!(request, Request::PubKey { .. })
            }
        }
    }
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.chain_id, self.addr)?;
        if self.skipped {
            return f.write_str("not dialled, the running signer has it");
        }
        if self.problem.is_some() && self.peer.is_none() && self.asked.is_empty() {
            return f.write_str("no connection");
        }
        f.write_str("connected")?;
        if let Some(peer) = self.peer {
            write!(f, ", the peer is {peer}")?;
        }
        if self.asked.is_empty() {
            f.write_str(", asked nothing")
        } else {
            write!(f, ", asked for {}", self.asked.join(", "))
        }
    }
}
