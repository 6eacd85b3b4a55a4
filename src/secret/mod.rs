//! SecretConnection: handshake and frames, without a socket.
//!
//! The Station-to-Station protocol of Tendermint v0.34 and later, as in CometBFT's
//! `p2p/conn/secret_connection.go`: X25519 key agreement, HKDF-SHA256, a Merlin challenge that both
//! sides sign with Ed25519, then ChaCha20-Poly1305 in frames of fixed length. It is symmetric: there
//! is no client and no server.
//!
//! ```text
//!            send message(), read 35 bytes           send frame(), read 1,044 bytes
//!  ephemeral ──────▶ Hello ── receive ──▶ Greeted ── receive ──▶ Authenticated { peer, seal, open }
//!                      │                     │                                      │      │
//!                      └──────── Error ◀─────┴──────────────────────────────────────┴──────┘
//! ```
//!
//! Nothing survives an error: a handshake is consumed by each step, and [`Seal`] and [`Open`] wipe
//! their key and repeat the error for ever.
//!
//! Stricter than CometBFT, in ways that each of its versions satisfies: a hello has exactly 35
//! bytes, an auth message exactly the 103 that a protobuf encoder writes for an Ed25519 key (fields
//! in order, none unknown) and a frame to itself, and a frame without data is refused, so that every
//! opened frame brings its reader forward. Left out: the amino handshakes of v0.33 and before.
//!
//! ```
//! use tmkms::keys::SigningKey;
//! use tmkms::secret::{Error, FRAME_LEN, Hello};
//!
//! let ours = Hello::new([1; 32].into());
//! let theirs = Hello::new([2; 32].into());
//! let (our_hello, their_hello) = (*ours.message(), *theirs.message());
//!
//! let ours = ours.receive(&their_hello, &SigningKey::from_seed(&[3; 32]).unwrap())?;
//! let theirs = theirs.receive(&our_hello, &SigningKey::from_seed(&[4; 32]).unwrap())?;
//! let (mut our_frame, mut their_frame) = (*ours.frame(), *theirs.frame());
//!
//! let mut ours = ours.receive(&mut their_frame)?;
//! let mut theirs = theirs.receive(&mut our_frame)?;
//!
//! let mut frame = [0; FRAME_LEN];
//! ours.seal.seal(b"ping", &mut frame)?;
//! assert_eq!(theirs.open.open(&mut frame)?, b"ping");
//! # Ok::<(), Error>(())
//! ```

use core::fmt;

mod frame;
mod handshake;

pub use frame::{DATA_LEN, FRAME_LEN, Open, Seal};
pub use handshake::{Authenticated, Greeted, HELLO_LEN, Hello};

