//! A peer's handshake, against fixed keys of ours. One that holds the keys of the link can seal any auth
//! message, and passes with the one that its identity signed; one that does not passes with nothing.

#![cfg_attr(fuzzing, no_main)]

mod peer;

use peer::{PEER, SEALED_LEN, open, seal};
use tmkms::secret::{FRAME_LEN, HELLO_LEN};

pub fn check(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, rest)) => stranger(rest),
        Some((_, auth)) => insider(auth),
        None => {}
    }
}

/// 35 bytes of hello, and a frame.
fn stranger(bytes: &[u8]) {
    let Some((hello, rest)) = bytes.split_first_chunk::<HELLO_LEN>() else {
        return;
    };
    let Ok(greeted) = PEER.met(hello) else {
        return;
    };
    let mut frame = [0; FRAME_LEN];
    let len = rest.len().min(FRAME_LEN);
    frame[..len].copy_from_slice(&rest[..len]);
    assert!(
        greeted.receive(&mut frame).is_err(),
        "sealed without the keys"
    );
}

/// The first frame, as it is before it is sealed.
fn insider(bytes: &[u8]) {
    let mut text = [0; SEALED_LEN];
    let len = bytes.len().min(SEALED_LEN);
    text[..len].copy_from_slice(&bytes[..len]);
    let mut frame = seal(&PEER.to_us, 0, &text);
    // What follows the data is padding, and anything.
    let genuine = text[..4 + 103] == PEER.auth[..4 + 103];
    let greeted = PEER.greeted();
    assert!(
        open(&PEER.from_us, 0, greeted.frame()).is_some(),
        "not what the peer can open"
    );
    assert_eq!(
        greeted.receive(&mut frame).is_ok(),
        genuine,
        "passed without a signature"
    );
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
