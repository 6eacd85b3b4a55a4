//! Frames: up to 1,024 bytes of data sealed into 1,044, each with the next nonce.
//!
//! ```text
//!  0        4                         1,028        1,044
//!  ├ length ┼ data ── zero padding ───┼ Poly1305 tag ┤     length: 32 bits, little-endian
//!  └──── sealed by ChaCha20-Poly1305, no AAD ────────┘     nonce: 4 zero bytes, 64 bits little-endian
//! ```

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};

use super::Error;

/// The most data in one frame, in bytes: `dataMaxSize` of CometBFT's `secret_connection.go`.
pub const DATA_LEN: usize = 1024;

/// A sealed frame in bytes, whatever it holds: `totalFrameSize` and the tag.
pub const FRAME_LEN: usize = SEALED_LEN + 16;

/// The encrypted part of a frame in bytes: length field, data, padding.
const SEALED_LEN: usize = LENGTH_LEN + DATA_LEN;

/// The length field in bytes.
const LENGTH_LEN: usize = 4;

/// Seals the frames of one direction. It cannot be printed, copied or compared.
///
/// ```compile_fail,E0277
/// fn copy(seal: &tmkms::secret::Seal) -> tmkms::secret::Seal {
///     tmkms::secret::Seal::clone(seal) // would use every nonce twice
/// }
/// ```
pub struct Seal(Result<Direction, Error>);

/// Opens the frames of the other direction. It cannot be printed, copied or compared.
///
/// ```compile_fail,E0277
/// fn print(open: &tmkms::secret::Open) {
///     println!("{open:?}");
/// }
/// ```
pub struct Open(Result<Direction, Error>);

impl Seal {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Ok(Direction::new(key)))
    }

    /// Writes the next frame: `data`, 1 to [`DATA_LEN`] bytes, and zeros after it.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] or [`Error::Nonces`], and the same again for ever; `frame` is unchanged.
    pub fn seal(&mut self, data: &[u8], frame: &mut [u8; FRAME_LEN]) -> Result<(), Error> {
        let direction = self.0.as_mut().map_err(|error| *error)?;
        let sealed = direction.seal(data, frame);
        if let Err(error) = sealed {
            self.0 = Err(error);
        }
        sealed
    }
}

impl Open {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Ok(Direction::new(key)))
    }

    /// Decrypts the peer's next frame in place and returns its data, 1 to [`DATA_LEN`] bytes.
    /// The padding is not looked at: Go leaves older data in it.
    ///
    /// # Errors
    ///
    /// [`Error::Tag`], [`Error::Length`] or [`Error::Nonces`], and the same again for ever; `frame`
    /// holds nothing of use.
    pub fn open<'f>(&mut self, frame: &'f mut [u8; FRAME_LEN]) -> Result<&'f [u8], Error> {
        let direction = self.0.as_mut().map_err(|error| *error)?;
        let opened = direction.open(frame);
        if let Err(error) = opened {
            self.0 = Err(error);
        }
        opened
    }
}

/// A key, which is wiped on drop, and the number of the next frame under it.
struct Direction {
    cipher: ChaCha20Poly1305,
    next: u64,
}

impl Direction {
    fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: ChaCha20Poly1305::new(key.into()),
            next: 0,
        }
    }

    fn seal(&mut self, data: &[u8], frame: &mut [u8; FRAME_LEN]) -> Result<(), Error> {
        let length = length(data.len()).ok_or(Error::Length)?;
        let nonce = self.nonce()?;
        let (sealed, tag) = frame.split_at_mut(SEALED_LEN);
        let (length_field, rest) = sealed.split_at_mut(LENGTH_LEN);
        // No panic: `length` has made sure that the data fits.
        let (chunk, padding) = rest.split_at_mut(data.len());
        length_field.copy_from_slice(&length.to_le_bytes());
        chunk.copy_from_slice(data);
        padding.fill(0);
        let computed = self
            .cipher
            .encrypt_in_place_detached(&nonce, &[], sealed)
            .map_err(|_| Error::Length)?;
        tag.copy_from_slice(&computed);
        Ok(())
    }

    fn open<'f>(&mut self, frame: &'f mut [u8; FRAME_LEN]) -> Result<&'f [u8], Error> {
        let nonce = self.nonce()?;
        let (sealed, tag) = frame.split_at_mut(SEALED_LEN);
        self.cipher
            .decrypt_in_place_detached(&nonce, &[], sealed, Tag::from_slice(tag))
            .map_err(|_| Error::Tag)?;
        let (length_field, data) = sealed
            .split_first_chunk::<LENGTH_LEN>()
            .ok_or(Error::Length)?;
        usize::try_from(u32::from_le_bytes(*length_field))
            .ok()
            .filter(|len| length(*len).is_some())
            .and_then(|len| data.get(..len))
            .ok_or(Error::Length)
    }

    /// Hands out every nonce but the last, each once. Go stops at the same one.
    fn nonce(&mut self) -> Result<Nonce, Error> {
        let number = self.next;
        self.next = number.checked_add(1).ok_or(Error::Nonces)?;
        let mut nonce = Nonce::default();
        let (_, counter) = nonce.split_at_mut(4);
        counter.copy_from_slice(&number.to_le_bytes());
        Ok(nonce)
    }
}

