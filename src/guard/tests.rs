use core::num::NonZeroU32;

use super::*;
use crate::types::{BlockId, ChainId, Height, Proposal, Round, Step, Timestamp, Vote, VoteKind};

const HASHES: [[u8; 32]; 2] = [[0xaa; 32], [0xbb; 32]];

fn chain() -> ChainId {
    ChainId::new("guard-1").unwrap()
}

fn block(value: usize) -> BlockId<'static> {
    BlockId {
        hash: &HASHES[value],
        total: NonZeroU32::new(1).unwrap(),
        parts_hash: &HASHES[value],
    }
}

/// Value 0 and 1 are blocks, 2 is nil (a proposal has no nil: it gets block 0 with a proof of lock).
fn request(height: i64, round: i32, step: Step, value: usize, seconds: i64) -> SignBytes {
    let height = Height::new(height).unwrap();
    let round = Round::new(round).unwrap();
    let timestamp = Timestamp::new(seconds, 0).unwrap();
    let vote = |kind| {
        SignBytes::vote(
            &chain(),
            &Vote {
                kind,
                height,
                round,
                block_id: (value < 2).then(|| block(value)),
                timestamp,
            },
        )
    };
    match step {
        Step::Proposal => SignBytes::proposal(
            &chain(),
            &Proposal {
                height,
                round,
                pol_round: (value == 2).then_some(Round::ZERO),
                block_id: block(value % 2),
                timestamp,
            },
        ),
        Step::Prevote => vote(VoteKind::Prevote),
        Step::Precommit => vote(VoteKind::Precommit),
    }
}

fn refused(watermark: &Watermark, request: SignBytes) -> Refusal {
    match judge(watermark, request) {
        Ok(_) => panic!("{} was not refused", request.slot()),
        Err(refusal) => refusal,
    }
}

#[test]
fn permits_any_later_slot_whatever_the_block() {
    let signed = Watermark::signed(request(5, 1, Step::Prevote, 0, 9));
    for later in [
        request(5, 1, Step::Precommit, 1, 9),
        request(5, 2, Step::Proposal, 1, 9),
        request(6, 0, Step::Prevote, 2, 1),
    ] {
        let Ok(Verdict::Permit(permit)) = judge(&signed, later) else {
            panic!("{} was not permitted", later.slot());
        };
        assert_eq!(permit.into_parts(), (signed.position(), later));
    }
}

#[test]
fn replays_the_stored_bytes_when_only_the_timestamp_differs() {
    let stored = request(5, 1, Step::Precommit, 0, 100);
    for seconds in [100, 101, 99, 0] {
        let again = request(5, 1, Step::Precommit, 0, seconds);
        let Ok(Verdict::Replay(replay)) = judge(&Watermark::signed(stored), again) else {
            panic!("a timestamp of {seconds} was not a replay");
        };
        assert_eq!(replay.sign_bytes(), &stored);
    }
}

#[test]
fn refuses_other_bytes_at_the_same_slot() {
    for step in [Step::Proposal, Step::Prevote, Step::Precommit] {
        for (first, second) in [(0, 1), (0, 2), (2, 0), (1, 2)] {
            let signed = Watermark::signed(request(5, 1, step, first, 7));
            let refusal = refused(&signed, request(5, 1, step, second, 7));
            assert!(matches!(refusal, Refusal::Conflict { .. }), "{step:?}");
            assert_eq!(refusal.to_string(), "double signing requested at height: 5");
        }
    }
}

#[test]
fn refuses_another_chain_at_the_same_slot() {
    let vote = Vote {
        kind: VoteKind::Prevote,
        height: Height::new(5).unwrap(),
        round: Round::ZERO,
        block_id: None,
        timestamp: Timestamp::GO_ZERO,
    };
    let here = SignBytes::vote(&chain(), &vote);
    let there = SignBytes::vote(&ChainId::new("guard-2").unwrap(), &vote);
    assert!(matches!(
        refused(&Watermark::signed(here), there),
        Refusal::Conflict { .. }
    ));
}

#[test]
fn refuses_what_lies_below_and_names_the_watermark() {
    let signed = Watermark::signed(request(5, 1, Step::Prevote, 0, 9));
    for (below, text) in [
        (
            request(4, 7, Step::Precommit, 0, 9),
            "height regression: asked to sign 4/7/2, already signed up to 5/1/1",
        ),
        (
            request(5, 0, Step::Precommit, 0, 9),
            "round regression: asked to sign 5/0/2, already signed up to 5/1/1",
        ),
        (
            request(5, 1, Step::Proposal, 0, 9),
            "step regression: asked to sign 5/1/0, already signed up to 5/1/1",
        ),
    ] {
        assert_eq!(refused(&signed, below).to_string(), text);
    }
}

#[test]
fn an_imported_watermark_without_bytes_refuses_its_own_slot_only() {
    let imported = Watermark::at(Position::new(5, 0, Some(Step::Prevote)).unwrap());
    assert!(matches!(
        refused(&imported, request(5, 0, Step::Prevote, 0, 1)),
        Refusal::Unknown { .. }
    ));
    assert!(judge(&imported, request(5, 0, Step::Precommit, 0, 1)).is_ok());
}

#[test]
fn a_position_tells_what_it_was_made_of_and_is_never_negative() {
    let position = Position::new(7, 3, Some(Step::Prevote)).unwrap();
    assert_eq!(
        (position.height(), position.round(), position.step()),
        (7, 3, Some(Step::Prevote))
    );
    assert_eq!(Position::new(0, 0, None), Some(Position::ZERO));
    assert_eq!(Position::new(-1, 0, None), None);
    assert_eq!(Position::new(0, -1, None), None);
}

#[test]
fn a_round_in_which_nothing_is_signed_permits_its_proposal() {
    let imported = Watermark::at(Position::new(5, 2, None).unwrap());
    assert!(judge(&imported, request(5, 2, Step::Proposal, 0, 1)).is_ok());
    assert!(judge(&imported, request(5, 1, Step::Precommit, 0, 1)).is_err());
}

/// Heights 1 to 3, rounds 0 to 2, every step, two blocks and nil, two timestamps: every pair of
/// requests, against the rule written as one sentence each.
#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn every_pair_of_requests_in_a_small_world_follows_the_rule() {
    let mut world = Vec::new();
    for height in 1..=3 {
        for round in 0..=2 {
            for step in [Step::Proposal, Step::Prevote, Step::Precommit] {
                for value in 0..3 {
                    for seconds in [10, 11] {
                        world.push((
                            (height, round, step.number(), value),
                            request(height, round, step, value, seconds),
                        ));
                    }
                }
            }
        }
    }
    let mut pairs = 0_u32;
    for (first, first_bytes) in &world {
        let watermark = Watermark::signed(*first_bytes);
        for (second, second_bytes) in &world {
            let slot = |key: &(i64, i32, u8, usize)| (key.0, key.1, key.2);
            let right = match judge(&watermark, *second_bytes) {
                Ok(Verdict::Permit(permit)) => {
                    slot(second) > slot(first) && permit.into_parts().1 == *second_bytes
                }
                Ok(Verdict::Replay(replay)) => {
                    second == first && replay.sign_bytes() == first_bytes
                }
                Err(Refusal::Below { .. }) => slot(second) < slot(first),
                Err(Refusal::Conflict { .. }) => slot(second) == slot(first) && second.3 != first.3,
                Err(Refusal::Unknown { .. }) => false,
            };
            assert!(right, "{first:?} then {second:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 162 * 162);
}
