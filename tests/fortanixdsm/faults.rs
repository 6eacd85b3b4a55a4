//! What the service does wrong while it is asked for a signature.

use super::stage::Running;

#[test]
fn a_fault_that_passes_costs_no_vote() {
    let mut running = Running::new("once", "");
    for fault in [
        "cut-before",
        "cut-after",
        "half",
        "close",
        "chunked",
        "slow 1",
        "delay 300",
        "status 401",
        "status 500",
        "status 502",
        "status 503 1",
        "status 429 1",
        "status 429 0",
        "garbage",
        "malformed",
        "html",
        "giant",
        "giant-chunked",
        "giant-head",
        "wrong-key",
        "replace kid dik",
        "replace 72e9ed9e 82e9ed9e",
        "replace signature\":\" signature\":\"AAAA",
    ] {
        running.service().tell(&format!("fault sign 1 {fault}"));
        eprintln!("{fault}");
        running.signs();
    }
}

#[test]
fn a_fault_that_lasts_is_refused_in_band_and_named() {
    let mut running = Running::new("lasting", "timeout_ms = 500");
    for (fault, said) in [
        (
            "status 400",
            "it takes our request for wrong (400): as it was told",
        ),
        (
            "status 403",
            "this app may not sign with the key \"validator\" (403): as it was told; let the app's group",
        ),
        (
            "status 404",
            "it has no key \"validator\" for this app (404)",
        ),
        (
            "status 409",
            "the state of the key \"validator\" does not allow it (409)",
        ),
        (
            "status 423",
            "the key, the app or the account is locked (423)",
        ),
        ("status 401", "it does not accept the API key (401)"),
        ("status 302", "it sends us elsewhere (302)"),
        (
            "status 500",
            "it has trouble of its own (500): as it was told; ask whoever runs the service",
        ),
        ("status 503", "it has trouble of its own (503)"),
        ("silent", "it did not answer within 500 ms"),
        ("slow 50", "it did not answer within 500 ms"),
        ("delay 2000", "it did not answer within 500 ms"),
        ("cut-before", "it closed the connection without an answer"),
        ("cut-after", "it closed the connection without an answer"),
        (
            "half",
            "it closed the connection in the middle of its answer",
        ),
        ("garbage", "not that of a Fortanix DSM: it is not HTTP"),
        (
            "malformed",
            "not that of a Fortanix DSM: it ends in the middle of its JSON",
        ),
        ("html", "not that of a Fortanix DSM: it is not valid JSON"),
        ("giant", "not that of a Fortanix DSM: it is too long"),
        (
            "giant-chunked",
            "not that of a Fortanix DSM: it is too long",
        ),
        (
            "giant-head",
            "not that of a Fortanix DSM: its head is too long",
        ),
        (
            "wrong-key",
            "it gave a wrong signature, which was kept back",
        ),
        (
            "replace 72e9ed9e 82e9ed9e",
            "it signed with another key than it was asked for",
        ),
        (
            "replace signature\":\" signature\":\"AAAA",
            "`signature` is not 64 bytes in base64",
        ),
        ("replace signature autograph", "`signature` is missing"),
    ] {
        running.service().tell(&format!("fault sign * {fault}"));
        eprintln!("{fault}");
        let (vote, text) = running.refuses();
        assert!(text.contains(said), "{fault}: {text}");
        assert!(text.contains("Fortanix DSM localhost:"), "{fault}: {text}");
        running.service().tell("heal");
        running.signs_in_the_end(&vote);
    }
}

#[test]
fn a_pause_that_the_service_asks_for_is_kept() {
    let mut running = Running::new("pause", "timeout_ms = 500");
    running.service().tell("fault sign 1 status 429 3");
    let (vote, text) = running.refuses();
    assert!(text.contains("it asks for a pause of 3 s (429)"), "{text}");
    // It is left alone meanwhile.
    let asked = running.service().count("sign");
    let (_, text) = running.refuses();
    assert!(text.contains("it asks for a pause of "), "{text}");
    assert_eq!(running.service().count("sign"), asked);
    let later = running.next();
    running.signs_in_the_end(&later);
    assert_eq!(running.service().count("sign"), asked + 1);
    assert_ne!(vote.height, later.height);
}

#[test]
fn what_was_signed_and_lost_on_its_way_is_signed_again_alike() {
    let mut running = Running::new("lost", "timeout_ms = 500");
    running.service().tell("fault sign * cut-after");
    let (vote, _) = running.refuses();
    // The slot is taken by these very bytes.
    let other = vote
        .clone()
        .with_block(Some(super::validator::Block::numbered(5)));
    running.service().tell("heal");
    assert!(running.refuses_this(&other).contains("double signing"));
    running.signs_in_the_end(&vote);
}
