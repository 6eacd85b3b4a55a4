//! Keys in files, from the outside: every form that is taken over, and keys under a passphrase.

#[path = "../validator/mod.rs"]
mod validator;

mod at_rest;
mod forms;
mod process;
mod stack;
mod start;
mod terminal;

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ct_codecs::{Base64, Encoder, Hex};
use tmkms::keys::SigningKey;

const TMKMS: &str = env!("CARGO_BIN_EXE_tmkms");
const PASSPHRASE: &str = "correct horse battery staple";
/// 1 MiB for each attempt: the least there is.
const WORK: &str = "10";
const SEED: [u8; 32] = [0x9d; 32];

/// A directory of one test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("vault")
            .join(name);
        Self::at(dir)
    }

    fn at(dir: PathBuf) -> Self {
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let place = Self(dir);
        place.write("passphrase", format!("{PASSPHRASE}\n").as_bytes());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        use std::io::Write as _;
        let path = self.path(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&path).unwrap().write_all(bytes).unwrap();
        path
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    /// Runs it without a terminal.
    fn run(&self, arguments: &[&str]) -> Ran {
        // In a session of its own: whoever runs the tests may have a terminal.
        let mut command = Command::new("setsid");
        command
            .arg("--wait")
            .arg(TMKMS)
            .args(arguments)
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .env_remove("TMKMS_PASSPHRASE_FILE")
            .env_remove("CREDENTIALS_DIRECTORY");
        Ran::of(&command.output().unwrap())
    }

    /// Makes a key's file out of `SEED`.
    fn key(&self, name: &str) -> PathBuf {
        self.write(name, base64(&SEED).as_bytes())
    }

    fn encrypted_key(&self, name: &str) -> PathBuf {
        let path = self.key(name);
        self.run(&[
            "softsign",
            "encrypt",
            name,
            "--passphrase-file",
            "passphrase",
            "--work",
            WORK,
        ])
        .succeeded();
        path
    }
}

/// What a command printed and how it ended.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.tells_no_secret()
    }

    /// It ended with `code` and a complaint that has `text` in it.
    fn failed(self, code: i32, text: &str) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(text), "no {text:?} in: {}", self.err);
        self.tells_no_secret()
    }

    fn tells_no_secret(self) -> Self {
        for secret in [
            &base64(&SEED)[..20],
            &hex(&SEED)[..20],
            &hex(&SEED).to_uppercase()[..20],
            PASSPHRASE,
        ] {
            assert!(!self.out.contains(secret) && !self.err.contains(secret));
        }
        self
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed(&SEED).unwrap()
}

fn pair() -> Vec<u8> {
    [SEED, key().public_key().0].concat()
}

fn base64(bytes: &[u8]) -> String {
    Base64::encode_to_string(bytes).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    Hex::encode_to_string(bytes).unwrap()
}
