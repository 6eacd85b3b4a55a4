//! Power cuts: the real program is traced, and every state that a cut at any of its calls could leave on
//! a disk is built and loaded. It always loads, and never below anything that was answered; no key is lost,
//! and none begins twice.

mod bench;
mod commands;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ct_codecs::{Base64, Encoder, Hex};
use sha2::{Digest, Sha256};
use tmkms::guard::Position;
use tmkms::types::Step;

use super::disk::{Cut, Disk, SECTOR};
use super::ground::{Ground, Node, Outcome, PATIENCE, Rng, SEED, key, public_key};
use super::trace::{self, Event};
use super::validator::{Block, Connection, ProposalRequest, Reply, VoteRequest};
use bench::{Bench, Layout, Loaded, load};

const CHAIN: &str = "cuts-1";
/// States that are built at one moment of a trace with a fault in it.
const PLANTED_LIMIT: usize = 512;

pub fn run(ground: &Ground) -> Outcome {
    let commits = ground.count(1_000);
    let mut proof = Cuts::new(ground, commits)?;
    proof.signing(commits)?;
    proof.say("the commits");
    for killed in (2..=commits).step_by(50) {
        proof.killed_before_the_flush(killed)?;
    }
    proof.say("a kill between write and flush");
    let starts = proof.starts()?;
    proof.say("the first starts");
    let commands = proof.commands()?;
    proof.say("the commands");
    let whole = proof.bench.count(|_| true);
    let missing = proof.bench.count(|state| state == Loaded::Missing);
    let refused = proof.bench.count(|state| state == Loaded::Refused);
    let torn = proof.bench.torn();
    ground.say(&format!(
        "{} distinct disks after power cuts in {commits} commits, {starts} first starts and {commands} commands, {} cuts: \
         {whole} with any sectors and names of what was not flushed ({} contents of the state file, the rest beside it), {torn} \
         with a record torn inside its sector",
        whole + torn,
        proof.moments,
        proof.bench.contents(),
    ));
    ground.say(&format!(
        "of the {whole}: {} loaded, never below what was answered; {} without a state, where none was promised yet (in {} of them \
         one was made over what lay there); {refused} refused, where the state was damaged before; of the {torn}: all refused",
        whole - missing - refused,
        missing,
        proof.bench.made,
    ));
    ground.say(&format!(
        "no key lost, none begins twice; {} commands run again after a cut, each done or refused without loss; {} faults planted in \
         the traces, all caught (seed {})",
        proof.again, proof.caught, ground.seed,
    ));
    Ok(())
}

/// What a disk may say, given what the program has said.
trait Rule {
    fn hear(&mut self, said: &[u8]);
    fn admits(&self, cut: &Cut, loaded: Loaded) -> Result<(), String>;
}

/// A signer: what was answered holds.
#[derive(Debug, Clone, Copy)]
struct Signs {
    at_least: Position,
}

impl Rule for Signs {
    fn hear(&mut self, said: &[u8]) {
        if let Some(position) = reply_position(said) {
            self.at_least = self.at_least.max(position);
        }
    }

    fn admits(&self, _: &Cut, loaded: Loaded) -> Result<(), String> {
        match loaded {
            Loaded::At(found) | Loaded::Begins(found) if found >= self.at_least => Ok(()),
            other => Err(format!("{other:?}, but {} was answered", self.at_least)),
        }
    }
}

struct Cuts<'a> {
    ground: &'a Ground,
    rng: Rng,
    bench: Bench,
    /// States that are built at one moment, if there are more.
    limit: usize,
    /// Cuts after which a command is run once more.
    again_each: u64,
    moments: u64,
    again: u64,
    caught: u32,
}

