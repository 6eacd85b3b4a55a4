//! `kill -9` at any moment: what was signed stays signed, and nothing else at its slot.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::Duration;

use crate::node_files::file_pv_state;
use crate::scene::{
    BOTH, Running, Scene, Socket, World, assert_signs, other_block, read_key, refusal,
};
use crate::validator::{Block, Reply, VoteRequest};

#[test]
fn after_a_kill_a_signed_slot_keeps_its_signature_and_takes_no_other_block() {
    for socket in BOTH {
        let mut world = World::new("kill", socket);
        for height in 1..=5 {
            let vote = world.chain.precommit(height, 0).with_extension(b"x");
            let first = world.sign(&vote);
            world.restart();
            let other = vote.clone().with_block(Some(other_block()));
            let text = format!("double signing requested at height: {height}");
            assert_eq!(world.refused(&other), (2, text));
            assert_eq!(world.sign(&vote), first);
            let later = world.link.sign_vote(&vote.at((height, 9))).unwrap();
            assert_eq!((later.signature, later.time), (first.signature, first.time));
            let below = world.chain.prevote(height, 0);
            assert_eq!(world.refused(&below).0, 0);
        }
    }
}

/// Every signature that ever left the signer: no slot may have two.
#[derive(Default)]
struct Ledger(HashMap<(i64, i32, i64), Vec<u8>>);

impl Ledger {
    fn note(&mut self, vote: &VoteRequest, reply: &Reply) {
        if reply.error.is_none() {
            let slot = (vote.height, vote.round, vote.kind);
            let first = self
                .0
                .entry(slot)
                .or_insert_with(|| reply.signature.clone());
            assert_eq!(*first, reply.signature, "two signatures at {slot:?}");
        }
    }
}

#[test]
fn killed_at_any_moment_it_never_signs_two_blocks_at_one_slot() {
    const KILLS: i64 = 20;
    for socket in [Socket::Tcp, Socket::Unix] {
        let mut world = World::new("any_moment", socket);
        let mut random = Random(0x005e_ed0f_d1ce);
        let mut ledger = Ledger::default();
        let mut height = 0;
        for kill in 0..KILLS {
            for _ in 0..random.below(4) {
                height += 1;
                let vote = world.chain.prevote(height, 0);
                ledger.note(&vote, &world.sign(&vote));
            }
            // The last request may be anywhere between the socket, the disk and the socket.
            height += 1;
            let last = world.chain.prevote(height, 0);
            world.link.send(&last.body()).unwrap();
            thread::sleep(Duration::from_micros(random.below(1_500)));
            world.signer.kill().unwrap();
            if let Ok(reply) = world.link.receive() {
                ledger.note(&last, &Reply::read(4, &reply).unwrap());
            }
            world.restart();

            let before = world.chain.prevote(height - 1, 0).with_block(None);
            assert!(height == 1 || world.link.sign_vote(&before).unwrap().error.is_some());
            let block = Some(Block::numbered(1_000 + kill.unsigned_abs()));
            let other = last.clone().with_block(block);
            let first_other = kill % 2 == 0;
            for vote in if first_other {
                [&other, &last]
            } else {
                [&last, &other]
            } {
                let reply = world.link.sign_vote(vote).unwrap();
                ledger.note(vote, &reply);
            }
            let slot = (height, 0, last.kind);
            assert!(
                ledger.0.contains_key(&slot),
                "nothing is signed at {slot:?}"
            );
        }
    }
}

#[test]
fn killed_while_it_begins_it_begins_at_the_next_start() {
    let mut random = Random(0xbe_61);
    for _ in 0..20 {
        let scene = Scene::new("begins");
        let chain = scene.chain("begins-1", "");
        let node = scene.node(&chain, Socket::Unix, "");
        for _ in 0..3 {
            let mut signer = scene.start();
            thread::sleep(Duration::from_micros(random.below(8_000)));
            signer.kill().unwrap();
        }
        // Whoever called before was killed: the calls are in the order in which they were made.
        while let Ok(stream) = node.accept_stream(Duration::from_millis(1)) {
            drop(stream);
        }
        let mut running = Running::new(&scene, &node);
        let vote = chain.prevote(1, 0);
        let reply = running.link.sign_vote(&vote).unwrap();
        assert_signs(&reply, &chain.key, &vote.sign_bytes());
    }
}

#[test]
fn killed_while_it_takes_a_state_over_it_loses_nothing() {
    let mut random = Random(0xad_0b7);
    for _ in 0..20 {
        let scene = Scene::new("takes_over");
        let chain = scene.chain("takes_over-1", "");
        let node = scene.node(&chain, Socket::Unix, "");
        let key = read_key(&scene.home.key_file(&chain.id));
        let stored = chain.prevote(5, 0);
        let state = scene.home.state_file(&chain.id);
        fs::write(state, file_pv_state(&key, &stored)).unwrap();
        for _ in 0..3 {
            let mut signer = scene.start();
            thread::sleep(Duration::from_micros(random.below(8_000)));
            signer.kill().unwrap();
        }
        while let Ok(stream) = node.accept_stream(Duration::from_millis(1)) {
            drop(stream);
        }
        let mut running = Running::new(&scene, &node);
        let reply = running.link.sign_vote(&stored).unwrap();
        assert_signs(&reply, &chain.key, &stored.sign_bytes());
        let other = stored.with_block(None);
        assert_eq!(refusal(&running.link.sign_vote(&other).unwrap()).0, 2);
    }
}

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}
