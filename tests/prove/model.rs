//! Every sequence of three requests in a small world: to the guard alone, and to guard and store with a
//! crash between any two steps. The oracle knows no watermark: it looks through all that was signed.

use std::error::Error;
use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tmkms::canon::SignBytes;
use tmkms::guard::{Refusal, Verdict, Watermark, judge};
use tmkms::store::{Found, Initial, find};
use tmkms::types::{BlockId, Height, Proposal, Round, Timestamp, Vote, VoteKind};

use super::ground::{Ground, Outcome, chain_id, public_key};

const CHAIN: &str = "model-1";
const HASHES: [[u8; 32]; 2] = [[0xaa; 32], [0xbb; 32]];

pub fn run(ground: &Ground) -> Outcome {
    let times = ground.count(2).clamp(1, 2) as i64;
    let world = world(3, 3, 3, 2);
    let sequences = guard_alone(&world)?;
    ground.say(&format!(
        "the guard alone: heights 1 to 3, rounds 0 to 2, every step, two blocks and nil, two times: all {sequences} \
         sequences of three requests judged as the oracle does"
    ));
    let small = world_of_pair(times);
    let mut pair = Pair::new(ground)?;
    let begin = fs::read(&pair.path)?;
    pair.explore(&small, &begin, &mut Vec::new(), 3)?;
    ground.say(&format!(
        "guard and store: {} requests in a world of {}, every sequence of three, with a crash before the write, before \
         and after the flush, before and after the signature: {} crashes, {} ends, no slot signed twice",
        pair.requests,
        small.len(),
        pair.crashes,
        pair.ends,
    ));
    let (schedules, caught) = schedules(&mut pair, &begin)?;
    ground.say(&format!(
        "three threads at one slot, each judging, committing and signing: all {schedules} schedules under two locks \
         instead of one, and the store lets one through; a store that did not compare signs two in {caught} of them"
    ));
    Ok(())
}

/// What a thread does, one call after the other, when the lock is let go in between.
const CALLS: usize = 3;
const THREADS: usize = 3;

/// The incident of 1.5 ms: check and write under two locks. Every order in which three threads with three
/// blocks can take their calls, on the real guard and store, and on a store that takes any permit.
fn schedules(pair: &mut Pair, begin: &[u8]) -> Result<(u64, u64), Box<dyn Error>> {
    fn all(order: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
        if order.len() == CALLS * THREADS {
            found.push(order.clone());
            return;
        }
        for thread in 0..THREADS {
            if order.iter().filter(|taken| **taken == thread).count() < CALLS {
                order.push(thread);
                all(order, found);
                let _ = order.pop();
            }
        }
    }
    let requests = [0, 1, 2].map(|value| bytes(1, 0, 2, value, 0));
    let mut orders = Vec::new();
    all(&mut Vec::new(), &mut orders);
    let mut caught = 0;
    for order in &orders {
        pair.put(begin)?;
        let Found::Ours(ready) = find(&pair.path, &chain_id(CHAIN), &public_key())? else {
            return Err("the state is gone".into());
        };
        let mut store = ready.open()?;
        let mut careless = Watermark::ZERO;
        let (mut permits, mut careless_permits) = ([None, None, None], [None, None, None]);
        let (mut committed, mut careless_committed) = ([None, None, None], [None, None, None]);
        let (mut signed, mut careless_signed) = (Vec::new(), Vec::new());
        let mut calls = [0; THREADS];
        for thread in order {
            let thread = *thread;
            match calls[thread] {
                0 => {
                    if let Ok(Verdict::Permit(permit)) = store.judge(requests[thread]) {
                        permits[thread] = Some(permit);
                    }
                    if let Ok(Verdict::Permit(permit)) = judge(&careless, requests[thread]) {
                        careless_permits[thread] = Some(permit);
                    }
                }
                1 => {
                    if let Some(permit) = permits[thread].take() {
                        committed[thread] = store.commit(permit).ok();
                    }
                    if let Some(permit) = careless_permits[thread].take() {
                        careless = Watermark::signed(permit.into_parts().1);
                        careless_committed[thread] = Some(requests[thread]);
                    }
                }
                _ => {
                    signed.extend(committed[thread].take().map(|it| *it.sign_bytes()));
                    careless_signed.extend(careless_committed[thread].take());
                }
            }
            calls[thread] += 1;
        }
        if signed.len() != 1 {
            return Err(format!("{} SIGNATURES in the order {order:?}", signed.len()).into());
        }
        caught += u64::from(careless_signed.len() > 1);
    }
    if caught == 0 {
        return Err("the planted fault was not found".into());
    }
    Ok((orders.len() as u64, caught))
}

