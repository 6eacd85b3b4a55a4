//! SecretConnection under attack: each ends the link with a line of its own, and the link is redialled.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use merlin::Transcript;
use sha2::Sha256;
use tmkms::keys::SigningKey;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::scene::{PATIENCE, Scene, Socket, accept};
use crate::validator::{Stream, Validator};

const FRAME_LEN: usize = 1044;
const CHANGED: &str = "a frame was cut, changed, replayed or reordered on its way";
const WEAK: &str = "the peer's ephemeral key is weak";
const NOT_PROVED: &str = "the peer did not prove its identity";

/// The peer of a handshake, made by hand so that it can lie.
struct Peer {
    stream: Stream,
    seal: ChaCha20Poly1305,
    open: ChaCha20Poly1305,
    challenge: [u8; 32],
    sealed: u64,
}

impl Peer {
    /// Exchanges ephemeral keys, honestly.
    fn greet(mut stream: Stream) -> io::Result<Self> {
        let secret = StaticSecret::from([0x2b; 32]);
        let ours = PublicKey::from(&secret).to_bytes();
        let theirs = hello(&mut stream)?;
        stream.write_all(&[&[0x22, 0x0a, 0x20], &ours[..]].concat())?;

        let shared = secret.diffie_hellman(&theirs.into());
        let mut keys = [0; 64];
        Hkdf::<Sha256>::new(None, shared.as_bytes())
            .expand(
                b"TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN",
                &mut keys,
            )
            .unwrap();
        let (first, second) = keys.split_at(32);
        let lower = ours < theirs;
        let (receive, send) = if lower {
            (first, second)
        } else {
            (second, first)
        };
        let (low, high) = if lower {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        let mut transcript = Transcript::new(b"TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH");
        transcript.append_message(b"EPHEMERAL_LOWER_PUBLIC_KEY", &low);
        transcript.append_message(b"EPHEMERAL_UPPER_PUBLIC_KEY", &high);
        transcript.append_message(b"DH_SECRET", shared.as_bytes());
        let mut challenge = [0; 32];
        transcript.challenge_bytes(b"SECRET_CONNECTION_MAC", &mut challenge);
        Ok(Self {
            stream,
            seal: ChaCha20Poly1305::new(send.into()),
            open: ChaCha20Poly1305::new(receive.into()),
            challenge,
            sealed: 0,
        })
    }

    /// A frame that says it holds `length` bytes.
    fn sealed(&mut self, length: u32, data: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; FRAME_LEN - 16];
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[4..4 + data.len()].copy_from_slice(data);
        let tag = self
            .seal
            .encrypt_in_place_detached(&nonce(self.sealed), b"", &mut frame)
            .unwrap();
        self.sealed += 1;
        frame.extend_from_slice(&tag);
        frame
    }

    fn send(&mut self, data: &[u8]) -> io::Result<()> {
        let frame = self.sealed(data.len().try_into().unwrap(), data);
        self.stream.write_all(&frame)
    }

    /// The signer's own auth message, opened.
    fn auth_of_signer(&mut self) -> io::Result<Vec<u8>> {
        let mut frame = vec![0; FRAME_LEN];
        self.stream.read_exact(&mut frame)?;
        let (data, tag) = frame.split_at_mut(FRAME_LEN - 16);
        self.open
            .decrypt_in_place_detached(&nonce(0), b"", data, (&*tag).into())
            .map_err(|_| io::ErrorKind::InvalidData)?;
        let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
        Ok(frame[4..4 + length].to_vec())
    }
}

fn nonce(count: u64) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[4..].copy_from_slice(&count.to_le_bytes());
    nonce
}

/// The signer's ephemeral key.
fn hello(stream: &mut Stream) -> io::Result<[u8; 32]> {
    let mut hello = [0; 35];
    stream.read_exact(&mut hello)?;
    Ok(hello[3..].try_into().unwrap())
}

/// An auth message: the signature of `key` over `challenge`, behind a public key of field `kind`.
fn auth(kind: u8, key: &SigningKey, challenge: &[u8]) -> Vec<u8> {
    let (public, signature) = (key.public_key(), key.sign(challenge));
    let message = [
        &[102, 0x0a, 34, kind << 3 | 2, 32],
        &public.0[..],
        &[0x12, 64],
        &signature.0[..],
    ];
    message.concat()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[0x77; 32]).unwrap()
}

type Attack = fn(&Validator) -> io::Result<()>;

