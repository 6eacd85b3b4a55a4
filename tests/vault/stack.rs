//! What a signature leaves on the stack of its thread.

use std::fs;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::channel;
use std::thread;

use sha2::{Digest, Sha512};
use tmkms::keys::SigningKey;

use super::SEED;

const STACK_LEN: usize = 512 * 1024;

/// How often each secret lies on the stack of a thread that has done `work`.
fn left_behind(work: impl FnOnce() + Send + 'static) -> [usize; 3] {
    let hash = Sha512::digest(SEED);
    let mut scalar = hash[..32].to_vec();
    scalar[0] &= 0xf8;
    scalar[31] = scalar[31] & 0x3f | 0x40;
    let (tell, told) = channel();
    let (end, ended) = channel::<()>();
    let worker = thread::Builder::new().stack_size(STACK_LEN);
    let worker = worker
        .spawn(move || {
            work();
            let here = 0_u8;
            tell.send(&raw const here as u64).unwrap();
            let _ = ended.recv();
        })
        .unwrap();
    let stack = region(told.recv().unwrap());
    let found = [&SEED[..], &scalar, &hash[32..]]
        .map(|secret| stack.windows(32).filter(|part| *part == secret).count());
    drop(end);
    worker.join().unwrap();
    found
}

/// The bytes of the mapping around an address of this process.
fn region(around: u64) -> Vec<u8> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let (from, to) = maps
        .lines()
        .filter_map(|line| line.split_once(' ')?.0.split_once('-'))
        .map(|range| [range.0, range.1].map(|text| u64::from_str_radix(text, 16).unwrap()))
        .map(|[from, to]| (from, to))
        .find(|(from, to)| (from..to).contains(&&around))
        .unwrap();
    let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
    let memory = fs::File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut bytes, from).unwrap();
    bytes
}

#[inline(never)]
fn careless() {
    // As deep as a signature goes: what is called next does not cover all of it.
    let copies = [black_box(SEED); 100];
    let _ = black_box(&copies);
}

#[test]
fn a_signature_leaves_neither_scalar_nor_prefix_on_the_stack() {
    let key = SigningKey::from_seed(&SEED).unwrap();
    let sign = move || {
        let _ = black_box(key.sign(&[7; 122]));
    };
    assert_eq!(left_behind(sign), [0; 3]);
}

#[test]
fn a_derivation_leaves_nothing_on_the_stack() {
    let derive = || drop(black_box(SigningKey::from_seed(&black_box(SEED))));
    assert_eq!(left_behind(derive), [0; 3]);
}

#[test]
fn what_is_left_on_the_stack_is_found() {
    assert_ne!(left_behind(careless), [0; 3]);
}
