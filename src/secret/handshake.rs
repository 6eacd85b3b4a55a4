//! The handshake, one type for each state.

use hkdf::Hkdf;
use merlin::Transcript;
use sha2::Sha256;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::{Error, FRAME_LEN, Open, Seal};
use crate::keys::{SigningKey, verify};
use crate::types::{PublicKey, Signature};

/// The first message in bytes: a protobuf `BytesValue` of 32 bytes behind its length.
pub const HELLO_LEN: usize = 35;

/// The first state: our ephemeral key exists, its public half is in [`message`](Self::message).
///
/// The secret half is good for one connection, so every step consumes the state:
///
/// ```compile_fail,E0382
/// # use tmkms::{keys::SigningKey, secret::{HELLO_LEN, Hello}};
/// # let identity = SigningKey::from_seed(&[1; 32]).unwrap();
/// # let (one, another) = ([0; HELLO_LEN], [0; HELLO_LEN]);
/// let hello = Hello::new([7; 32].into());
/// let first = hello.receive(&one, &identity);
/// let second = hello.receive(&another, &identity);
/// ```
pub struct Hello {
    secret: StaticSecret,
    message: [u8; HELLO_LEN],
}

impl Hello {
    /// Begins with `ephemeral`: 32 fresh random bytes, never used before, not yet clamped.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "taken over: wiped when this returns, and not there to be used again"
    )]
    #[must_use]
    pub fn new(ephemeral: Zeroizing<[u8; 32]>) -> Self {
        let secret = StaticSecret::from(*ephemeral);
        let mut message = [0; HELLO_LEN];
        let [length, tag, key_length, key @ ..] = &mut message;
        (*length, *tag, *key_length) = (34, 0x0a, 32);
        *key = x25519_dalek::PublicKey::from(&secret).to_bytes();
        Self { secret, message }
    }

    /// What to send first, in the clear: `22 0a 20` and the 32 bytes of our ephemeral key.
    #[must_use]
    pub fn message(&self) -> &[u8; HELLO_LEN] {
        &self.message
    }

    /// Takes the peer's first message, agrees on keys and signs the challenge with `identity`.
    ///
    /// # Errors
    ///
    /// [`Error::Hello`] or [`Error::WeakKey`].
    pub fn receive(self, peer: &[u8; HELLO_LEN], identity: &SigningKey) -> Result<Greeted, Error> {
        let [_, _, _, ours @ ..] = &self.message;
        let [34, 0x0a, 32, theirs @ ..] = peer else {
            return Err(Error::Hello);
        };
        // With our own key on both sides, each would take itself for the lower one.
        if ours == theirs {
            return Err(Error::WeakKey);
        }
        let shared = self.secret.diffie_hellman(&(*theirs).into());
        if !shared.was_contributory() {
            return Err(Error::WeakKey);
        }
        let lower = ours < theirs;
        let keys = derive(shared.as_bytes(), lower);
        let [receive, send] = &*keys;

        let mut challenge = [0; 32];
        let mut transcript = Transcript::new(b"TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH");
        let (low, high) = if lower {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        transcript.append_message(b"EPHEMERAL_LOWER_PUBLIC_KEY", low);
        transcript.append_message(b"EPHEMERAL_UPPER_PUBLIC_KEY", high);
        transcript.append_message(b"DH_SECRET", shared.as_bytes());
        transcript.challenge_bytes(b"SECRET_CONNECTION_MAC", &mut challenge);

        let own = identity.public_key();
        let signature = identity.sign(&challenge);
        let auth = [AUTH_HEAD, &own.0, AUTH_MIDDLE, &signature.0].concat();
        let mut seal = Seal::new(send);
        let mut frame = [0; FRAME_LEN];
        seal.seal(&auth, &mut frame)?;
        Ok(Greeted {
            own,
            challenge,
            frame,
            seal,
            open: Open::new(receive),
        })
    }
}

/// The second state: both directions are sealed, and who is at the other end is not known yet.
pub struct Greeted {
    own: PublicKey,
    challenge: [u8; 32],
    frame: [u8; FRAME_LEN],
    seal: Seal,
    open: Open,
}

impl Greeted {
    /// What to send next: our identity and its signature over the challenge, sealed.
    #[must_use]
    pub fn frame(&self) -> &[u8; FRAME_LEN] {
        &self.frame
    }