/// What is done to a signer that dials, and what it then says.
#[rustfmt::skip]
const ATTACKS: [(&str, Attack, &str); 15] = [
    ("another protocol", |node| {
        node.accept_stream(PATIENCE)?.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")
    }, "the peer does not speak SecretConnection"),
    ("zero point", |node| point(node, [0; 32]), WEAK),
    ("point of order 8", |node| point(node, *b"\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a\xda\x09\x8d\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00"), WEAK),
    ("its own key", |node| {
        let mut stream = node.accept_stream(PATIENCE)?;
        let reflected = hello(&mut stream)?;
        stream.write_all(&[&[0x22, 0x0a, 0x20], &reflected[..]].concat())
    }, WEAK),
    ("a signature over another challenge", |node| {
        let mut peer = Peer::greet(node.accept_stream(PATIENCE)?)?;
        peer.send(&auth(1, &key(), &[0; 32]))
    }, NOT_PROVED),
    ("its own identity", |node| {
        let mut peer = Peer::greet(node.accept_stream(PATIENCE)?)?;
        let reflected = peer.auth_of_signer()?;
        peer.send(&reflected)
    }, NOT_PROVED),
    ("an identity of another kind", |node| {
        let mut peer = Peer::greet(node.accept_stream(PATIENCE)?)?;
        let auth = auth(2, &key(), &peer.challenge);
        peer.send(&auth)
    }, "the peer's identity is not an Ed25519 key"),
    ("half an auth message", |node| {
        let mut peer = Peer::greet(node.accept_stream(PATIENCE)?)?;
        let auth = auth(1, &key(), &peer.challenge);
        peer.send(&auth[..50])
    }, "the peer's auth message is malformed"),
    ("a frame of too many bytes", |node| {
        let mut peer = Peer::greet(node.accept_stream(PATIENCE)?)?;
        let frame = peer.sealed(1025, &[]);
        peer.stream.write_all(&frame)
    }, "a frame holds no data, or more than 1024 bytes"),
    ("a flipped bit in the handshake", |node| {
        let mut peer = Peer::greet(node.accept_stream(PATIENCE)?)?;
        let auth = auth(1, &key(), &peer.challenge);
        let mut frame = peer.sealed(103 + 1, &auth);
        frame[900] ^= 1;
        peer.stream.write_all(&frame)
    }, CHANGED),
    ("a flipped bit", |node| frames(node, |frames| frames[0][1043] ^= 0x80), CHANGED),
    ("a frame twice", |node| frames(node, |[one, two]| two.clone_from(one)), CHANGED),
    ("frames in another order", |node| frames(node, |frames| frames.swap(0, 1)), CHANGED),
    ("a cut frame", |node| frames(node, |frames| frames[0].truncate(1000)), CHANGED),
    ("the end within a frame", |node| frames(node, |frames| {
        frames[0].truncate(1000);
        frames[1].clear();
    }), "the node closed the connection"),
];

fn point(node: &Validator, point: [u8; 32]) -> io::Result<()> {
    let mut stream = node.accept_stream(PATIENCE)?;
    stream.write_all(&[&[0x22, 0x0a, 0x20], &point[..]].concat())?;
    // The signer hangs up before it shows who it is.
    let _ = hello(&mut stream)?;
    assert_ne!(stream.read(&mut [0; FRAME_LEN]).unwrap_or(0), FRAME_LEN);
    Ok(())
}

/// Two pings, changed on their way, then the end.
fn frames(node: &Validator, change: impl FnOnce(&mut [Vec<u8>; 2])) -> io::Result<()> {
    let mut link = node.accept(PATIENCE)?;
    let ping = [2, 0x3a, 0];
    let mut sealed = [link.sealed(&ping)?, link.sealed(&ping)?];
    change(&mut sealed);
    let stream = link.stream();
    stream.write_all(&sealed.concat())?;
    match stream {
        Stream::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
        Stream::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
    }
}

#[test]
fn every_attack_ends_the_link_with_its_own_line() {
    let scene = Scene::new("attacks");
    let chain = scene.chain("attacks-1", "");
    let nodes = ATTACKS.map(|_| scene.node(&chain, Socket::Tcp, ""));
    let mut signer = scene.start();
    for ((name, attack, line), node) in ATTACKS.iter().zip(&nodes) {
        attack(node).unwrap_or_else(|error| panic!("{name}: {error}"));
        let label = format!("[attacks-1@{}]", node.addr());
        let told = signer.find(&["ERROR tmkms::client", &label, line], PATIENCE);
        told.unwrap_or_else(|error| panic!("{name}: {error}"));
        accept(node, &mut signer).ping().unwrap();
    }
}

#[test]
fn the_hand_made_peer_is_one_if_it_does_not_lie() {
    let scene = Scene::new("honest");
    let chain = scene.chain("honest-1", "");
    let node = scene.node(&chain, Socket::Tcp, "");
    let mut signer = scene.start();
    let mut peer = Peer::greet(node.accept_stream(PATIENCE).unwrap()).unwrap();
    let auth = auth(1, &key(), &peer.challenge);
    peer.send(&auth).unwrap();
    let shown = format!("peer ID! ({})", key().public_key().node_id());
    signer.find(&["WARN", &shown], PATIENCE).unwrap();
}

#[test]
fn a_pinned_peer_is_another_and_the_message_says_why_pins_fail() {
    let scene = Scene::new("pin");
    let chain = scene.chain("pin-1", "");
    let node = Validator::listen_tcp().unwrap();
    let pinned = format!("tcp://{}@{}", "ab".repeat(20), node.host_and_port());
    scene.dial(&chain, &pinned, "");
    let mut signer = scene.start();
    // The handshake is sound at the node's end; what follows is not.
    let mut link = accept(&node, &mut signer);
    link.expect_close().unwrap();
    let found = node.node_id().to_string();
    let parts = [
        "ERROR",
        "ababab",
        &found,
        "A stock node makes a new identity",
    ];
    signer.find(&parts, PATIENCE).unwrap();
    // Nor is it given up: the node may be the right one next time.
    accept(&node, &mut signer).expect_close().unwrap();
}

#[test]
fn the_pinned_peer_is_not_called_unverified() {
    let scene = Scene::new("right_pin");
    let chain = scene.chain("right_pin-1", "");
    let node = Validator::listen_tcp().unwrap();
    scene.dial(&chain, &node.pinned_addr(), "");
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    link.ping().unwrap();
    let lines = signer.lines();
    assert!(!lines.iter().any(|line| line.contains("unverified")));
}
