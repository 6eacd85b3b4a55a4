//! CometBFT's own rules, seen from the wire.

use crate::scene::{BOTH, PATIENCE, Socket, World, other_block, refusal};
use crate::validator::Block;

#[test]
fn the_same_request_gets_the_same_signature() {
    for socket in BOTH {
        let mut world = World::new("same", socket);
        let (proposal, prevote) = (world.chain.proposal(7, 1), world.chain.prevote(7, 1));
        let first = world.sign_proposal(&proposal);
        assert_eq!(world.sign_proposal(&proposal), first);
        let first = world.sign(&prevote);
        assert_eq!(world.sign(&prevote), first);
        world.signer.wait_for("signed Prevote", PATIENCE).unwrap();
        world.signer.wait_for("repeated Prevote", PATIENCE).unwrap();
    }
}

#[test]
fn another_timestamp_gets_the_stored_one_and_the_same_signature() {
    let mut world = World::new("later", Socket::Tcp);
    let vote = world.chain.precommit(7, 1).at((1_000, 5));
    let first = world.sign(&vote);
    for time in [(1_000, 6), (999, 5), (0, 0), (2_000_000_000, 0)] {
        let reply = world.link.sign_vote(&vote.clone().at(time)).unwrap();
        assert_eq!(reply.time, (1_000, 5));
        assert_eq!(reply.signature, first.signature);
    }
    let proposal = world.chain.proposal(8, 0).at((1_000, 5));
    let first = world.sign_proposal(&proposal);
    let reply = world.link.sign_proposal(&proposal.at((7, 7))).unwrap();
    assert_eq!((reply.time, reply.signature), ((1_000, 5), first.signature));
}

#[test]
fn something_else_at_a_signed_slot_is_a_double_sign() {
    for socket in BOTH {
        let mut world = World::new("other", socket);
        let code_2 = (2, "double signing requested at height: 7".to_owned());

        let proposal = world.chain.proposal(7, 1);
        world.sign_proposal(&proposal);
        let other = proposal.clone().with_block(Some(other_block()));
        assert_eq!(world.refused_proposal(&other), code_2);
        let mut other = proposal;
        other.pol_round = 0;
        assert_eq!(world.refused_proposal(&other), code_2);

        for vote in [world.chain.prevote(7, 1), world.chain.precommit(7, 1)] {
            world.sign(&vote);
            let parts = Block {
                total: 2,
                ..Block::numbered(1)
            };
            for block in [Some(other_block()), None, Some(parts)] {
                let other = vote.clone().with_block(block).at((9_999, 0));
                assert_eq!(world.refused(&other), code_2);
            }
            world.sign(&vote);
        }
        let nil = world.chain.prevote(8, 0).with_block(None);
        world.sign(&nil);
        let block = nil.with_block(Some(other_block()));
        assert_eq!(world.refused(&block).0, 2);
        world
            .signer
            .find(
                &["ERROR", "double signing requested at height: 8"],
                PATIENCE,
            )
            .unwrap();
    }
}

#[test]
fn what_lies_below_is_refused_with_code_0() {
    for socket in BOTH {
        let mut world = World::new("below", socket);
        let vote = world.chain.prevote(7, 3);
        world.sign(&vote);
        let below = [
            (world.chain.precommit(6, 9), "height regression"),
            (world.chain.prevote(1, 0), "height regression"),
            (world.chain.precommit(7, 2), "round regression"),
            (world.chain.prevote(7, 0), "round regression"),
        ];
        for (vote, why) in below {
            let (code, text) = world.refused(&vote);
            assert_eq!(code, 0);
            assert!(text.contains(why) && text.contains("7/3/1"), "{text}");
        }
        let proposal = world.chain.proposal(7, 3);
        let (code, text) = world.refused_proposal(&proposal);
        assert_eq!(code, 0);
        assert!(text.contains("step regression"), "{text}");
        world.sign(&vote);
    }
}

#[test]
fn a_precommit_need_not_be_for_the_block_of_the_prevote() {
    let mut world = World::new("unlocked", Socket::Tcp);
    let (prevote, precommit) = (world.chain.prevote(7, 0), world.chain.precommit(7, 0));
    let proposal = world.chain.proposal(7, 0).with_block(Some(other_block()));
    world.sign_proposal(&proposal);
    world.sign(&prevote);
    world.sign(&precommit.with_block(Some(other_block())));

    // Heights may be left out, and so may rounds and steps.
    let precommit = world.chain.precommit(90, 4);
    world.sign(&precommit);
}

#[test]
fn the_extension_of_a_repeated_precommit_is_signed_afresh() {
    let mut world = World::new("afresh", Socket::Tcp);
    let vote = world.chain.precommit(7, 0).with_extension(b"one");
    let first = world.sign(&vote);
    for extension in [&b"two"[..], b"", b"one"] {
        let vote = vote.clone().with_extension(extension);
        let reply = world.sign(&vote);
        assert_eq!(reply.signature, first.signature);
        assert!(reply.signs_extension(&world.chain.key, &vote.extension_sign_bytes()));
    }
}

#[test]
fn an_extension_where_none_belongs_is_refused() {
    let mut world = World::new("superfluous", Socket::Tcp);
    let prevote = world.chain.prevote(7, 0).with_extension(b"x");
    let nil = world.chain.precommit(7, 0).with_block(None);
    for vote in [prevote, nil.with_extension(b"x")] {
        let (code, text) = world.refused(&vote);
        assert_eq!(code, 0);
        assert!(text.contains("extension"), "{text}");
        // Nodes of v1 say that they want none: then it is not looked at.
        let mut vote = vote;
        vote.skip_extension_signing = true;
        assert!(world.sign(&vote).extension_signature.is_empty());
    }
}

#[test]
fn a_refusal_uses_nothing_up() {
    let mut world = World::new("unused", Socket::Tcp);
    let mut vote = world.chain.prevote(7, 0);
    vote.chain_id = "another-1".to_owned();
    let reply = world.link.sign_vote(&vote).unwrap();
    assert_eq!(refusal(&reply).0, 0);
    let vote = world.chain.prevote(1, 0);
    world.sign(&vote);
}
