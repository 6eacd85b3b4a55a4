//! What is signed verifies, and the public key comes in every form that nodes read.

use crate::scene::{BOTH, PATIENCE, Socket, World};
use crate::validator::{PRECOMMIT, Reply, delimited};

#[test]
fn signs_votes_for_blocks_and_for_nil() {
    for socket in BOTH {
        let mut world = World::new("votes", socket);
        for (height, block) in [(1, true), (2, false)] {
            let mut votes = [
                world.chain.prevote(height, 0),
                world.chain.precommit(height, 0),
                world.chain.prevote(height, i32::MAX),
                world.chain.precommit(height, i32::MAX),
            ];
            for vote in &mut votes {
                if !block {
                    vote.block = None;
                }
                let reply = world.sign(vote);
                assert_eq!(Some(reply.time), vote.time);
                let extended = block && vote.kind == PRECOMMIT;
                assert_eq!(!reply.extension_signature.is_empty(), extended, "{vote:?}");
            }
        }
        let last = world.chain.precommit(i64::MAX, 0).at((1_700_000_000, 1));
        world.sign(&last);
    }
}

#[test]
fn signs_proposals_with_and_without_a_proof_of_lock() {
    for socket in BOTH {
        let mut world = World::new("proposals", socket);
        for pol_round in [-1, 0, 6] {
            let mut proposal = world.chain.proposal(i64::from(pol_round) + 2, 7);
            proposal.pol_round = pol_round;
            world.sign_proposal(&proposal);
        }
        let mut odd = world.chain.proposal(100, 0);
        odd.kind = 1;
        world.sign_proposal(&odd);
    }
}

#[test]
fn signs_extensions_of_every_length_up_to_one_mebibyte() {
    for socket in BOTH {
        let mut world = World::new("extensions", socket);
        let lengths = [0, 1, 5 * 1024, 900 * 1024, 1024 * 1024];
        for (height, length) in (1..).zip(lengths) {
            let extension: Vec<u8> = (0..=255).cycle().take(length).collect();
            let vote = world.chain.precommit(height, 0).with_extension(&extension);
            let reply = world.sign(&vote);
            let signs = reply.signs_extension(&world.chain.key, &vote.extension_sign_bytes());
            assert!(signs, "{length} bytes over {socket:?}");
        }
    }
}

#[test]
fn signs_no_extension_where_the_node_asks_for_none() {
    let mut world = World::new("skip", Socket::Unix);
    let mut vote = world.chain.precommit(1, 0).with_extension(b"extension");
    vote.skip_extension_signing = true;
    assert!(world.sign(&vote).extension_signature.is_empty());
    vote.skip_extension_signing = false;
    let reply = world.sign(&vote);
    assert!(reply.signs_extension(&world.chain.key, &vote.extension_sign_bytes()));
}

#[test]
fn signs_no_extension_where_the_chain_has_none() {
    let mut world = World::with("sign_none", Socket::Unix, "sign_extensions = false", "");
    let vote = world.chain.precommit(1, 0).with_extension(b"extension");
    assert!(world.sign(&vote).extension_signature.is_empty());
    world
        .signer
        .find(
            &["WARN", "without signatures over vote extensions"],
            PATIENCE,
        )
        .unwrap();

    let mut world = World::with("sign_some", Socket::Unix, "sign_extensions = true", "");
    let vote = world.chain.precommit(1, 0);
    let reply = world.sign(&vote);
    assert!(reply.signs_extension(&world.chain.key, &vote.extension_sign_bytes()));
}

#[test]
fn tells_its_public_key_in_the_forms_of_all_nodes() {
    for socket in BOTH {
        let mut world = World::new("key", socket);
        for chain_id in [&world.chain.id[..], ""] {
            let reply = world.link.pub_key(chain_id).unwrap();
            let key = world.chain.key.to_vec();
            assert_eq!(reply.error, None);
            assert_eq!(reply.ed25519, Some(key.clone()));
            assert_eq!(reply.typed, Some((key, "ed25519".to_owned())));
        }
    }
}

#[test]
fn answers_requests_that_come_together_one_after_another() {
    for socket in BOTH {
        let mut world = World::new("together", socket);
        let votes = [
            world.chain.prevote(1, 0),
            world.chain.precommit(1, 0),
            world.chain.prevote(2, 0),
        ];
        let bytes: Vec<u8> = votes
            .iter()
            .flat_map(|vote| delimited(&vote.body()))
            .collect();
        world.link.send_raw(&bytes).unwrap();
        for vote in &votes {
            let reply = world.link.receive().unwrap();
            let reply = Reply::read(4, &reply).unwrap();
            assert!(reply.signs(&world.chain.key, &vote.sign_bytes()));
        }
    }
}

#[test]
fn reads_a_request_that_comes_byte_by_byte() {
    let mut world = World::new("bytewise", Socket::Unix);
    let vote = world.chain.prevote(1, 0);
    for byte in delimited(&vote.body()) {
        world.link.send_raw(&[byte]).unwrap();
    }
    let reply = world.link.receive().unwrap();
    let reply = Reply::read(4, &reply).unwrap();
    assert!(reply.signs(&world.chain.key, &vote.sign_bytes()));
}
