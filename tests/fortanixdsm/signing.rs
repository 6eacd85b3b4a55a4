//! What goes well.

use super::stage::{Running, Stage, VALIDATOR, accept, assert_signs};
use super::validator::{Block, ProposalRequest, VoteRequest};
use tmkms::keys::SigningKey;

#[test]
fn votes_proposals_and_extensions_over_one_connection_a_request_each() {
    let mut running = Running::new("one-connection", "");
    running.signs();
    let before = ["connections", "auth", "info", "sign"].map(|what| running.service().count(what));
    let key = SigningKey::from_seed(&[1; 32]).unwrap().public_key().0;
    for height in 10..30 {
        let block = Block::numbered(7);
        let proposal =
            ProposalRequest::new(&running.stage.id, height, 0).with_block(Some(block.clone()));
        let reply = running.link.sign_proposal(&proposal).unwrap();
        assert!(
            reply.signs(&key, &proposal.sign_bytes()),
            "{:?}",
            reply.error
        );
        let prevote = running.stage.vote(height).with_block(Some(block.clone()));
        running.signs_this(&prevote);
        let precommit = VoteRequest::precommit(&running.stage.id, height, 0)
            .with_block(Some(block))
            .with_extension(b"extension");
        let reply = running.link.sign_vote(&precommit).unwrap();
        assert_signs(&reply, &precommit, 1, &mut running.signer);
        assert!(reply.signs_extension(&key, &precommit.extension_sign_bytes()));
    }
    let after = ["connections", "auth", "info", "sign"].map(|what| running.service().count(what));
    assert_eq!(after[3] - before[3], 80);
    assert_eq!(after[..3], before[..3]);
}

#[test]
fn the_log_names_the_key_as_the_guides_show_it() {
    let mut running = Running::new("log", "");
    let hex = SigningKey::from_seed(&[1; 32])
        .unwrap()
        .public_key()
        .to_hex();
    let line = format!("[keyring:fortanixdsm] added consensus Ed25519 key: {hex}");
    let found = running.signer.find(&[&line], super::stage::PATIENCE);
    assert!(found.is_ok(), "{found:?}");
}

#[test]
fn a_key_by_its_id_for_one_chain_and_one_by_its_name_for_another() {
    let stage = Stage::new("two-keys");
    stage.chain_named(
        "a-1",
        r#"key_id = "72E9ED9E-9eb4-46bd-a135-000000000001""#,
        "",
    );
    stage.chain_named("b-2", r#"key_name = "second""#, "");
    let nodes = [stage.node_of("a-1"), stage.node_of("b-2")];
    stage.begin_chain("a-1");
    stage.begin_chain("b-2");
    let mut signer = stage.start();
    for (node, (id, key)) in nodes.iter().zip([("a-1", 1), ("b-2", 2)]) {
        let mut link = accept(node, &mut signer);
        let vote = VoteRequest::prevote(id, 1, 0);
        assert_signs(&link.sign_vote(&vote).unwrap(), &vote, key, &mut signer);
    }
}

#[test]
fn what_was_signed_is_not_signed_differently() {
    let mut running = Running::new("double", "");
    let vote = running.next();
    running.signs_this(&vote);
    let other = vote.clone().with_block(Some(Block::numbered(9)));
    assert!(
        running
            .refuses_this(&other)
            .contains("double signing requested")
    );
    // From the state alone, after a restart.
    running.signer.kill().unwrap();
    running.signer = running.stage.start();
    running.link = accept(&running.node, &mut running.signer);
    assert!(
        running
            .refuses_this(&other)
            .contains("double signing requested")
    );
    running.signs_this(&vote);
}

#[test]
fn check_says_that_all_is_well_and_leaves_no_session() {
    let mut stage = Stage::new("check");
    stage.chain(VALIDATOR, "");
    let _node = stage.node();
    stage.begin();
    let terminated = stage.service.count("terminate");
    let (code, printed) = stage.ends(&["check", "-c", "tmkms.toml"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("0 problems, 0 warnings"), "{printed}");
    assert_eq!(stage.service.count("terminate"), terminated + 1);
}

#[test]
fn account_keys_are_named_and_not_used() {
    let stage = Stage::new("account");
    stage.chain(VALIDATOR, "");
    let text = std::fs::read_to_string(stage.home.config()).unwrap();
    let both = text.replace(
        "signing_keys = [",
        "signing_keys = [{ chain_ids = [\"account-1\"], key_name = \"account\", type = \"account\" }, ",
    );
    std::fs::write(stage.home.config(), both).unwrap();
    let mut running = stage.run();
    running.signs();
    let line = ["WARN", "account is an account key", "signs no transactions"];
    assert!(running.signer.find(&line, super::stage::PATIENCE).is_ok());
}

#[test]
fn a_key_that_can_be_taken_out_is_a_warning() {
    let stage = Stage::new("exportable");
    stage.chain(r#"key_name = "exportable""#, "");
    let node = stage.node();
    stage.begin();
    let mut signer = stage.start();
    let mut link = accept(&node, &mut signer);
    let vote = stage.vote(1);
    assert_signs(&link.sign_vote(&vote).unwrap(), &vote, 4, &mut signer);
    let line = [
        "WARN",
        "\"exportable\"",
        "take the operation Export from it",
    ];
    assert!(signer.find(&line, super::stage::PATIENCE).is_ok());
}
