//! Power cuts: the real program is traced, and every state that a cut at any of its calls could leave on
//! a disk is built and loaded. It always loads, and never below anything that was answered.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ct_codecs::{Base64, Encoder, Hex};
use sha2::{Digest, Sha256};
use tmkms::guard::Position;
use tmkms::store::{Found, find};
use tmkms::types::Step;

use super::disk::{Disk, SECTOR};
use super::ground::{Ground, Node, Outcome, PATIENCE, Rng, SEED, chain_id, key, public_key};
use super::trace::{self, Event};
use super::validator::{Block, Connection, ProposalRequest, Reply, VoteRequest};

const CHAIN: &str = "cuts-1";
/// States per name and cut that are built if there are more.
const STATES_MAX: usize = 4096;
/// Cuts of a whole directory after which a command is run once more.
const AGAIN: u64 = 40;

pub fn run(ground: &Ground) -> Outcome {
    let commits = ground.count(1_000);
    let mut proof = Cuts::new(ground)?;
    proof.signing(commits)?;
    proof.killed_before_the_flush()?;
    proof.create()?;
    proof.raise()?;
    proof.adopt()?;
    proof.adopt_at_start()?;
    proof.repair()?;
    proof.begin_with_a_new_key()?;
    proof.begin_with_an_imported_key()?;
    ground.say(&format!(
        "{} distinct states after power cuts in {commits} commits and 8 commands, {} cuts: all loaded, none too low; \
         {} commands finished what a cut had stopped; {} faults planted in the traces, all caught (seed {})",
        proof.loaded.len(),
        proof.moments,
        proof.finished,
        proof.caught,
        ground.seed,
    ));
    Ok(())
}

/// What a state says when it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loaded {
    Missing,
    At(Position),
    Refused,
}

/// What a state may be after a cut at some moment.
#[derive(Debug, Clone, Copy)]
struct Floor {
    at_least: Position,
    may_be_missing: bool,
    may_be_refused: bool,
}

impl Floor {
    fn present(at_least: Position) -> Self {
        Self {
            at_least,
            may_be_missing: false,
            may_be_refused: false,
        }
    }

    fn admits(&self, loaded: Loaded) -> bool {
        match loaded {
            Loaded::Missing => self.may_be_missing,
            Loaded::Refused => self.may_be_refused,
            Loaded::At(position) => position >= self.at_least,
        }
    }
}

struct Cuts<'a> {
    ground: &'a Ground,
    rng: Rng,
    /// Where states are put to be loaded.
    bench: PathBuf,
    loaded: HashMap<[u8; 32], Loaded>,
    moments: u64,
    finished: u64,
    caught: u32,
}

/// What `walk` needs to know of a run.
struct Story<'a> {
    state: &'a Path,
    /// If the state is missing, this must be there: the mark with which it begins.
    or_else: Option<&'a Path>,
    floor: Floor,
    /// What something that the program says has promised.
    promise: &'a dyn Fn(&[u8]) -> Option<Position>,
}

