use core::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use super::*;
use crate::backend::{self, Softsign};
use crate::files::scratch::Scratch;
use crate::guard::Watermark;
use crate::keys::{SigningKey, verify};
use crate::store::{Committed, Extension, Found, Initial, find};

fn chain() -> ChainId {
    ChainId::new("signer-1").unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32]).unwrap()
}

/// Signs, counts, and fails for as long as it is told to.
struct Device {
    inner: Softsign,
    signed: Arc<AtomicU32>,
    failures: Arc<AtomicU32>,
}

impl Device {
    fn fail(&self) -> Result<(), backend::Error> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err(backend::Error::new("the device is unplugged", "plug it in"));
        }
        Ok(())
    }
}

impl Backend for Device {
    fn public_key(&self) -> PublicKey {
        self.inner.public_key()
    }

    fn sign(&mut self, committed: &Committed) -> Result<Signature, backend::Error> {
        self.fail()?;
        self.signed.fetch_add(1, Ordering::SeqCst);
        self.inner.sign(committed)
    }

    fn sign_extension(&mut self, extension: &Extension<'_>) -> Result<Signature, backend::Error> {
        self.fail()?;
        self.inner.sign_extension(extension)
    }
}

struct World {
    scratch: Scratch,
    signer: Signer<Device>,
    signed: Arc<AtomicU32>,
    failures: Arc<AtomicU32>,
}

impl World {
    fn new() -> Self {
        Self::with(Extensions::Sign)
    }

    fn with(extensions: Extensions) -> Self {
        Self::begun(Scratch::new(), extensions, None)
    }

    fn begun(scratch: Scratch, extensions: Extensions, origin: Option<PathBuf>) -> Self {
        let Ok(Found::Missing(vacant)) =
            find(&scratch.path("state.json"), &chain(), &key().public_key())
        else {
            panic!("the scratch directory is not empty");
        };
        let initial = Initial {
            watermark: Watermark::ZERO,
            origin,
        };
        let store = vacant.create(&initial).unwrap();
        let (signed, failures) = (Arc::default(), Arc::default());
        let device = Device {
            inner: Softsign::new(key()),
            signed: Arc::clone(&signed),
            failures: Arc::clone(&failures),
        };
        Self {
            scratch,
            signer: Signer::new(store, device, extensions),
            signed,
            failures,
        }
    }

    fn answer(&self, request: &Request<'_>) -> (Outcome, Vec<u8>) {
        let mut reply = Reply::default();
        let outcome = self.signer.answer(request, None, &mut reply);
        (outcome, reply.message().to_vec())
    }
}

const HASHES: [[u8; 32]; 2] = [[0xaa; 32], [0xbb; 32]];

/// A precommit as a node sends it, decoded.
fn precommit(
    height: i64,
    value: usize,
    seconds: i64,
    extension: &'static [u8],
) -> Request<'static> {
    let block_id = crate::canon::parts::BlockId {
        hash: &HASHES[value],
        total: 1,
        parts_hash: &HASHES[value],
    };
    Request::SignVote {
        vote: wire::Vote {
            kind: 2,
            height,
            round: 0,
            block_id,
            timestamp: crate::canon::parts::Timestamp { seconds, nanos: 0 },
            extension,
            ..wire::Vote::default()
        },
        chain_id: b"signer-1",
        skip_extension_signing: false,
    }
}

fn sign_bytes(height: i64, value: usize, seconds: i64) -> SignBytes {
    SignBytes::vote(
        &chain(),
        &types::Vote {
            kind: VoteKind::Precommit,
            height: Height::new(height).unwrap(),
            round: types::Round::ZERO,
            block_id: Some(types::BlockId {
                hash: &HASHES[value],
                total: NonZeroU32::MIN,
                parts_hash: &HASHES[value],
            }),
            timestamp: types::Timestamp::new(seconds, 0).unwrap(),
        },
    )
}

fn contains_signature_over(message: &[u8], reply: &[u8]) -> bool {
    reply.windows(64).any(|window| {
        verify(
            &key().public_key(),
            message,
            &Signature(window.try_into().unwrap()),
        )
    })
}

#[test]
fn a_device_that_failed_is_asked_for_the_same_bytes_again() {
    let world = World::new();
    world.failures.store(1, Ordering::SeqCst);
    let (outcome, _) = world.answer(&precommit(1, 0, 100, b""));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Backend(_))));

    // The slot is taken: another block is a double sign, the same one gets the bytes of then.
    let (outcome, _) = world.answer(&precommit(1, 1, 100, b""));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Guard(_))));
    let (outcome, reply) = world.answer(&precommit(1, 0, 200, b""));
    assert!(matches!(outcome, Outcome::Repeated(bytes) if bytes == sign_bytes(1, 0, 100)));
    assert!(contains_signature_over(
        sign_bytes(1, 0, 100).as_bytes(),
        &reply
    ));
}

