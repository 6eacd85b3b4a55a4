//! Dialling, redialling, and how a process with nothing left to do ends.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scene::{BOTH, Chain, PATIENCE, Scene, Socket, World, accept};
use crate::validator::{Process, Validator};

#[test]
fn a_link_that_is_cut_is_redialled_at_once() {
    for socket in BOTH {
        let mut world = World::new("cut", socket);
        let mut fastest = Duration::MAX;
        for height in 1..=5 {
            let vote = world.chain.prevote(height, 0);
            world.sign(&vote);
            let cut = Instant::now();
            world.link.hang_up();
            world.link = accept(&world.node, &mut world.signer);
            fastest = fastest.min(cut.elapsed());
        }
        // The second dial would wait for 40 ms at least.
        assert!(fastest < Duration::from_millis(40), "{fastest:?}");
    }
}

/// An address at which nobody listens, of an IP address that no other test uses: `last` is its last byte.
fn free_tcp(last: u8) -> String {
    let listener = TcpListener::bind(format!("127.77.0.{last}:0")).unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_node_that_is_not_up_yet_is_told_once_and_found_when_it_comes() {
    let scene = Scene::new("late");
    let chain = scene.chain("late-1", "");
    let tcp = free_tcp(1);
    let unix = scene.home.path("late.sock");
    scene.dial(&chain, &format!("tcp://{tcp}"), "");
    scene.dial(&chain, &format!("unix://{}", unix.display()), "");
    let mut signer = scene.start();
    let at_tcp = format!("late-1@tcp://{tcp}]");
    let refused = [&at_tcp[..], "Connection refused (os error 111)"];
    let missing = ["late-1@unix://", "No such file or directory (os error 2)"];
    signer.find(&refused, PATIENCE).unwrap();
    signer.find(&missing, PATIENCE).unwrap();

    let nodes = [
        Validator::listen_tcp_at(&tcp).unwrap(),
        Validator::listen_unix(&unix).unwrap(),
    ];
    // Kept up to the end: what comes after a request that was answered is news.
    let mut links = nodes.each_ref().map(|node| accept(node, &mut signer));
    for link in &mut links {
        link.ping().unwrap();
    }
    for parts in [refused, missing] {
        let lines = signer.lines().iter();
        let told = lines.filter(|line| parts.iter().all(|part| line.contains(part)));
        assert_eq!(told.count(), 1);
    }
}

#[test]
fn a_failure_that_goes_on_does_not_flood_the_log() {
    for socket in BOTH {
        let scene = Scene::new(&format!("flood_{socket:?}"));
        let chain = scene.chain("flood-1", "");
        let node = scene.node(&chain, socket, "");
        let mut signer = scene.start();
        // Hung up on in the handshake, or before the first request.
        for _ in 0..6 {
            drop(node.accept_stream(PATIENCE).unwrap());
        }
        let mut link = accept(&node, &mut signer);
        link.ping().unwrap();
        let lines = signer.lines();
        let errors: Vec<_> = lines.iter().filter(|line| line.contains("ERROR")).collect();
        assert!((1..=2).contains(&errors.len()), "{errors:?}");
    }
}

#[test]
fn a_node_that_restarts_is_found_again() {
    let scene = Scene::new("restarts");
    let chain = scene.chain("restarts-1", "");
    let addr = free_tcp(2);
    scene.dial(&chain, &format!("tcp://{addr}"), "");
    let mut signer = scene.start();
    let mut fastest = Duration::MAX;
    for height in 1..=3 {
        let node = Validator::listen_tcp_at(&addr).unwrap();
        let up = Instant::now();
        let mut link = accept(&node, &mut signer);
        fastest = fastest.min(up.elapsed());
        let vote = chain.prevote(height, 0);
        let reply = link.sign_vote(&vote).unwrap();
        assert!(reply.signs(&chain.key, &vote.sign_bytes()));
    }
    assert!(fastest < Duration::from_millis(600), "{fastest:?}");
}

#[test]
fn asked_to_stop_it_ends_with_0() {
    for (name, signal) in [("term", Signal::TERM), ("int", Signal::INT)] {
        let mut world = World::new(name, Socket::Tcp);
        world.signer.signal(signal).unwrap();
        let status = world.signer.wait(PATIENCE).unwrap();
        assert_eq!(status.expect("an end").code(), Some(0));
        world.signer.find(&["asked to stop"], PATIENCE).unwrap();
    }

    // With nobody to talk to as well.
    let scene = Scene::new("term_alone");
    let chain = scene.chain("term_alone-1", "");
    scene.dial(&chain, &format!("tcp://{}", free_tcp(3)), "");
    let mut signer = scene.start();
    signer.find(&["Connection refused"], PATIENCE).unwrap();
    let status = signer.stop(PATIENCE).unwrap();
    assert_eq!(status.expect("an end").code(), Some(0));
}

const ONCE: &str = "reconnect = false";

fn once(name: &str, addr: impl Fn(&Path) -> String) -> (Scene, Chain, Process, String) {
    let scene = Scene::new(name);
    let chain = scene.chain(&format!("{name}-1"), "");
    let addr = addr(&scene.home.path("once.sock"));
    scene.dial(&chain, &addr, ONCE);
    let mut signer = scene.start();
    // A dial that nobody takes is no link.
    signer.find(&["ERROR", "I/O error"], PATIENCE).unwrap();
    (scene, chain, signer, addr)
}

#[test]
fn without_reconnect_it_ends_with_0_when_the_node_closes_its_link() {
    for socket in BOTH {
        let name = format!("once_{socket:?}");
        let (_scene, chain, mut signer, addr) = once(&name, |path| match socket {
            Socket::Tcp => format!("tcp://{}", free_tcp(4)),
            Socket::Unix => format!("unix://{}", path.display()),
        });
        let node = listen(&addr);
        let mut link = accept(&node, &mut signer);
        let vote = chain.prevote(1, 0);
        assert!(link.sign_vote(&vote).unwrap().error.is_none());
        drop(link);
        let status = signer.wait(PATIENCE).unwrap();
        assert_eq!(status.expect("an end").code(), Some(0), "{socket:?}");
        signer.find(&["IS NO LONGER SERVED"], PATIENCE).unwrap();
    }
}

#[test]
fn without_reconnect_it_ends_with_1_when_its_link_fails() {
    for socket in BOTH {
        let name = format!("fails_{socket:?}");
        let (_scene, _chain, mut signer, addr) = once(&name, |path| match socket {
            Socket::Tcp => format!("tcp://{}", free_tcp(5)),
            Socket::Unix => format!("unix://{}", path.display()),
        });
        let node = listen(&addr);
        let mut link = accept(&node, &mut signer);
        link.send_raw(&[0]).unwrap();
        let status = signer.wait(PATIENCE).unwrap();
        assert_eq!(status.expect("an end").code(), Some(1), "{socket:?}");
    }
}

#[test]
fn without_reconnect_one_link_ends_and_the_other_goes_on() {
    let scene = Scene::new("once_of_two");
    let chain = scene.chain("once_of_two-1", "");
    let first = scene.node(&chain, Socket::Tcp, ONCE);
    let second = scene.node(&chain, Socket::Unix, "");
    let mut signer = scene.start();
    let mut kept = accept(&second, &mut signer);
    drop(accept(&first, &mut signer));
    let closed = ["ERROR", "tcp://", "closed the connection"];
    signer.find(&closed, PATIENCE).unwrap();
    let vote = chain.prevote(1, 0);
    assert!(kept.sign_vote(&vote).unwrap().error.is_none());
    let status = signer.stop(PATIENCE).unwrap();
    assert_eq!(status.expect("an end").code(), Some(0));
}

fn listen(addr: &str) -> Validator {
    match addr.strip_prefix("unix://") {
        Some(path) => Validator::listen_unix(Path::new(path)),
        None => Validator::listen_tcp_at(addr.trim_start_matches("tcp://")),
    }
    .unwrap()
}
