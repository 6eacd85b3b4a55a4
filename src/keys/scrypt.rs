//! scrypt (RFC 7914): a key from a passphrase, at a price in memory.
//!
//! HMAC and SHA-256 are crates that we have; Salsa20/8 and the mixing are a page, held to the RFC's own
//! vectors. Which memory is touched depends on the passphrase, as in every scrypt: others on this host who
//! can watch the caches may learn something.

use hkdf::hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Salsa20's unit: 64 bytes as little-endian words.
type Block = [u32; 16];

/// There is not enough memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMemory;

/// What a passphrase costs to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// The binary logarithm of N.
    pub(super) log_n: u8,
    /// r, in units of 128 bytes.
    pub(super) r: usize,
    /// p, one after the other.
    pub(super) p: usize,
}

/// Derives `key` in 128 · r · (2^`log_n` + p) bytes of memory, which are wiped.
///
/// # Errors
///
/// [`NoMemory`]; nothing was derived.
pub(super) fn scrypt(
    passphrase: &[u8],
    salt: &[u8],
    cost: Cost,
    key: &mut [u8],
) -> Result<(), NoMemory> {
    let n = 1_usize.checked_shl(cost.log_n.into()).ok_or(NoMemory)?;
    let blocks = cost.r.checked_mul(2).ok_or(NoMemory)?;
    let lane_len = blocks.checked_mul(64).ok_or(NoMemory)?;
    let mut lanes = room(lane_len.checked_mul(cost.p).ok_or(NoMemory)?, 0_u8)?;
    pbkdf2(passphrase, &[salt], &mut lanes);
    let mut mixed = room(blocks, [0_u32; 16])?;
    let mut spare = room(blocks, [0_u32; 16])?;
    let mut table = room(n.checked_mul(blocks).ok_or(NoMemory)?, [0_u32; 16])?;
    for lane in lanes.chunks_exact_mut(lane_len) {
        for (to, from) in mixed.as_flattened_mut().iter_mut().zip(words(lane)) {
            *to = from;
        }
        ro_mix(&mut mixed, &mut spare, &mut table);
        for (to, from) in lane.as_chunks_mut().0.iter_mut().zip(mixed.as_flattened()) {
            *to = from.to_le_bytes();
        }
    }
    pbkdf2(passphrase, &[&lanes], key);
    Ok(())
}

/// Memory that is wiped on drop, or the news that there is none.
fn room<T: Clone>(len: usize, zero: T) -> Result<Zeroizing<Vec<T>>, NoMemory>
where
    Vec<T>: Zeroize,
{
    let mut room = Vec::new();
    room.try_reserve_exact(len).map_err(|_| NoMemory)?;
    room.resize(len, zero);
    Ok(Zeroizing::new(room))
}

/// PBKDF2-HMAC-SHA256 with one iteration (RFC 8018 §5.2).
fn pbkdf2(passphrase: &[u8], salt: &[&[u8]], key: &mut [u8]) {
    // HMAC takes a key of any length.
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(passphrase) else {
        return;
    };
    for (part, number) in key.chunks_mut(32).zip(1_u32..) {
        let mut mac = keyed.clone();
        for salt in salt {
            mac.update(salt);
        }
        mac.update(&number.to_be_bytes());
        let mut output = mac.finalize().into_bytes();
        for (to, from) in part.iter_mut().zip(&output) {
            *to = *from;
        }
        output.as_mut_slice().zeroize();
    }
}

/// scryptROMix (§5); `table` has a power of two times the length of `mixed`.
fn ro_mix(mixed: &mut Vec<Block>, spare: &mut Vec<Block>, table: &mut [Block]) {
    let blocks = mixed.len();
    for row in table.chunks_exact_mut(blocks) {
        row.copy_from_slice(mixed);
        block_mix(mixed, spare);
        core::mem::swap(mixed, spare);
    }
    let rows = table.len().checked_div(blocks).unwrap_or_default();
    for _ in 0..rows {
        let row = integerify(mixed) & rows.saturating_sub(1);
        let from = row.saturating_mul(blocks);
        let row = table.get(from..).unwrap_or_default();
        for (to, from) in mixed.iter_mut().zip(row) {
            xor(to, from);
        }
        block_mix(mixed, spare);
        core::mem::swap(mixed, spare);
    }
}

/// The last block's first word: N is below 2^32.
fn integerify(mixed: &[Block]) -> usize {
    let word = mixed.last().map_or(0, |block| block[0]);
    usize::try_from(word).unwrap_or(usize::MAX)
}

/// scryptBlockMix (§4): even blocks of the output first, then odd ones.
fn block_mix(input: &[Block], output: &mut [Block]) {
    let mut x = input.last().copied().unwrap_or_default();
    let (pairs, _) = input.as_chunks::<2>();
    let (even, odd) = output.split_at_mut(pairs.len());
    for ((pair, even), odd) in pairs.iter().zip(even).zip(odd) {
        xor(&mut x, &pair[0]);
        salsa20_8(&mut x);
        *even = x;
        xor(&mut x, &pair[1]);
        salsa20_8(&mut x);
        *odd = x;
    }
    x.zeroize();
}

