//! State files, ours and those of other programs: any bytes are a state or are refused, and of ours only
//! bytes that we would have written are one.

#![no_main]

use std::io::{Seek, Write};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tmkms::store;

fuzz_target!(|bytes: &[u8]| {
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let name = format!("tmkms-fuzz-{}", std::process::id());
        let memory = std::path::Path::new("/dev/shm");
        if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) }
    });
    if let Ok(foreign) = store::foreign::read(bytes) {
        let _ = foreign.unchecked_watermark().position();
    }
    // Three short texts fill the three blocks, so that a mutation need not find 12,288 bytes.
    let mut parts = bytes.split(|byte| *byte == 0);
    let mut file = Vec::with_capacity(12_288);
    for end in [4096, 8192, 12_288] {
        file.extend_from_slice(parts.next().unwrap_or_default());
        file.resize(end - 1, b' ');
        file.push(b'\n');
    }
    let mut out = std::fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .unwrap();
    out.rewind().unwrap();
    out.write_all(&file).unwrap();
    let ours = store::peek(path);
    assert!(
        ours.is_err() || file.starts_with(br#"{"tmkms_state":1,"#),
        "not ours, and of our length"
    );
});
