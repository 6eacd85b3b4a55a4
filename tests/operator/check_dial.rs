//! `check --dial`: who answers, and what it asks.

use std::sync::mpsc;
use std::thread;

use crate::scene::{BOTH, Chain, PATIENCE, Scene, Socket};
use crate::validator::{Connection, Validator};

/// A chain at height 3, and a node that asks what `ask` asks once it is dialled.
fn dialled(
    name: &str,
    socket: Socket,
    ask: impl FnOnce(&Chain, &mut Connection) + Send + 'static,
) -> (Scene, String, (i32, String)) {
    let scene = Scene::new(&format!("{name}_{socket:?}"));
    let chain = scene.chain(&format!("{name}-1"), "");
    let node = scene.node(&chain, socket, "");
    let peer = node.node_id().to_string();
    scene.tmkms(&["state", "init", "-H", "3"]);
    let (done, over) = mpsc::channel();
    let asking = thread::spawn(move || {
        let node: Validator = node;
        let mut link = node.accept(PATIENCE).unwrap();
        ask(&chain, &mut link);
        let _ = over.recv_timeout(PATIENCE);
    });
    let ended = scene.ends(&["check", "--dial"]);
    let _ = done.send(());
    asking.join().unwrap();
    (scene, peer, ended)
}

#[test]
fn says_the_peer_and_what_it_asks_and_signs_nothing() {
    for socket in BOTH {
        let (scene, peer, (code, printed)) = dialled("op_asks", socket, |chain, link| {
            let key = link.pub_key(&chain.id).unwrap();
            assert_eq!(key.error, None);
            let reply = link.sign_vote(&chain.prevote(5, 0)).unwrap();
            assert_eq!(reply.signature, Vec::<u8>::new());
            let (_, text) = reply.error.unwrap();
            assert!(text.contains("it signs nothing"), "{text}");
        });
        assert_eq!(code, 0, "{printed}");
        assert!(
            printed.contains("asked for the public key, a vote at 5/0"),
            "{printed}"
        );
        assert_eq!(
            printed.contains(&format!("the peer is {peer}")),
            socket == Socket::Tcp,
            "{printed}"
        );
        let shown = scene.tmkms(&["state", "show"]);
        assert!(shown.contains("none"), "{shown}");
    }
}

#[test]
fn a_ping_is_enough() {
    let (_, _, (code, printed)) = dialled("op_pings", Socket::Tcp, |_, link| link.ping().unwrap());
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("asked for a ping"), "{printed}");
}

#[test]
fn a_node_of_another_chain_is_found() {
    let (_, _, (code, printed)) = dialled("op_strays", Socket::Unix, |_, link| {
        let key = link.pub_key("elsewhere-1").unwrap();
        assert!(key.error.is_some());
    });
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("the node is on the chain elsewhere-1, not on op_strays-1"),
        "{printed}"
    );
}

#[test]
fn a_node_that_is_not_there_is_a_problem_at_its_line() {
    let scene = Scene::new("op_absent");
    let chain = scene.chain("op_absent-1", "");
    let addr = Validator::listen_tcp().unwrap().addr();
    scene.dial(&chain, &addr, "");
    let (code, printed) = scene.ends(&["check", "--dial"]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains(&format!(": {addr}: ")), "{printed}");
    assert!(printed.contains("the node is not up"), "{printed}");
    assert!(!scene.home.state_file(&chain.id).exists());
}

#[test]
fn a_peer_that_hangs_up_in_the_handshake_is_told() {
    let scene = Scene::new("op_hangs_up");
    let chain = scene.chain("op_hangs_up-1", "");
    let node = scene.node(&chain, Socket::Tcp, "");
    let hanging = thread::spawn(move || drop(node.accept_stream(PATIENCE).unwrap()));
    let (code, printed) = scene.ends(&["check", "--dial"]);
    hanging.join().unwrap();
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("no connection"), "{printed}");
}
