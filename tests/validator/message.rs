//! Requests, replies and the bytes whose signature a reply should carry.

use std::io;

use sha2::{Digest, Sha256};

use super::invalid;
use super::proto::{Fields, Proto, delimited};

/// Seconds since 1970 and nanoseconds.
pub type Time = (i64, i32);

/// What a node reads where a reply has no timestamp: Go's zero time.
pub const GO_ZERO: Time = (-62_135_596_800, 0);

/// `SIGNED_MSG_TYPE_PREVOTE`.
pub const PREVOTE: i64 = 1;

/// `SIGNED_MSG_TYPE_PRECOMMIT`.
pub const PRECOMMIT: i64 = 2;

/// A block id; any lengths, so that half and broken ones can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub hash: Vec<u8>,
    pub total: u32,
    pub parts_hash: Vec<u8>,
}

impl Block {
    /// A complete block id; another number is another block.
    pub fn numbered(number: u64) -> Self {
        Self {
            hash: Sha256::digest(number.to_le_bytes()).to_vec(),
            total: 1,
            parts_hash: Sha256::digest(number.to_be_bytes()).to_vec(),
        }
    }

    fn is_empty(&self) -> bool {
        self.hash.is_empty() && self.total == 0 && self.parts_hash.is_empty()
    }

    /// The same in `BlockID` and in `CanonicalBlockID`.
    fn proto(block: Option<&Self>) -> Proto {
        let Some(block) = block else {
            return Proto::new().message(2, &Proto::new());
        };
        let parts = Proto::new()
            .int(1, i64::from(block.total))
            .bytes(2, &block.parts_hash);
        Proto::new().bytes(1, &block.hash).message(2, &parts)
    }
}

/// A `SignVoteRequest`; `None` for the block is a vote for nil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRequest {
    pub chain_id: String,
    pub kind: i64,
    pub height: i64,
    pub round: i32,
    pub block: Option<Block>,
    /// `None` leaves the field out, which no stock node does.
    pub time: Option<Time>,
    pub validator_address: Vec<u8>,
    pub validator_index: i32,
    pub extension: Vec<u8>,
    pub skip_extension_signing: bool,
}

impl VoteRequest {
    /// A vote for block 1, cast at second `height` of 1970.
    pub fn new(chain_id: &str, kind: i64, height: i64, round: i32) -> Self {
        Self {
            chain_id: chain_id.to_owned(),
            kind,
            height,
            round,
            block: Some(Block::numbered(1)),
            time: Some((height, 0)),
            validator_address: vec![0xad; 20],
            validator_index: 7,
            extension: Vec::new(),
            skip_extension_signing: false,
        }
    }

    pub fn prevote(chain_id: &str, height: i64, round: i32) -> Self {
        Self::new(chain_id, PREVOTE, height, round)
    }

    pub fn precommit(chain_id: &str, height: i64, round: i32) -> Self {
        Self::new(chain_id, PRECOMMIT, height, round)
    }

    /// The same vote for another block, or for nil.
    pub fn with_block(self, block: Option<Block>) -> Self {
        Self { block, ..self }
    }

    /// The same vote at another time.
    pub fn at(self, time: Time) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    /// The same vote with another extension.
    pub fn with_extension(self, extension: &[u8]) -> Self {
        Self {
            extension: extension.to_vec(),
            ..self
        }
    }

    /// The `Message` that asks for it.
    pub fn body(&self) -> Vec<u8> {
        let mut vote = Proto::new()
            .int(1, self.kind)
            .int(2, self.height)
            .int(3, i64::from(self.round))
            .message(4, &Block::proto(self.block.as_ref()));
        if let Some(time) = self.time {
            vote = vote.message(5, &time_proto(time));
        }
        vote = vote
            .bytes(6, &self.validator_address)
            .int(7, i64::from(self.validator_index))
            .bytes(9, &self.extension);
        let request = Proto::new()
            .message(1, &vote)
            .bytes(2, self.chain_id.as_bytes())
            .int(3, i64::from(self.skip_extension_signing));
        Proto::new().message(3, &request).into_bytes()
    }

    /// What a signature over this vote is a signature over.
    pub fn sign_bytes(&self) -> Vec<u8> {
        let mut vote = Proto::new()
            .int(1, self.kind)
            .fixed(2, self.height)
            .fixed(3, i64::from(self.round));
        if let Some(block) = self.block.as_ref().filter(|block| !block.is_empty()) {
            vote = vote.message(4, &Block::proto(Some(block)));
        }
        vote = vote
            .message(5, &time_proto(self.time.unwrap_or(GO_ZERO)))
            .bytes(6, self.chain_id.as_bytes());
        delimited(&vote.into_bytes())
    }

    /// What an extension signature is a signature over.
    pub fn extension_sign_bytes(&self) -> Vec<u8> {
        let extension = Proto::new()
            .bytes(1, &self.extension)
            .fixed(2, self.height)
            .fixed(3, i64::from(self.round))
            .bytes(4, self.chain_id.as_bytes());
        delimited(&extension.into_bytes())
    }
}

/// A `SignProposalRequest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalRequest {
    pub chain_id: String,
    /// 32 from a stock node; what is signed has 32 whatever it is.
    pub kind: i64,
    pub height: i64,
    pub round: i32,
    /// −1 if there is none.
    pub pol_round: i32,
    pub block: Option<Block>,
    /// `None` leaves the field out, which no stock node does.
    pub time: Option<Time>,
}

