//! Values that no honest node sends are refused in the reply; bytes that are no request end the link.

use std::fs;

use crate::scene::{BOTH, PATIENCE, Socket, World, accept, refusal};
use crate::validator::{Block, Fields, Process, Proto, Reply, VoteRequest};

#[test]
fn votes_with_bad_values_are_refused_and_the_link_is_kept() {
    for socket in BOTH {
        let mut world = World::new("bad_votes", socket);
        let vote = || world.chain.prevote(7, 0);
        let with_block = |hash: usize, total, parts_hash: usize| {
            vote().with_block(Some(Block {
                hash: vec![1; hash],
                total,
                parts_hash: vec![2; parts_hash],
            }))
        };
        #[rustfmt::skip]
        let cases = [
            ("height 0", VoteRequest { height: 0, ..vote() }, "height 0"),
            ("height -1", VoteRequest { height: -1, ..vote() }, "height -1"),
            ("round -1", VoteRequest { round: -1, ..vote() }, "round -1"),
            ("type 0", VoteRequest { kind: 0, ..vote() }, "vote type 0"),
            ("type 7", VoteRequest { kind: 7, ..vote() }, "vote type 7"),
            ("type 32", VoteRequest { kind: 32, ..vote() }, "vote type 32"),
            ("hash only", with_block(32, 0, 0), "block id"),
            ("parts only", with_block(0, 1, 32), "block id"),
            ("no parts", with_block(32, 0, 32), "block id"),
            ("short hash", with_block(31, 1, 32), "block id"),
            ("long hash", with_block(33, 1, 32), "block id"),
            ("short parts hash", with_block(32, 1, 20), "block id"),
            ("year 10000", vote().at((253_402_300_800, 0)), "timestamp"),
            ("year 0", vote().at((-62_135_596_801, 0)), "timestamp"),
            ("negative nanos", vote().at((0, -1)), "timestamp"),
            ("a second of nanos", vote().at((0, 1_000_000_000)), "timestamp"),
            ("long address", VoteRequest { validator_address: vec![1; 21], ..vote() }, "address of 21"),
            ("huge address", VoteRequest { validator_address: vec![1; 100_000], ..vote() }, "address"),
            ("long chain id", VoteRequest { chain_id: "c".repeat(51), ..vote() }, &world.chain.id),
            ("no chain id", VoteRequest { chain_id: String::new(), ..vote() }, &world.chain.id),
            ("another chain", VoteRequest { chain_id: "another-1".to_owned(), ..vote() }, &world.chain.id),
        ];
        for (name, vote, text) in &cases {
            let reply = world.link.sign_vote(vote).unwrap();
            world.link.ping().unwrap();
            let (code, said) = refusal(&reply);
            assert_eq!(code, 0, "{name}: {said}");
            assert!(said.contains(text), "{name}: {said}");
        }
        let vote = world.chain.prevote(1, 0);
        world.sign(&vote);
    }
}

#[test]
fn proposals_with_bad_values_are_refused_and_the_link_is_kept() {
    for socket in BOTH {
        let mut world = World::new("bad_proposals", socket);
        let change = |change: fn(&mut crate::validator::ProposalRequest)| {
            let mut proposal = world.chain.proposal(7, 0);
            change(&mut proposal);
            proposal
        };
        let cases = [
            (change(|it| it.height = 0), "height 0"),
            (change(|it| it.round = -1), "round -1"),
            (change(|it| it.pol_round = -2), "pol_round -2"),
            (change(|it| it.block = None), "block id is nil"),
            (change(|it| it.time = Some((i64::MAX, 0))), "timestamp"),
            (change(|it| it.chain_id.push('x')), "this signer serves"),
        ];
        for (proposal, text) in cases {
            let (code, said) = world.refused_proposal(&proposal);
            assert_eq!(code, 0, "{said}");
            assert!(said.contains(text), "{said}");
        }
        let vote = world.chain.proposal(1, 0);
        world.sign_proposal(&vote);
    }
}