impl<'a> Cuts<'a> {
    fn new(ground: &'a Ground, commits: u64) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            ground,
            rng: ground.rng(),
            bench: Bench::new(ground.in_memory("bench")?),
            limit: usize::try_from(commits)? * 80,
            again_each: commits.min(40),
            moments: 0,
            again: 0,
            caught: 0,
        })
    }

    fn say(&self, after: &str) {
        self.ground.say(&format!(
            "{} distinct disks and {} torn ones after {after}",
            self.bench.count(|_| true),
            self.bench.torn()
        ));
    }

    /// The run of a signer under load.
    fn signing(&mut self, commits: u64) -> Outcome {
        let dir = self.ground.on_disk("signing")?;
        let node = Node::new(&dir, CHAIN)?;
        node.init(self.ground)?;
        let before = Disk::of(&dir)?;
        let log = dir.join("../signing.log");
        let (mut process, mut connection) = start(self.ground, &node, &log, &[])?;
        for number in 0..commits {
            sign(&mut connection, number)?;
        }
        let _ = process.stop(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        let answered = events.iter().filter(|event| is_reply(event)).count() as u64;
        if answered != commits {
            return Err(format!("{answered} replies in the trace of {commits}").into());
        }
        let layout = layout(&node);
        let rule = Signs {
            at_least: Position::ZERO,
        };
        self.walk(&before, &events, &layout, rule)
            .map_err(|error| format!("signing: {error}"))?;
        self.tear(&before, &events, &layout)?;
        self.replies_wait_for_their_flush(&events, &layout.state, commits)?;

        // Without its flushes the same run must be found out, or the simulation proves nothing.
        let unflushed: Vec<Event> = events
            .iter()
            .filter(|event| !matches!(event, Event::Sync(synced, _) if *synced == layout.state))
            .cloned()
            .collect();
        self.must_fail("no flush", &before, &unflushed, &layout, rule)?;
        let mut hasty = events.clone();
        let replies = (1..hasty.len()).filter(|at| is_reply(&events[*at]));
        for at in replies {
            hasty.swap(at, at - 1);
        }
        self.must_fail("a reply before its flush", &before, &hasty, &layout, rule)
    }

    /// Write, flush returned, reply: in this order, for each reply.
    fn replies_wait_for_their_flush(
        &self,
        events: &[Event],
        state: &Path,
        commits: u64,
    ) -> Outcome {
        let (mut written, mut flushed, mut right) = (false, false, 0);
        for event in events {
            match event {
                Event::Write { path, bytes, .. } if path == state => {
                    if bytes.len() != SECTOR {
                        return Err(format!("a write of {} bytes", bytes.len()).into());
                    }
                    (written, flushed) = (true, false);
                }
                Event::Sync(path, _) if path == state => flushed = written,
                _ if is_reply(event) => {
                    if !flushed {
                        return Err("a reply left before its flush had returned".into());
                    }
                    right += 1;
                    (written, flushed) = (false, false);
                }
                _ => {}
            }
        }
        if right != commits {
            return Err(format!("{right} of {commits} replies followed a flush").into());
        }
        self.ground.say(&format!(
            "{right} replies, each after its own write of one sector and the return of its flush"
        ));
        Ok(())
    }

    /// The process dies between write and flush, once more when it would flush again, and comes back; only
    /// then the power fails.
    fn killed_before_the_flush(&mut self, vote: u64) -> Outcome {
        let dir = self.ground.on_disk("killed")?;
        let node = Node::new(&dir, CHAIN)?;
        node.init(self.ground)?;
        let layout = layout(&node);
        let mut disk = Disk::of(&dir)?;
        let rule = Signs {
            at_least: Position::ZERO,
        };
        // The flush of this vote, as its thread counts.
        let log = dir.join("../killed.log");
        let inject = format!("fdatasync:signal=KILL:when={}", vote + 1);
        let (mut process, mut connection) = start(self.ground, &node, &log, &[&inject])?;
        for number in 0..vote {
            sign(&mut connection, number)?;
        }
        if sign(&mut connection, vote).is_ok() {
            return Err("a reply from a process that was killed before its flush".into());
        }
        let _ = process.wait(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        self.walk(&disk, &events, &layout, rule)?;
        events.iter().for_each(|event| disk.apply(event));

        // What was answered up to here holds from here on.
        let mut held = rule;
        let said = events.iter().filter_map(|event| match event {
            Event::Say(said) => Some(said),
            _ => None,
        });
        said.for_each(|said| held.hear(said));
        let log = dir.join("../killed-at-start.log");
        let config = node.home.config();
        let args = ["start", "-c", config.to_str().ok_or("no text")?];
        let inject = ["fdatasync:signal=KILL:when=1"];
        let _ = trace::run(&log, &inject, self.ground.binary(), &args)?;
        let events = trace::read(&log)?;
        self.walk(&disk, &events, &layout, held)?;
        events.iter().for_each(|event| disk.apply(event));
        let before = disk;

        let log = dir.join("../killed-again.log");
        let (mut process, mut connection) = start(self.ground, &node, &log, &[])?;
        // What the killed process had written is taken: the same again is answered, another is not.
        if !vote.is_multiple_of(3) {
            let other = request(vote).with_block(Some(Block::numbered(9_999_999)));
            if connection.sign_vote(&other)?.error.is_none() {
                return Err("another block at the slot of a killed write".into());
            }
        }
        sign(&mut connection, vote)?;
        sign(&mut connection, vote + 1)?;
        let _ = process.stop(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        self.walk(&before, &events, &layout, held)?;

        // Were the newest record not written and flushed again at the start, the replay would be lost.
        let first = events
            .iter()
            .position(|event| matches!(event, Event::Sync(synced, _) if *synced == layout.state))
            .ok_or("no flush at the start")?;
        let mut careless = events;
        let _ = careless.remove(first);
        self.must_fail("no flush at the start", &before, &careless, &layout, held)
    }

    /// Every way in which a chain's first state is made by `start`.
    fn starts(&mut self) -> Result<u32, Box<dyn std::error::Error>> {
        for (name, foreign) in [
            ("a node's state", filepv(500)?),
            ("a state of tmkms", tmkms(500)),
            ("a state of horcrux", horcrux(500)),
        ] {
            let node = Node::new(&self.ground.on_disk("start")?, CHAIN)?;
            fs::write(node.home.state_file(CHAIN), foreign)?;
            let rule = Signs { at_least: at(500) };
            self.first_signatures(name, &node, rule, 501)?;
        }
        let (node, key_file) = self.without_a_key("start")?;
        self.run_to_its_end(&node, &["softsign", "keygen", &key_file])?;
        let rule = Signs {
            at_least: Position::ZERO,
        };
        self.first_signatures("a new key", &node, rule, 1)?;

        let (node, key_file) = self.without_a_key("start")?;
        let input = node_files(&node.home.path(""))?;
        self.run_to_its_end(&node, &["softsign", "import", &input, &key_file])?;
        let rule = Signs { at_least: at(500) };
        self.first_signatures("an imported key", &node, rule, 501)?;
        Ok(5)
    }

    fn without_a_key(&self, name: &str) -> Result<(Node, String), Box<dyn std::error::Error>> {
        let node = Node::new(&self.ground.on_disk(name)?, CHAIN)?;
        let key_file = node.home.key_file(CHAIN);
        fs::remove_file(&key_file)?;
        let key_file = key_file.to_str().ok_or("no text")?.to_owned();
        Ok((node, key_file))
    }

    fn run_to_its_end(&self, node: &Node, args: &[&str]) -> Outcome {
        let output = node.home.run(self.ground.binary(), args)?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {complaint}", args.join(" ")).into())
    }

    /// Traces `start` up to its first votes.
    fn first_signatures(&mut self, name: &str, node: &Node, rule: Signs, height: i64) -> Outcome {
        let layout = layout(node);
        let before = Disk::of(&layout.root)?;
        let log = self.ground.on_disk("logs")?.join("start.log");
        let (mut process, mut connection) = start(self.ground, node, &log, &[])?;
        for height in height..height + 4 {
            let vote = VoteRequest::precommit(CHAIN, height, 0);
            let _ = connection.sign_vote(&vote)?.accepted()?;
        }
        let _ = process.stop(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        self.walk(&before, &events, &layout, rule)
            .map_err(|error| format!("{name}: {error}"))?;
        let mark = layout.mark();
        let Some(unlinked) = events
            .iter()
            .position(|event| matches!(event, Event::Unlink(path) if *path == mark))
        else {
            return Ok(());
        };
        // The mark used up before the state is there for certain: the key would be without both.
        let mut hasty = events.clone();
        let removal = hasty.remove(unlinked);
        hasty.insert(0, removal);
        self.must_fail("the mark used up first", &before, &hasty, &layout, rule)
    }

    fn must_fail(
        &mut self,
        fault: &str,
        before: &Disk,
        events: &[Event],
        layout: &Layout,
        rule: impl Rule,
    ) -> Outcome {
        let limit = std::mem::replace(&mut self.limit, PLANTED_LIMIT);
        self.bench.is_planted = true;
        let is_missed = self.walk(before, events, layout, rule).is_ok();
        self.bench.is_planted = false;
        self.limit = limit;
        if is_missed {
            return Err(format!("a planted fault was not found: {fault}").into());
        }
        self.caught += 1;
        Ok(())
    }

    /// Cuts the power before each call and after the last. What the program says counts from the moment it
    /// begins to leave.
    fn walk(
        &mut self,
        before: &Disk,
        events: &[Event],
        layout: &Layout,
        mut rule: impl Rule,
    ) -> Outcome {
        let mut disk = before.clone();
        for moment in 0..=events.len() {
            self.moments += 1;
            let next = events.get(moment);
            if let Some(Event::Say(said)) = next {
                rule.hear(said);
            }
            let Self { bench, rng, .. } = self;
            disk.cuts(&layout.root, self.limit, rng, &mut |cut| {
                let loaded = bench.load(&disk, &cut, layout)?;
                rule.admits(&cut, loaded).map_err(|error| {
                    format!("cut before call {moment}: {error}; next is {next:?}").into()
                })
            })?;
            let Some(event) = next else {
                break;
            };
            disk.apply(event);
        }
        Ok(())
    }

    /// Tears every write of a record after each of its bytes, in both directions: never a state.
    fn tear(&mut self, before: &Disk, events: &[Event], layout: &Layout) -> Outcome {
        let mut disk = before.clone();
        for event in events {
            let mut whole = disk.newest(&layout.root);
            let old = whole.get(&layout.state).ok_or("no state")?.to_vec();
            disk.apply(event);
            let Event::Write { path, offset, .. } = event else {
                continue;
            };
            let new = disk.newest(&layout.root);
            let new = new.get(&layout.state).ok_or("no state")?.to_vec();
            if *path != layout.state || old == new {
                continue;
            }
            let at = *offset as usize;
            for tear in 1..SECTOR {
                for (one, other) in [(&old, &new), (&new, &old)] {
                    let mut torn = one.clone();
                    torn[at..at + tear].copy_from_slice(&other[at..at + tear]);
                    if torn == old || torn == new {
                        continue;
                    }
                    whole.put(&layout.state, torn);
                    match self.bench.load_torn(&whole, layout)? {
                        None | Some(Loaded::Refused) => {}
                        Some(other) => {
                            return Err(format!("a record torn at byte {tear}: {other:?}").into());
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn layout(node: &Node) -> Layout {
    Layout {
        root: node.home.path("").components().collect(),
        state: node.home.state_file(CHAIN),
        key: node.home.key_file(CHAIN),
    }
}

type Started = (super::validator::Process, Connection);

fn start(
    ground: &Ground,
    node: &Node,
    log: &Path,
    inject: &[&str],
) -> Result<Started, Box<dyn std::error::Error>> {
    let config = node.home.config();
    let args = ["start", "-c", config.to_str().ok_or("no text")?];
    let mut process = trace::spawn(log, inject, ground.binary(), &args)?;
    match node.listener.accept(PATIENCE) {
        Ok(mut connection) => {
            connection.set_timeout(Duration::from_secs(30));
            Ok((process, connection))
        }
        Err(error) => Err(format!("{error}: {}", process.lines().join("\n")).into()),
    }
}

/// Three slots a height: a proposal first, then two votes.
fn request(number: u64) -> VoteRequest {
    let height = i64::try_from(number / 3 + 1).expect("small");
    let is_nil = number.is_multiple_of(7);
    let block = (!is_nil).then(|| Block::numbered(number));
    let vote = if number % 3 == 1 {
        VoteRequest::prevote(CHAIN, height, 0)
    } else {
        VoteRequest::precommit(CHAIN, height, 0)
    };
    vote.with_block(block)
}

fn sign(connection: &mut Connection, number: u64) -> Outcome {
    if number.is_multiple_of(3) {
        let height = i64::try_from(number / 3 + 1)?;
        let proposal = ProposalRequest::new(CHAIN, height, 0);
        let reply = connection.sign_proposal(&proposal)?;
        if !reply.signs(&public_key().0, &proposal.sign_bytes()) {
            return Err(format!("proposal {number}: {reply:?}").into());
        }
        return Ok(());
    }
    let vote = request(number);
    let reply = connection.sign_vote(&vote)?;
    if !reply.signs(&public_key().0, &vote.sign_bytes()) {
        return Err(format!("vote {number}: {reply:?}").into());
    }
    Ok(())
}

fn is_reply(event: &Event) -> bool {
    matches!(event, Event::Say(bytes) if reply_position(bytes).is_some())
}

/// The slot of a reply that carries a signature.
fn reply_position(said: &[u8]) -> Option<Position> {
    // A delimited message of fewer than 16,384 bytes.
    let (length, head) = match said {
        [one, ..] if *one < 0x80 => (usize::from(*one), 1),
        [one, two, ..] => (usize::from(one & 0x7f) | usize::from(*two) << 7, 2),
        _ => return None,
    };
    let body = said.get(head..).filter(|body| body.len() == length)?;
    let (reply, proposal) = match Reply::read(4, body) {
        Ok(reply) => (reply, false),
        Err(_) => (Reply::read(6, body).ok()?, true),
    };
    if reply.accepted().ok()?.len() != 64 {
        return None;
    }
    let step = match reply.fields.int(1) {
        _ if proposal => Step::Proposal,
        1 => Step::Prevote,
        _ => Step::Precommit,
    };
    let round = i32::try_from(reply.fields.int(3)).ok()?;
    Position::new(reply.fields.int(2), round, Some(step))
}

fn contains(said: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(said).contains(text)
}

fn at(height: i64) -> Position {
    Position::new(height, 0, Some(Step::Precommit)).expect("not negative")
}

/// A node's `priv_validator_state.json` after a precommit.
pub fn filepv(height: i64) -> Result<String, Box<dyn std::error::Error>> {
    let bytes = VoteRequest::precommit(CHAIN, height, 0).sign_bytes();
    Ok(format!(
        r#"{{"height": "{height}", "round": 0, "step": 3, "signature": "{}", "signbytes": "{}"}}"#,
        Base64::encode_to_string(key().sign(&bytes).0)?,
        Hex::encode_to_string(&bytes)?.to_uppercase(),
    ))
}

/// A node's `priv_validator_key.json`.
pub fn node_key() -> Result<String, Box<dyn std::error::Error>> {
    let public = public_key().0;
    let address = &Sha256::digest(public)[..20];
    let whole = [SEED, public].concat();
    Ok(format!(
        r#"{{"address": "{}", "pub_key": {{"type": "tendermint/PubKeyEd25519", "value": "{}"}}, "priv_key": {{"type": "tendermint/PrivKeyEd25519", "value": "{}"}}}}"#,
        Hex::encode_to_string(address)?.to_uppercase(),
        Base64::encode_to_string(public)?,
        Base64::encode_to_string(whole)?,
    ))
}

/// tmkms' own state after a precommit.
fn tmkms(height: i64) -> String {
    format!(r#"{{"height":"{height}","round":"0","step":2,"block_id":null}}"#)
}

/// A cosigner's state after a precommit.
fn horcrux(height: i64) -> String {
    format!(r#"{{"height":"{height}","round":"0","step":3,"nonce_public":""}}"#)
}

/// A node's directory with its key and its state, at height 500; the path of the key.
fn node_files(dir: &Path) -> Result<String, Box<dyn std::error::Error>> {
    for folder in ["node/config", "node/data"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    let input = dir.join("node/config/priv_validator_key.json");
    fs::write(&input, node_key()?)?;
    fs::write(
        dir.join("node/data/priv_validator_state.json"),
        filepv(500)?,
    )?;
    Ok(input.to_str().ok_or("no text")?.to_owned())
}
