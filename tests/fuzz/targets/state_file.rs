//! State files, ours and those of other programs: any bytes are a state or are refused, and of ours only
//! bytes that we would have written are one.

#![cfg_attr(fuzzing, no_main)]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::LazyLock;

use ct_codecs::{Base64, Encoder};
use sha2::{Digest, Sha256};
use tmkms::store::{self, Snapshot};

const BLOCK_LEN: usize = 4096;

pub fn check(bytes: &[u8]) {
    if let Ok(foreign) = store::foreign::read(bytes) {
        let _ = foreign.unchecked_watermark().position();
    }
    // Three short texts fill the three blocks, so that a mutation need not find 12,288 bytes.
    let mut parts = bytes.split(|byte| *byte == 0);
    let texts = [(); 3].map(|()| parts.next().unwrap_or_default().to_vec());
    if let Some(read) = read(&file(&texts)) {
        assert!(
            texts[0].starts_with(br#"{"tmkms_state":1,"#),
            "not ours, and of our length"
        );
        sound(&read);
    }
    // The same as if whoever wrote it knew the checksums, which no mutation finds.
    let [header, records @ ..] = texts;
    let header = with_checksum(header, &[]);
    let digest = Sha256::digest(&file(&[header.clone(), vec![], vec![]])[..BLOCK_LEN]);
    let [one, two] = records.map(|record| with_checksum(record, &digest));
    if let Some(read) = read(&file(&[header, one, two])) {
        sound(&read);
    }
}

fn sound(read: &Snapshot) {
    assert!(read.chain_id.is_some() && read.public_key.is_some() && read.status.is_some());
    if let Some(sign_bytes) = read.watermark.sign_bytes() {
        assert_eq!(read.watermark.position(), sign_bytes.slot().into());
    }
}

fn file(texts: &[Vec<u8>; 3]) -> Vec<u8> {
    let mut file = Vec::with_capacity(3 * BLOCK_LEN);
    for (text, end) in texts.iter().zip((BLOCK_LEN..).step_by(BLOCK_LEN)) {
        file.extend_from_slice(text);
        file.resize(end - 1, b' ');
        file.push(b'\n');
    }
    file
}

/// Ends a line with the checksum that belongs to it, if it says that it has one.
fn with_checksum(mut line: Vec<u8>, before: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = br#","checksum":""#;
    if let Some(at) = line.windows(NAME.len()).position(|window| window == NAME) {
        line.truncate(at + NAME.len());
        let digest = Sha256::new()
            .chain_update(before)
            .chain_update(&line)
            .finalize();
        line.extend_from_slice(Base64::encode_to_string(digest).unwrap().as_bytes());
        line.extend_from_slice(b"\"}");
    }
    line
}

fn read(bytes: &[u8]) -> Option<Snapshot> {
    // One file that has no name: made once, and nothing is left of it.
    static FILE: LazyLock<File> = LazyLock::new(|| {
        let name = format!("tmkms-fuzz-{}", std::process::id());
        let memory = Path::new("/dev/shm");
        let path = if memory.is_dir() {
            memory.join(name)
        } else {
            std::env::temp_dir().join(name)
        };
        let mut options = File::options();
        let options = options.create_new(true).read(true).write(true);
        let file = options.open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file
    });
    FILE.write_all_at(bytes, 0).unwrap();
    let path = format!("/proc/self/fd/{}", FILE.as_raw_fd());
    store::peek(Path::new(&path)).ok().flatten()
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