/// A request as the oracle sees it, and its bytes.
struct Case {
    slot: (i64, i32, u8),
    value: usize,
    time: i64,
    bytes: SignBytes,
}

fn world(heights: i64, rounds: i32, values: usize, times: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    for height in 1..=heights {
        for round in 0..rounds {
            for step in 0..3 {
                for value in 0..values {
                    for time in 0..times {
                        cases.push(Case {
                            slot: (height, round, step),
                            value,
                            time,
                            bytes: bytes(height, round, step, value, time),
                        });
                    }
                }
            }
        }
    }
    cases
}

fn world_of_pair(times: i64) -> Vec<Case> {
    world(2, 2, 2, times)
}

/// Values 0 and 1 are blocks, 2 is nil, which for a proposal is another proof of lock.
fn bytes(height: i64, round: i32, step: u8, value: usize, time: i64) -> SignBytes {
    let block = BlockId {
        hash: &HASHES[value % 2],
        total: NonZeroU32::MIN,
        parts_hash: &HASHES[value % 2],
    };
    let height = Height::new(height).expect("positive");
    let round = Round::new(round).expect("not negative");
    let timestamp = Timestamp::new(1_000 + time, 0).expect("in range");
    if step == 0 {
        return SignBytes::proposal(
            &chain_id(CHAIN),
            &Proposal {
                height,
                round,
                pol_round: (value == 2).then_some(Round::ZERO),
                block_id: block,
                timestamp,
            },
        );
    }
    let kind = if step == 1 {
        VoteKind::Prevote
    } else {
        VoteKind::Precommit
    };
    SignBytes::vote(
        &chain_id(CHAIN),
        &Vote {
            kind,
            height,
            round,
            block_id: (value < 2).then_some(block),
            timestamp,
        },
    )
}

/// What should happen, from everything that was signed before.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    New,
    /// The bytes of then, by their time.
    Again(i64),
    Conflict,
    Below,
}

fn expected(signed: &[&Case], asked: &Case) -> Expected {
    if signed.iter().any(|case| case.slot > asked.slot) {
        return Expected::Below;
    }
    match signed.iter().find(|case| case.slot == asked.slot) {
        None => Expected::New,
        Some(case) if case.value == asked.value => Expected::Again(case.time),
        Some(_) => Expected::Conflict,
    }
}

fn guard_alone(world: &[Case]) -> Result<u64, Box<dyn Error>> {
    fn step<'a>(
        world: &'a [Case],
        watermark: &Watermark,
        signed: &mut Vec<&'a Case>,
        left: u32,
        sequences: &mut u64,
    ) -> Outcome {
        for asked in world {
            let expected = expected(signed, asked);
            let verdict = judge(watermark, asked.bytes);
            let next = match (&expected, verdict) {
                (Expected::New, Ok(Verdict::Permit(permit))) => {
                    let (over, bytes) = permit.into_parts();
                    (over == watermark.position() && bytes == asked.bytes)
                        .then(|| Watermark::signed(bytes))
                }
                (Expected::Again(time), Ok(Verdict::Replay(replay))) => {
                    let (height, round, step) = asked.slot;
                    let first = bytes(height, round, step, asked.value, *time);
                    (*replay.sign_bytes() == first).then_some(*watermark)
                }
                (Expected::Conflict, Err(Refusal::Conflict { .. }))
                | (Expected::Below, Err(Refusal::Below { .. })) => Some(*watermark),
                _ => None,
            };
            let Some(next) = next else {
                return Err(format!("{:?} should be {expected:?}", asked.bytes.slot()).into());
            };
            if left == 1 {
                *sequences += 1;
                continue;
            }
            let new = expected == Expected::New;
            if new {
                signed.push(asked);
            }
            step(world, &next, signed, left - 1, sequences)?;
            if new {
                let _ = signed.pop();
            }
        }
        Ok(())
    }
    let mut sequences = 0;
    step(world, &Watermark::ZERO, &mut Vec::new(), 3, &mut sequences)?;
    Ok(sequences)
}

