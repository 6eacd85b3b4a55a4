//! Sessions that end, and API keys that change.

use std::fs;
use std::time::{Duration, Instant};

use super::stage::{Running, until};

#[test]
fn a_session_that_the_service_forgot_is_begun_anew() {
    let mut running = Running::new("expired", "");
    running.signs();
    let before = running.service().count("auth");
    running.service().tell("expire");
    running.signs();
    assert_eq!(running.service().count("auth"), before + 1);
}

#[test]
fn a_session_is_renewed_before_it_ends_while_votes_are_signed() {
    let mut running = Running::new("busy", "");
    running.service().tell("lifetime 2");
    running.service().tell("expire");
    running.signs();
    let (before, unknown) = (
        running.service().count("auth"),
        running.service().count("unauthorized"),
    );
    let deadline = Instant::now() + Duration::from_secs(6);
    while Instant::now() < deadline {
        running.signs();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(running.service().count("auth") >= before + 3);
    // No request came with a session that had ended.
    assert_eq!(running.service().count("unauthorized"), unknown);
}

#[test]
fn a_session_is_renewed_before_it_ends_while_nothing_is_asked() {
    let mut running = Running::new("idle", "");
    running.service().tell("lifetime 6");
    running.service().tell("expire");
    running.signs();
    let before = running.service().count("auth");
    until("a renewal", || running.stage.service.count("auth") > before);
    let (auth, unknown) = (
        running.service().count("auth"),
        running.service().count("unauthorized"),
    );
    running.signs();
    assert_eq!(running.service().count("auth"), auth);
    assert_eq!(running.service().count("unauthorized"), unknown);
}

#[test]
fn a_renewal_that_fails_stops_nothing_while_the_session_lasts() {
    let mut running = Running::new("unrenewed", "");
    running.service().tell("lifetime 30");
    running.service().tell("expire");
    running.signs();
    running.service().tell("fault auth * status 503");
    let line = [
        "WARN",
        "the session is not renewed",
        "(503)",
        "it lasts for",
    ];
    let found = loop {
        running.signs();
        if let Ok(line) = running.signer.find(&line, Duration::from_millis(200)) {
            break line;
        }
        assert!(running.service().count("sign") < 400);
    };
    assert!(found.contains("s more"));
    running.signs();
}

#[test]
fn another_api_key_is_taken_from_its_file_without_a_restart() {
    let mut running = Running::new("rekey", "");
    running.signs();
    running.service().tell("rekey");
    let (vote, text) = running.refuses();
    assert!(
        text.contains(
            "it does not accept the API key (401): Invalid credentials; is the app enabled?"
        ),
        "{text}"
    );
    let key = running.service().tell("secret");
    fs::write(running.stage.service.file("api-key"), format!("{key}\n")).unwrap();
    running.signs_in_the_end(&vote);
}