    /// Takes the peer's first frame, decrypts it in place and verifies who sent it.
    ///
    /// The challenge is the same for both sides, so a peer without a key could send our own
    /// identity and signature back; it is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Tag`], [`Error::Length`], [`Error::Auth`], [`Error::KeyType`] or
    /// [`Error::Signature`].
    pub fn receive(mut self, frame: &mut [u8; FRAME_LEN]) -> Result<Authenticated, Error> {
        let (peer, signature) = identity(self.open.open(frame)?)?;
        if peer == self.own || !verify(&peer, &self.challenge, &signature) {
            return Err(Error::Signature);
        }
        Ok(Authenticated {
            peer,
            seal: self.seal,
            open: self.open,
        })
    }
}

/// The last state: the peer has proved that it holds the secret half of `peer`.
///
/// Only a handshake makes one. Whether `peer` is welcome is for the caller to decide.
pub struct Authenticated {
    /// The peer's identity; stock nodes make a new one at each start.
    pub peer: PublicKey,
    /// Seals what we send.
    pub seal: Seal,
    /// Opens what the peer sends.
    pub open: Open,
}

/// The keys to receive and to send with; `lower` says that our ephemeral key sorts first.
///
/// Go draws 32 bytes more and has not used them since v0.33.
pub(super) fn derive(shared: &[u8; 32], lower: bool) -> Zeroizing<[[u8; 32]; 2]> {
    let mut keys = Zeroizing::new([[0; 32]; 2]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 has 8,160 bytes to give")]
    Hkdf::<Sha256>::new(None, shared)
        .expand(
            b"TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN",
            keys.as_flattened_mut(),
        )
        .expect("64 bytes");
    if !lower {
        keys.reverse();
    }
    keys
}

/// What stands before the key in an `AuthSigMessage` of 103 bytes behind its length: tag and
/// length of `pub_key`, tag and length of its `ed25519`.
const AUTH_HEAD: &[u8] = &[102, 0x0a, 34, 0x0a, 32];

/// What stands between key and signature: tag and length of `sig`.
const AUTH_MIDDLE: &[u8] = &[0x12, 64];

/// Reads an `AuthSigMessage` that fills its frame's data.
fn identity(message: &[u8]) -> Result<(PublicKey, Signature), Error> {
    // `PublicKey` is a oneof: 2 secp256k1, 3 to 5 others, depending on the node's version.
    if let [_, 0x0a, 1..=127, 0x12 | 0x1a | 0x22 | 0x2a, ..] = message {
        return Err(Error::KeyType);
    }
    message
        .strip_prefix(AUTH_HEAD)
        .and_then(|rest| rest.split_first_chunk())
        .and_then(|(key, rest)| {
            let signature = rest.strip_prefix(AUTH_MIDDLE)?.try_into().ok()?;
            Some((PublicKey(*key), Signature(signature)))
        })
        .ok_or(Error::Auth)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::{ALICE, BOB, Xorshift, array, unhex};
    use super::*;

    impl Greeted {
        pub(in super::super) fn challenge(&self) -> &[u8; 32] {
            &self.challenge
        }
    }

    /// The shared secret of Alice and Bob in `tests/vectors/secret`, Alice's key being lower.
    const SHARED: &str = "e54f54a0838e03c63273aee320d2d3f14a3aabd298a996413112936fee17f934";

    /// Alice after the hellos, and what Bob sends with before he has sent anything.
    pub(in super::super) fn alice_greeted_and_bob_free() -> (Greeted, Seal) {
        let alice = ALICE.greeted(&BOB.hello()).unwrap();
        let keys = derive(&array(&unhex(SHARED)), false);
        (alice, Seal::new(&keys[1]))
    }

    /// What Bob says after the hellos, in the clear.
    fn bobs_auth() -> Vec<u8> {
        let mut frame = *BOB.greeted(&ALICE.hello()).unwrap().frame();
        let keys = derive(&array(&unhex(SHARED)), true);
        Open::new(&keys[0]).open(&mut frame).unwrap().to_vec()
    }

    #[test]
    fn both_sides_know_each_other_and_talk() {
        let (alice, bob) = (ALICE.hello(), BOB.hello());
        let (alice, bob) = (ALICE.greeted(&bob).unwrap(), BOB.greeted(&alice).unwrap());
        let (mut from_alice, mut from_bob) = (*alice.frame(), *bob.frame());
        let mut alice = alice.receive(&mut from_bob).unwrap();
        let mut bob = bob.receive(&mut from_alice).unwrap();
        assert_eq!(alice.peer, BOB.identity().public_key());
        assert_eq!(bob.peer, ALICE.identity().public_key());

        let mut frame = [0; FRAME_LEN];
        for text in [&b"ping"[..], b"pong"] {
            alice.seal.seal(text, &mut frame).unwrap();
            assert_eq!(bob.open.open(&mut frame), Ok(text));
            bob.seal.seal(text, &mut frame).unwrap();
            assert_eq!(alice.open.open(&mut frame), Ok(text));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn a_flipped_bit_in_a_hello_authenticates_nobody() {
        for bit in 0..HELLO_LEN * 8 {
            let mut hello = *ALICE.hello().message();
            hello[bit / 8] ^= 1 << (bit % 8);
            let alice = ALICE.greeted(&BOB.hello()).unwrap();
            let bob = BOB.hello().receive(&hello, &BOB.identity());
            if bit < 24 {
                assert_eq!(bob.err(), Some(Error::Hello), "bit {bit}");
                continue;
            }
            let bob = bob.unwrap();
            let (mut from_alice, mut from_bob) = (*alice.frame(), *bob.frame());
            // X25519 masks the highest bit: the secret is the same, and only the challenge tells.
            let error = if bit == HELLO_LEN * 8 - 1 {
                Error::Signature
            } else {
                Error::Tag
            };
            assert_eq!(alice.receive(&mut from_bob).err(), Some(error), "bit {bit}");
            assert_eq!(bob.receive(&mut from_alice).err(), Some(error), "bit {bit}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn a_flipped_bit_in_the_first_frame_authenticates_nobody() {
        let sealed = *BOB.greeted(&ALICE.hello()).unwrap().frame();
        for at in 0..FRAME_LEN {
            let mut frame = sealed;
            frame[at] ^= 1 << (at % 8);
            let alice = ALICE.greeted(&BOB.hello()).unwrap();
            assert_eq!(alice.receive(&mut frame).err(), Some(Error::Tag), "{at}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn a_flipped_bit_in_an_auth_message_authenticates_nobody() {
        let auth = bobs_auth();
        for bit in 0..auth.len() * 8 {
            let mut auth = auth.clone();
            auth[bit / 8] ^= 1 << (bit % 8);
            let (alice, mut bob) = alice_greeted_and_bob_free();
            let mut frame = [0; FRAME_LEN];
            bob.seal(&auth, &mut frame).unwrap();
            assert!(alice.receive(&mut frame).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_from_another_handshake_authenticates_nobody() {
        let carol = Hello::new([9; 32].into());
        let mut replayed = *BOB.greeted(&carol).unwrap().frame();
        let alice = ALICE.greeted(&BOB.hello()).unwrap();
        assert_eq!(alice.receive(&mut replayed).err(), Some(Error::Tag));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn a_man_in_the_middle_cannot_pass_an_identity_on() {
        let mallory = || Hello::new([66; 32].into());
        let (alice, bob) = (ALICE.greeted(&mallory()), BOB.greeted(&mallory()));
        let (alice, bob) = (alice.unwrap(), bob.unwrap());

        // Mallory shares a secret with each of them, opens what Bob says and seals it for Alice.
        let keys = |peer: &Hello| {
            let [_, _, _, theirs @ ..] = *peer.message();
            let [_, _, _, ours @ ..] = *mallory().message();
            let shared = mallory().secret.diffie_hellman(&theirs.into());
            derive(shared.as_bytes(), ours < theirs)
        };
        let (from_bob, to_alice) = (keys(&BOB.hello())[0], keys(&ALICE.hello())[1]);
        let mut frame = *bob.frame();
        let auth = Open::new(&from_bob).open(&mut frame).unwrap().to_vec();
        assert_eq!(auth[5..37], BOB.identity().public_key().0);
        Seal::new(&to_alice).seal(&auth, &mut frame).unwrap();
        assert_eq!(alice.receive(&mut frame).err(), Some(Error::Signature));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn survives_hostile_messages() {
        let mut random = Xorshift(0x5eed);
        for _ in 0..2_000 {
            let mut hello = *BOB.hello().message();
            random.mutate(&mut hello[3..]);
            let greeted = ALICE.hello().receive(&hello, &ALICE.identity());
            assert!(matches!(greeted, Ok(_) | Err(Error::WeakKey)));
        }
        let auth = bobs_auth();
        for case in 0..100_000 {
            let mut mutant = auth.clone();
            random.mutate(&mut mutant);
            mutant.truncate(mutant.len() - [0, 0, random.below(103)][random.below(3)]);
            let Ok((key, signature)) = identity(&mutant) else {
                continue;
            };
            assert_eq!(mutant.len(), auth.len());
            // Most mutants have a key and a signature; a handshake for each would take a minute.
            if case % 64 != 0 {
                continue;
            }
            let (alice, mut bob) = alice_greeted_and_bob_free();
            let mut frame = [0; FRAME_LEN];
            bob.seal(&mutant, &mut frame).unwrap();
            assert_eq!(
                alice.receive(&mut frame).is_ok(),
                mutant == auth,
                "{case}: {key} {signature}"
            );
        }
    }
}
