//! `make demo`: the real program with a stand-in validator, from an empty directory to a refused double sign.
//!
//! Everything that is printed as done was checked; the first thing that is not as claimed ends it with
//! exit code 1. `TMKMS=PATH` shows another binary than the one that was built with it; `DSM=PATH`,
//! `LEDGER=PATH` and `YUBIHSM=PATH` have the key in the stand-in for a device that is there.

mod dsm;
mod ledger;
mod stand_in;
#[path = "../validator/mod.rs"]
mod validator;
mod yubihsm;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use ct_codecs::{Encoder, Hex};
use stand_in::StandIn;
use validator::{Block, Connection, Process, ProposalRequest, Reply, Validator, VoteRequest};

const CHAIN: &str = "demo-1";
const HEIGHTS: i64 = 10;
const PATIENCE: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    println!(
        "tmkms signs for a stand-in validator on this machine; nothing outside a temporary directory changes."
    );
    let home = std::env::temp_dir().join(format!("tmkms-demo-{}", std::process::id()));
    let done = Demo::new(home.clone()).and_then(|demo| demo.run());
    let cleaned = fs::remove_dir_all(&home);
    match (done, cleaned) {
        (Ok(()), Ok(())) => {
            println!("{CLOSING}");
            ExitCode::SUCCESS
        }
        (Err(error), _) => failed(&*error),
        (Ok(()), Err(error)) => failed(&error),
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("\nTHE DEMO FAILED: {error}");
    ExitCode::FAILURE
}

const CLOSING: &str = "
All of it held, and the directory is gone again. With a node of yours:

  1. stop the node, then: tmkms init --key ~/.node/config/priv_validator_key.json --addr tcp://127.0.0.1:26658 ~/.kms
  2. in the node's config.toml: priv_validator_laddr = \"tcp://127.0.0.1:26658\"; take its key file away
  3. tmkms check -c ~/.kms/tmkms.toml
  4. tmkms start -c ~/.kms/tmkms.toml, then start the node
  5. keep the key file offline, and never start the node with it again";

struct Demo {
    binary: PathBuf,
    home: PathBuf,
    node: Validator,
}

impl Demo {
    fn new(home: PathBuf) -> Result<Self> {
        // `target/debug/examples/demo` and `target/debug/tmkms`.
        let own = std::env::current_exe()?;
        let profile = own.ancestors().nth(2).ok_or("the demo lies nowhere")?;
        let built = || profile.join("tmkms");
        let binary = std::env::var_os("TMKMS").map_or_else(built, PathBuf::from);
        if !binary.is_file() {
            return Err(format!("there is no {}: run `make demo`", binary.display()).into());
        }
        Ok(Self {
            binary,
            home,
            node: Validator::listen_tcp()?,
        })
    }

    fn run(&self) -> Result<()> {
        title("A home directory, made as an operator makes it");
        let key = self.home.join(format!("secrets/{CHAIN}-consensus.key"));
        let config = self.home.join("tmkms.toml");
        let addr = self.node.addr();
        self.command(&[
            "init",
            "--chain-id",
            CHAIN,
            "--addr",
            &addr,
            text(&self.home)?,
        ])?;
        let stand_in = stand_in::start(&self.home)?;
        let is_ledger = stand_in.as_ref().is_some_and(|device| device.is_ledger);
        let extension = if is_ledger {
            Extension::Without
        } else {
            Extension::With
        };
        let printed = if let Some(StandIn { name, .. }) = &stand_in {
            println!("  (the provider is now the stand-in for {name}, and the key is in it)");
            self.command(&["state", "init", "-c", text(&config)?, CHAIN])?;
            self.command(&["check", "-c", text(&config)?])?
        } else {
            let printed = self.command(&["softsign", "keygen", text(&key)?])?;
            self.command(&["check", "-c", text(&config)?])?;
            printed
        };

        title("The signer dials its node, which listens as priv_validator_laddr does");
        let mut signer = self.start()?;
        let mut node = self.connect(&mut signer)?;
        let public_key = public_key(&mut node, &printed)?;

        title("Ten heights; each signature is verified as a node would");
        for height in 1..=HEIGHTS {
            sign_height(&mut node, &public_key, height, extension)?;
        }
        log_lines(&mut signer, 4);

        title("The node asks for a second block at a height that is signed");
        let last = precommit(HEIGHTS, extension);
        let other = last.clone().with_block(Some(Block::numbered(666)));
        let first = node.sign_vote(&last)?;
        refused(&node.sign_vote(&other)?)?;

        title("kill -9, and the same again");
        signer.kill()?;
        drop(node);
        println!("  killed process {}", signer.id());
        let mut signer = self.start()?;
        let mut node = self.connect(&mut signer)?;
        refused(&node.sign_vote(&other)?)?;
        let again = node.sign_vote(&last)?;
        if is_ledger {
            let text = again
                .accepted()
                .err()
                .ok_or("the app has signed a slot twice")?;
            println!("  the app signs nothing twice, the same block neither: {text}");
        } else if again.accepted()? != first.signature {
            return Err("the block that was signed got another signature".into());
        } else {
            println!(
                "  the block that was signed before gets its old signature: {}",
                hex(&again.signature, 12)?
            );
        }
        sign_height(&mut node, &public_key, HEIGHTS + 1, extension)?;

        title("Asked to stop (SIGTERM)");
        let status = signer.stop(PATIENCE)?.ok_or("it did not stop")?;
        if !status.success() {
            return Err(format!("it ended with {status}").into());
        }
        println!("  stopped, exit code 0");
        Ok(())
    }

