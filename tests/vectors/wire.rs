//! Requests and replies, against CometBFT's generated code.

use tmkms::canon::SignBytes;
use tmkms::canon::reader::Reader;
use tmkms::types::{self, ChainId, PublicKey, Signature};
use tmkms::wire::{
    self, BadValue, BlockId, DecodeError, Proposal, Refusal, Request, Response, Timestamp, Vote,
};

use crate::case::{self, Case};

const COUNT: usize = 209;

#[test]
fn requests_mean_what_they_mean_to_cometbft() {
    for case in case::all("wire", COUNT) {
        let body = body(&case.bytes).expect(&case.name);
        let decoded = wire::decode(body);
        if case.expect() == "encoded" {
            let reply = matches!(decoded, Err(DecodeError::Reply { .. }));
            assert!(reply, "{}: {decoded:?}", case.name);
            continue;
        }
        assert_eq!(outcome(&decoded), case.expect(), "{}", case.name);
        if let Ok(request) = decoded {
            same_fields(&case, &request);
        }
    }
}

#[test]
fn replies_are_encoded_as_cometbft_encodes_them() {
    let mut out = b"left over".to_vec();
    let mut replies = 0;
    for case in case::all("wire", COUNT) {
        if case.expect() == "encoded" {
            encode(&case, &mut out);
            assert_eq!(out, case.bytes, "{}", case.name);
            replies += 1;
        }
    }
    assert_eq!(replies, 28);
}

