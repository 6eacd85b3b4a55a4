//! The signer's home directory, and the signer as a process of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ct_codecs::{Base64, Encoder};
use rustix::process::{Pid, Signal, kill_process};

/// The seed of the signer's identity, which `secrets/kms-identity.key` holds.
pub const IDENTITY_SEED: [u8; 32] = *b"TEST KEY ONLY: DO **NOT** USE!!!";

/// A directory laid out as operators have it: `tmkms.toml`, `secrets/`, `state/`.
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Makes it afresh at `dir`, with an identity key and an empty configuration.
    pub fn new(dir: &Path) -> io::Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        let home = Self {
            dir: dir.to_owned(),
        };
        for folder in ["secrets", "state"] {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(dir.join(folder))?;
        }
        home.write_key("kms-identity.key", &IDENTITY_SEED)?;
        fs::write(home.config(), "")?;
        Ok(home)
    }

    /// The absolute path of something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The path of `tmkms.toml`.
    pub fn config(&self) -> PathBuf {
        self.path("tmkms.toml")
    }

    /// The path of a chain's state file.
    pub fn state_file(&self, chain_id: &str) -> PathBuf {
        self.path(&format!("state/{chain_id}-consensus.json"))
    }

    /// The path of a chain's consensus key.
    pub fn key_file(&self, chain_id: &str) -> PathBuf {
        self.path(&format!("secrets/{chain_id}-consensus.key"))
    }

    /// Writes `secrets/name` as `softsign` keeps keys: the seed in base64, mode 0600.
    pub fn write_key(&self, name: &str, seed: &[u8; 32]) -> io::Result<PathBuf> {
        let path = self.path("secrets").join(name);
        let text = Base64::encode_to_string(seed).map_err(io::Error::other)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }

    /// Adds lines to `tmkms.toml`.
    pub fn configure(&self, lines: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.config())?;
        writeln!(file, "{lines}")
    }

    /// Adds a `[[chain]]` and its `[[providers.softsign]]`, whose key file is written elsewhere:
    /// by `write_key`, or by the binary's own commands at `key_file`.
    pub fn chain(&self, chain_id: &str, more: &str) -> io::Result<()> {
        self.configure(&format!(
            r#"
[[chain]]
id = "{chain_id}"
key_format = {{ type = "hex" }}
state_file = "{}"
{more}

[[providers.softsign]]
chain_ids = ["{chain_id}"]
key_type = "consensus"
path = "{}""#,
            self.state_file(chain_id).display(),
            self.key_file(chain_id).display(),
        ))
    }

    /// Adds a `[[validator]]` at `addr`, which redials unless `more` says otherwise.
    pub fn validator(&self, chain_id: &str, addr: &str, more: &str) -> io::Result<()> {
        let redial = if more.contains("reconnect") {
            ""
        } else {
            "reconnect = true"
        };
        self.configure(&format!(
            r#"
[[validator]]
chain_id = "{chain_id}"
addr = "{addr}"
secret_key = "{}"
protocol_version = "v0.34"
{redial}
{more}"#,
            self.path("secrets/kms-identity.key").display(),
        ))
    }

    /// Runs `binary` with `args` to its end.
    pub fn run(&self, binary: &str, args: &[&str]) -> io::Result<Output> {
        Command::new(binary)
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .output()
    }

    /// Spawns `binary start -c tmkms.toml`.
    pub fn start(&self, binary: &str) -> io::Result<Process> {
        let mut command = Command::new(binary);
        let _ = command.args(["start", "-c"]).arg(self.config());
        let _ = command.current_dir(&self.dir);
        Process::spawn(&mut command)
    }
}

/// A running signer and what it has printed. Dropping it kills it.
pub struct Process {
    child: Child,
    source: Receiver<String>,
    lines: Vec<String>,
    /// How many of `lines` `wait_for` has gone past.
    passed: usize,
}

impl Process {
    /// Spawns `command` and collects both of its outputs, line by line.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, source) = mpsc::channel();
        let outputs = [
            child.stdout.take().map(|out| Box::new(out) as Pipe),
            child.stderr.take().map(|out| Box::new(out) as Pipe),
        ];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            let _ = thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        Ok(Self {
            child,
            source,
            lines: Vec::new(),
            passed: 0,
        })
    }

    /// Waits for a line with `text` in it, after the one that the last call found.
    ///
    /// Fails with all lines so far if `timeout` is over or the process has ended.
    pub fn wait_for(&mut self, text: &str, timeout: Duration) -> Result<String, String> {
        let deadline = Instant::now() + timeout;
        loop {
            while let Some(line) = self.lines.get(self.passed) {
                self.passed += 1;
                if line.contains(text) {
                    return Ok(line.clone());
                }
            }
            if let Err(error) = self.next_line(deadline) {
                let lines = self.lines.join("\n");
                return Err(format!(
                    "no line with {text:?}, {error}; there are:\n{lines}"
                ));
            }
        }
    }

    /// Waits for a line with all of `parts` in it, wherever it stands.
    ///
    /// Fails as [`wait_for`](Self::wait_for) does, and leaves it where it is.
    pub fn find(&mut self, parts: &[&str], timeout: Duration) -> Result<String, String> {
        let deadline = Instant::now() + timeout;
        let mut seen = 0;
        loop {
            while let Some(line) = self.lines.get(seen) {
                seen += 1;
                if parts.iter().all(|part| line.contains(part)) {
                    return Ok(line.clone());
                }
            }
            if let Err(error) = self.next_line(deadline) {
                let lines = self.lines.join("\n");
                return Err(format!(
                    "no line with {parts:?}, {error}; there are:\n{lines}"
                ));
            }
        }
    }

    /// Every line up to now.
    pub fn lines(&mut self) -> &[String] {
        self.lines.extend(self.source.try_iter());
        &self.lines
    }

    /// Waits for it to end by itself; `None` if it does not.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + timeout;
        // Its outputs end when it does.
        while self.next_line(deadline) != Err(RecvTimeoutError::Disconnected) {
            if Instant::now() >= deadline {
                return self.child.try_wait();
            }
        }
        self.child.wait().map(Some)
    }

    /// Asks it to stop, as systemd does, and waits for it.
    pub fn stop(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        self.signal(Signal::TERM)?;
        self.wait(timeout)
    }

    /// Ends it at whatever instruction it is: `kill -9`.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Sends any signal.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // Once it has been waited for, its number may be another process's.
        if self.child.try_wait()?.is_some() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(pid, signal)?)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn next_line(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.source.recv_timeout(left)?;
        self.lines.push(line);
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Pipe = Box<dyn Read + Send>;