#[test]
fn a_replay_does_not_ask_the_device_but_for_the_extension() {
    let world = World::new();
    let (_, first) = world.answer(&precommit(1, 0, 100, b"one"));
    let (outcome, second) = world.answer(&precommit(1, 0, 100, b"two"));
    assert!(matches!(outcome, Outcome::Repeated(_)));
    assert_eq!(world.signed.load(Ordering::SeqCst), 1);
    let height = Height::new(1).unwrap();
    for (extension, reply) in [(b"one", first), (b"two", second)] {
        let mut bytes = Vec::new();
        crate::canon::extension(&mut bytes, &chain(), height, types::Round::ZERO, extension);
        assert!(contains_signature_over(&bytes, &reply));
    }
}

#[test]
fn without_extensions_the_vote_alone_is_signed() {
    let world = World::with(Extensions::Skip);
    let (outcome, reply) = world.answer(&precommit(1, 0, 100, b"data"));
    assert!(matches!(outcome, Outcome::Signed(_)));
    let mut bytes = Vec::new();
    crate::canon::extension(
        &mut bytes,
        &chain(),
        Height::new(1).unwrap(),
        types::Round::ZERO,
        b"data",
    );
    assert!(!contains_signature_over(&bytes, &reply));
}

#[test]
fn without_empty_extensions_others_are_asked_for() {
    let world = World::with(Extensions::SkipEmpty);
    for (height, extension) in [(1, &b""[..]), (2, b"data")] {
        let (outcome, reply) = world.answer(&precommit(height, 0, 100, extension));
        assert!(matches!(outcome, Outcome::Signed(_)));
        let mut bytes = Vec::new();
        crate::canon::extension(
            &mut bytes,
            &chain(),
            Height::new(height).unwrap(),
            types::Round::ZERO,
            extension,
        );
        assert_eq!(
            contains_signature_over(&bytes, &reply),
            !extension.is_empty()
        );
    }
}

#[test]
fn a_state_that_cannot_be_written_ends_the_chain() {
    let world = World::new();
    let _ = world.answer(&precommit(1, 0, 100, b""));
    assert!(!world.signer.is_poisoned());
    std::fs::remove_file(world.scratch.path("state.json")).unwrap();
    let before = world.signed.load(Ordering::SeqCst);
    for height in 2..4 {
        let (outcome, _) = world.answer(&precommit(height, 0, 100, b""));
        assert!(matches!(outcome, Outcome::Refused(Refusal::Store(_))));
    }
    assert!(world.signer.is_poisoned());
    assert_eq!(
        world.signed.load(Ordering::SeqCst),
        before,
        "signed without a record"
    );
}

#[test]
fn a_signer_that_was_stopped_takes_no_slot_and_lets_go_of_its_state() {
    let world = World::new();
    let _ = world.answer(&precommit(1, 0, 100, b""));
    world.signer.stop();
    let (outcome, _) = world.answer(&precommit(2, 0, 100, b""));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Stopped)));
    assert!(!world.signer.is_poisoned());
    let path = world.scratch.path("state.json");
    let Ok(Found::Ours(ready)) = find(&path, &chain(), &key().public_key()) else {
        panic!("the state is held still");
    };
    assert_eq!(ready.watermark().position().height(), 1);
}

#[test]
fn only_a_precommit_for_a_block_may_carry_an_extension() {
    // The step as the wire counts it, whether it is for a block, and the extension.
    for (kind, for_block, extension, signed) in [
        (1, true, &b""[..], true),
        (1, false, b"", true),
        (2, true, b"", true),
        (2, true, b"data", true),
        (2, false, b"", true),
        (1, true, b"data", false),
        (1, false, b"data", false),
        (2, false, b"data", false),
    ] {
        let Request::SignVote { mut vote, .. } = precommit(1, 0, 100, b"") else {
            unreachable!()
        };
        vote.kind = kind;
        vote.extension = extension;
        if !for_block {
            vote.block_id = crate::canon::parts::BlockId::default();
        }
        let (outcome, _) = World::new().answer(&Request::SignVote {
            vote,
            chain_id: b"signer-1",
            skip_extension_signing: false,
        });
        let right = match outcome {
            Outcome::Signed(_) => signed,
            Outcome::Refused(Refusal::UnexpectedExtension) => !signed,
            _ => false,
        };
        assert!(
            right,
            "kind {kind}, for a block: {for_block}, {extension:?}"
        );
    }
}

