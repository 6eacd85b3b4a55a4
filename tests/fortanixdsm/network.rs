//! What stands between here and the service.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::stage::{Running, Stage, VALIDATOR};

/// A proxy that answers `CONNECT` with a line, and passes on what follows if that says 200.
fn proxy(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tunnels);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                let _ = tunnel(stream, answer, &counted);
            });
        }
    });
    (port, tunnels)
}

fn tunnel(mut near: TcpStream, answer: &str, count: &AtomicUsize) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        near.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    near.write_all(format!("HTTP/1.1 {answer}\r\nVia: a proxy\r\n\r\n").as_bytes())?;
    if !answer.starts_with("200") {
        return Ok(());
    }
    let far = TcpStream::connect(target.unwrap().replace("localhost", "127.0.0.1"))?;
    count.fetch_add(1, Ordering::SeqCst);
    let (mut from, mut to) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    std::io::copy(&mut &far, &mut &near)?;
    Ok(())
}

#[test]
fn a_proxy_that_is_named_is_used_and_sees_nothing() {
    let (port, tunnels) = proxy("200 Connection established");
    let more = format!("proxy = \"http://127.0.0.1:{port}\"");
    let mut running = Running::new("proxy", &more);
    let before = tunnels.load(Ordering::SeqCst);
    assert!(before >= 2, "state init and start");
    running.signs();
    running.service().tell("drop");
    running.signs();
    assert_eq!(tunnels.load(Ordering::SeqCst), before + 1);
}

#[test]
fn a_proxy_that_says_no_is_named() {
    for (answer, said) in [
        (
            "407 Proxy Authentication Required",
            "wants a password (407)",
        ),
        ("403 Forbidden", "gives no tunnel to localhost:"),
        ("nonsense", "gives no tunnel: its answer is not"),
        ("502 Bad Gateway", "does not reach localhost:"),
    ] {
        let (port, _) = proxy(answer);
        let stage = Stage::new("no-proxy");
        stage.chain(VALIDATOR, &format!("proxy = \"http://127.0.0.1:{port}\""));
        let _node = stage.node();
        let (code, printed) = stage.refused();
        assert_eq!(code, 7, "{answer}: {printed}");
        let is_away = printed.contains("says which key it holds");
        assert!(is_away || printed.contains(said), "{answer}: {printed}");
        // With a state, what may pass is a warning and the rest stops the start.
        let (_, checked) = stage.ends(&["check", "-c", "tmkms.toml"]);
        assert!(checked.contains(said), "{answer}: {checked}");
    }
}

#[test]
fn no_proxy_is_used_because_the_environment_has_one() {
    let (port, tunnels) = proxy("200 Connection established");
    let stage = Stage::new("environment");
    stage.chain(VALIDATOR, "");
    let node = stage.node();
    stage.begin();
    let mut command = std::process::Command::new(super::stage::BINARY);
    command.args(["start", "-c"]).arg(stage.home.config());
    for name in ["https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env(name, format!("http://127.0.0.1:{port}"));
    }
    let mut signer = super::validator::Process::spawn(&mut command).unwrap();
    let mut link = super::stage::accept(&node, &mut signer);
    let vote = stage.vote(1);
    let reply = link.sign_vote(&vote).unwrap();
    super::stage::assert_signs(&reply, &vote, 1, &mut signer);
    assert_eq!(tunnels.load(Ordering::SeqCst), 0);
}

#[test]
fn a_name_that_nobody_knows_is_named() {
    let stage = Stage::new("unknown-name");
    // A name that no resolver may know (RFC 6761).
    stage.chain(
        VALIDATOR,
        "api_endpoint = \"https://dsm.invalid\"\ntimeout_ms = 2300",
    );
    let _node = stage.node();
    let (code, printed) = stage.ends(&["check", "-c", "tmkms.toml"]);
    assert_ne!(code, 0);
    assert!(
        printed.contains("the name dsm.invalid of the service is not resolved"),
        "{printed}"
    );
}
