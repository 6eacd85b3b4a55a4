//! What the machine itself takes: a round trip between two processes, one flush, one signature.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tmkms::keys::SigningKey;

use super::measure::Samples;
use super::validator::{Stream, Validator};

const PATIENCE: Duration = Duration::from_secs(10);

/// A process that answers `ask` bytes with `answer` bytes, and does nothing else.
pub struct Echo {
    child: Child,
    stream: Stream,
    ask: Vec<u8>,
    answer: Vec<u8>,
}

impl Echo {
    pub fn start(node: &Validator, ask: usize, answer: usize) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg("--echo")
            .args([node.addr(), ask.to_string(), answer.to_string()])
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            stream: node.accept_stream(PATIENCE)?,
            ask: vec![7; ask],
            answer: vec![0; answer],
        })
    }

    pub fn round_trip(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.ask)?;
        self.stream.read_exact(&mut self.answer)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other end of [`Echo`].
pub fn echo(addr: &str, ask: usize, answer: usize) -> io::Result<()> {
    let mut stream = Stream::dial(addr)?;
    let (mut asked, answer) = (vec![0; ask], vec![7; answer]);
    loop {
        stream.read_exact(&mut asked)?;
        stream.write_all(&answer)?;
    }
}

/// A file as long as a state, written where a state writes.
pub struct Flush {
    file: File,
    turn: u64,
}

impl Flush {
    pub fn new(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        file.write_all_at(&[b' '; 3 * 4096], 0)?;
        file.sync_all()?;
        Ok(Self { file, turn: 0 })
    }

    /// One sector and one data sync.
    pub fn commit(&mut self) -> io::Result<()> {
        self.turn += 1;
        let byte = self.turn.to_le_bytes()[0];
        self.file
            .write_all_at(&[byte; 512], 4096 + 4096 * (self.turn % 2))?;
        self.file.sync_data()
    }
}

/// The three together, measured in turn with what they are the floor of.
pub struct Floor {
    echo: Echo,
    flush: Flush,
    key: SigningKey,
    pub trips: Samples,
    pub flushes: Samples,
    pub signatures: Samples,
}

impl Floor {
    pub fn new(echo: Echo, flush: Flush) -> Self {
        Self {
            echo,
            flush,
            key: SigningKey::from_seed(&[3; 32]).expect("not all zeros"),
            trips: Samples::default(),
            flushes: Samples::default(),
            signatures: Samples::default(),
        }
    }

    pub fn round(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let echo = &mut self.echo;
            self.trips.time(|| echo.round_trip())?;
            let flush = &mut self.flush;
            self.flushes.time(|| flush.commit())?;
            let _ = self.signatures.time(|| self.key.sign(&[7; 112]));
        }
        Ok(())
    }
}
