//! Secrets in memory: the whole memory of the real program is read from outside and searched for its keys,
//! as they are and in every encoding they come in.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Command;
use std::thread;
use std::time::Duration;

use ct_codecs::{Base64, Encoder, Hex};
use rustix::process::{Pid, Signal, kill_process};

use super::ground::{Ground, Node, Outcome, PATIENCE, SEED, key};
use super::validator::{Process, Validator, VoteRequest};

const CHAIN: &str = "secrets-1";
const IDENTITY: [u8; 32] = super::validator::IDENTITY_SEED;

/// A key's passphrase.
const PASSPHRASE: &str = "a passphrase that lies nowhere else";
/// How often the state of a process is looked at, and how long between two looks.
const LOOKS: u32 = 6_000;
const LOOK: Duration = Duration::from_millis(5);
/// Its number, where the kernel shows in which call a thread is.
const EXIT_GROUP: &str = if cfg!(target_arch = "aarch64") {
    "94 "
} else {
    "231 "
};

pub fn run(ground: &Ground) -> Outcome {
    for (about, key, node) in [
        ("a plain key", KeyFile::Plain, Peer::Talks),
        ("an encrypted key", KeyFile::Sealed, Peer::Talks),
        ("a node that shakes no hands", KeyFile::Plain, Peer::Silent),
    ] {
        one(ground, key, node).map_err(|error| format!("{about}: {error}"))?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyFile {
    Plain,
    Sealed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Talks,
    /// Takes the connection, and says nothing.
    Silent,
}

/// A signer that has read its keys, shaken hands and signed holds each key once, and nothing else of them.
/// Asked to stop, it holds none when it leaves.
fn one(ground: &Ground, key_file: KeyFile, peer: Peer) -> Outcome {
    let dir = ground.on_disk("secrets")?;
    let node = Node::new(&dir, CHAIN)?;
    let tcp = Validator::listen_tcp()?;
    node.home.validator(CHAIN, &tcp.addr(), "")?;
    node.init(ground)?;
    let mut args = vec!["start".to_owned(), "-c".to_owned()];
    args.push(node.home.config().display().to_string());
    if key_file == KeyFile::Sealed {
        let path = dir.join("passphrase");
        fs::write(&path, PASSPHRASE)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let with = ["--passphrase-file".to_owned(), path.display().to_string()];
        args.extend(with.clone());
        let key = node.home.key_file(CHAIN).display().to_string();
        let words = [
            "softsign", "encrypt", "--work", "10", &with[0], &with[1], &key,
        ];
        let output = node.home.run(ground.binary(), &words)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    // Stops at its very end for as long as we like: nothing of the program runs any more.
    let mut command = Command::new("strace");
    let _ = command.args([
        "-f",
        "-D",
        "-q",
        "-o",
        "/dev/null",
        "-e",
        "trace=exit_group",
    ]);
    let _ = command.args(["-e", "inject=exit_group:delay_enter=600000000"]);
    let mut process = Process::spawn(command.arg(ground.binary()).args(args))?;
    let mut unix = node.listener.accept(PATIENCE)?;
    let (mut sealed, mut silent) = (None, None);
    match peer {
        Peer::Talks => sealed = Some(tcp.accept(PATIENCE)?),
        Peer::Silent => silent = Some(tcp.accept_stream(PATIENCE)?),
    }
    for height in 1..20 {
        let vote = VoteRequest::precommit(CHAIN, height, 0).with_extension(b"extension");
        let connection = match &mut sealed {
            Some(sealed) if height % 2 == 1 => sealed,
            _ => &mut unix,
        };
        let _ = connection.sign_vote(&vote)?.accepted()?;
    }
    let running = Memory::of(process.id())?;
    // The search works: what is in memory for certain is found.
    if running.count(&key().public_key().0) == 0 {
        return Err("the public key is not found, so the search finds nothing".into());
    }
    let total = running.search(1)?;
    process.signal(Signal::TERM)?;
    in_its_last_call(process.id())?;
    let stopped = Memory::of(process.id())?;
    let_go(process.id())?;
    let _ = process.kill()?;
    drop(silent);
    let none = stopped
        .search(0)
        .map_err(|error| format!("stopped: {error}"))?;
    ground.say(&format!(
        "two keys in seven forms and a passphrase, {} KiB searched: found {total} times while it signs, {none} times at \
         the end of a signer that was stopped",
        running.len() / 1024
    ));
    Ok(())
}

/// Ends the tracer, which would sit its delay out.
fn let_go(pid: u32) -> Outcome {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"));
    let tracer = line.ok_or("no tracer")?.trim().parse()?;
    let tracer = Pid::from_raw(tracer).ok_or("no tracer")?;
    Ok(kill_process(tracer, Signal::KILL)?)
}

/// Waits until a process has asked the kernel to end it.
fn in_its_last_call(pid: u32) -> Outcome {
    for _ in 0..LOOKS {
        let call = fs::read_to_string(format!("/proc/{pid}/syscall"))?;
        if call.starts_with(EXIT_GROUP) {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    Err("a signer that was asked to stop has not ended".into())
}

type Form = (&'static str, Vec<u8>, usize);

/// How a key could lie in memory, and how often it may where it may lie at all.
fn forms(seed: &[u8; 32]) -> Result<Vec<Form>, Box<dyn Error>> {
    use sha2::{Digest, Sha512};
    let base64 = Base64::encode_to_string(seed)?;
    let hex = Hex::encode_to_string(seed)?;
    // What Ed25519 makes of a seed: the scalar and the prefix.
    let expanded = Sha512::digest(seed);
    let mut scalar = expanded[..32].to_vec();
    scalar[0] &= 0xf8;
    scalar[31] = scalar[31] & 0x3f | 0x40;
    Ok(vec![
        ("its seed", seed.to_vec(), 1),
        (
            "base64",
            base64.trim_end_matches('=').as_bytes()[..40].to_vec(),
            0,
        ),
        ("hexadecimal digits", hex.clone().into_bytes(), 0),
        ("upper-case digits", hex.to_uppercase().into_bytes(), 0),
        ("its scalar", scalar, 0),
        ("its hash", expanded.to_vec(), 0),
        ("its prefix", expanded[32..].to_vec(), 0),
    ])
}

struct Memory(Vec<Vec<u8>>);

impl Memory {
    /// Everything of a process that can be written to.
    fn of(pid: u32) -> Result<Self, Box<dyn Error>> {
        let file = fs::File::open(format!("/proc/{pid}/mem"))?;
        let mut regions = Vec::new();
        for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
            let mut words = line.split(' ');
            let (range, mode) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            if !mode.starts_with("rw") {
                continue;
            }
            let (from, to) = range.split_once('-').ok_or("a range")?;
            let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
            let mut bytes = vec![0; (to - from) as usize];
            if file.read_exact_at(&mut bytes, from).is_ok() {
                regions.push(bytes);
            }
        }
        Ok(Self(regions))
    }

    /// Counts the keys in every form. A seed may be there `seeds` times, anything else never.
    fn search(&self, seeds: usize) -> Result<usize, Box<dyn Error>> {
        let (mut wrong, mut total) = (Vec::new(), 0);
        for (name, seed) in [("consensus", &SEED), ("identity", &IDENTITY)] {
            for (form, bytes, allowed) in forms(seed)? {
                let (found, allowed) = (self.count(&bytes), allowed * seeds);
                total += found;
                if found > allowed {
                    wrong.push(format!(
                        "{name} key as {form}: {found} times, not {allowed}"
                    ));
                }
            }
        }
        let found = self.count(PASSPHRASE.as_bytes());
        if found > 0 {
            wrong.push(format!("the passphrase: {found} times"));
        }
        if wrong.is_empty() {
            Ok(total)
        } else {
            Err(wrong.join("; ").into())
        }
    }

    fn count(&self, needle: &[u8]) -> usize {
        self.0
            .iter()
            .map(|region| {
                region
                    .windows(needle.len())
                    .filter(|window| *window == needle)
                    .count()
            })
            .sum()
    }

    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}
