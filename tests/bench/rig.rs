//! A signer as a process of its own, and the nodes that it dials.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::validator::{Connection, Home, Validator, VoteRequest};

const PATIENCE: Duration = Duration::from_secs(20);

/// A binary that is measured.
#[derive(Clone)]
pub struct Program {
    pub name: String,
    pub binary: PathBuf,
    /// Whether one process can serve several chains.
    pub many_chains: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Unix,
    Tcp,
}

/// A home directory, a running signer, and one node for each of its connections.
pub struct Rig {
    home: Home,
    binary: PathBuf,
    signer: Option<Child>,
    pub nodes: Vec<Node>,
}

/// One `[[validator]]` seen from its other end.
pub struct Node {
    listener: Option<Validator>,
    connection: Option<Connection>,
    chain: String,
    height: i64,
}

impl Rig {
    /// `connections` nodes for each of `chains` chains, the signer running and connected to all.
    pub fn start(
        program: &Program,
        directory: &Path,
        transport: Transport,
        chains: usize,
        connections: usize,
    ) -> io::Result<Self> {
        let home = Home::new(directory)?;
        let binary = fs::canonicalize(&program.binary)?;
        let mut nodes = Vec::new();
        for chain in 0..chains {
            let chain = format!("bench-{chain}");
            home.chain(&chain, "")?;
            let key = home.key_file(&chain);
            let key = key.to_str().ok_or(io::ErrorKind::InvalidInput)?;
            let made = home.run(&text(&binary)?, &["softsign", "keygen", key])?;
            if !made.status.success() {
                return Err(io::Error::other(
                    String::from_utf8_lossy(&made.stderr).into_owned(),
                ));
            }
            for connection in 0..connections {
                let listener = match transport {
                    Transport::Tcp => Validator::listen_tcp()?,
                    Transport::Unix => {
                        Validator::listen_unix(&home.path(&format!("{chain}-{connection}.sock")))?
                    }
                };
                home.validator(&chain, &listener.addr(), "")?;
                nodes.push(Node {
                    listener: Some(listener),
                    connection: None,
                    chain: chain.clone(),
                    height: 0,
                });
            }
        }
        let mut rig = Self {
            home,
            binary,
            signer: None,
            nodes,
        };
        rig.spawn()?;
        rig.accept()?;
        Ok(rig)
    }

    /// Starts the signer. Its log goes to a file, as under an init system, and not to us: reading it
    /// would take turns on the CPU with what is measured.
    pub fn spawn(&mut self) -> io::Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.home.path("log"))?;
        let signer = Command::new(&self.binary)
            .args(["start", "-c"])
            .arg(self.home.config())
            .current_dir(self.home.path(""))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.signer = Some(signer);
        Ok(())
    }

    /// Waits until the signer has dialled every node.
    pub fn accept(&mut self) -> io::Result<()> {
        for node in &mut self.nodes {
            if let Err(error) = node.accept() {
                let log = fs::read_to_string(self.home.path("log")).unwrap_or_default();
                return Err(io::Error::other(format!(
                    "no call ({error}); its log:\n{log}"
                )));
            }
        }
        Ok(())
    }

    pub fn process(&self) -> u32 {
        self.signer.as_ref().map_or(0, Child::id)
    }

    /// `kill -9`; every node has lost its connection.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut signer) = self.signer.take() {
            signer.kill()?;
            let _ = signer.wait()?;
        }
        // Not before: a signer that is still there would dial again, and leave a dead call behind.
        for node in &mut self.nodes {
            node.connection = None;
        }
        Ok(())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.kill();
        self.nodes.clear();
        let _ = fs::remove_dir_all(self.home.path(""));
    }
}

impl Node {
    pub fn accept(&mut self) -> io::Result<()> {
        let listener = self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.connection = Some(listener.accept(PATIENCE)?);
        Ok(())
    }

    /// The next prevote, encoded.
    pub fn next(&mut self) -> Vec<u8> {
        self.height += 1;
        VoteRequest::prevote(&self.chain, self.height, 0).body()
    }

    /// From the request's first byte to the reply's last; the reply must carry a signature.
    pub fn ask(&mut self, body: &[u8]) -> io::Result<Duration> {
        let connection = self
            .connection
            .as_mut()
            .ok_or(io::ErrorKind::NotConnected)?;
        let began = Instant::now();
        let reply = connection.request(body)?;
        let took = began.elapsed();
        let reply = super::validator::Reply::read(4, &reply)?;
        reply.accepted().map_err(io::Error::other)?;
        Ok(took)
    }

    pub fn sign(&mut self) -> io::Result<Duration> {
        let body = self.next();
        self.ask(&body)
    }

    pub fn ping(&mut self) -> io::Result<Duration> {
        let connection = self
            .connection
            .as_mut()
            .ok_or(io::ErrorKind::NotConnected)?;
        let began = Instant::now();
        connection.ping()?;
        Ok(began.elapsed())
    }

    /// Closes the connection: until the signer has dialled and shaken hands again.
    pub fn cut(&mut self) -> io::Result<Duration> {
        self.connection = None;
        let began = Instant::now();
        self.accept()?;
        Ok(began.elapsed())
    }

    /// The node goes down, and takes its port with it.
    pub fn go_down(&mut self) -> Option<String> {
        self.connection = None;
        self.listener
            .take()
            .map(|listener| listener.host_and_port())
    }

    /// The node is up again: until the signer has shaken hands.
    pub fn come_up(&mut self, host_and_port: &str) -> io::Result<Duration> {
        let began = Instant::now();
        self.listener = Some(Validator::listen_tcp_at(host_and_port)?);
        self.accept()?;
        Ok(began.elapsed())
    }
}

fn text(path: &Path) -> io::Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
