//! A node that hangs, in every place where one can: the link ends within its time, and is redialled.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

use crate::scene::{PATIENCE, Scene, Socket, World, accept};
use crate::validator::{Connection, Stream, Validator, delimited};

/// What a link may be late by, on a machine with other things to do.
const LATE: Duration = Duration::from_secs(4);

/// Waits for the signer to hang up, sends `drop` each second until then, and tells how long it took.
fn time_to_close(stream: &mut Stream, drip: &[u8]) -> Duration {
    let began = Instant::now();
    let second = Some(Duration::from_secs(1));
    match stream {
        Stream::Tcp(stream) => stream.set_read_timeout(second),
        Stream::Unix(stream) => stream.set_read_timeout(second),
    }
    .unwrap();
    let mut drip = drip.iter();
    loop {
        match stream.read(&mut [0; 2048]) {
            Ok(0) => return began.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if let Some(byte) = drip.next() {
                    // Refused once the signer has hung up, which the next read tells as well.
                    let _ = stream.write(&[*byte]);
                }
            }
            Err(_) => return began.elapsed(),
        }
        assert!(began.elapsed() < PATIENCE, "it waits for ever");
    }
}

fn assert_time(name: &str, took: Duration, seconds: u64) {
    let due = Duration::from_secs(seconds);
    // A moment has gone by before the clock here was started.
    let early = Duration::from_millis(500);
    assert!(
        took + early >= due && took <= due + LATE,
        "{name}: {took:?}, not {due:?}"
    );
}

type Hang = fn(&Validator) -> Duration;

/// Every way to hang has a node of its own, and all hang at the same time.
#[test]
fn a_node_that_hangs_is_hung_up_on_in_its_time() {
    let scene = Scene::new("hang");
    let chain = scene.chain("hang-1", "");
    let cases: [(&str, Socket, Hang, u64, &str); 9] = [
        (
            "no handshake",
            Socket::Tcp,
            no_handshake,
            10,
            "no handshake for 10 s",
        ),
        (
            "half a hello",
            Socket::Tcp,
            half_a_hello,
            10,
            "no handshake for 10 s",
        ),
        (
            "silent on tcp",
            Socket::Tcp,
            silent,
            10,
            "no request or ping",
        ),
        (
            "silent on unix",
            Socket::Unix,
            silent,
            10,
            "no request or ping",
        ),
        (
            "unfinished on tcp",
            Socket::Tcp,
            unfinished,
            5,
            "not finished within 5 s",
        ),
        (
            "unfinished on unix",
            Socket::Unix,
            unfinished,
            5,
            "not finished within 5 s",
        ),
        (
            "a byte a second on tcp",
            Socket::Tcp,
            drips,
            5,
            "not finished within 5 s",
        ),
        (
            "a byte a second on unix",
            Socket::Unix,
            drips,
            5,
            "not finished within 5 s",
        ),
        (
            "after a request",
            Socket::Tcp,
            silent_after_a_request,
            10,
            "no request or ping",
        ),
    ];
    let nodes = cases.map(|(_, socket, ..)| scene.node(&chain, socket, ""));
    let mut signer = scene.start();
    thread::scope(|scope| {
        for ((name, _, hang, seconds, _), node) in cases.iter().zip(&nodes) {
            scope.spawn(move || assert_time(name, hang(node), *seconds));
        }
    });
    for ((_, _, _, _, line), node) in cases.iter().zip(&nodes) {
        let label = format!("hang-1@{}]", node.addr());
        signer.find(&["ERROR", &label, line], PATIENCE).unwrap();
        accept(node, &mut signer).ping().unwrap();
    }
}

fn no_handshake(node: &Validator) -> Duration {
    let mut stream = node.accept_stream(PATIENCE).unwrap();
    time_to_close(&mut stream, &[])
}

fn half_a_hello(node: &Validator) -> Duration {
    let mut stream = node.accept_stream(PATIENCE).unwrap();
    let mut hello = [9; 30];
    hello[..3].copy_from_slice(&[0x22, 0x0a, 0x20]);
    time_to_close(&mut stream, &hello)
}