/// The length as it stands in a frame, if a frame may hold so much.
fn length(len: usize) -> Option<u32> {
    if len == 0 || len > DATA_LEN {
        return None;
    }
    u32::try_from(len).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Xorshift;
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    impl Open {
        /// Expects frame `number` next.
        pub(in super::super) fn at(key: &[u8; 32], number: u64) -> Self {
            let mut direction = Direction::new(key);
            direction.next = number;
            Self(Ok(direction))
        }
    }

    /// A hostile peer's frame: any length field, any 1,024 bytes.
    fn forge(number: u64, length: u32, data: &[u8; DATA_LEN]) -> [u8; FRAME_LEN] {
        let mut direction = Direction::new(&KEY);
        direction.next = number;
        let mut frame = [0; FRAME_LEN];
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[4..SEALED_LEN].copy_from_slice(data);
        let nonce = direction.nonce().unwrap();
        let tag = direction
            .cipher
            .encrypt_in_place_detached(&nonce, &[], &mut frame[..SEALED_LEN]);
        frame[SEALED_LEN..].copy_from_slice(&tag.unwrap());
        frame
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn opens_what_was_sealed_at_every_length() {
        let (mut seal, mut open) = (Seal::new(&KEY), Open::new(&KEY));
        let data: Vec<u8> = (0..=250).cycle().take(DATA_LEN).collect();
        let mut frame = [0; FRAME_LEN];
        for len in 1..=DATA_LEN {
            seal.seal(&data[..len], &mut frame).unwrap();
            assert_eq!(open.open(&mut frame).unwrap(), &data[..len]);
        }
    }

    #[test]
    fn pads_with_zeros_whatever_the_buffer_held() {
        let mut frame = [0xaa; FRAME_LEN];
        Seal::new(&KEY).seal(b"data", &mut frame).unwrap();
        let mut data = [0; DATA_LEN];
        data[..4].copy_from_slice(b"data");
        assert_eq!(frame, forge(0, 4, &data));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn refuses_a_frame_with_any_bit_flipped() {
        let mut sealed = [0; FRAME_LEN];
        Seal::new(&KEY).seal(b"data", &mut sealed).unwrap();
        for bit in 0..FRAME_LEN * 8 {
            let mut frame = sealed;
            frame[bit / 8] ^= 1 << (bit % 8);
            let opened = Open::new(&KEY).open(&mut frame).err();
            assert_eq!(opened, Some(Error::Tag), "bit {bit}");
        }
    }

    #[test]
    fn opens_nothing_more_after_an_error() {
        let mut seal = Seal::new(&KEY);
        let mut frames = [[0; FRAME_LEN]; 3];
        for frame in &mut frames {
            seal.seal(b"data", frame).unwrap();
        }
        let mut bad = frames[0];
        bad[9] ^= 1;
        let mut open = Open::new(&KEY);
        assert_eq!(open.open(&mut bad), Err(Error::Tag));
        for frame in &mut frames {
            assert_eq!(open.open(frame), Err(Error::Tag));
        }

        let mut open = Open::new(&KEY);
        let mut long = forge(0, 1025, &[0; DATA_LEN]);
        assert_eq!(open.open(&mut long), Err(Error::Length));
        assert_eq!(open.open(&mut frames[1]), Err(Error::Length));
    }

    #[test]
    fn seals_1_to_1024_bytes_and_nothing_more_after_an_error() {
        for data in [&[][..], &[0; DATA_LEN + 1]] {
            let mut seal = Seal::new(&KEY);
            let mut frame = [0xaa; FRAME_LEN];
            assert_eq!(seal.seal(data, &mut frame), Err(Error::Length));
            assert_eq!(seal.seal(b"data", &mut frame), Err(Error::Length));
            assert_eq!(frame, [0xaa; FRAME_LEN]);
        }
    }

    #[test]
    fn ends_before_a_nonce_comes_round_again() {
        let Open(direction) = Open::at(&KEY, u64::MAX - 1);
        let (mut seal, mut open) = (Seal(direction), Open::at(&KEY, u64::MAX - 1));
        let mut frame = [0; FRAME_LEN];
        assert_eq!(seal.seal(b"last", &mut frame), Ok(()));
        assert_eq!(open.open(&mut frame), Ok(&b"last"[..]));
        for _ in 0..2 {
            assert_eq!(seal.seal(b"more", &mut frame), Err(Error::Nonces));
            assert_eq!(open.open(&mut frame), Err(Error::Nonces));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri")]
    fn survives_hostile_frames() {
        let mut random = Xorshift(0x5eed);
        for case in 0..10_000_u64 {
            // Sealed with the right key, so that the length field is what is tried.
            let length = [random.below(1200), random.below(1 << 32), 0, 1024][random.below(4)];
            let mut frame = forge(case, u32::try_from(length).unwrap(), &[0x5a; DATA_LEN]);
            let sealed = frame;
            if random.below(2) == 0 {
                random.mutate(&mut frame);
            }
            let broken = frame != sealed;
            let mut open = Open::at(&KEY, case);
            match open.open(&mut frame) {
                Ok(data) => assert_eq!((data.len(), broken), (length, false)),
                Err(Error::Length) => assert!(length == 0 || length > DATA_LEN),
                Err(error) => assert_eq!((error, broken), (Error::Tag, true)),
            }
        }
    }
}