fn xor(to: &mut Block, from: &Block) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().copied().map(u32::from_le_bytes)
}

/// The Salsa20/8 core (§3).
fn salsa20_8(block: &mut Block) {
    let mut x = *block;
    macro_rules! quarter {
        ($a:literal $b:literal $c:literal $d:literal) => {
            x[$b] ^= x[$a].wrapping_add(x[$d]).rotate_left(7);
            x[$c] ^= x[$b].wrapping_add(x[$a]).rotate_left(9);
            x[$d] ^= x[$c].wrapping_add(x[$b]).rotate_left(13);
            x[$a] ^= x[$d].wrapping_add(x[$c]).rotate_left(18);
        };
    }
    for _ in 0..4 {
        quarter!(0 4 8 12);
        quarter!(5 9 13 1);
        quarter!(10 14 2 6);
        quarter!(15 3 7 11);
        quarter!(0 1 2 3);
        quarter!(5 6 7 4);
        quarter!(10 11 8 9);
        quarter!(15 12 13 14);
    }
    for (to, from) in block.iter_mut().zip(x) {
        *to = to.wrapping_add(from);
    }
}

#[cfg(test)]
mod tests {
    use ct_codecs::{Decoder, Encoder, Hex};

    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        Hex::decode_to_vec(text.replace([' ', '\n'], ""), None).unwrap()
    }

    fn derived(passphrase: &str, salt: &str, log_n: u8, r: usize, p: usize) -> String {
        let mut key = [0; 64];
        let cost = Cost { log_n, r, p };
        scrypt(passphrase.as_bytes(), salt.as_bytes(), cost, &mut key).unwrap();
        Hex::encode_to_string(key).unwrap()
    }

    fn blocks(text: &str) -> Vec<Block> {
        let words: Vec<u32> = words(&unhex(text)).collect();
        words.as_chunks().0.to_vec()
    }

    #[test]
    fn the_core_is_that_of_rfc_7914_section_8() {
        let mut found = blocks(
            "7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df846116dcd3b1d
             ee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e",
        );
        salsa20_8(&mut found[0]);
        assert_eq!(
            found,
            blocks(
                "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29
                 b4393168e3c9e6bcfe6bc5b7a06d96bae424cc102c91745c24ad673dc7618f81"
            )
        );
    }

    const MIXED: &str = "f7ce0b653d2d72a4108cf5abe912ffdd777616dbbb27a70e8204f3ae2d0f6fad
        89f68f4811d1e87bcc3bd7400a9ffd29094f0184639574f39ae5a1315217bcd7
        894991447213bb226c25b54da86370fbcd984380374666bb8ffcb5bf40c254b0
        67d27c51ce4ad5fed829c90b505a571b7f4d1cad6a523cda770e67bceaaf7e89";

    #[test]
    fn block_mix_is_that_of_rfc_7914_section_9() {
        let input = blocks(MIXED);
        let mut output = input.clone();
        block_mix(&input, &mut output);
        assert_eq!(
            output,
            blocks(
                "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29
                 b4393168e3c9e6bcfe6bc5b7a06d96bae424cc102c91745c24ad673dc7618f81
                 20edc975323881a80540f64c162dcd3c21077cfe5f8d5fe2b1a4168f953678b7
                 7d3b3d803b60e4ab920996e59b4d53b65d2a225877d5edf5842cb9f14eefe425"
            )
        );
    }

    #[test]
    fn ro_mix_is_that_of_rfc_7914_section_10() {
        let mut mixed = blocks(MIXED);
        let mut spare = mixed.clone();
        let mut table = vec![[0; 16]; 16 * 2];
        ro_mix(&mut mixed, &mut spare, &mut table);
        assert_eq!(
            mixed,
            blocks(
                "79ccc193629debca047f0b70604bf6b62ce3dd4a9626e355fafc6198e6ea2b46
                 d58413673b99b029d665c357601fb426a0b2f4bba200ee9f0a43d19b571a9c71
                 ef1142e65d5a266fddca832ce59faa7cac0b9cf1be2bffca300d01ee387619c4
                 ae12fd4438f203a0e4e1c47ec314861f4e9087cb33396a6873e8f9d2539a4b8e"
            )
        );
    }

    #[test]
    fn derives_the_keys_of_rfc_7914_section_12() {
        assert_eq!(
            derived("", "", 4, 1, 1),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
             fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        );
        assert_eq!(
            derived("password", "NaCl", 10, 8, 16),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
             2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        );
        assert_eq!(
            derived("pleaseletmein", "SodiumChloride", 14, 8, 1),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2\
             d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        );
    }

    #[test]
    fn says_that_there_is_no_memory() {
        let cost = Cost {
            log_n: 60,
            r: 8,
            p: 1,
        };
        assert_eq!(scrypt(b"a", b"b", cost, &mut [0; 32]), Err(NoMemory));
    }
}