/// Why a connection is over. The peer or the network is at fault, except for [`Error::Nonces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The first bytes are not `22 0a 20`: another protocol, or Tendermint before v0.34.
    Hello,
    /// The ephemeral key is of low order, so that anybody knows the shared secret, or it is ours.
    WeakKey,
    /// A frame is not the next one the peer sealed: cut, flipped, replayed or out of order.
    Tag,
    /// The data of a frame is not 1 to [`DATA_LEN`] bytes.
    Length,
    /// The auth message has not the one form that an Ed25519 key gives it.
    Auth,
    /// The identity in the auth message is not an Ed25519 key.
    KeyType,
    /// The peer did not sign this handshake's challenge, or sent our own signature back.
    Signature,
    /// 2^64 − 1 frames have gone one way; another would use a nonce twice.
    Nonces,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "the peer does not speak SecretConnection of Tendermint v0.34 or later",
            Self::WeakKey => "the peer's ephemeral key is weak: of low order, or ours sent back",
            Self::Tag => "a frame was cut, changed, replayed or reordered on its way",
            Self::Length => "a frame holds no data, or more than 1024 bytes",
            Self::Auth => "the peer's auth message is malformed",
            Self::KeyType => "the peer's identity is not an Ed25519 key",
            Self::Signature => "the peer did not prove its identity: it did not sign the challenge",
            Self::Nonces => "the connection has used up its nonces",
        })
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ct_codecs::{Decoder, Encoder, Hex};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::keys::SigningKey;

    pub(super) const ALICE: Side = Side {
        identity: "a0d068d7c44e951610d54a7eb90279e8a31b61128d44d2dd92311763c468185c",
        ephemeral: "a14d1fe92419d4e23b4007079439b497ae77494ccda0195ac1c70680bb460908",
    };

    pub(super) const BOB: Side = Side {
        identity: "b07e65300419ce0b5d7274bcbc67fcfd3fb68272de9aa52a452a6889c7d33fd5",
        ephemeral: "b19aff79f5b8cd2f37d46b19e294364d843b1d820b0ac55ec72e9d4e7e04f041",
    };

    /// One end of a handshake: the seed of its identity and its ephemeral secret.
    pub(super) struct Side {
        identity: &'static str,
        ephemeral: &'static str,
    }

    impl Side {
        pub(super) fn hello(&self) -> Hello {
            Hello::new(array(&unhex(self.ephemeral)).into())
        }

        pub(super) fn identity(&self) -> SigningKey {
            SigningKey::from_seed(&array(&unhex(self.identity))).unwrap()
        }

        pub(super) fn greeted(&self, peer: &Hello) -> Result<Greeted, Error> {
            self.hello().receive(peer.message(), &self.identity())
        }
    }

    pub(super) struct Xorshift(pub(super) u64);

    impl Xorshift {
        pub(super) fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as usize % end
        }

        /// Flips, overwrites or moves a few bytes.
        pub(super) fn mutate(&mut self, bytes: &mut [u8]) {
            for _ in 0..=self.below(4) {
                let at = self.below(bytes.len());
                match self.below(4) {
                    0 => bytes[at] ^= 1 << self.below(8),
                    1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x22][self.below(6)],
                    2 => bytes[at..].rotate_left(1),
                    _ => bytes[at..].fill(0),
                }
            }
        }
    }

    pub(super) fn unhex(text: &str) -> Vec<u8> {
        Hex::decode_to_vec(text, None).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        Hex::encode_to_string(bytes).unwrap()
    }

    pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
        bytes.try_into().unwrap()
    }

    struct Vector {
        name: String,
        head: Vec<(String, String)>,
        body: String,
    }

    impl Vector {
        fn get(&self, key: &str) -> &str {
            let found = self.head.iter().find(|(name, _)| name == key);
            &found.unwrap_or_else(|| panic!("{}: no {key}", self.name)).1
        }

        fn bytes(&self) -> Vec<u8> {
            unhex(&self.body.replace('\n', ""))
        }

        /// What happened, in the words of the line `expect`.
        fn outcome(&self) -> String {
            match self.get("step") {
                "derive" => self.derive(),
                "hello" => self.hello(),
                "frame" => self.frame(),
                "auth" => self.auth(),
                "handshake" => self.handshake(),
                step => panic!("{}: no step {step}", self.name),
            }
        }

        fn derive(&self) -> String {
            for row in self.body.lines() {
                let [shared, lower, receive, send] =
                    row.split(',').collect::<Vec<_>>().try_into().unwrap();
                let keys = handshake::derive(&array(&unhex(shared)), lower == "true");
                assert_eq!(keys.map(|key| hex(&key)), [receive, send], "{row}");
            }
            "keys".into()
        }

        fn hello(&self) -> String {
            let hello = Hello::new(array(&unhex(self.get("ephemeral"))).into());
            match hello.receive(&array(&self.bytes()), &ALICE.identity()) {
                Ok(greeted) => format!("challenge {}", hex(greeted.challenge())),
                Err(error) => refused(error),
            }
        }

        fn frame(&self) -> String {
            let number = self.get("number").parse().unwrap();
            let mut open = Open::at(&array(&unhex(self.get("key"))), number);
            match open.open(&mut array(&self.bytes())) {
                Ok(data) => format!("data {}", hex(data)),
                Err(error) => refused(error),
            }
        }

        /// The body is what Bob seals for Alice, both with the keys of `handshake-*.txt`.
        fn auth(&self) -> String {
            let (greeted, mut bob) = handshake::tests::alice_greeted_and_bob_free();
            let mut frame = [0; FRAME_LEN];
            bob.seal(&self.bytes(), &mut frame).unwrap();
            match greeted.receive(&mut frame) {
                Ok(authenticated) => format!("peer {}", authenticated.peer),
                Err(error) => refused(error),
            }
        }

        fn handshake(&self) -> String {
            let identity = SigningKey::from_seed(&array(&unhex(self.get("identity")))).unwrap();
            let hello = Hello::new(array(&unhex(self.get("ephemeral"))).into());
            assert_eq!(hex(hello.message()), self.get("hello"));
            let node_id = identity.public_key().node_id().to_string();
            assert_eq!(node_id, self.get("node-id"));
            let greeted = hello
                .receive(&array(&unhex(self.get("peer-hello"))), &identity)
                .unwrap();
            let sent = hex(&Sha256::digest(greeted.frame()));
            assert_eq!(sent, self.get("auth-frame-sha256"));

            let body = self.bytes();
            let (auth, data) = body.split_at(FRAME_LEN);
            let Authenticated {
                peer,
                mut seal,
                mut open,
            } = greeted.receive(&mut array(auth)).unwrap();
            assert_eq!(peer.node_id().to_string(), self.get("peer-node-id"));
            let mut frame = [0xaa; FRAME_LEN];
            seal.seal(&unhex(self.get("sends")), &mut frame).unwrap();
            let sent = hex(&Sha256::digest(frame));
            assert_eq!(sent, self.get("sent-frame-sha256"));
            let mut frame = array(data);
            assert_eq!(hex(open.open(&mut frame).unwrap()), self.get("receives"));
            format!("peer {peer}")
        }
    }

    fn refused(error: Error) -> String {
        let class = match error {
            Error::Hello => "hello",
            Error::WeakKey => "weak-key",
            Error::Tag => "tag",
            Error::Length => "length",
            Error::Auth => "auth",
            Error::KeyType => "key-type",
            Error::Signature => "signature",
            Error::Nonces => "nonces",
        };
        format!("refused {class}")
    }

    fn vectors() -> Vec<Vector> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/secret");
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            let (head, body) = text.split_once("\n\n").unwrap();
            let pair = |line: &str| {
                let (key, value) = line.split_once(": ").unwrap();
                (key.to_owned(), value.to_owned())
            };
            Vector {
                name: path.display().to_string(),
                head: head.lines().map(pair).collect(),
                body: body.trim_end().to_owned(),
            }
        };
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| read(&entry.unwrap().path())).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn every_vector_ends_as_it_says() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 64);
        for vector in vectors {
            assert_eq!(
                vector.outcome(),
                vector.get("expect"),
                "{}, {}",
                vector.name,
                vector.get("source")
            );
        }
    }

    #[test]
    fn an_error_is_one_byte_and_says_one_line() {
        assert_eq!(size_of::<Error>(), 1);
        let text = Error::Tag.to_string();
        assert_eq!(
            text,
            "a frame was cut, changed, replayed or reordered on its way"
        );
    }
}
