//! A service, or a connection to it, that goes and comes back.

use super::stage::{PATIENCE, Running, Stage, VALIDATOR, accept, assert_signs, until};
use super::validator::VoteRequest;

#[test]
fn a_connection_that_was_closed_is_made_anew_before_the_next_vote() {
    let mut running = Running::new("dropped", "");
    running.signs();
    // At once, and the vote finds out.
    running.service().tell("drop");
    running.signs();
    // And by itself.
    let before = running.service().count("connections");
    running.service().tell("drop");
    until("a new connection", || {
        running.stage.service.count("connections") > before
    });
    let connections = running.service().count("connections");
    running.signs();
    assert_eq!(running.service().count("connections"), connections);
}

#[test]
fn a_service_that_is_killed_comes_back_without_a_restart_and_other_chains_go_on() {
    let stage = Stage::new("killed");
    stage
        .home
        .write_key("soft-2-consensus.key", &[9; 32])
        .unwrap();
    stage.home.chain("soft-2", "").unwrap();
    let other_node = stage.node_of("soft-2");
    stage.chain(VALIDATOR, "timeout_ms = 500");
    stage.begin_chain("soft-2");
    let mut running = stage.run();
    let mut other = accept(&other_node, &mut running.signer);
    let mut last = None;
    running.stage.service.stop();
    for height in 1..4 {
        let (vote, text) = running.refuses();
        assert!(
            [
                "is away: the service at localhost:",
                "cannot be connected to: Connection refused"
            ]
            .iter()
            .all(|part| text.contains(part) || height == 1),
            "{text}"
        );
        last = Some(vote);
        let vote = VoteRequest::prevote("soft-2", height, 0);
        let reply = other.sign_vote(&vote).unwrap();
        assert_signs(&reply, &vote, 9, &mut running.signer);
    }
    running.stage.service.start_again();
    running.signs_in_the_end(&last.unwrap());
    let line = ["INFO", "is back after"];
    assert!(running.signer.find(&line, PATIENCE).is_ok());
}

#[test]
fn a_signer_starts_without_the_service_if_a_state_says_which_key_it_holds() {
    let mut stage = Stage::new("absent");
    stage.chain(VALIDATOR, "");
    stage.service.stop();
    let node = stage.node();
    let (code, printed) = stage.refused();
    assert_eq!(code, 7, "{printed}");
    let said = "is away, and no state of absent-1 says which key it holds";
    assert!(printed.contains(said), "{printed}");
    stage.service.start_again();
    stage.begin();
    stage.service.stop();
    let mut signer = stage.start();
    let mut link = accept(&node, &mut signer);
    let line = ["WARN", "is away: the service at localhost"];
    assert!(signer.find(&line, PATIENCE).is_ok());
    let vote = stage.vote(1);
    let (_, text) = link.sign_vote(&vote).unwrap().error.expect("a refusal");
    assert!(text.contains("is away"), "{text}");
    stage.service.start_again();
    until("a signature", || {
        let reply = link.sign_vote(&vote).unwrap();
        reply.error.is_none() && {
            assert_signs(&reply, &vote, 1, &mut signer);
            true
        }
    });
}

#[test]
fn a_certificate_that_runs_out_is_named_and_mends_itself() {
    let mut running = Running::new("runs-out", "");
    running.signs();
    running.service().tell("certificate expired");
    running.service().tell("drop");
    let (vote, text) = running.refuses();
    assert!(text.contains("its certificate has expired"), "{text}");
    running.service().tell("certificate good");
    running.signs_in_the_end(&vote);
}

#[test]
fn a_key_that_is_disabled_is_refused_and_signs_again_when_it_is_enabled() {
    let mut running = Running::new("disabled-later", "");
    running.signs();
    running.service().tell("key validator disabled");
    let (vote, text) = running.refuses();
    assert!(
        text.contains("this app may not sign with the key \"validator\" (403)"),
        "{text}"
    );
    // Also across a new opening.
    running.service().tell("drop");
    running.service().tell("expire");
    let _ = running.refuses();
    running.service().tell("key validator enabled");
    assert!(!running.refuses_this(&vote).is_empty(), "a lower height");
    let next = running.next();
    running.signs_in_the_end(&next);
}

#[test]
fn a_name_that_is_given_to_another_key_does_not_change_which_key_signs() {
    let mut running = Running::new("renamed", "");
    running.signs();
    running.service().tell("rename validator second");
    running.signs();
    // Also when all is looked up again.
    running.service().tell("fault sign 1 garbage");
    running.signs();
    // The next start is not led astray either.
    running.signer.kill().unwrap();
    let (code, printed) = running.stage.refused();
    assert_eq!(code, 5, "{printed}");
    assert!(printed.contains("another key"), "{printed}");
}

#[test]
fn a_key_that_was_another_when_the_service_came_is_looked_at_again() {
    let mut stage = Stage::new("swapped");
    stage.chain(VALIDATOR, "");
    let node = stage.node();
    stage.begin();
    stage.service.stop();
    let mut signer = stage.start();
    let mut link = accept(&node, &mut signer);
    stage.service.start_again();
    stage.service.tell("rename validator second");
    let vote = stage.vote(1);
    let refused_for = |link: &mut super::validator::Connection, what: &str| {
        let reply = link.sign_vote(&vote).unwrap();
        reply.error.is_some_and(|(_, text)| text.contains(what))
    };
    until("another key", || refused_for(&mut link, "another key"));
    stage.service.tell("rename second validator");
    until("a signature", || {
        let reply = link.sign_vote(&vote).unwrap();
        reply.error.is_none() && {
            assert_signs(&reply, &vote, 1, &mut signer);
            true
        }
    });
}
