//! `kill -9` at any microsecond: the real program signs as fast as it can, is killed, comes back, and is
//! asked for the same slots differently. Every signature that ever left is kept, and no slot has two.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::ground::{Ground, Node, Outcome, PATIENCE, Rng, public_key};
use super::validator::{
    Block, Connection, PRECOMMIT, PREVOTE, ProposalRequest, Reply, VoteRequest,
};

const CHAIN: &str = "kills-1";
/// The longest life of a process, in microseconds from its start or from its first reply.
const LIFE_MAX: u64 = 6_000;
/// Of 20 ms each.
const WAITS_MAX: u32 = 3_000;

pub fn run(ground: &Ground) -> Outcome {
    let rounds = ground.count(10_000);
    let node = Node::new(&ground.on_disk("kills")?, CHAIN)?;
    node.init(ground)?;
    let mut rng = ground.rng();
    let mut kept = Kept::default();
    for round in 0..rounds {
        let next = Slot::after(kept.asked);
        one_round(ground, &node, &mut rng, &mut kept, next)
            .map_err(|error| format!("round {round}: {error}"))?;
    }
    // Once more in peace: everything that was signed last is still refused in another shape.
    let (mut process, mut connection) = node.start(ground)?;
    kept.ask_again(&mut connection, &mut rng)?;
    let _ = process.stop(PATIENCE)?;
    ground.say(&format!(
        "{rounds} kills, {} before the first reply; {} signatures kept, no slot has two; asked again differently: {} refused, \
         {} got the signature of before; {} slots were taken on disk by a process that never answered (seed {})",
        kept.killed_early,
        kept.signed.len(),
        kept.refused,
        kept.repeated,
        kept.taken,
        ground.seed
    ));
    Ok(())
}