impl<'a> Cuts<'a> {
    fn new(ground: &'a Ground) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            ground,
            rng: ground.rng(),
            bench: ground.in_memory("bench")?.join("state.json"),
            loaded: HashMap::new(),
            moments: 0,
            finished: 0,
            caught: 0,
        })
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
        let path = node.home.state_file(CHAIN);
        let floor = Floor::present(Position::ZERO);
        let story = Story {
            state: &path,
            or_else: None,
            floor,
            promise: &reply_position,
        };
        self.walk(&before, &events, &story)
            .map_err(|error| format!("signing: {error}"))?;
        self.replies_wait_for_their_flush(&events, &path, commits)?;

        // Without its flushes the same run must be found out, or the simulation proves nothing.
        let unflushed: Vec<Event> = events
            .iter()
            .filter(|event| !matches!(event, Event::Sync(synced) if *synced == path))
            .cloned()
            .collect();
        self.must_fail("no flush", &before, &unflushed, &story)?;
        let mut hasty = events.clone();
        let replies = (1..hasty.len()).filter(|at| is_reply(&events[*at]));
        for at in replies {
            hasty.swap(at, at - 1);
        }
        self.must_fail("a reply before its flush", &before, &hasty, &story)
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
                Event::Sync(path) if path == state => flushed = written,
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

    /// The process dies between write and flush and comes back; only then the power fails.
    fn killed_before_the_flush(&mut self) -> Outcome {
        let dir = self.ground.on_disk("killed")?;
        let node = Node::new(&dir, CHAIN)?;
        node.init(self.ground)?;
        let mut disk = Disk::of(&dir)?;
        let path = node.home.state_file(CHAIN);
        let log = dir.join("../killed.log");
        // The third flush of a thread: that of the third vote.
        let inject = ["fdatasync:signal=KILL:when=3"];
        let (mut process, mut connection) = start(self.ground, &node, &log, &inject)?;
        for number in 0..2 {
            sign(&mut connection, number)?;
        }
        if sign(&mut connection, 2).is_ok() {
            return Err("a reply from a process that was killed before its flush".into());
        }
        let _ = process.wait(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        let story = Story {
            state: &path,
            or_else: None,
            floor: Floor::present(Position::ZERO),
            promise: &reply_position,
        };
        self.walk(&disk, &events, &story)?;
        for event in &events {
            disk.apply(event);
        }
        let before = disk;

        let log = dir.join("../killed-again.log");
        let (mut process, mut connection) = start(self.ground, &node, &log, &[])?;
        // What the killed process had written is taken: the same again is answered, another is not.
        let other = request(2).with_block(Some(Block::numbered(999)));
        if connection.sign_vote(&other)?.error.is_none() {
            return Err("another block at the slot of a killed write".into());
        }
        sign(&mut connection, 2)?;
        sign(&mut connection, 3)?;
        let _ = process.stop(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        self.walk(&before, &events, &story)?;

        // Were the newest record not written and flushed again at the start, the replay would be lost.
        let first = events
            .iter()
            .position(|event| matches!(event, Event::Sync(synced) if *synced == path))
            .ok_or("no flush at the start")?;
        let mut careless = events;
        let _ = careless.remove(first);
        self.must_fail("no flush at the start", &before, &careless, &story)
    }

    fn create(&mut self) -> Outcome {
        let dir = self.ground.on_disk("create")?;
        let node = Node::new(&dir, CHAIN)?;
        let floor = Floor {
            at_least: Position::ZERO,
            may_be_missing: true,
            may_be_refused: false,
        };
        let args = ["state", "init"];
        let (before, events, path) = self.command("create", &node, &args, "made ", floor)?;
        let story = Story {
            state: &path,
            or_else: None,
            floor,
            promise: &|said| contains(said, "made ").then_some(Position::ZERO),
        };
        let name_sync = events
            .iter()
            .rposition(|event| matches!(event, Event::Sync(_)))
            .ok_or("no sync")?;
        let first_sync = events
            .iter()
            .position(|event| matches!(event, Event::Sync(_)))
            .ok_or("no sync")?;
        // The last sync is that of the record at opening: what precedes it is the directory's.
        for (fault, at) in [
            ("no sync of the new file", first_sync),
            ("no sync", name_sync),
        ] {
            let mut careless = events.clone();
            if fault == "no sync" {
                careless.retain(|event| !matches!(event, Event::Sync(synced) if *synced == path.parent().unwrap_or(&path)));
            } else {
                let _ = careless.remove(at);
            }
            self.must_fail(fault, &before, &careless, &story)?;
        }
        Ok(())
    }

    fn raise(&mut self) -> Outcome {
        let node = Node::new(&self.ground.on_disk("raise")?, CHAIN)?;
        node.init(self.ground)?;
        let args = ["state", "init", "--height", "500"];
        let floor = Floor::present(Position::ZERO);
        let _ = self.command("raise", &node, &args, "raised ", floor)?;
        Ok(())
    }

    fn adopt(&mut self) -> Outcome {
        let dir = self.ground.on_disk("adopt")?;
        let node = Node::new(&dir, CHAIN)?;
        fs::write(node.home.state_file(CHAIN), filepv(500)?)?;
        let input = dir.join("node_state.json");
        fs::write(&input, filepv(500)?)?;
        let input = input.to_str().ok_or("no text")?;
        let floor = Floor::present(at(500));
        let args = ["state", "import", CHAIN, input];
        let _ = self.command("adopt", &node, &args, ": left at ", floor)?;
        Ok(())
    }

    fn adopt_at_start(&mut self) -> Outcome {
        let dir = self.ground.on_disk("adopt-start")?;
        let node = Node::new(&dir, CHAIN)?;
        fs::write(node.home.state_file(CHAIN), filepv(500)?)?;
        self.first_signatures("adopt at start", &node, Floor::present(at(500)), None, 501)
    }

    fn repair(&mut self) -> Outcome {
        let dir = self.ground.on_disk("repair")?;
        let node = Node::new(&dir, CHAIN)?;
        node.init(self.ground)?;
        let path = node.home.state_file(CHAIN);
        let mut bytes = fs::read(&path)?;
        bytes[4100] ^= 1;
        fs::write(&path, bytes)?;
        let floor = Floor {
            at_least: at_start_of(500),
            may_be_missing: true,
            may_be_refused: true,
        };
        let args = ["state", "init", "--height", "500"];
        let _ = self.command("repair", &node, &args, "made ", floor)?;
        Ok(())
    }

    fn begin_with_a_new_key(&mut self) -> Outcome {
        let dir = self.ground.on_disk("keygen")?;
        let node = Node::new(&dir, CHAIN)?;
        let key_file = node.home.key_file(CHAIN);
        fs::remove_file(&key_file)?;
        let path = key_file.to_str().ok_or("no text")?;
        let output = node
            .home
            .run(self.ground.binary(), &["softsign", "keygen", path])?;
        if !output.status.success() {
            return Err("softsign keygen failed".into());
        }
        // The state is loaded for the key of the other scenarios: put it where the mark is for another.
        let floor = Floor {
            at_least: Position::ZERO,
            may_be_missing: true,
            may_be_refused: false,
        };
        let mark = tmkms::store::mark::path(&key_file);
        self.first_signatures("a new key", &node, floor, Some(&mark), 1)
    }

    fn begin_with_an_imported_key(&mut self) -> Outcome {
        let dir = self.ground.on_disk("import")?;
        let node = Node::new(&dir, CHAIN)?;
        let key_file = node.home.key_file(CHAIN);
        fs::remove_file(&key_file)?;
        for folder in ["node/config", "node/data"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let input = dir.join("node/config/priv_validator_key.json");
        fs::write(&input, node_key()?)?;
        fs::write(
            dir.join("node/data/priv_validator_state.json"),
            filepv(500)?,
        )?;
        let args = [
            "softsign",
            "import",
            input.to_str().ok_or("no text")?,
            key_file.to_str().ok_or("no text")?,
        ];
        let output = node.home.run(self.ground.binary(), &args)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let floor = Floor {
            at_least: at(500),
            may_be_missing: true,
            may_be_refused: false,
        };
        let mark = tmkms::store::mark::path(&key_file);
        self.first_signatures("an imported key", &node, floor, Some(&mark), 501)
    }

    /// Traces `start` up to its first votes.
    fn first_signatures(
        &mut self,
        name: &str,
        node: &Node,
        floor: Floor,
        or_else: Option<&Path>,
        height: i64,
    ) -> Outcome {
        let dir = node.home.path("");
        let before = Disk::of(&dir)?;
        let log = self.ground.on_disk("logs")?.join("start.log");
        let (mut process, mut connection) = start(self.ground, node, &log, &[])?;
        for height in height..height + 4 {
            let vote = VoteRequest::precommit(CHAIN, height, 0);
            let _ = connection.sign_vote(&vote)?.accepted()?;
        }
        let _ = process.stop(PATIENCE)?;
        trace::wait(&log)?;
        let events = trace::read(&log)?;
        let path = node.home.state_file(CHAIN);
        let story = Story {
            state: &path,
            or_else,
            floor,
            promise: &reply_position,
        };
        self.walk(&before, &events, &story)
            .map_err(|error| format!("{name}: {error}"))?;
        let Some(mark) = or_else else {
            return Ok(());
        };
        // The mark used up before the state is there for certain: the key would be without both.
        let unlinked = events
            .iter()
            .position(|event| matches!(event, Event::Unlink(path) if path == mark))
            .ok_or("the mark was not used up")?;
        let mut hasty = events.clone();
        let removal = hasty.remove(unlinked);
        hasty.insert(0, removal);
        self.must_fail("the mark used up first", &before, &hasty, &story)
    }

    /// Traces one command and finishes it after cuts.
    fn command(
        &mut self,
        name: &str,
        node: &Node,
        args: &[&str],
        done: &str,
        floor: Floor,
    ) -> Result<(Disk, Vec<Event>, PathBuf), Box<dyn std::error::Error>> {
        let dir = node.home.path("");
        let before = Disk::of(&dir)?;
        let log = self.ground.on_disk("logs")?.join("command.log");
        let config = node.home.config();
        let mut all = args[..2].to_vec();
        all.extend(["-c", config.to_str().ok_or("no text")?]);
        all.extend(&args[2..]);
        let output = trace::run(&log, &[], self.ground.binary(), &all)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !said.contains(done) {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name}: {said}{complaint}").into());
        }
        let events = trace::read(&log)?;
        let path = node.home.state_file(CHAIN);
        let reached = match load(&path)? {
            Loaded::At(position) => position,
            other => return Err(format!("{name}: {other:?} at its end").into()),
        };
        let promise = |said: &[u8]| contains(said, done).then_some(reached);
        let story = Story {
            state: &path,
            or_else: None,
            floor,
            promise: &promise,
        };
        self.walk(&before, &events, &story)
            .map_err(|error| format!("{name}: {error}"))?;
        self.again(name, &before, &events, node, &all, reached)?;
        Ok((before, events, path))
    }

    /// After a cut at any moment the same command, run by the real program, ends where it should have.
    fn again(
        &mut self,
        name: &str,
        before: &Disk,
        events: &[Event],
        node: &Node,
        args: &[&str],
        reached: Position,
    ) -> Outcome {
        let path = node.home.state_file(CHAIN);
        let folder = path.parent().ok_or("no directory")?;
        for _ in 0..AGAIN {
            let moment = self.rng.below(events.len() as u64 + 1) as usize;
            let mut disk = before.clone();
            events[..moment].iter().for_each(|event| disk.apply(event));
            fs::remove_dir_all(folder)?;
            fs::create_dir(folder)?;
            for (path, bytes) in disk.cut(folder, &mut self.rng) {
                fs::write(path, bytes)?;
            }
            let output = node.home.run(self.ground.binary(), args)?;
            let loaded = load(&path)?;
            if !output.status.success() || loaded != Loaded::At(reached) {
                return Err(format!(
                    "{name}, cut after {moment} of {} calls, run again: {loaded:?}, {}",
                    events.len(),
                    String::from_utf8_lossy(&output.stderr)
                )
                .into());
            }
            self.finished += 1;
        }
        Ok(())
    }

    fn must_fail(
        &mut self,
        fault: &str,
        before: &Disk,
        events: &[Event],
        story: &Story<'_>,
    ) -> Outcome {
        if self.walk(before, events, story).is_ok() {
            return Err(format!("a planted fault was not found: {fault}").into());
        }
        self.caught += 1;
        Ok(())
    }

    /// Cuts the power before each call and after the last.
    fn walk(&mut self, before: &Disk, events: &[Event], story: &Story<'_>) -> Outcome {
        let mut disk = before.clone();
        let mut floor = story.floor;
        for moment in 0..=events.len() {
            self.moments += 1;
            for state in disk.states(story.state, STATES_MAX, &mut self.rng) {
                let loaded = self.load(state.as_deref())?;
                let stranded = loaded == Loaded::Missing
                    && story.or_else.is_some_and(|mark| disk.may_lack(mark));
                if !floor.admits(loaded) || stranded {
                    return Err(format!(
                        "cut before call {moment}: {loaded:?}, but {floor:?}; next is {:?}",
                        events.get(moment)
                    )
                    .into());
                }
            }
            let Some(event) = events.get(moment) else {
                break;
            };
            if let Event::Say(bytes) = event
                && let Some(promised) = (story.promise)(bytes)
            {
                // It counts from the moment it begins to leave.
                floor = Floor::present(promised.max(floor.at_least));
                for state in disk.states(story.state, STATES_MAX, &mut self.rng) {
                    let loaded = self.load(state.as_deref())?;
                    if !floor.admits(loaded) {
                        return Err(
                            format!("cut at reply {moment}: {loaded:?}, but {floor:?}").into()
                        );
                    }
                }
            }
            disk.apply(event);
        }
        Ok(())
    }

    fn load(&mut self, state: Option<&[u8]>) -> Result<Loaded, Box<dyn std::error::Error>> {
        let Some(bytes) = state else {
            return Ok(Loaded::Missing);
        };
        let digest = Sha256::digest(bytes).into();
        if let Some(known) = self.loaded.get(&digest) {
            return Ok(*known);
        }
        fs::write(&self.bench, bytes)?;
        let loaded = load(&self.bench)?;
        let _ = self.loaded.insert(digest, loaded);
        Ok(loaded)
    }
}

/// The program's own loading, opening included.
fn load(path: &Path) -> Result<Loaded, Box<dyn std::error::Error>> {
    let text = fs::read(path).unwrap_or_default();
    // A key that the program made itself is known from its state only.
    let key = public_key_in(&text).unwrap_or_else(public_key);
    Ok(match find(path, &chain_id(CHAIN), &key) {
        Ok(Found::Missing(_)) => Loaded::Missing,
        Ok(Found::Foreign(foreign)) => Loaded::At(foreign.watermark().position()),
        Ok(Found::Ours(ready)) => {
            let found = ready.watermark().position();
            let store = ready.open()?;
            if store.watermark().position() != found {
                return Err("opening changed the watermark".into());
            }
            Loaded::At(found)
        }
        Err(_) => Loaded::Refused,
    })
}

fn public_key_in(state: &[u8]) -> Option<tmkms::types::PublicKey> {
    use ct_codecs::Decoder;
    let text = std::str::from_utf8(state.get(..512)?).ok()?;
    let (_, rest) = text.split_once(r#""public_key":""#)?;
    let (key, _) = rest.split_once('"')?;
    let bytes = Base64::decode_to_vec(key, None).ok()?;
    Some(tmkms::types::PublicKey(bytes.try_into().ok()?))
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

fn at_start_of(height: i64) -> Position {
    Position::new(height, 0, None).expect("not negative")
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