/// Guard and store, over a file that is put back to any moment.
struct Pair {
    path: PathBuf,
    requests: u64,
    crashes: u64,
    ends: u64,
}

impl Pair {
    fn new(ground: &Ground) -> Result<Self, Box<dyn Error>> {
        let path = ground.in_memory("model")?.join("state.json");
        let Found::Missing(vacant) = find(&path, &chain_id(CHAIN), &public_key())? else {
            return Err("there is a state already".into());
        };
        drop(vacant.create(&Initial {
            watermark: Watermark::ZERO,
            origin: None,
        })?);
        Ok(Self {
            path,
            requests: 0,
            crashes: 0,
            ends: 0,
        })
    }

    /// What a process that starts now reads.
    fn put(&self, disk: &[u8]) -> std::io::Result<()> {
        let file = fs::File::options().write(true).open(&self.path)?;
        file.write_all_at(disk, 0)
    }

    /// `signed` is everything whose signature may have left; `disk` what a process that starts now reads.
    fn explore<'a>(
        &mut self,
        world: &'a [Case],
        disk: &[u8],
        signed: &mut Vec<&'a Case>,
        left: u32,
    ) -> Outcome {
        if left == 0 {
            self.ends += 1;
            return Ok(());
        }
        for asked in world {
            self.requests += 1;
            self.put(disk)?;
            let Found::Ours(ready) = find(&self.path, &chain_id(CHAIN), &public_key())? else {
                return Err("the state is gone".into());
            };
            let mut store = ready.open()?;
            match store.judge(asked.bytes) {
                Err(refusal) => {
                    // A crash may have taken a slot above that was never signed; at the slot itself
                    // what was signed is signed again.
                    let below = matches!(refusal, Refusal::Below { .. });
                    if matches!(expected(signed, asked), Expected::Again(_)) && !below {
                        return Err(format!("not signed again: {refusal}").into());
                    }
                    drop(store);
                    self.explore(world, disk, signed, left - 1)?;
                }
                Ok(Verdict::Permit(permit)) => {
                    if expected(signed, asked) != Expected::New {
                        return Err(format!("permitted: {:?}", asked.bytes.slot()).into());
                    }
                    let committed = store.commit(permit)?;
                    if *committed.sign_bytes() != asked.bytes {
                        return Err("other bytes than asked for".into());
                    }
                    drop(store);
                    let after = fs::read(&self.path)?;
                    // Before the write, or after it and lost with the cache.
                    self.crashes += 2;
                    self.explore(world, disk, signed, left - 1)?;
                    // After the write, or after the flush, without a signature.
                    self.crashes += 2;
                    self.explore(world, &after, signed, left - 1)?;
                    // After the signature, whether or not it left.
                    self.crashes += 2;
                    signed.push(asked);
                    self.explore(world, &after, signed, left - 1)?;
                    let _ = signed.pop();
                }
                Ok(Verdict::Replay(replay)) => {
                    let again = store.recall(&replay)?;
                    let same = |case: &&&Case| case.slot == asked.slot;
                    match signed.iter().find(same) {
                        Some(first) if *again.sign_bytes() != first.bytes => {
                            return Err(format!("TWO FOR {:?}", asked.bytes.slot()).into());
                        }
                        Some(_) => {
                            drop(store);
                            self.explore(world, disk, signed, left - 1)?;
                        }
                        // Taken before a crash, signed now for the first time, with the bytes of then.
                        None => {
                            let slot = again.sign_bytes().slot();
                            let bytes = *again.sign_bytes();
                            drop(store);
                            let first = world.iter().find(|case| case.bytes == bytes);
                            let first = first.ok_or_else(|| format!("strange bytes at {slot}"))?;
                            self.crashes += 1;
                            self.explore(world, disk, signed, left - 1)?;
                            signed.push(first);
                            self.explore(world, disk, signed, left - 1)?;
                            let _ = signed.pop();
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
