//! `connector_server`: commands and other programs on the device of a signer that runs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::proxy::Fault;
use crate::scene::{PATIENCE, Scene, accept, key, refuses, signs};
use crate::validator::{Connection, Process, Validator};

struct Shared {
    scene: Scene,
    address: String,
    signer: Process,
    link: Connection,
    _node: Validator,
}

/// A signer that runs and shares its device.
fn shared(name: &str) -> (Shared, String) {
    let chain = format!("{name}-a");
    let scene = Scene::new(name, &["ed25519:1", "ed25519:2"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    scene.provider(
        &[(&chain, 1)],
        &format!("connector_server = {{ laddr = \"tcp://{address}\", cli = {{ auth_key = 1 }} }}"),
    );
    let node = scene.chain(&chain);
    scene.begin();
    let mut signer = scene.start();
    let link = accept(&node, &mut signer);
    let shared = Shared {
        scene,
        address,
        signer,
        link,
        _node: node,
    };
    (shared, chain)
}

/// What is answered to these bytes, up to the end of the connection or of patience.
fn answer(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A connection that is reset has said all that it had to say.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn commands_use_the_device_while_the_signer_does() {
    let (mut shared, chain) = shared("sharing");
    signs(&mut shared.link, &chain, &key(1), 1);
    // Not the connector that is configured: the signer.
    let before = shared.scene.proxy.requests();
    let printed = shared.scene.tmkms(&["yubihsm", "keys", "list"]);
    assert!(printed.contains("- 0x0002: [cons] "), "{printed}");
    assert!(shared.scene.proxy.requests() > before);
    shared.scene.tmkms(&["yubihsm", "test", "--count", "3"]);
    signs(&mut shared.link, &chain, &key(1), 2);
    assert!(
        !shared
            .signer
            .lines()
            .iter()
            .any(|line| line.contains("[YubiHSM 2"))
    );
    let (code, printed) = shared
        .scene
        .ends(&["yubihsm", "setup", "--yes", "0123456789"]);
    assert_eq!(code, 7, "{printed}");
    assert!(printed.contains("stop it first"), "{printed}");
}

#[test]
fn the_status_is_that_of_a_connector() {
    let (shared, _) = shared("status");
    let got = answer(
        &shared.address,
        b"GET /connector/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
    let (_, body) = got.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(lines[0], "status=OK");
    for name in ["serial=", "version=", "pid=", "address=127.0.0.1", "port="] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "{body}");
    }
}

#[test]
fn guests_that_are_none_get_nowhere_and_cost_nothing() {
    let (mut shared, chain) = shared("guests");
    signs(&mut shared.link, &chain, &key(1), 1);
    let long = [
        b"POST /connector/api HTTP/1.1\r\nX: ".to_vec(),
        vec![b'a'; 100_000],
    ]
    .concat();
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"[..], "404"),
        (b"POST /connector/api HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "400"),
        (b"POST /connector/api HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x86\0\0", "400"),
        (b"POST /connector/api HTTP/1.1\r\nOrigin: http://x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "403"),
        (b"POST /connector/api HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", ""),
        (b"\xff\xfe\r\n\r\n", ""),
        (&long, ""),
    ] {
        let got = answer(&shared.address, request);
        let code = got.split(' ').nth(1).unwrap_or_default();
        assert_eq!(code, status, "{got}");
    }
    // The signer's session is nobody else's: a wrong frame would end it.
    let before = shared.scene.proxy.requests();
    let mut own =
        b"POST /connector/api HTTP/1.1\r\nContent-Length: 28\r\nConnection: close\r\n\r\n".to_vec();
    own.extend([5, 0, 25, shared.scene.proxy.last_session()]);
    own.extend([0; 24]);
    let got = answer(&shared.address, &own);
    assert!(got.starts_with("HTTP/1.1 400 "), "{got}");
    assert_eq!(shared.scene.proxy.requests(), before);
    signs(&mut shared.link, &chain, &key(1), 2);
}

#[test]
fn guests_who_ask_without_end_do_not_keep_the_signer_waiting() {
    let (mut shared, chain) = shared("crowd");
    signs(&mut shared.link, &chain, &key(1), 1);
    let is_over = AtomicBool::new(false);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    // A session that is never opened: the fake device has room for few.
                    let got = answer(
                        &shared.address,
                        b"POST /connector/api HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x06\0\0",
                    );
                    assert!(got.starts_with("HTTP/1.1 "), "{got}");
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let since = Instant::now();
        while asked.load(Ordering::SeqCst) < 20 {
            assert!(since.elapsed() < PATIENCE);
            thread::sleep(Duration::from_millis(5));
        }
        for height in 2..100 {
            signs(&mut shared.link, &chain, &key(1), height);
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn connections_that_say_nothing_are_bounded() {
    let (mut shared, chain) = shared("silence");
    let held: Vec<TcpStream> = (0..64)
        .map(|_| TcpStream::connect(&shared.address).unwrap())
        .collect();
    signs(&mut shared.link, &chain, &key(1), 1);
    let threads = std::fs::read_dir(format!("/proc/{}/task", shared.signer.id()))
        .unwrap()
        .count();
    assert!(threads < 40, "{threads}");
    drop(held);
    let since = Instant::now();
    loop {
        let got = answer(
            &shared.address,
            b"GET /connector/status HTTP/1.1\r\nConnection: close\r\n\r\n",
        );
        if got.contains("status=OK") {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "it does not serve again");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_guest_is_told_that_the_device_is_away() {
    let (mut shared, chain) = shared("told");
    shared.scene.proxy.set(Fault::Away);
    let got = answer(
        &shared.address,
        b"POST /connector/api HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x06\0\0",
    );
    assert!(got.starts_with("HTTP/1.1 502 "), "{got}");
    let _ = refuses(&mut shared.link, &chain, 1);
}

#[test]
fn an_address_for_everybody_is_a_warning_and_one_that_is_taken_a_problem() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let scene = Scene::new("taken-address", &["ed25519:1"]);
    let server = format!("connector_server = {{ laddr = \"tcp://{address}\" }}");
    scene.provider(&[("taken-address-a", 1)], &server);
    let node = scene.chain("taken-address-a");
    scene.begin();
    let (code, printed) = scene.ends(&["start", "-c", "tmkms.toml"]);
    assert_eq!(code, 7, "{printed}");
    assert!(
        printed.contains(&format!("cannot listen on {address}")),
        "{printed}"
    );
    drop(taken);
    let file = scene.home.config();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace(&address.to_string(), &format!("0.0.0.0:{}", address.port())),
    )
    .unwrap();
    let mut signer = scene.start();
    let _link = accept(&node, &mut signer);
    signer
        .find(&["WARN", "only its passwords protect it"], PATIENCE)
        .unwrap();
}