    /// Prints a command and what it says, as a shell would show them.
    fn command(&self, arguments: &[&str]) -> Result<String> {
        println!("  $ tmkms {}", arguments.join(" "));
        let output = Command::new(&self.binary).args(arguments).output()?;
        let printed = String::from_utf8(output.stdout)?;
        for line in printed.lines().filter(|line| !line.is_empty()) {
            println!("    {line}");
        }
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("it ended with {}: {error}", output.status).into());
        }
        Ok(printed)
    }

    fn start(&self) -> Result<Process> {
        let config = self.home.join("tmkms.toml");
        println!("  $ tmkms start -c {}", config.display());
        let mut command = Command::new(&self.binary);
        let _ = command.arg("start").arg("-c").arg(config);
        Ok(Process::spawn(&mut command)?)
    }

    /// Waits for the signer's call, and shows what it logs until then.
    fn connect(&self, signer: &mut Process) -> Result<Connection> {
        let node = match self.node.accept(PATIENCE) {
            Ok(node) => node,
            Err(error) => {
                let lines = signer.lines().join("\n");
                return Err(format!("the signer did not call ({error}):\n{lines}").into());
            }
        };
        signer.wait_for("unverified validator peer ID", PATIENCE)?;
        log_lines(signer, usize::MAX);
        Ok(node)
    }
}

/// Asks for the key and holds it against the one that `softsign keygen` printed.
fn public_key(node: &mut Connection, printed: &str) -> Result<[u8; 32]> {
    let key = node.pub_key(CHAIN)?.ed25519.ok_or("no public key")?;
    if !printed.contains(&hex(&key, 32)?) {
        return Err("the signer has another key than it was given".into());
    }
    println!("  the node asks for the public key: {}", hex(&key, 32)?);
    Ok(key
        .try_into()
        .map_err(|_| "the public key has no 32 bytes")?)
}

fn block(height: i64) -> Block {
    Block::numbered(height.unsigned_abs())
}

/// Whether precommits have a vote extension: a Ledger signs none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extension {
    With,
    Without,
}

fn precommit(height: i64, extension: Extension) -> VoteRequest {
    let vote = VoteRequest::precommit(CHAIN, height, 0).with_block(Some(block(height)));
    match extension {
        Extension::With => vote.with_extension(b"what the application adds"),
        Extension::Without => vote,
    }
}

/// What a node that proposes asks for in a height that goes well.
fn sign_height(
    node: &mut Connection,
    key: &[u8; 32],
    height: i64,
    extension: Extension,
) -> Result<()> {
    let began = Instant::now();
    let proposal = ProposalRequest::new(CHAIN, height, 0).with_block(Some(block(height)));
    let prevote = VoteRequest::prevote(CHAIN, height, 0).with_block(Some(block(height)));
    let precommit = precommit(height, extension);
    let replies = [
        ("proposal", node.sign_proposal(&proposal)?),
        ("prevote", node.sign_vote(&prevote)?),
        ("precommit", node.sign_vote(&precommit)?),
    ];
    let took = began.elapsed();
    let signed = [
        proposal.sign_bytes(),
        prevote.sign_bytes(),
        precommit.sign_bytes(),
    ];
    for ((what, reply), bytes) in replies.iter().zip(signed) {
        reply.accepted()?;
        if !reply.signs(key, &bytes) {
            return Err(format!("the {what}'s signature at height {height} is wrong").into());
        }
    }
    let extended = &replies[2].1;
    if extension == Extension::With
        && !extended.signs_extension(key, &precommit.extension_sign_bytes())
    {
        return Err(format!("the extension's signature at height {height} is wrong").into());
    }
    println!(
        "  height {height:>2}: {}, {:.1} ms",
        match extension {
            Extension::With => "proposal, prevote, precommit and its extension, all four valid",
            Extension::Without => "proposal, prevote and precommit, all three valid",
        },
        took.as_secs_f64() * 1000.0
    );
    Ok(())
}

fn refused(reply: &Reply) -> Result<()> {
    match &reply.error {
        Some((2, text)) if reply.signature.is_empty() => {
            println!("  refused, with code 2 and this text for the node: {text}");
            Ok(())
        }
        other => Err(format!("a double sign was not refused: {other:?}").into()),
    }
}

/// Shows the last lines of the signer's log.
fn log_lines(signer: &mut Process, count: usize) {
    let lines = signer.lines();
    for line in lines.iter().skip(lines.len().saturating_sub(count)) {
        println!("    {line}");
    }
}

fn title(text: &str) {
    println!("\n# {text}\n");
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| "a path that is not UTF-8".into())
}

fn hex(bytes: &[u8], count: usize) -> Result<String> {
    let hex = Hex::encode_to_string(&bytes[..count.min(bytes.len())]);
    Ok(hex.map_err(|_| "too many bytes")?.to_uppercase())
}
