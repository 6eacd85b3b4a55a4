//! A peer's handshake: its 35 bytes and its first frame, against fixed keys of ours.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tmkms::keys::SigningKey;
use tmkms::secret::{FRAME_LEN, HELLO_LEN, Hello};
use zeroize::Zeroizing;

fuzz_target!(|bytes: &[u8]| {
    let Some((hello, rest)) = bytes.split_first_chunk::<HELLO_LEN>() else {
        return;
    };
    let identity = SigningKey::from_seed(&[7; 32]).unwrap();
    let ours = Hello::new(Zeroizing::new([9; 32]));
    let Ok(greeted) = ours.receive(hello, &identity) else {
        return;
    };
    let mut frame = [0; FRAME_LEN];
    let len = rest.len().min(FRAME_LEN);
    frame[..len].copy_from_slice(&rest[..len]);
    // Without the peer's keys nothing can be sealed that opens.
    assert!(greeted.receive(&mut frame).is_err());
});
