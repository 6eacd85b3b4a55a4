//! Frames of a link that stands: what the other end sealed opens as it was; whatever is changed, swapped,
//! left out, repeated or made up does not, and the link stays closed.

#![cfg_attr(fuzzing, no_main)]

mod peer;

use peer::{PEER, SEALED_LEN, open, seal};
use tmkms::secret::{Authenticated, DATA_LEN, FRAME_LEN};

/// A handshake is dear, so many frames go over each.
const MAX_FRAMES: usize = 64;

pub fn check(bytes: &[u8]) {
    let mut link = Link::new();
    let mut rest = bytes;
    for _ in 0..MAX_FRAMES {
        let Some((&[kind, one, two], tail)) = rest.split_first_chunk::<3>() else {
            return;
        };
        let number = u16::from_le_bytes([one, two]);
        let (data, tail) = tail.split_at(tail.len().min(usize::from(number) % (DATA_LEN + 1)));
        rest = tail;
        link.step(kind, number, data);
    }
}

struct Link {
    ours: Authenticated,
    /// Frames that reached us, or that we sent.
    received: u64,
    sent: u64,
    last: [u8; FRAME_LEN],
    closed: bool,
    mute: bool,
}

impl Link {
    fn new() -> Self {
        let mut last = seal(&PEER.to_us, 0, &PEER.auth);
        let ours = PEER.greeted().receive(&mut last).unwrap();
        Self {
            ours,
            received: 1,
            sent: 1,
            last: seal(&PEER.to_us, 0, &PEER.auth),
            closed: false,
            mute: false,
        }
    }

    fn step(&mut self, kind: u8, number: u16, data: &[u8]) {
        let mut text = [0; SEALED_LEN];
        text[..4].copy_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        text[4..][..data.len()].copy_from_slice(data);
        let good = seal(&PEER.to_us, self.received, &text);
        match kind % 8 {
            0 | 1 => self.open(
                good,
                (!data.is_empty()).then_some(data),
                "a frame in its turn",
            ),
            2 | 3 => self.send(data),
            4 => {
                let mut flipped = good;
                let bit = usize::from(number) % (8 * FRAME_LEN);
                flipped[bit / 8] ^= 1 << (bit % 8);
                self.open(flipped, None, "a flipped bit");
            }
            5 => {
                let later = seal(&PEER.to_us, self.received + 1 + u64::from(number), &text);
                self.open(later, None, "frames were left out");
            }
            6 => self.open(self.last, None, "a frame twice"),
            _ => {
                // Any length field, and padding that is not zero.
                let mut odd = [0xa5; SEALED_LEN];
                let len = data.len().min(SEALED_LEN);
                odd[..len].copy_from_slice(&data[..len]);
                let said = u32::from_le_bytes(odd[..4].try_into().unwrap());
                let said = usize::try_from(said)
                    .ok()
                    .filter(|len| (1..=DATA_LEN).contains(len));
                let sealed = seal(&PEER.to_us, self.received, &odd);
                self.open(sealed, said.map(|len| &odd[4..4 + len]), "a length field");
            }
        }
    }

    fn open(&mut self, frame: [u8; FRAME_LEN], expected: Option<&[u8]>, what: &str) {
        let mut opened = frame;
        let expected = expected.filter(|_| !self.closed);
        assert_eq!(self.ours.open.open(&mut opened).ok(), expected, "{what}");
        match expected {
            Some(_) => {
                self.received += 1;
                self.last = frame;
            }
            None => self.closed = true,
        }
    }

    fn send(&mut self, data: &[u8]) {
        let mut frame = [0; FRAME_LEN];
        let sealed = self.ours.seal.seal(data, &mut frame);
        self.mute |= data.is_empty();
        assert_eq!(
            sealed.is_err(),
            self.mute,
            "an empty frame ends what we send"
        );
        if self.mute {
            return;
        }
        let text = open(&PEER.from_us, self.sent, &frame).expect("sealed in its turn");
        assert_eq!(text[..4], u32::try_from(data.len()).unwrap().to_le_bytes());
        assert_eq!(&text[4..4 + data.len()], data);
        assert!(
            text[4 + data.len()..].iter().all(|byte| *byte == 0),
            "padding tells something"
        );
        self.sent += 1;
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
