//! What stands in the log, and in what order disk, socket and log are written.

use std::fs;
use std::process::{Command, Stdio};

use ct_codecs::{Encoder, Hex};
use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{
    BINARY, BOTH, PATIENCE, Scene, Socket, World, accept, assert_signs, other_block,
};
use crate::validator::{Block, Process};

/// Whether `line` has this form; `#` stands for a digit, `H` for a hexadecimal one, `*` for some of them.
fn has_form(line: &str, form: &str) -> bool {
    let mut line = line.chars().peekable();
    for expected in form.chars() {
        let fits = match expected {
            '#' => line.next().is_some_and(|c| c.is_ascii_digit()),
            'H' => line.next().is_some_and(|c| c.is_ascii_hexdigit()),
            '*' => {
                let begins = line.peek().is_some_and(char::is_ascii_hexdigit);
                while line.next_if(char::is_ascii_hexdigit).is_some() {}
                begins
            }
            c => line.next() == Some(c),
        };
        if !fits {
            return false;
        }
    }
    line.next().is_none()
}

#[test]
fn log_lines_have_the_form_that_monitoring_knows() {
    let mut world = World::new("lines", Socket::Tcp);
    let (chain, addr) = (&world.chain.id.clone(), &world.node.addr());
    let vote = world.chain.prevote(123, 0);
    world.sign(&vote);
    let other = vote.with_block(Some(other_block()));
    assert_eq!(world.refused(&other).0, 2);
    let nil = world.chain.precommit(123, 4).with_block(None);
    world.sign(&nil);
    let proposal = world.chain.proposal(124, 0);
    world.sign_proposal(&proposal);

    let time = "####-##-##T##:##:##.######Z";
    let hash = Hex::encode_to_string(&Block::numbered(1).hash[..5]).unwrap();
    let hash = hash.to_uppercase();
    let session = format!("tmkms::session: [{chain}@{addr}]");
    for form in [
        format!("{time}  INFO tmkms::commands::start: tmkms #.#.# starting up..."),
        format!("{time}  INFO tmkms::keyring: [keyring:softsign] added consensus Ed25519 key: *"),
        format!("{time}  INFO tmkms::connection::tcp: KMS node ID: *"),
        format!("{time}  INFO {session} connected to validator successfully"),
        format!("{time}  WARN {session}: unverified validator peer ID! (*)"),
        format!("{time}  INFO {session} signed Prevote:{hash} at h/r/s 123/0/1 (* ms)"),
        format!("{time} ERROR {session} refused: double signing requested at height: 123"),
        format!("{time}  INFO {session} signed Precommit:<nil> at h/r/s 123/4/2 (* ms)"),
        format!("{time}  INFO {session} signed Proposal:{hash} at h/r/s 124/0/0 (* ms)"),
    ] {
        // In this order, and no other line has to be skipped for long.
        let text = form.rsplit("Z ").next().unwrap();
        let text = text.split(['#', '*']).next().unwrap().trim_start();
        let text = &text[text.find("tmkms::").unwrap()..];
        let line = world.signer.wait_for(text, PATIENCE).unwrap();
        assert!(has_form(&line, &form), "{line}\n{form}");
    }
}

#[test]
fn nothing_is_coloured_but_on_a_terminal() {
    let mut world = World::new("plain", Socket::Tcp);
    let vote = world.chain.prevote(1, 0);
    world.sign(&vote);
    world.signer.find(&["signed"], PATIENCE).unwrap();
    assert!(
        !world
            .signer
            .lines()
            .iter()
            .any(|line| line.contains('\u{1b}'))
    );
}

#[test]
fn no_secret_is_logged() {
    let mut world = World::new("no_secrets", Socket::Tcp);
    let vote = world.chain.prevote(1, 0);
    world.sign(&vote);
    world.signer.find(&["signed"], PATIENCE).unwrap();
    let secrets = [
        world.scene.home.key_file(&world.chain.id),
        world.scene.home.path("secrets/kms-identity.key"),
    ];
    for path in secrets {
        let secret = fs::read_to_string(path).unwrap();
        let lines = world.signer.lines();
        assert!(!lines.iter().any(|line| line.contains(secret.trim())));
    }
}

