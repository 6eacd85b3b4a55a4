//! Races: several nodes of one validator ask for one slot at the same instant, with different blocks; and
//! several processes that all hold the same key, or the same state under another name.

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::ground::{Ground, Node, Outcome, PATIENCE, SEED, public_key};
use super::validator::{Block, Connection, Home, Process, Validator, VoteRequest};

const CHAIN: &str = "races-1";
const NODES: usize = 8;

pub fn run(ground: &Ground) -> Outcome {
    let rounds = ground.count(2_000);
    rivals(ground, rounds)?;
    two_processes(ground)
}

fn rivals(ground: &Ground, rounds: u64) -> Outcome {
    let node = Node::new(&ground.on_disk("races")?, CHAIN)?;
    let mut listeners = Vec::new();
    for number in 1..NODES {
        let listener = Validator::listen_unix(&node.home.path(&format!("node-{number}.sock")))?;
        node.home.validator(CHAIN, &listener.addr(), "")?;
        listeners.push(listener);
    }
    node.init(ground)?;
    let (_process, first) = node.start(ground)?;
    let mut connections = vec![first];
    for listener in &listeners {
        connections.push(listener.accept(PATIENCE)?);
    }
    let (mut signed, mut refused) = (0_u64, 0_u64);
    let mut rng = ground.rng();
    for round in 0..rounds {
        let nodes = 2 + (round % (NODES as u64 - 1)) as usize;
        // Two blocks at least; some nodes agree on one, at times that are their own.
        let blocks: Vec<u64> = (0..nodes)
            .map(|index| {
                if index < 2 {
                    index as u64
                } else {
                    rng.below(4)
                }
            })
            .collect();
        let height = i64::try_from(round)? + 1;
        let start = Barrier::new(nodes);
        let answers: Vec<Answer> = thread::scope(|scope| {
            let threads: Vec<_> = connections[..nodes]
                .iter_mut()
                .zip(&blocks)
                .enumerate()
                .map(|(index, (connection, block))| {
                    let start = &start;
                    scope.spawn(move || {
                        let vote = VoteRequest::precommit(CHAIN, height, 0)
                            .with_block(Some(Block::numbered(*block)))
                            .at((1_000 + height, i32::try_from(index).unwrap_or(0)));
                        start.wait();
                        answer(connection, &vote)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|_| Err("a node failed".to_owned()))
                })
                .collect::<Result<Vec<_>, String>>()
        })?;
        let mut winner: Option<(&u64, &Vec<u8>)> = None;
        for (block, signature) in blocks.iter().zip(&answers) {
            match (signature, winner) {
                (None, _) => refused += 1,
                (Some(signature), None) => {
                    signed += 1;
                    winner = Some((block, signature));
                }
                (Some(signature), Some(first)) if first == (block, signature) => signed += 1,
                (Some(_), Some(_)) => {
                    return Err(format!("TWO SIGNATURES AT {height}: {blocks:?}").into());
                }
            }
        }
        // Whoever asked for the block that won has its signature; nobody else has any.
        let (won, _) = winner.ok_or_else(|| format!("nobody won height {height}"))?;
        for (block, signature) in blocks.iter().zip(&answers) {
            if signature.is_some() != (block == won) {
                return Err(format!("height {height}: {blocks:?} and {won} won").into());
            }
        }
    }
    ground.say(&format!(
        "{rounds} slots asked for by 2 to {NODES} nodes at once with different blocks and times: {signed} got the one \
         signature of their slot, {refused} were refused (seed {})",
        ground.seed
    ));
    Ok(())
}

type Answer = Option<Vec<u8>>;

/// The signature over the vote at whatever time the reply names.
fn answer(connection: &mut Connection, vote: &VoteRequest) -> Result<Answer, String> {
    let reply = connection
        .sign_vote(vote)
        .map_err(|error| error.to_string())?;
    if reply.error.is_some() {
        return Ok(None);
    }
    let bytes = vote.clone().at(reply.time).sign_bytes();
    if reply.signs(&public_key().0, &bytes) {
        Ok(Some(reply.signature))
    } else {
        Err(format!("a signature over something else: {reply:?}"))
    }
}

/// What the second of two processes is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    SameConfiguration,
    /// Another home: a copy of the key, a state of its own.
    CopiedKey,
    SameState,
    SymbolicLink,
    HardLink,
    BindMount,
}

