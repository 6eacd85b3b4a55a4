//! Frames of a link that stands: what the other end sealed opens as it was; whatever is changed, swapped
//! or made up does not, and the link stays closed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tmkms::keys::SigningKey;
use tmkms::secret::{Authenticated, DATA_LEN, FRAME_LEN, Hello};
use zeroize::Zeroizing;

fn ends() -> (Authenticated, Authenticated) {
    let (one, two) = (Hello::new(Zeroizing::new([1; 32])), Hello::new(Zeroizing::new([2; 32])));
    let (first, second) = (*one.message(), *two.message());
    let key = SigningKey::from_seed(&[7; 32]).unwrap();
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    let one = one.receive(&second, &key).unwrap();
    let two = two.receive(&first, &other).unwrap();
    let (mut to_two, mut to_one) = (*one.frame(), *two.frame());
    (one.receive(&mut to_one).unwrap(), two.receive(&mut to_two).unwrap())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[kind, at, bit], data)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let (mut one, mut two) = ends();
    let data = &data[..data.len().min(DATA_LEN)];
    let mut frame = [0; FRAME_LEN];
    one.seal.seal(data, &mut frame).unwrap();
    let whole = frame;
    match kind % 4 {
        0 => {
            assert_eq!(two.open.open(&mut frame).unwrap(), data);
            let mut again = whole;
            assert!(two.open.open(&mut again).is_err(), "a frame twice");
        }
        1 => {
            let place = usize::from(at) * 4 % FRAME_LEN;
            frame[place] ^= 1 << (bit % 8);
            assert!(two.open.open(&mut frame).is_err());
            let mut good = whole;
            assert!(two.open.open(&mut good).is_err(), "a link that failed opens again");
        }
        2 => {
            let mut next = [0; FRAME_LEN];
            one.seal.seal(data, &mut next).unwrap();
            assert!(two.open.open(&mut next).is_err(), "a frame was left out");
        }
        _ => {
            let mut made_up = [0; FRAME_LEN];
            made_up[..data.len()].copy_from_slice(data);
            assert!(two.open.open(&mut made_up).is_err());
        }
    }
});
