//! Neither the API key nor a session's token is in the log, a refusal or a state.

use super::stage::Running;

#[test]
fn no_secret_is_shown_even_if_the_service_repeats_it() {
    let mut running = Running::new("secrets", "timeout_ms = 500");
    let mut shown = String::new();
    for fault in [
        "fault sign 1 echo 403",
        "fault sign 1 echo 400",
        "fault sign 1 echo 500",
        "fault sign 1 echo 401",
        "fault sign 1 html",
    ] {
        running.service().tell(fault);
        let vote = running.next();
        let reply = running.link.sign_vote(&vote).unwrap();
        shown.push_str(&format!("{:?}\n", reply.error));
    }
    running.service().tell("fault auth * echo 401");
    running.service().tell("expire");
    let (_, text) = running.refuses();
    shown.push_str(&text);
    assert!(
        shown.contains("(403); let") && shown.contains("(401); is"),
        "{shown}"
    );
    let tokens = running.service().tell("tokens");
    let key = running.service().tell("secret");
    shown.push_str(&running.signer.lines().join("\n"));
    assert!(shown.lines().count() > 10);
    let mut secrets: Vec<&str> = tokens.split(' ').collect();
    assert!(!secrets.is_empty() && secrets.iter().all(|token| token.len() == 44));
    secrets.push(&key);
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret}\n{shown}");
    }
    assert!(
        !shown.contains("Bearer ") && !shown.contains("Basic "),
        "{shown}"
    );
}
