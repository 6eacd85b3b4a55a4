//! What the log says when a connection does not come about: what happened, why, and what to do.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread;

use crate::scene::{PATIENCE, Scene, Socket, accept};
use crate::validator::{Process, Proto, Stream, Validator};

/// The first line about the connection, from a signer that dials `addr`.
fn line(scene: &Scene, addr: &str) -> (Process, String) {
    let chain = scene.chain("message-1", "");
    scene.dial(&chain, addr, "");
    let mut signer = scene.start();
    let label = format!("[message-1@{addr}]");
    let line = signer.find(&["ERROR tmkms::client", &label], PATIENCE);
    (signer, line.unwrap())
}

#[track_caller]
fn tells(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing in: {line}");
    }
    assert!(!line.contains("os error 11)"), "{line}");
}

#[test]
fn nobody_listens_at_the_port() {
    let scene = Scene::new("message_refused");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("tcp://{}", free.local_addr().unwrap());
    drop(free);
    let (_, line) = line(&scene, &addr);
    tells(
        &line,
        &[
            "I/O error: Connection refused (os error 111): ",
            "the node is not up, or its priv_validator_laddr is unset or not this address",
            "start it, or make the two agree",
        ],
    );
}

#[test]
fn there_is_no_socket() {
    let scene = Scene::new("message_absent");
    let addr = format!("unix://{}", scene.home.path("absent.sock").display());
    let (_, line) = line(&scene, &addr);
    tells(
        &line,
        &[
            "No such file",
            "the node is not up, or its priv_validator_laddr is another path",
        ],
    );
}

#[test]
fn a_node_that_was_killed_has_left_its_socket() {
    let scene = Scene::new("message_stale");
    let path = scene.home.path("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    let (_, line) = line(&scene, &format!("unix://{}", path.display()));
    tells(&line, &["Connection refused", "the node is not up"]);
}

/// What is logged when this is what answers at the port, and then hangs up.
fn answered(name: &str, answer: &'static [u8]) -> String {
    let scene = Scene::new(name);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("tcp://{}", listener.local_addr().unwrap());
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 35];
        std::io::Read::read_exact(&mut stream, &mut hello).unwrap();
        stream.write_all(answer).unwrap();
    });
    let (_, line) = line(&scene, &addr);
    peer.join().unwrap();
    line
}

#[test]
fn a_node_s_rpc_port_is_no_privval_port() {
    let line = answered(
        "message_rpc",
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request",
    );
    tells(
        &line,
        &[
            "SecretConnection: the peer does not speak SecretConnection of Tendermint v0.34 or later",
            "is the port in `addr` the node's priv_validator_laddr?",
        ],
    );
}

#[test]
fn whoever_hangs_up_in_the_handshake_is_no_node() {
    let line = answered("message_hangup", b"");
    tells(
        &line,
        &[
            "the peer hung up during the handshake: it is no priv_validator_laddr, or speaks another dialect",
            "compare the port in `addr` with the node's config.toml",
        ],
    );
}

#[test]
fn a_node_s_p2p_port_shakes_hands_and_then_says_what_is_no_request() {
    let scene = Scene::new("message_p2p");
    let node = Validator::listen_tcp().unwrap();
    let chain = scene.chain("message-1", "");
    scene.dial(&chain, &node.addr(), "");
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    // The beginning of a NodeInfo: protocol versions, and the node's id.
    let versions = Proto::new().int(1, 8).int(2, 11);
    let info = Proto::new()
        .message(1, &versions)
        .bytes(2, b"0f185204711dd6a576e082396576e5b54ba4624e");
    link.send(&info.into_bytes()).unwrap();
    let told = signer.find(&["ERROR tmkms::client"], PATIENCE).unwrap();
    tells(
        &told,
        &[
            "the node sent what is no request: ",
            "is the port in `addr` its priv_validator_laddr, and its version known to this tmkms?",
        ],
    );
}

#[test]
fn a_node_that_stops_is_said_to_have() {
    let scene = Scene::new("message_stops");
    let chain = scene.chain("message-1", "");
    let node = scene.node(&chain, Socket::Unix, "");
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    link.ping().unwrap();
    drop(link);
    let told = signer.find(&["ERROR tmkms::client"], PATIENCE).unwrap();
    tells(
        &told,
        &["the node closed the connection: it stopped, or turned to another signer"],
    );
}

#[test]
fn a_connection_that_is_reset_is_said_to_be() {
    let scene = Scene::new("message_reset");
    let chain = scene.chain("message-1", "");
    let node = scene.node(&chain, Socket::Tcp, "");
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    link.ping().unwrap();
    let Stream::Tcp(stream) = link.stream() else {
        panic!("no tcp");
    };
    let now = std::time::Duration::ZERO;
    rustix::net::sockopt::set_socket_linger(&*stream, Some(now)).unwrap();
    drop(link);
    let told = signer.find(&["ERROR tmkms::client"], PATIENCE).unwrap();
    tells(
        &told,
        &["(os error 104): the node was killed or restarted, or the network cut the connection"],
    );
}

#[test]
fn a_setting_that_makes_nodes_panic_is_warned_of_at_start() {
    let scene = Scene::new("message_extensions");
    let chain = scene.chain("message-1", "sign_extensions = false");
    scene.dial(&chain, "tcp://127.0.0.1:1", "");
    let mut signer = scene.start();
    let line = signer.find(&["WARN", "vote extensions"], PATIENCE).unwrap();
    tells(
        &line,
        &["nodes of v0.38 and later panic", "remove the line"],
    );
}