impl ProposalRequest {
    /// A proposal of block 1 without a proof of lock, made at second `height` of 1970.
    pub fn new(chain_id: &str, height: i64, round: i32) -> Self {
        Self {
            chain_id: chain_id.to_owned(),
            kind: 32,
            height,
            round,
            pol_round: -1,
            block: Some(Block::numbered(1)),
            time: Some((height, 0)),
        }
    }

    /// The same proposal of another block.
    pub fn with_block(self, block: Option<Block>) -> Self {
        Self { block, ..self }
    }

    /// The same proposal at another time.
    pub fn at(self, time: Time) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    /// The `Message` that asks for it.
    pub fn body(&self) -> Vec<u8> {
        let mut proposal = Proto::new()
            .int(1, self.kind)
            .int(2, self.height)
            .int(3, i64::from(self.round))
            .int(4, i64::from(self.pol_round))
            .message(5, &Block::proto(self.block.as_ref()));
        if let Some(time) = self.time {
            proposal = proposal.message(6, &time_proto(time));
        }
        let request = Proto::new()
            .message(1, &proposal)
            .bytes(2, self.chain_id.as_bytes());
        Proto::new().message(5, &request).into_bytes()
    }

    /// What a signature over this proposal is a signature over.
    pub fn sign_bytes(&self) -> Vec<u8> {
        let mut proposal = Proto::new()
            .int(1, 32)
            .fixed(2, self.height)
            .fixed(3, i64::from(self.round))
            .int(4, i64::from(self.pol_round));
        if let Some(block) = self.block.as_ref().filter(|block| !block.is_empty()) {
            proposal = proposal.message(5, &Block::proto(Some(block)));
        }
        proposal = proposal
            .message(6, &time_proto(self.time.unwrap_or(GO_ZERO)))
            .bytes(7, self.chain_id.as_bytes());
        delimited(&proposal.into_bytes())
    }
}

fn time_proto((seconds, nanos): Time) -> Proto {
    Proto::new().int(1, seconds).int(2, i64::from(nanos))
}

/// What came back for a vote or a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Empty if there is none.
    pub signature: Vec<u8>,
    /// As a node reads it: absent is [`GO_ZERO`].
    pub time: Time,
    /// Of a vote; empty if there is none.
    pub extension_signature: Vec<u8>,
    /// Code and text of a `RemoteSignerError`; a node takes its mere presence for a refusal.
    pub error: Option<(i64, String)>,
    /// Every field of the vote or proposal.
    pub fields: Fields,
}

impl Reply {
    /// Reads the `Message` whose one field must be `expected`: 4 for a vote, 6 for a proposal.
    pub fn read(expected: u64, body: &[u8]) -> io::Result<Self> {
        let response = response(expected, body)?;
        let fields = response.message(1)?.unwrap_or_default();
        // Vote: signature 8, timestamp 5. Proposal: signature 7, timestamp 6.
        let (signature, time) = if expected == 4 { (8, 5) } else { (7, 6) };
        let bytes = |field| fields.bytes(field).unwrap_or_default().to_vec();
        let time = match fields.message(time)? {
            None => GO_ZERO,
            Some(time) => (time.int(1), i32::try_from(time.int(2)).unwrap_or(-1)),
        };
        Ok(Self {
            signature: bytes(signature),
            time,
            extension_signature: bytes(10),
            error: error(&response)?,
            fields,
        })
    }

    /// The signature, or the refusal as an error.
    pub fn accepted(&self) -> Result<&[u8], String> {
        match &self.error {
            None => Ok(&self.signature),
            Some((code, text)) => Err(format!("error {code}: {text}")),
        }
    }

    /// Whether this is a success whose signature is `key`'s over `sign_bytes`.
    pub fn signs(&self, key: &[u8; 32], sign_bytes: &[u8]) -> bool {
        self.error.is_none() && is_signature(key, sign_bytes, &self.signature)
    }

    /// Whether this is a success whose extension signature is `key`'s over `sign_bytes`.
    pub fn signs_extension(&self, key: &[u8; 32], sign_bytes: &[u8]) -> bool {
        self.error.is_none() && is_signature(key, sign_bytes, &self.extension_signature)
    }
}

/// What came back for a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReply {
    /// What nodes before v1 read.
    pub ed25519: Option<Vec<u8>>,
    /// What nodes of v1 and v2 read: bytes and type.
    pub typed: Option<(Vec<u8>, String)>,
    /// Code and text of a `RemoteSignerError`.
    pub error: Option<(i64, String)>,
}

impl KeyReply {
    pub fn read(body: &[u8]) -> io::Result<Self> {
        let response = response(2, body)?;
        let key = response.message(1)?.unwrap_or_default();
        let typed = response.bytes(3).zip(response.bytes(4));
        Ok(Self {
            ed25519: key.bytes(1).map(<[u8]>::to_vec),
            typed: typed.map(|(key, kind)| (key.to_vec(), text(kind))),
            error: error(&response)?,
        })
    }
}

/// The one member of the envelope, which must be `expected`.
fn response(expected: u64, body: &[u8]) -> io::Result<Fields> {
    let envelope = Fields::read(body)?;
    match (&envelope.0[..], envelope.message(expected)?) {
        ([_], Some(response)) => Ok(response),
        _ => Err(invalid(format!("no response {expected}: {envelope:?}"))),
    }
}

fn error(response: &Fields) -> io::Result<Option<(i64, String)>> {
    let error = response.message(2)?;
    Ok(error.map(|error| (error.int(1), text(error.bytes(2).unwrap_or_default()))))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_signature(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let key = ed25519_compact::PublicKey::new(*key);
    ed25519_compact::Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify(message, &signature).is_ok())
}
