//! In steady state a request takes nothing from the heap: from the bytes of the message to those of the
//! reply, disk and signature included.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tmkms::backend::{Any, Softsign};
use tmkms::guard::Watermark;
use tmkms::keys::SigningKey;
use tmkms::signer::{Extensions, Outcome, Reply, Signer};
use tmkms::store::{Found, Initial, find};
use tmkms::types::ChainId;
use tmkms::wire;

mod validator;
use validator::{Block, VoteRequest};

thread_local! {
    /// What this thread has taken from the heap. The harness' other threads do not count.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[expect(
    unsafe_code,
    reason = "the only way to see what is taken from the heap; every call is passed on as it is"
)]
// SAFETY: the system's allocator does the work and keeps its promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_request_takes_nothing_from_the_heap() {
    let directory = std::env::temp_dir().join(format!("tmkms-allocations-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
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
    let signer = Signer::new(store, Any::Softsign(Softsign::new(key)), Extensions::Sign);

    let requests: Vec<Vec<u8>> = (1..=40)
        .flat_map(|height| {
            let block = Block::numbered(u64::try_from(height).unwrap());
            let prevote =
                VoteRequest::prevote("allocations-1", height, 0).with_block(Some(block.clone()));
            let precommit = VoteRequest::precommit("allocations-1", height, 0)
                .with_block(Some(block))
                .with_extension(&[7; 200]);
            // Two votes, a replay, and a refusal.
            [
                prevote.body(),
                precommit.body(),
                precommit.body(),
                prevote.body(),
            ]
        })
        .collect();

    let mut reply = Reply::default();
    let mut signatures = 0;
    let mut before = 0;
    for (index, body) in requests.iter().enumerate() {
        if index == 8 {
            // Every buffer has its size now.
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
    assert_eq!(taken, 0, "allocations in {} requests", requests.len() - 8);
}
