//! What every proof stands on: its arguments, its directories, its random numbers.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tmkms::keys::SigningKey;
use tmkms::types::{ChainId, PublicKey};

use super::validator::{Connection, Home, Process, Validator};

pub type Outcome = Result<(), Box<dyn Error>>;

/// For events that must come; nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The seed of every chain's consensus key.
pub const SEED: [u8; 32] = [0x21; 32];

/// One run of one proof.
pub struct Ground {
    pub proof: String,
    count: Option<u64>,
    pub seed: u64,
    /// The program under test.
    pub binary: PathBuf,
    /// CometBFT's own signer, built from `filepv/`.
    pub filepv: Option<PathBuf>,
    /// On the disk that holds the program: real flushes.
    disk: PathBuf,
    /// In memory, where there is such a file system: for what is loaded a million times.
    memory: PathBuf,
}

impl Ground {
    pub fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let mut parser = lexopt::Parser::from_env();
        let own = std::env::current_exe()?;
        // `target/prove/examples/prove` and `target/prove/tmkms`.
        let profile = own.ancestors().nth(2).ok_or("the proof lies nowhere")?;
        let pid = std::process::id();
        let memory = Path::new("/dev/shm");
        let memory = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let mut ground = Self {
            proof: String::new(),
            count: None,
            seed: SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64,
            binary: profile.join("tmkms"),
            filepv: None,
            disk: profile.join(format!("prove-{pid}")),
            memory: memory.join(format!("tmkms-prove-{pid}")),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                lexopt::Arg::Value(name) => ground.proof = name.to_string_lossy().into_owned(),
                lexopt::Arg::Long("count") => ground.count = Some(number(&parser.value()?)?),
                lexopt::Arg::Long("seed") => ground.seed = number(&parser.value()?)?,
                lexopt::Arg::Long("binary") => ground.binary = parser.value()?.into(),
                lexopt::Arg::Long("filepv") => ground.filepv = Some(parser.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        if !ground.binary.is_file() {
            return Err(format!("there is no {}", ground.binary.display()).into());
        }
        ground.binary = ground.binary.canonicalize()?;
        Ok(ground)
    }

    /// How often, unless the command line says.
    pub fn count(&self, default: u64) -> u64 {
        self.count.unwrap_or(default)
    }

    pub fn binary(&self) -> &str {
        self.binary.to_str().expect("a path that is text")
    }

    pub fn rng(&self) -> Rng {
        Rng::new(self.seed)
    }

    /// A new directory on the disk.
    pub fn on_disk(&self, name: &str) -> io::Result<PathBuf> {
        fresh(&self.disk.join(name))
    }

    /// A new directory in memory.
    pub fn in_memory(&self, name: &str) -> io::Result<PathBuf> {
        fresh(&self.memory.join(name))
    }

    pub fn say(&self, text: &str) {
        println!("prove {}: {text}", self.proof);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for folder in [&self.disk, &self.memory] {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn number(text: &std::ffi::OsStr) -> Result<u64, Box<dyn Error>> {
    let text = text.to_string_lossy().replace('_', "");
    Ok(text.parse()?)
}

fn fresh(path: &Path) -> io::Result<PathBuf> {
    let _ = fs::remove_dir_all(path);
    fs::create_dir_all(path)?;
    path.canonicalize()
}

pub fn key() -> SigningKey {
    SigningKey::from_seed(&SEED).expect("not all zeros")
}

pub fn public_key() -> PublicKey {
    key().public_key()
}

pub fn chain_id(id: &str) -> ChainId {
    ChainId::new(id).expect("a chain id")
}

/// A home with one chain, whose state is made, and a node on a Unix socket in it.
pub struct Node {
    pub home: Home,
    pub listener: Validator,
}

impl Node {
    pub fn new(dir: &Path, chain: &str) -> Result<Self, Box<dyn Error>> {
        let home = Home::new(dir)?;
        let listener = Validator::listen_unix(&home.path("node.sock"))?;
        home.chain(chain, "")?;
        home.validator(chain, &listener.addr(), "")?;
        let _ = home.write_key(&format!("{chain}-consensus.key"), &SEED)?;
        Ok(Self { home, listener })
    }

    /// Makes the state of every chain with the program's own command.
    pub fn init(&self, ground: &Ground) -> Outcome {
        let config = self.home.config();
        let config = config.to_str().ok_or("no text")?;
        let output = self
            .home
            .run(ground.binary(), &["state", "init", "-c", config])?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("state init: {}", String::from_utf8_lossy(&output.stderr)).into())
        }
    }

    pub fn start(&self, ground: &Ground) -> Result<(Process, Connection), Box<dyn Error>> {
        let mut process = self.home.start(ground.binary())?;
        match self.listener.accept(PATIENCE) {
            Ok(connection) => Ok((process, connection)),
            Err(error) => Err(format!("{error}; it said:\n{}", process.lines().join("\n")).into()),
        }
    }
}

/// xorshift64*: the same numbers for the same seed, everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        // SplitMix64, so that neighbouring seeds have nothing in common and none is zero.
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// Once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// `None` of nothing.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| self.pick(from))
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
