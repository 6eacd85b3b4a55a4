//! The other end of a SecretConnection, by hand: it holds its keys and seals what it likes.

use std::sync::LazyLock;

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use tmkms::keys::SigningKey;
use tmkms::secret::{DATA_LEN, FRAME_LEN, Greeted, HELLO_LEN, Hello};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

/// A length field, data, padding: what the tag of a frame covers, in bytes.
pub(crate) const SEALED_LEN: usize = 4 + DATA_LEN;

const OURS: [u8; 32] = [9; 32];
const THEIRS: [u8; 32] = [11; 32];

/// What is worked out once, since a handshake costs more than everything else that is tried on it.
pub(crate) static PEER: LazyLock<Peer> = LazyLock::new(Peer::new);

pub(crate) struct Peer {
    identity: SigningKey,
    hello: [u8; HELLO_LEN],
    /// Its first frame, opened.
    pub(crate) auth: [u8; SEALED_LEN],
    pub(crate) to_us: ChaCha20Poly1305,
    pub(crate) from_us: ChaCha20Poly1305,
}

impl Peer {
    fn new() -> Self {
        let ours = Hello::new(Zeroizing::new(OURS));
        let theirs = Hello::new(Zeroizing::new(THEIRS));
        let (our_hello, hello) = (*ours.message(), *theirs.message());
        let [_, _, _, our_key @ ..] = our_hello;
        let [_, _, _, their_key @ ..] = hello;
        let shared = StaticSecret::from(THEIRS).diffie_hellman(&our_key.into());
        let mut keys = [[0; 32]; 2];
        Hkdf::<Sha256>::new(None, shared.as_bytes())
            .expand(
                b"TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN",
                keys.as_flattened_mut(),
            )
            .unwrap();
        // The end whose key sorts first receives under the first of the two.
        if our_key > their_key {
            keys.reverse();
        }
        let [to_us, from_us] = keys.map(|key| ChaCha20Poly1305::new(&key.into()));
        let greeted = theirs
            .receive(&our_hello, &SigningKey::from_seed(&[8; 32]).unwrap())
            .unwrap();
        let auth = open(&to_us, 0, greeted.frame()).unwrap();
        Self {
            identity: SigningKey::from_seed(&[7; 32]).unwrap(),
            hello,
            auth,
            to_us,
            from_us,
        }
    }

    /// Our end, before anybody said anything.
    pub(crate) fn met(&self, hello: &[u8; HELLO_LEN]) -> Result<Greeted, tmkms::secret::Error> {
        Hello::new(Zeroizing::new(OURS)).receive(hello, &self.identity)
    }

    /// Our end, after the peer's true hello.
    pub(crate) fn greeted(&self) -> Greeted {
        self.met(&self.hello).unwrap()
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// A frame whose tag is right, whatever it says.
pub(crate) fn seal(
    key: &ChaCha20Poly1305,
    number: u64,
    text: &[u8; SEALED_LEN],
) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    let (sealed, tag) = frame.split_at_mut(SEALED_LEN);
    sealed.copy_from_slice(text);
    let made = key
        .encrypt_in_place_detached(&nonce(number), &[], sealed)
        .unwrap();
    tag.copy_from_slice(&made);
    frame
}

/// What a frame says, if its tag is right.
pub(crate) fn open(
    key: &ChaCha20Poly1305,
    number: u64,
    frame: &[u8; FRAME_LEN],
) -> Option<[u8; SEALED_LEN]> {
    let (sealed, tag) = frame.split_at(SEALED_LEN);
    let mut text: [u8; SEALED_LEN] = sealed.try_into().unwrap();
    key.decrypt_in_place_detached(&nonce(number), &[], &mut text, Tag::from_slice(tag))
        .ok()?;
    Some(text)
}
