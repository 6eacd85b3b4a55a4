//! A directory for one test, the binary run in it, and what lies in it afterwards.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ct_codecs::{Base64, Encoder};
use tmkms::keys::SigningKey;

use super::ran::{self, Ran};
use super::validator::{Home, Process};

pub const BIN: &str = env!("CARGO_BIN_EXE_tmkms");
pub const CHAIN: &str = "test-1";
/// Nobody listens there: only root could, and nothing does.
pub const CLOSED: &str = "tcp://127.0.0.1:1";
/// How long a process may take that ends, or logs, by itself.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A directory of its own for the test called `name`, and a key that no other test has.
pub struct Place {
    pub home: Home,
    name: String,
}

impl Place {
    /// An empty configuration and an identity key.
    pub fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("commands")
            .join(name);
        Self {
            home: Home::new(&dir).unwrap(),
            name: name.to_owned(),
        }
    }

    /// [`CHAIN`] with a key and a node that is not up; no mark and no state.
    pub fn with_chain(name: &str) -> Self {
        let place = Self::new(name);
        place.home.chain(CHAIN, "").unwrap();
        place.home.validator(CHAIN, CLOSED, "").unwrap();
        place.write_key(CHAIN);
        place
    }

    /// The same, with a state that is signed up to a height.
    pub fn with_state(name: &str, height: u32) -> Self {
        let place = Self::with_chain(name);
        let height = height.to_string();
        place.run(&["state", "init", "--height", &height]).exits(0);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    pub fn state(&self) -> PathBuf {
        self.home.state_file(CHAIN)
    }

    /// The seed of the test's key on a chain: the host knows which keys are in use, so each run of each
    /// test has its own.
    pub fn seed(&self, chain: &str) -> [u8; 32] {
        let text = format!("{} {} {chain}", std::process::id(), self.name);
        let mut seed = [b'.'; 32];
        for (index, byte) in text.bytes().enumerate() {
            seed[index % 32] = seed[index % 32].wrapping_mul(31).wrapping_add(byte);
        }
        seed
    }

    pub fn key(&self, chain: &str) -> SigningKey {
        SigningKey::from_seed(&self.seed(chain)).unwrap()
    }

    pub fn write_key(&self, chain: &str) {
        let name = format!("{chain}-consensus.key");
        self.home.write_key(&name, &self.seed(chain)).unwrap();
    }

    /// A node's `config/priv_validator_key.json` with this test's key, and its path.
    pub fn write_node_key(&self) -> PathBuf {
        self.write(
            "node/config/priv_validator_key.json",
            node_key(&self.seed(CHAIN)),
        )
    }

    /// The node's `data/priv_validator_state.json`.
    pub fn write_node_state(&self, text: &str) -> PathBuf {
        self.write("node/data/priv_validator_state.json", text)
    }

    /// Writes a file (0600), and the directories above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        chmod(&path, 0o600);
        path
    }

    /// Runs `tmkms` with `args` in the home, whose `tmkms.toml` is then the default.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        self.run_with(args, |_| {})
    }

    pub fn run_with<S: AsRef<OsStr>>(&self, args: &[S], adjust: impl FnOnce(&mut Command)) -> Ran {
        let mut command = Command::new(BIN);
        command
            .args(args)
            .current_dir(self.path(""))
            .env_remove("TMKMS_CONFIG_FILE")
            .stdin(Stdio::null());
        adjust(&mut command);
        let ran = Ran::of(&command.output().unwrap());
        ran::every_command_named_exists(&ran);
        ran
    }

    /// Runs a command line as a message prints it, in a shell.
    pub fn run_line(&self, line: &str) -> Ran {
        let rest = line.strip_prefix("tmkms ").expect(line);
        let output = Command::new("sh")
            .args(["-c", &format!("'{BIN}' {rest}")])
            .current_dir(self.path(""))
            .output();
        Ran::of(&output.unwrap())
    }

    /// Runs `start`, which must end by itself and may not touch anything.
    pub fn start_is_refused(&self) -> Ran {
        let before = listing(&self.path(""));
        let ran = self.start_ends();
        let after = listing(&self.path(""));
        assert_eq!(changes(&before, &after), [""; 0], "{ran}");
        ran
    }

    /// Runs `start -c tmkms.toml`, which must end by itself.
    pub fn start_ends(&self) -> Ran {
        let mut process = self.spawn();
        let status = process.wait(PATIENCE).unwrap();
        let lines = process.lines().to_vec();
        let Some(status) = status else {
            panic!("it goes on:\n{}", lines.join("\n"));
        };
        let ran = Ran::of_lines(status.code(), &lines);
        ran::every_command_named_exists(&ran);
        ran
    }

    /// Runs `start` until it has dialled [`CLOSED`], and gives the lines up to then.
    pub fn start_dials(&self) -> Vec<String> {
        let mut process = self.dialling();
        let lines = process.lines().to_vec();
        assert_eq!(process.stop(PATIENCE).unwrap().unwrap().code(), Some(0));
        lines
    }

    /// A signer that holds its locks and dials in vain.
    pub fn dialling(&self) -> Process {
        let mut process = self.spawn();
        if let Err(lines) = process.wait_for("Connection refused", PATIENCE) {
            panic!("{lines}");
        }
        process
    }

    fn spawn(&self) -> Process {
        let mut command = Command::new(BIN);
        command
            .args(["start", "-c", "tmkms.toml"])
            .current_dir(self.path(""))
            .env_remove("TMKMS_CONFIG_FILE");
        Process::spawn(&mut command).unwrap()
    }

    /// Everything in the home, to be compared with [`changes`].
    pub fn listing(&self) -> BTreeMap<PathBuf, String> {
        listing(&self.path(""))
    }

    /// The files that are kept beside this one: those that begin with its path and `.old-`.
    pub fn kept(path: &Path) -> Vec<PathBuf> {
        let prefix = format!("{}.old-", path.display());
        listing(path.parent().unwrap())
            .into_keys()
            .filter(|path| path.to_str().unwrap().starts_with(&prefix))
            .collect()
    }
}

/// A `priv_validator_key.json` as CometBFT writes it.
pub fn node_key(seed: &[u8; 32]) -> String {
    let public = SigningKey::from_seed(seed).unwrap().public_key();
    let pair = Base64::encode_to_string([*seed, public.0].concat()).unwrap();
    format!(
        r#"{{
  "address": "{}",
  "pub_key": {{
    "type": "tendermint/PubKeyEd25519",
    "value": "{}"
  }},
  "priv_key": {{
    "type": "tendermint/PrivKeyEd25519",
    "value": "{pair}"
  }}
}}"#,
        public.address_hex(),
        public.to_base64()
    )
}

/// Every path below `root` with what tells whether it was touched: mode, inode, modification time, and
/// content. Directories too.
pub fn listing(root: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(path: &Path, found: &mut BTreeMap<PathBuf, String>) -> io::Result<()> {
        let metadata = path.symlink_metadata()?;
        let content = if metadata.is_file() {
            format!("{:?}", fs::read(path).ok())
        } else {
            String::new()
        };
        let line = format!(
            "{:o} {} {}.{} {content}",
            metadata.mode(),
            metadata.ino(),
            metadata.mtime(),
            metadata.mtime_nsec()
        );
        found.insert(path.to_owned(), line);
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                walk(&entry?.path(), found)?;
            }
        }
        Ok(())
    }
    let mut found = BTreeMap::new();
    walk(root, &mut found).unwrap();
    found
}

/// The paths that were made, removed or touched between two listings.
pub fn changes(
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let all: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    all.into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| path.display().to_string())
        .collect()
}

pub fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
