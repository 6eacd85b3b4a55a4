//! The stand-in service as a process, and its control port.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::stage::PATIENCE;
use super::validator::Process;

/// Builds the server, once: it is a workspace of its own.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = root.join("target/fortanixdsm");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "--manifest-path"])
            .arg(root.join("tests/fortanixdsm/server/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .stdin(Stdio::null())
            .status();
        assert!(
            status.unwrap().success(),
            "the stand-in service does not build"
        );
        target.join("debug/dsm-server")
    })
}

/// A running service. Dropping it kills it.
pub(crate) struct Service {
    process: Process,
    pub(crate) port: u16,
    pub(crate) dir: PathBuf,
    control: BufReader<TcpStream>,
}

impl Service {
    /// Starts one with its certificates and its API key in `dir`; `port` 0 is any.
    pub(crate) fn start(dir: &Path, port: u16) -> Self {
        let mut command = Command::new(program());
        command.arg(dir).args(["--port", &port.to_string()]);
        let mut process = Process::spawn(&mut command).unwrap();
        let mut told = |what: &str| -> u16 {
            let line = process.wait_for(what, PATIENCE).unwrap();
            line.trim_start_matches(what).trim().parse().unwrap()
        };
        let (port, control) = (told("https "), told("control "));
        let control = TcpStream::connect(("127.0.0.1", control)).unwrap();
        Self {
            process,
            port,
            dir: dir.to_owned(),
            control: BufReader::new(control),
        }
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&mut self) {
        *self = Self::start(&self.dir, self.port);
    }

    /// Says a line to the control port, and gives the answer.
    pub(crate) fn tell(&mut self, line: &str) -> String {
        writeln!(self.control.get_mut(), "{line}").unwrap();
        let mut answer = String::new();
        self.control.read_line(&mut answer).unwrap();
        let answer = answer.trim_end().to_owned();
        assert_ne!(answer, "what?", "{line}");
        answer
    }

    /// How often something was seen: `connections`, `auth`, `info`, `sign`, `terminate`, `unauthorized`.
    pub(crate) fn count(&mut self, what: &str) -> u64 {
        let counts = self.tell("count");
        let found = counts.split(' ').find_map(|count| {
            let (name, number) = count.split_once('=')?;
            (name == what).then(|| number.parse().unwrap())
        });
        found.unwrap_or(0)
    }

    /// A file beside the certificates.
    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}