/// The first signs; the second must not start, and says that it is locked out.
fn two_processes(ground: &Ground) -> Outcome {
    let mut done = Vec::new();
    for second in [
        Second::SameConfiguration,
        Second::CopiedKey,
        Second::SameState,
        Second::SymbolicLink,
        Second::HardLink,
        Second::BindMount,
    ] {
        // The claim on key and chain reaches as far as a network namespace, the lock on the file further.
        for apart in [false, true] {
            let found = second_process(ground, second, apart)
                .map_err(|error| format!("{second:?}, apart: {apart}: {error}"))?;
            match found {
                Some(text) => ground.say(&format!("skipped: {second:?}: {text}")),
                None => done.push(format!("{second:?}{}", if apart { " apart" } else { "" })),
            }
        }
    }
    ground.say(&format!(
        "{} pairs of processes, the second locked out ({}); apart: in a network namespace of its own",
        done.len(),
        done.join(", ")
    ));
    Ok(())
}

fn second_process(
    ground: &Ground,
    second: Second,
    apart: bool,
) -> Result<Option<String>, Box<dyn Error>> {
    if apart && second == Second::CopiedKey {
        return Ok(Some(
            "two network namespaces with a state each: out of reach, the security model says so"
                .to_owned(),
        ));
    }
    let node = Node::new(&ground.on_disk("first")?, CHAIN)?;
    node.init(ground)?;
    let (_process, mut connection) = node.start(ground)?;
    let vote = VoteRequest::precommit(CHAIN, 1, 0);
    let reply = connection.sign_vote(&vote)?;
    if !reply.signs(&public_key().0, &vote.sign_bytes()) {
        return Err("the first does not sign".into());
    }
    let dir = ground.on_disk("second")?;
    let other = Home::new(&dir)?;
    let ours = other.state_file(CHAIN);
    let theirs = node.home.state_file(CHAIN);
    let _ = other.write_key(&format!("{CHAIN}-consensus.key"), &SEED)?;
    let mut mounted = false;
    match second {
        Second::SameConfiguration => {}
        Second::CopiedKey => drop(fs::copy(&theirs, &ours)?),
        Second::SameState | Second::SymbolicLink => symlink(&theirs, &ours)?,
        Second::HardLink => fs::hard_link(&theirs, &ours)?,
        Second::BindMount => {
            fs::write(&ours, "")?;
            let mut bind = Command::new("mount");
            if let Some(error) = complaint(bind.arg("--bind").args([&theirs, &ours])) {
                return Ok(Some(error));
            }
            mounted = true;
        }
    }
    other.chain(CHAIN, "")?;
    other.validator(CHAIN, &node.listener.addr(), "")?;
    let config = match second {
        Second::SameConfiguration => node.home.config(),
        Second::SameState => {
            let text = fs::read_to_string(other.config())?;
            let (ours, theirs) = (ours.display().to_string(), theirs.display().to_string());
            fs::write(other.config(), text.replace(&ours, &theirs))?;
            other.config()
        }
        _ => other.config(),
    };
    let mut command = if apart {
        let mut command = Command::new("unshare");
        let _ = command.arg("-n").arg(ground.binary());
        command
    } else {
        Command::new(ground.binary())
    };
    let _ = command.args(["start", "-c"]).arg(config);
    let mut process = Process::spawn(&mut command)?;
    let ended = process.wait(PATIENCE)?;
    let said = process.lines().join("\n");
    drop(process);
    if mounted {
        let _ = Command::new("umount").arg("-l").arg(&ours).output()?;
    }
    if said.starts_with("unshare:") {
        return Ok(Some(said));
    }
    let status = ended.ok_or("the second runs")?;
    if status.code() != Some(6) {
        return Err(format!("the second ended with {status}: {said}").into());
    }
    connection.set_timeout(Duration::from_secs(5));
    let vote = VoteRequest::precommit(CHAIN, 2, 0);
    let reply = connection.sign_vote(&vote)?;
    if !reply.signs(&public_key().0, &vote.sign_bytes()) {
        return Err("the first no longer signs".into());
    }
    Ok(None)
}

/// Why a command did not succeed.
fn complaint(command: &mut Command) -> Option<String> {
    match command.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}