#[test]
fn a_log_that_nobody_reads_any_more_stops_nothing() {
    let scene = Scene::new("closed_log");
    let chain = scene.chain("closed_log-1", "");
    let node = scene.node(&chain, Socket::Unix, "");
    let mut command = Command::new(BINARY);
    command.args(["start", "-c"]).arg(scene.home.config());
    let mut signer = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(signer.stdout.take());
    let mut link = node.accept(PATIENCE).unwrap();
    for height in 1..100 {
        let vote = chain.prevote(height, 0);
        let reply = link.sign_vote(&vote).unwrap();
        assert_signs(&reply, &chain.key, &vote.sign_bytes());
    }
    signer.kill().unwrap();
    signer.wait().unwrap();
}

/// Asks what strace traces to stop; strace then ends by itself, its trace whole.
fn stop_traced(strace: &mut Process) {
    let id = strace.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let traced = children.trim().parse().ok().and_then(Pid::from_raw);
    kill_process(traced.unwrap(), Signal::TERM).unwrap();
    let status = strace.wait(PATIENCE).unwrap();
    assert_eq!(status.expect("an end").code(), Some(0));
}

/// What the thread of the link did from its beginning to the line with `end`, by the names that matter here.
fn steps(trace: &str, end: &str) -> Vec<&'static str> {
    let connected = trace
        .lines()
        .find(|line| line.contains("connected to validator successfully"))
        .expect("a log line");
    let thread = connected.split_whitespace().next().unwrap();
    let after = trace.split(connected).nth(1).unwrap();
    let last = after.lines().position(|line| line.contains(end)).unwrap();
    let of_thread = after
        .lines()
        .take(last + 1)
        .filter_map(|line| line.strip_prefix(thread))
        .map(str::trim_start);
    let steps = of_thread
        .filter(|call| !call.contains("unverified"))
        .map(|call| {
            let name = call.split('(').next().unwrap();
            match name {
                "pwrite64" if call.ends_with("= 512") => "record",
                "fdatasync" if call.ends_with("= 0") => "sync",
                "sendto" => "reply",
                "write" if call.contains("(1, ") => "log",
                _ => panic!("{call}"),
            }
        });
    steps.collect()
}

#[test]
fn a_signature_is_one_record_one_sync_then_the_reply_then_the_log_line() {
    let mut traced = Command::new("strace");
    let traced = traced.args(["-qq", "-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        println!("skipped: there is no strace, or it may not trace");
        return;
    }
    for socket in BOTH {
        let scene = Scene::new(&format!("strace_{socket:?}"));
        let chain = scene.chain("strace-1", "");
        let node = scene.node(&chain, socket, "");
        let trace = scene.home.path("trace");
        let mut command = Command::new("strace");
        let calls = "trace=pwrite64,pwritev,fdatasync,fsync,write,writev,sendto,sendmsg";
        command.args(["-f", "-qq", "-e", calls, "-s", "200", "-o"]);
        command.arg(&trace).args([BINARY, "start", "-c"]);
        command.arg(scene.home.config());
        let mut signer = Process::spawn(&mut command).unwrap();
        let mut link = accept(&node, &mut signer);

        link.ping().unwrap();
        let vote = chain.precommit(1, 0).with_extension(b"extension");
        assert!(link.sign_vote(&vote).unwrap().error.is_none());
        assert!(link.sign_vote(&vote).unwrap().error.is_none());
        let other = vote.with_block(Some(other_block()));
        assert!(link.sign_vote(&other).unwrap().error.is_some());
        let proposal = chain.proposal(2, 0);
        assert!(link.sign_proposal(&proposal).unwrap().error.is_none());
        signer.find(&["signed Proposal"], PATIENCE).unwrap();
        stop_traced(&mut signer);

        let trace = fs::read_to_string(trace).unwrap();
        let expected = [
            &["reply"][..],
            &["record", "sync", "reply", "log"],
            &["reply", "log"],
            &["reply", "log"],
            &["record", "sync", "reply", "log"],
        ];
        assert_eq!(
            steps(&trace, "signed Proposal"),
            expected.concat(),
            "{socket:?}: {trace}"
        );
    }
}
