//! In steady state a request takes nothing from the heap: from the bytes of the message to those of the
//! reply, disk and signature included, and from socket to socket.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tmkms::backend::{Any, Softsign};
use tmkms::config::Address;
use tmkms::guard::Watermark;
use tmkms::keys::SigningKey;
use tmkms::session::{End, Event, Session, Terms};
use tmkms::signer::{Extensions, Outcome, Reply, Signer};
use tmkms::store::{Found, Initial, find};
use tmkms::types::ChainId;
use tmkms::wire;

mod validator;
use validator::{Block, Validator, VoteRequest};

thread_local! {
    /// What this thread has taken from the heap. The harness' other threads do not count.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    /// Whether others want to know what this thread takes.
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// What the threads that are seen have taken.
static TAKEN_THERE: AtomicU64 = AtomicU64::new(0);

struct Counting;

fn count() {
    let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
    if SEEN.try_with(Cell::get).unwrap_or(false) {
        let _ = TAKEN_THERE.fetch_add(1, Ordering::SeqCst);
    }
}

#[expect(
    unsafe_code,
    reason = "the only way to see what is taken from the heap; every call is passed on as it is"
)]
// SAFETY: the system's allocator does the work and keeps its promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A signer with a state of its own in `directory`, which is made.
fn signer(directory: &Path) -> Signer {
    std::fs::create_dir(directory).unwrap();
    let chain = ChainId::new("allocations-1").unwrap();
    let key = SigningKey::from_seed(&[9; 32]).unwrap();
    let Ok(Found::Missing(vacant)) = find(&directory.join("state.json"), &chain, &key.public_key())
    else {
        panic!("the directory is not empty");
    };
    let initial = Initial {
        watermark: Watermark::ZERO,
        origin: None,
    };
    let store = vacant.create(&initial).unwrap();
    Signer::new(store, Any::Softsign(Softsign::new(key)), Extensions::Sign)
}

/// Two votes, a replay and a refusal, at each height.
fn requests() -> Vec<Vec<u8>> {
    let at = |height| {
        let block = Block::numbered(u64::try_from(height).unwrap());
        let prevote =
            VoteRequest::prevote("allocations-1", height, 0).with_block(Some(block.clone()));
        let precommit = VoteRequest::precommit("allocations-1", height, 0)
            .with_block(Some(block))
            .with_extension(&[7; 200]);
        [
            prevote.body(),
            precommit.body(),
            precommit.body(),
            prevote.body(),
        ]
    };
    (1..=40).flat_map(at).collect()
}

/// By then every buffer has its size.
const STEADY: usize = 8;

fn directory(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("tmkms-allocations-{name}-{}", std::process::id()))
}

#[test]
fn a_request_takes_nothing_from_the_heap() {
    let directory = directory("message");
    let signer = signer(&directory);
    let requests = requests();
    let mut reply = Reply::default();
    let mut signatures = 0;
    let mut before = 0;
    for (index, body) in requests.iter().enumerate() {
        if index == STEADY {
            before = TAKEN.get();
        }
        let request = wire::decode(body).unwrap();
        match signer.answer(&request, None, &mut reply) {
            Outcome::Signed(_) => signatures += 1,
            Outcome::Served | Outcome::Repeated(_) | Outcome::Refused(_) => {}
        }
    }
    let taken = TAKEN.get() - before;
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(signatures, 80);
    assert_eq!(
        taken,
        0,
        "allocations in {} requests",
        requests.len() - STEADY
    );
}

#[test]
fn nor_does_it_from_socket_to_socket() {
    let directory = directory("link");
    let node = Validator::listen_tcp().unwrap();
    let address = node.host_and_port();
    let (host, port) = address.rsplit_once(':').unwrap();
    let session = Session::new(
        Arc::new(signer(&directory)),
        Terms {
            address: Address::Tcp {
                peer_id: None,
                host: host.to_owned(),
                port: port.parse().unwrap(),
            },
            identity: Some(Arc::new(SigningKey::from_seed(&[5; 32]).unwrap())),
            timeout: Duration::from_secs(10),
            max_height: None,
            reconnect: false,
        },
    );
    let running = thread::spawn(move || {
        SEEN.set(true);
        session.run(|event| assert_eq!(event, Event::Ended(End::Closed)));
    });
    let mut connection = node.accept(Duration::from_secs(10)).unwrap();
    let requests = requests();
    let mut before = 0;
    for (index, body) in requests.iter().enumerate() {
        if index == STEADY {
            before = TAKEN_THERE.load(Ordering::SeqCst);
        }
        let _ = connection.request(body).unwrap();
    }
    connection.ping().unwrap();
    let taken = TAKEN_THERE.load(Ordering::SeqCst) - before;
    connection.hang_up();
    running.join().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(
        taken,
        0,
        "allocations in {} requests",
        requests.len() - STEADY
    );
}