fn one_round(
    ground: &Ground,
    node: &Node,
    rng: &mut Rng,
    kept: &mut Kept,
    mut next: Slot,
) -> Outcome {
    let life = Duration::from_micros(rng.below(LIFE_MAX));
    let from_first_reply = rng.once_in(2);
    let mut process = node.home.start(ground.binary())?;
    let (is_over, may_die) = (AtomicBool::new(false), AtomicBool::new(!from_first_reply));
    thread::scope(|scope| -> Outcome {
        let killer = scope.spawn(|| -> io::Result<()> {
            while !may_die.load(Ordering::SeqCst) {
                if let Some(status) = process.wait(Duration::ZERO)? {
                    is_over.store(true, Ordering::SeqCst);
                    let said = process.lines().join("\n");
                    return Err(io::Error::other(format!("ended with {status}: {said}")));
                }
                thread::park_timeout(Duration::from_millis(1));
            }
            // The random moment itself, no wait for anything.
            thread::sleep(life);
            let _ = process.kill()?;
            is_over.store(true, Ordering::SeqCst);
            Ok(())
        });
        let mut answered = 0_u64;
        let mut again = true;
        let mut waited = 0_u32;
        let outcome = loop {
            let over = is_over.load(Ordering::SeqCst);
            let Ok(mut connection) = node.listener.accept(Duration::from_millis(20)) else {
                if over {
                    break Ok(());
                }
                waited += 1;
                if waited > WAITS_MAX {
                    break Err("it does not dial".into());
                }
                continue;
            };
            let outcome = (|| -> Result<(), Box<dyn Error>> {
                if again {
                    kept.ask_again(&mut connection, rng)?;
                    again = false;
                }
                loop {
                    kept.asked = Some(next);
                    kept.ask(&mut connection, next, Shape::First)?;
                    answered += 1;
                    may_die.store(true, Ordering::SeqCst);
                    next = Slot::after(Some(next));
                }
            })();
            match outcome {
                // Its end, at whatever instruction.
                Err(error) if error.is::<io::Error>() => {}
                other => break other,
            }
        };
        may_die.store(true, Ordering::SeqCst);
        kept.killed_early += u64::from(answered == 0);
        killer
            .join()
            .map_err(|_| "the killer's thread has failed")??;
        outcome
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    height: i64,
    /// 0 for a proposal, 1 for a prevote, 2 for a precommit.
    step: u8,
}

impl Slot {
    fn after(slot: Option<Self>) -> Self {
        match slot {
            None => Self { height: 1, step: 0 },
            Some(Self { height, step: 2 }) => Self {
                height: height + 1,
                step: 0,
            },
            Some(Self { height, step }) => Self {
                height,
                step: step + 1,
            },
        }
    }
}

/// How a slot is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    First,
    OtherBlock,
    /// A vote for nil, a proposal with another proof of lock.
    OtherKind,
    OtherTime,
}

/// Everything that ever left.
#[derive(Default)]
struct Kept {
    signed: HashMap<Slot, Vec<u8>>,
    /// The last slot that was asked for, answered or not.
    asked: Option<Slot>,
    killed_early: u64,
    refused: u64,
    repeated: u64,
    taken: u64,
}

impl Kept {
    /// The slot that was asked for last and the one before it, in every other shape.
    fn ask_again(&mut self, connection: &mut Connection, rng: &mut Rng) -> Outcome {
        let Some(last) = self.asked else {
            return Ok(());
        };
        let shapes = [Shape::OtherBlock, Shape::OtherKind, Shape::OtherTime];
        let begin = rng.below(3) as usize;
        for turn in 0..3 {
            let shape = shapes[(begin + turn) % 3];
            let before = self.signed.contains_key(&last);
            let signed = self.ask(connection, last, shape)?;
            match (signed, before) {
                (true, true) => self.repeated += 1,
                (false, true) => self.refused += 1,
                (false, false) => {
                    self.refused += 1;
                    self.taken += 1;
                }
                (true, false) => {}
            }
        }
        Ok(())
    }

    /// Asks once. The error is the connection's, or a slot that has two signatures.
    fn ask(
        &mut self,
        connection: &mut Connection,
        slot: Slot,
        shape: Shape,
    ) -> Result<bool, Box<dyn Error>> {
        let block = Some(Block::numbered(match shape {
            Shape::OtherBlock => 2,
            _ => 1,
        }));
        let time = (slot.height, i32::from(shape == Shape::OtherTime));
        let (reply, sign_bytes) = if slot.step == 0 {
            let mut proposal = ProposalRequest::new(CHAIN, slot.height, 3)
                .with_block(block)
                .at(time);
            if shape == Shape::OtherKind {
                proposal.pol_round = 1;
            }
            let reply = connection.sign_proposal(&proposal)?;
            let bytes = proposal.at(reply.time).sign_bytes();
            (reply, bytes)
        } else {
            let kind = if slot.step == 1 { PREVOTE } else { PRECOMMIT };
            let vote = VoteRequest::new(CHAIN, kind, slot.height, 3)
                .with_block(block.filter(|_| shape != Shape::OtherKind))
                .at(time);
            let reply = connection.sign_vote(&vote)?;
            let bytes = vote.at(reply.time).sign_bytes();
            (reply, bytes)
        };
        self.keep(slot, &reply, &sign_bytes, shape)
    }

    fn keep(
        &mut self,
        slot: Slot,
        reply: &Reply,
        sign_bytes: &[u8],
        shape: Shape,
    ) -> Result<bool, Box<dyn Error>> {
        if reply.error.is_some() {
            return if shape == Shape::First {
                Err(format!("{slot:?} was refused: {:?}", reply.error).into())
            } else {
                Ok(false)
            };
        }
        if !reply.signs(&public_key().0, sign_bytes) {
            return Err(format!("{slot:?}: a signature over something else").into());
        }
        let first = self
            .signed
            .entry(slot)
            .or_insert_with(|| sign_bytes.to_vec());
        if *first != sign_bytes {
            return Err(format!("TWO SIGNATURES FOR {slot:?}").into());
        }
        Ok(true)
    }
}