#[test]
fn a_request_cut_short_is_no_request() {
    for case in case::all("wire", COUNT) {
        let body = body(&case.bytes).expect(&case.name);
        let ends = field_ends(body);
        for len in 0..body.len() {
            let cut = wire::decode(&body[..len]);
            assert!(
                cut.is_err() || ends.contains(&len),
                "{} at {len}: {cut:?}",
                case.name
            );
        }
        let prefix = case.bytes.len() - body.len();
        for len in 0..prefix {
            assert_eq!(
                wire::frame_len(&case.bytes[..len]),
                Ok(None),
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn changed_requests_never_panic() {
    let cases = case::all("wire", COUNT);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut out = Vec::new();
    let mut requests = 0;
    for _ in 0..100_000 {
        let mut bytes = cases[random.below(cases.len())].bytes.clone();
        for _ in 0..=random.below(3) {
            let other = &cases[random.below(cases.len())].bytes;
            change(&mut bytes, other, &mut random);
        }
        let _ = wire::frame_len(&bytes);
        let Ok(request) = wire::decode(&bytes[bytes.len().min(2)..]) else {
            continue;
        };
        requests += 1;
        answer(&request, &mut out);
        assert!(wire::frame_len(&out).unwrap().is_some());
    }
    assert!(requests > 1000, "{requests}");
}

/// The body of the one message in `bytes`.
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let prefix = wire::frame_len(bytes).ok()??;
    let body = bytes.get(prefix.prefix_len..)?;
    (body.len() == prefix.body_len).then_some(body)
}

fn outcome(decoded: &Result<Request<'_>, DecodeError>) -> String {
    let of = |what: &str, bad: Option<BadValue>| match bad {
        None => format!("signable {what}"),
        Some(bad) => format!("refused {what}: {}", class(bad)),
    };
    match decoded {
        Ok(Request::PubKey { .. }) => "pubkey".into(),
        Ok(Request::Ping) => "ping".into(),
        Ok(Request::RawBytes) => "raw bytes".into(),
        Ok(Request::SignVote { vote, .. }) => of("vote", types::Vote::try_from(vote).err()),
        Ok(Request::SignProposal { proposal, .. }) => {
            of("proposal", types::Proposal::try_from(proposal).err())
        }
        Err(DecodeError::Malformed(_)) => "malformed".into(),
        Err(DecodeError::Unknown { .. }) => "unknown".into(),
        Err(DecodeError::Reply { .. }) => "reply".into(),
        Err(other) => other.to_string(),
    }
}

fn class(bad: BadValue) -> &'static str {
    match bad {
        BadValue::VoteType(_) => "type",
        BadValue::Height(_) => "height",
        BadValue::Round(_) => "round",
        BadValue::PolRound(_) => "pol_round",
        BadValue::BlockId { .. } => "block id",
        BadValue::NoBlock => "no block",
        BadValue::Timestamp { .. } => "timestamp",
        BadValue::AddressLen(_) => "address",
    }
}

/// Compares what the file names.
fn same_fields(case: &Case, request: &Request<'_>) {
    let named = |key: &str, found: &dyn std::fmt::Display| {
        if let Some(expected) = case.get(key) {
            assert_eq!(found.to_string(), expected, "{}: {key}", case.name);
        }
    };
    let bytes = |key: &str, found: &[u8]| {
        if case.get(key).is_some() {
            assert_eq!(found, case.hex(key), "{}: {key}", case.name);
        }
    };
    let block_id = |found: &BlockId<'_>| {
        bytes("hash", found.hash);
        named("total", &found.total);
        bytes("parts_hash", found.parts_hash);
    };
    let timestamp = |found: &Timestamp| {
        named("timestamp", &format!("{} {}", found.seconds, found.nanos));
    };
    let chain = |found: &[u8]| {
        if let Some(expected) = case.get("chain_id") {
            let found = String::from_utf8_lossy(found);
            assert_eq!(found, expected, "{}: chain_id", case.name);
        }
    };
    match request {
        Request::PubKey { chain_id } => chain(chain_id),
        Request::SignVote {
            vote,
            chain_id,
            skip_extension_signing,
        } => {
            named("type", &vote.kind);
            named("height", &vote.height);
            named("round", &vote.round);
            block_id(&vote.block_id);
            timestamp(&vote.timestamp);
            bytes("validator_address", vote.validator_address);
            named("validator_index", &vote.validator_index);
            bytes("extension", vote.extension);
            named("skip_extension_signing", skip_extension_signing);
            chain(chain_id);
        }
        Request::SignProposal { proposal, chain_id } => {
            named("type", &proposal.kind);
            named("height", &proposal.height);
            named("round", &proposal.round);
            named("pol_round", &proposal.pol_round);
            block_id(&proposal.block_id);
            timestamp(&proposal.timestamp);
            chain(chain_id);
        }
        Request::Ping | Request::RawBytes => {}
    }
}

/// Encodes the reply that the file describes.
fn encode(case: &Case, out: &mut Vec<u8>) {
    let about = case.text("message");
    let refusal = || Refusal {
        code: case.number("code"),
        description: case.text("description"),
    };
    match about {
        "ping" => return wire::encode(&Response::Ping, out),
        "pubkey" => {
            let key = PublicKey(case.hex("key").try_into().unwrap());
            return wire::encode(&Response::PubKey(key), out);
        }
        "pubkey error" => return wire::encode(&Response::PubKeyError(refusal()), out),
        "vote error" => return wire::encode(&Response::VoteError(refusal()), out),
        "proposal error" => return wire::encode(&Response::ProposalError(refusal()), out),
        "raw bytes error" => return wire::encode(&Response::RawBytesError(refusal()), out),
        _ => {}
    }
    let (hash, parts_hash) = (case.hex("hash"), case.hex("parts_hash"));
    let block_id = BlockId {
        hash: &hash,
        total: case.number("total"),
        parts_hash: &parts_hash,
    };
    let (seconds, nanos) = case.text("timestamp").split_once(' ').unwrap();
    let timestamp =
        types::Timestamp::new(seconds.parse().unwrap(), nanos.parse().unwrap()).unwrap();
    let signature = |key| case.hex(key).try_into().map(Signature).ok();
    let signed = signature("signature").unwrap();
    if about == "vote" {
        let address = case.hex("validator_address");
        let extension_signature = signature("extension_signature");
        let request = Vote {
            kind: case.number("type"),
            height: case.number("height"),
            round: case.number("round"),
            block_id,
            // The one that was signed takes its place.
            timestamp: Timestamp::default(),
            validator_address: &address,
            validator_index: case.number("validator_index"),
            extension: b"not echoed",
        };
        let response = Response::Vote {
            request: &request,
            timestamp,
            signature: &signed,
            extension_signature: extension_signature.as_ref(),
        };
        wire::encode(&response, out);
    } else {
        let request = Proposal {
            kind: case.number("type"),
            height: case.number("height"),
            round: case.number("round"),
            pol_round: case.number("pol_round"),
            block_id,
            timestamp: Timestamp::default(),
        };
        let response = Response::Proposal {
            request: &request,
            timestamp,
            signature: &signed,
        };
        wire::encode(&response, out);
    }
}

/// Where the fields of the envelope end: a message cut there is shorter, not broken.
fn field_ends(body: &[u8]) -> Vec<usize> {
    let ends = |len: &usize| {
        let mut reader = Reader::new(&body[..*len]);
        loop {
            match reader.field() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    (0..body.len()).filter(ends).collect()
}

/// Does with a request what a signer does, up to the signature.
fn answer(request: &Request<'_>, out: &mut Vec<u8>) {
    let chain_id = ChainId::new("test_chain_id").unwrap();
    let signature = &Signature([7; 64]);
    let refuse = |bad: BadValue, out: &mut Vec<u8>| {
        let refusal = Refusal {
            code: 0,
            description: &bad.to_string(),
        };
        wire::encode(&request.refuse(refusal), out);
    };
    match request {
        Request::PubKey { .. } => wire::encode(&Response::PubKey(PublicKey([1; 32])), out),
        Request::Ping => wire::encode(&Response::Ping, out),
        Request::RawBytes => refuse(BadValue::NoBlock, out),
        Request::SignVote { vote, .. } => match types::Vote::try_from(vote) {
            Err(bad) => refuse(bad, out),
            Ok(closed) => {
                let sign_bytes = SignBytes::vote(&chain_id, &closed);
                assert!(SignBytes::parse(sign_bytes.as_bytes()) == Ok(sign_bytes));
                let response = Response::Vote {
                    request: vote,
                    timestamp: closed.timestamp,
                    signature,
                    extension_signature: Some(signature),
                };
                wire::encode(&response, out);
                assert!(out.len() < 1000, "{}", out.len());
            }
        },
        Request::SignProposal { proposal, .. } => match types::Proposal::try_from(proposal) {
            Err(bad) => refuse(bad, out),
            Ok(closed) => {
                let sign_bytes = SignBytes::proposal(&chain_id, &closed);
                assert!(SignBytes::parse(sign_bytes.as_bytes()) == Ok(sign_bytes));
                let response = Response::Proposal {
                    request: proposal,
                    timestamp: closed.timestamp,
                    signature,
                };
                wire::encode(&response, out);
            }
        },
    }
}

/// One change: a bit, a byte, some bytes fewer, some more, some of another case.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        return bytes.extend_from_slice(other);
    }
    let at = random.below(bytes.len());
    let end = at + random.below(bytes.len() - at + 1).min(8);
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
        2 => drop(bytes.drain(at..end)),
        3 => bytes.extend_from_within(at..end),
        4 => bytes.truncate(at),
        _ => {
            let from = random.below(other.len());
            drop(bytes.splice(at..end, other[from..].iter().take(16).copied()));
        }
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