fn silent(node: &Validator) -> Duration {
    let mut link = node.accept(PATIENCE).unwrap();
    time_to_close(link.stream(), &[])
}

fn silent_after_a_request(node: &Validator) -> Duration {
    let mut link = node.accept(PATIENCE).unwrap();
    link.ping().unwrap();
    time_to_close(link.stream(), &[])
}

/// A request in the socket's own bytes.
fn request(link: &mut Connection) -> Vec<u8> {
    let vote = crate::validator::VoteRequest::prevote("hang-1", 1, 0);
    link.sealed(&delimited(&vote.body())).unwrap()
}

fn unfinished(node: &Validator) -> Duration {
    let mut link = node.accept(PATIENCE).unwrap();
    let bytes = request(&mut link);
    let half = &bytes[..bytes.len() / 2];
    link.stream().write_all(half).unwrap();
    time_to_close(link.stream(), &[])
}

fn drips(node: &Validator) -> Duration {
    let mut link = node.accept(PATIENCE).unwrap();
    let bytes = request(&mut link);
    link.stream().write_all(&bytes[..1]).unwrap();
    time_to_close(link.stream(), &bytes[1..])
}

#[test]
fn a_node_that_reads_no_replies_is_hung_up_on_in_5_seconds() {
    let mut world = World::new("deaf", Socket::Unix);
    let Stream::Unix(stream) = world.link.stream() else {
        unreachable!("a Unix socket")
    };
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // Until the signer hangs up: it stops reading when its replies fill the socket.
    let pings = [2, 0x3a, 0].repeat(1000);
    let began = Instant::now();
    while stream.write_all(&pings).is_ok() {
        assert!(began.elapsed() < PATIENCE, "it waits for ever");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5) + LATE * 2, "{took:?}");
    let slow = ["ERROR", "within 5 s"];
    world.signer.find(&slow, PATIENCE).unwrap();
    world.link = accept(&world.node, &mut world.signer);
    world.link.ping().unwrap();
}

#[test]
fn a_node_that_pings_is_kept_longer_than_any_deadline() {
    let mut world = World::new("pings", Socket::Tcp);
    let began = Instant::now();
    let tick = Some(Duration::from_millis(3_333));
    let Stream::Tcp(stream) = world.link.stream() else {
        unreachable!("a TCP socket")
    };
    stream.set_read_timeout(tick).unwrap();
    while began.elapsed() < Duration::from_secs(11) {
        let error = world.link.stream().read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        world.link.ping().unwrap();
    }
    assert!(
        !world
            .signer
            .lines()
            .iter()
            .any(|line| line.contains("ERROR"))
    );
}

/// A queue of pending calls that is full: connecting to it would wait for as long as it is.
fn full_unix(path: &Path) -> (OwnedFd, Vec<OwnedFd>) {
    let address = SocketAddrUnix::new(path).unwrap();
    let socket = |flags| socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let listener = socket(SocketFlags::empty());
    bind(&listener, &address).unwrap();
    listen(&listener, 0).unwrap();
    let mut calls = Vec::new();
    loop {
        let call = socket(SocketFlags::NONBLOCK);
        if connect(&call, &address).is_err() {
            return (listener, calls);
        }
        calls.push(call);
    }
}

#[test]
fn a_node_that_takes_no_calls_is_given_up_after_a_second() {
    let scene = Scene::new("full");
    let chain = scene.chain("full-1", "");
    let path = scene.home.path("full.sock");
    let (listener, calls) = full_unix(&path);
    scene.dial(&chain, &format!("unix://{}", path.display()), "");
    let began = Instant::now();
    let mut signer = scene.start();
    let told = ["ERROR tmkms::client", "no answer within a second"];
    signer.find(&told, PATIENCE).unwrap();
    assert_time("a full queue", began.elapsed(), 1);
    // Nobody was asked to wait for ever: once there is room, it comes.
    for _ in &calls {
        drop(rustix::net::accept(&listener).unwrap());
    }
    let link = UnixStream::from(rustix::net::accept(&listener).unwrap());
    Connection::plain(Stream::Unix(link)).ping().unwrap();
}