/// Monitoring of tmkms looks for code 2.
#[test]
fn only_a_double_sign_has_code_2() {
    let world = World::new();
    let _ = world.answer(&precommit(5, 0, 100, b""));
    world.failures.store(1, Ordering::SeqCst);
    for (request, code, text) in [
        (
            precommit(5, 1, 100, b""),
            2,
            "double signing requested at height: 5",
        ),
        (precommit(4, 0, 100, b""), 0, "height regression"),
        (precommit(0, 0, 100, b""), 0, "height"),
        (
            Request::PubKey {
                chain_id: b"signer-2",
            },
            0,
            "serves chain signer-1",
        ),
        (Request::RawBytes, 0, "signing raw bytes is off"),
        // The device fails once, and the refusals above never reach it.
        (precommit(6, 0, 100, b""), 0, "the device is unplugged"),
    ] {
        let (outcome, _) = world.answer(&request);
        let Outcome::Refused(refusal) = outcome else {
            panic!("{text}: not refused");
        };
        assert_eq!(refusal.code(), code, "{text}");
        assert!(refusal.to_string().contains(text), "{refusal}");
    }
}

#[test]
fn nothing_is_signed_for_another_chain() {
    let world = World::new();
    let Request::SignVote { vote, .. } = precommit(1, 0, 100, b"") else {
        unreachable!()
    };
    let proposal = wire::Proposal {
        kind: 32,
        height: 1,
        pol_round: -1,
        block_id: vote.block_id,
        ..wire::Proposal::default()
    };
    for chain_id in [&b"signer-2"[..], b"signer-", b"signer-11", b""] {
        let requests = [
            Request::SignVote {
                vote,
                chain_id,
                skip_extension_signing: false,
            },
            Request::SignProposal { proposal, chain_id },
        ];
        for request in requests {
            let (outcome, _) = world.answer(&request);
            assert!(
                matches!(outcome, Outcome::Refused(Refusal::OtherChain(ours)) if ours == chain()),
                "{chain_id:?}"
            );
        }
    }
    assert_eq!(world.signed.load(Ordering::SeqCst), 0);
    let (outcome, _) = world.answer(&Request::SignProposal {
        proposal,
        chain_id: b"signer-1",
    });
    assert!(matches!(outcome, Outcome::Signed(_)));
}

#[test]
fn the_key_is_told_to_nodes_of_this_chain_and_to_those_that_name_none() {
    let world = World::new();
    for (chain_id, told) in [(&b"signer-1"[..], true), (b"", true), (b"signer-2", false)] {
        let (outcome, reply) = world.answer(&Request::PubKey { chain_id });
        let right = match outcome {
            Outcome::Served => told,
            Outcome::Refused(Refusal::OtherChain(ours)) => !told && ours == chain(),
            _ => false,
        };
        assert!(right, "{chain_id:?}");
        let key = key().public_key().0;
        assert_eq!(reply.windows(32).any(|window| window == key), told);
    }
}

#[test]
fn a_signer_follows_the_nodes_own_file_until_it_signs() {
    let scratch = Scratch::new();
    let origin = scratch.path("priv_validator_state.json");
    let signed_by_the_node = |height| {
        let text = format!(r#"{{"height": "{height}", "round": 0, "step": 3}}"#);
        std::fs::write(&origin, text).unwrap();
    };
    let world = World::begun(scratch, Extensions::Sign, Some(origin.clone()));
    assert!(!world.signer.refresh().unwrap(), "there is no file");
    signed_by_the_node(5);
    assert!(world.signer.refresh().unwrap());
    assert!(!world.signer.refresh().unwrap(), "the same is not higher");
    let (outcome, _) = world.answer(&precommit(5, 0, 100, b""));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Guard(_))));
    std::fs::write(&origin, "{").unwrap();
    let (outcome, _) = world.answer(&precommit(6, 0, 100, b""));
    assert!(matches!(outcome, Outcome::Refused(Refusal::Refresh(_))));
}

#[test]
fn max_height_is_the_last_that_is_signed() {
    let world = World::new();
    let max = Height::new(5);
    let mut reply = Reply::default();
    let outcome = world
        .signer
        .answer(&precommit(5, 0, 0, b""), max, &mut reply);
    assert!(matches!(outcome, Outcome::Signed(_)));
    let outcome = world
        .signer
        .answer(&precommit(6, 0, 0, b""), max, &mut reply);
    assert!(matches!(
        outcome,
        Outcome::Refused(Refusal::AboveMaxHeight { .. })
    ));
}

#[test]
fn of_rivals_for_one_slot_one_is_signed() {
    let world = World::new();
    for height in 1..=50 {
        let start = Barrier::new(4);
        let signed: Vec<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|rival| {
                    let (world, start) = (&world, &start);
                    scope.spawn(move || {
                        start.wait();
                        let (outcome, reply) = world.answer(&precommit(height, rival % 2, 7, b""));
                        let value = rival % 2;
                        let got = contains_signature_over(
                            sign_bytes(height, value, 7).as_bytes(),
                            &reply,
                        );
                        let refused = matches!(outcome, Outcome::Refused(_));
                        assert_ne!(got, refused, "height {height}");
                        got.then_some(value)
                    })
                })
                .collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(
            signed.len(),
            2,
            "height {height}: two ask for each block, one block is signed"
        );
        assert_eq!(signed[0], signed[1], "height {height}");
    }
    assert_eq!(world.signed.load(Ordering::SeqCst), 50);
}