#[test]
fn a_request_without_a_vote_or_a_proposal_is_refused() {
    let mut world = World::new("absent", Socket::Tcp);
    let chain = world.chain.id.clone();
    let nothing = Proto::new().bytes(2, chain.as_bytes());
    for (request, response) in [(3, 4), (5, 6)] {
        let body = Proto::new().message(request, &nothing).into_bytes();
        let reply = world.link.request(&body).unwrap();
        refusal(&Reply::read(response, &reply).unwrap());
    }
    world.link.ping().unwrap();
}

#[test]
fn the_key_of_another_chain_is_refused() {
    let mut world = World::new("other_key", Socket::Tcp);
    for chain_id in ["another-1", &"c".repeat(51), "\u{1b}[31m"] {
        let reply = world.link.pub_key(chain_id).unwrap();
        let (code, text) = reply.error.unwrap();
        assert_eq!((reply.ed25519, reply.typed, code), (None, None, 0));
        assert!(text.contains(&world.chain.id), "{text}");
    }
    world.link.ping().unwrap();
}

#[test]
fn raw_bytes_are_refused_in_their_own_reply() {
    let mut world = World::new("raw", Socket::Tcp);
    // What v1 nodes send and what Celestia's do; the first hides a vote.
    let vote = world.chain.prevote(7, 0).sign_bytes();
    let v1 = Proto::new().bytes(1, &vote);
    let celestia = Proto::new()
        .bytes(1, world.chain.id.as_bytes())
        .bytes(2, b"raw")
        .bytes(3, b"id");
    for request in [v1, celestia] {
        let body = Proto::new().message(9, &request).into_bytes();
        let reply = Fields::read(&world.link.request(&body).unwrap()).unwrap();
        let reply = reply.message(10).unwrap().unwrap();
        assert_eq!(reply.bytes(1), None);
        assert!(reply.message(2).unwrap().is_some());
    }
    world.link.ping().unwrap();
}

#[test]
fn bytes_that_are_no_request_end_the_link_and_it_redials() {
    for socket in BOTH {
        let mut world = World::new("garbage", socket);
        // Its first letter stands for a message of 71 bytes.
        let text = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(71));
        let cases = [
            ("a message of no bytes", &[0][..]),
            ("an endless length", &[0xff; 11]),
            ("a length that is too long", &[0x81, 0x80, 0x41]),
            ("an unknown request", &[3, 0x5a, 1, 0]),
            ("a reply", &[2, 0x42, 0]),
            ("half a field", &[2, 0x1a, 9]),
            ("a group", &[2, 0x1b, 0]),
            ("text", text.as_bytes()),
        ];
        for (name, bytes) in cases {
            world.link.send_raw(bytes).unwrap();
            world.link.set_timeout(PATIENCE);
            let closed = world.link.expect_close();
            assert!(closed.is_ok(), "{name}: {closed:?}");
            world.link = accept(&world.node, &mut world.signer);
            world.link.ping().unwrap();
        }
        // Lines come in their order: with this one, all before it are there.
        let vote = world.chain.prevote(1, 0);
        world.sign(&vote);
        world.signer.find(&["signed"], PATIENCE).unwrap();
        let lines = world.signer.lines();
        let told = lines.iter().filter(|line| line.contains("ERROR"));
        assert_eq!(told.count(), cases.len(), "{}", lines.join("\n"));
    }
}

#[test]
fn a_message_over_the_limit_takes_no_memory() {
    for socket in BOTH {
        let mut world = World::new("too_long", socket);
        let largest = vec![7; 1024 * 1024];
        let vote = world.chain.precommit(1, 0).with_extension(&largest);
        world.sign(&vote);
        let before = peak_memory(&world.signer);
        for _ in 0..8 {
            let mut bytes = vec![0x81, 0x80, 0x41];
            bytes.resize(2 * 1024 * 1024, 0);
            // The signer hangs up in the middle of it.
            let _ = world.link.send_raw(&bytes);
            world.link = accept(&world.node, &mut world.signer);
            world.link.ping().unwrap();
        }
        let grown = peak_memory(&world.signer).saturating_sub(before);
        assert!(grown < 512, "{grown} KiB more over {socket:?}");
        world
            .signer
            .find(&["ERROR", "1064961 bytes"], PATIENCE)
            .unwrap();
    }
}

/// The most memory that the process ever had, in KiB.
fn peak_memory(signer: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", signer.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}
