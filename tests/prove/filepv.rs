//! The same requests to CometBFT's own `FilePV` and to the real program, each through a socket: the same
//! signature, timestamp, extension signature and refusal. Where we differ on purpose, it is listed here
//! and holds as it is listed.

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command};

use ct_codecs::{Encoder, Hex};

use super::ground::{Ground, Node, Outcome, PATIENCE, Rng, SEED};
use super::validator::{
    Block, Connection, PRECOMMIT, PREVOTE, Process, ProposalRequest, Reply, Validator, VoteRequest,
};

const CHAIN: &str = "filepv-1";
/// Fresh states, so that heights can begin low again.
const EPISODES: u64 = 10;
/// Seconds of the years 1 to 9999.
const TIME: (i64, i64) = (-62_135_596_800, 253_402_300_799);

pub fn run(ground: &Ground) -> Outcome {
    let requests = ground.count(1_000_000);
    let Some(server) = &ground.filepv else {
        ground.say("skipped: FilePV was not built (is Go there?)");
        return Ok(());
    };
    let mut rng = ground.rng();
    let mut tally = Tally::default();
    let episodes = EPISODES.min(requests.div_ceil(1_000));
    for episode in 0..episodes {
        let mut pair = Pair::start(ground, server, episode)?;
        let share = requests / episodes;
        let mut world = World::new(share);
        for number in 0..share {
            let request = world.next(number, &mut rng);
            pair.compare(&request, &mut tally)
                .map_err(|error| format!("episode {episode}, request {number}: {error}"))?;
        }
    }
    let differences = differences(ground, server)?;
    ground.say(&format!(
        "{} requests: {} signed, {} with an extension, {} given the signature of before, {} conflicts, {} regressions, \
         {} unexpected extensions, {} of another chain: FilePV and ours answered alike; {differences} differences on \
         purpose, each as listed (seed {})",
        tally.requests,
        tally.signed,
        tally.extended,
        tally.repeated,
        tally.conflicts,
        tally.regressions,
        tally.extensions,
        tally.chains,
        ground.seed
    ));
    let refusals = [
        tally.conflicts,
        tally.regressions,
        tally.extensions,
        tally.chains,
    ];
    if tally.repeated == 0 || refusals.contains(&0) {
        return Err("a kind of answer never came up".into());
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Request {
    Vote(VoteRequest),
    Proposal(ProposalRequest),
}

impl Request {
    fn body(&self) -> Vec<u8> {
        match self {
            Self::Vote(vote) => vote.body(),
            Self::Proposal(proposal) => proposal.body(),
        }
    }

    fn read(&self, body: &[u8]) -> std::io::Result<Reply> {
        Reply::read(if matches!(self, Self::Vote(_)) { 4 } else { 6 }, body)
    }
}

#[derive(Default)]
struct Tally {
    requests: u64,
    signed: u64,
    extended: u64,
    repeated: u64,
    conflicts: u64,
    regressions: u64,
    extensions: u64,
    chains: u64,
    last: Vec<u8>,
}

/// Both signers, each with a fresh state and a socket of its own.
struct Pair {
    ours: Connection,
    theirs: Connection,
    _process: Process,
    _server: Server,
    _node: Node,
    _listener: Validator,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Pair {
    fn start(ground: &Ground, server: &Path, number: u64) -> Result<Self, Box<dyn Error>> {
        let dir = ground.in_memory(&format!("pair-{number}"))?;
        let node = Node::new(&dir, CHAIN)?;
        node.init(ground)?;
        let (process, ours) = node.start(ground)?;
        let socket = dir.join("filepv.sock");
        let listener = Validator::listen_unix(&socket)?;
        let child = Command::new(server)
            .arg(&socket)
            .arg(CHAIN)
            .arg(Hex::encode_to_string(SEED)?)
            .arg(dir.join("priv_validator_state.json"))
            .spawn()?;
        let child = Server(child);
        let mut theirs = listener.accept(PATIENCE)?;
        let mut ours = ours;
        for connection in [&mut theirs, &mut ours] {
            connection.set_timeout(PATIENCE);
        }
        Ok(Self {
            ours,
            theirs,
            _process: process,
            _server: child,
            _node: node,
            _listener: listener,
        })
    }

    /// Theirs, then ours.
    fn ask(&mut self, request: &Request) -> Result<(Reply, Reply), Box<dyn Error>> {
        let body = request.body();
        self.theirs.send(&body)?;
        self.ours.send(&body)?;
        let theirs = request.read(&self.theirs.receive()?)?;
        let ours = request.read(&self.ours.receive()?)?;
        Ok((theirs, ours))
    }

    fn compare(&mut self, request: &Request, tally: &mut Tally) -> Outcome {
        let (theirs, ours) = self.ask(request)?;
        tally.requests += 1;
        let differ = || -> Box<dyn Error> {
            format!("{request:?}\nFilePV: {theirs:?}\nours:   {ours:?}").into()
        };
        match (&theirs.error, &ours.error) {
            (None, None) => {
                if theirs.signature.len() != 64
                    || theirs.signature != ours.signature
                    || theirs.time != ours.time
                    || theirs.extension_signature != ours.extension_signature
                {
                    return Err(differ());
                }
                if tally.last == ours.signature {
                    tally.repeated += 1;
                } else {
                    tally.signed += 1;
                }
                tally.extended += u64::from(!ours.extension_signature.is_empty());
                tally.last.clone_from(&ours.signature);
            }
            (Some((code, theirs_said)), Some((ours_code, _))) => {
                let conflict = theirs_said.contains("conflicting data");
                // Ours are 2 for a conflict and 0 for the rest, FilePV's are 0 for all.
                if *code != 0 || *ours_code != if conflict { 2 } else { 0 } {
                    return Err(differ());
                }
                if conflict {
                    tally.conflicts += 1;
                } else if theirs_said.contains("regression") {
                    tally.regressions += 1;
                } else if theirs_said.contains("unexpected vote extension") {
                    tally.extensions += 1;
                } else if theirs_said.contains("unable to sign") {
                    tally.chains += 1;
                } else {
                    return Err(differ());
                }
            }
            (None, Some(_)) | (Some(_), None) => return Err(differ()),
        }
        Ok(())
    }
}

/// Where the requests go: mostly on, often the same again in another shape, at times back.
struct World {
    share: u64,
    height: i64,
    round: i32,
    kind: u8,
    last: Option<Request>,
}

impl World {
    fn new(share: u64) -> Self {
        Self {
            share,
            height: 1,
            round: 0,
            kind: 0,
            last: None,
        }
    }

    fn next(&mut self, number: u64, rng: &mut Rng) -> Request {
        self.leap(number);
        if let Some(last) = self.last.clone().filter(|_| rng.once_in(3)) {
            return reshape(last, rng);
        }
        let (height, round, kind) = if rng.once_in(6) {
            // Back, by a little or far.
            let height = match rng.below(4) {
                0 => self.height,
                1 => 1 + rng.below(self.height.unsigned_abs()).cast_signed(),
                _ => (self.height - rng.below(3).cast_signed()).max(1),
            };
            let round = self.round.saturating_sub(rng.below(3) as i32).max(0);
            (height, round, rng.below(3) as u8)
        } else {
            match rng.below(10) {
                0..=4 if self.kind < 2 => self.kind += 1,
                0..=5 if self.round < i32::MAX => {
                    self.round = match rng.below(20) {
                        0 => i32::MAX,
                        1 => self.round.saturating_add(1 << 20),
                        _ => self.round + 1,
                    };
                    self.kind = rng.below(3) as u8;
                }
                _ if self.height < i64::MAX => {
                    self.height += 1;
                    self.round = if rng.once_in(3) {
                        rng.below(4) as i32
                    } else {
                        0
                    };
                    self.kind = rng.below(3) as u8;
                }
                _ => {}
            }
            (self.height, self.round, self.kind)
        };
        let request = make(height, round, kind, rng);
        if (height, round, kind) == (self.height, self.round, self.kind) {
            self.last = Some(request.clone());
        }
        request
    }

    /// From one magnitude of heights to the next; the last that there are come at the end.
    fn leap(&mut self, number: u64) {
        let leaps = [
            127,
            128,
            16_384,
            i64::from(i32::MAX),
            i64::from(u32::MAX),
            1 << 53,
            1 << 62,
            i64::MAX - 40,
        ];
        let step = self.share / (leaps.len() as u64 + 1);
        if step > 0 && number > 0 && number.is_multiple_of(step) {
            let index = (number / step - 1) as usize;
            if let Some(height) = leaps.get(index).filter(|height| **height > self.height) {
                (self.height, self.round, self.kind) = (*height, 0, 0);
            }
        }
    }
}

fn make(height: i64, round: i32, kind: u8, rng: &mut Rng) -> Request {
    let block = Block {
        total: *rng.pick(&[1, 2, 127, 128, 1_000_000, u32::MAX]),
        ..Block::numbered(rng.below(3))
    };
    if kind == 0 {
        let mut proposal = ProposalRequest::new(CHAIN, height, round).with_block(Some(block));
        proposal.time = time(rng);
        proposal.pol_round = *rng.pick(&[-1, -1, 0, 1, 2, i32::MAX]);
        // What is signed says 32 whatever this is.
        proposal.kind = *rng.pick(&[32, 32, 32, 0, 1, 2]);
        return Request::Proposal(proposal);
    }
    let kind = if kind == 1 { PREVOTE } else { PRECOMMIT };
    let block = Some(block).filter(|_| !rng.once_in(4));
    let extended = kind == PRECOMMIT && block.is_some();
    let mut vote = VoteRequest::new(CHAIN, kind, height, round).with_block(block);
    vote.time = time(rng);
    vote.validator_index = rng.below(200) as i32;
    if (extended && rng.once_in(2)) || rng.once_in(40) {
        vote.extension = extension(rng);
    }
    if rng.once_in(100) {
        let other = rng.pick(&["filepv-2", "filepv-", "", "FILEPV-1"]);
        (*other).clone_into(&mut vote.chain_id);
    }
    Request::Vote(vote)
}

/// The same slot once more: the very same, or another time, block, proof of lock or extension.
fn reshape(request: Request, rng: &mut Rng) -> Request {
    match request {
        Request::Vote(mut vote) => {
            match rng.below(6) {
                0 => vote.time = time(rng),
                1 => vote.block = Some(Block::numbered(rng.below(3))),
                2 => vote.block = None,
                3 => vote.extension = extension(rng),
                4 => vote.validator_index = 3,
                _ => {}
            }
            if vote.block.is_none() && !rng.once_in(20) {
                vote.extension.clear();
            }
            Request::Vote(vote)
        }
        Request::Proposal(mut proposal) => {
            match rng.below(5) {
                0 => proposal.time = time(rng),
                1 => proposal.block = Some(Block::numbered(rng.below(3))),
                2 => proposal.pol_round = *rng.pick(&[-1, 0, 1]),
                3 => proposal.kind = 7,
                _ => {}
            }
            Request::Proposal(proposal)
        }
    }
}

fn extension(rng: &mut Rng) -> Vec<u8> {
    let len = *rng.pick(&[0, 1, 20, 127, 128, 900, 3_000]);
    (0..len).map(|_| (rng.next() >> 56) as u8).collect()
}

fn time(rng: &mut Rng) -> Option<(i64, i32)> {
    let nanos = *rng.pick(&[0, 1, 500_000_000, 999_999_999]);
    Some(match rng.below(50) {
        0 => return None,
        1 => (TIME.0, nanos),
        2 => (TIME.1, nanos),
        3 => (0, 0),
        4 => (-1, nanos),
        5 => (TIME.0 + rng.below((TIME.1 - TIME.0) as u64) as i64, nanos),
        _ => (1_700_000_000 + rng.below(1 << 20) as i64, nanos),
    })
}

/// What an honest node never sends, and what `FilePV` does with it. We refuse all of it, in-band.
fn differences(ground: &Ground, server: &Path) -> Result<usize, Box<dyn Error>> {
    #[derive(Debug, PartialEq, Eq)]
    enum Theirs {
        Signs,
        Panics,
        HangsUp,
    }
    let vote = |height, change: fn(&mut VoteRequest)| {
        let mut vote = VoteRequest::precommit(CHAIN, height, 1);
        change(&mut vote);
        Request::Vote(vote)
    };
    let proposal = |height, change: fn(&mut ProposalRequest)| {
        let mut proposal = ProposalRequest::new(CHAIN, height, 1);
        change(&mut proposal);
        Request::Proposal(proposal)
    };
    let half = |change: fn(&mut Block)| {
        let mut block = Block::numbered(5);
        change(&mut block);
        Some(block)
    };
    let cases: [(&str, Request, Theirs); 13] = [
        ("height 0", vote(0, |_| {}), Theirs::Signs),
        (
            "a negative round",
            vote(11, |it| it.round = -1),
            Theirs::Signs,
        ),
        (
            "a block id without parts",
            Request::Vote(VoteRequest::precommit(CHAIN, 12, 0).with_block(half(|it| {
                it.total = 0;
                it.parts_hash.clear();
            }))),
            Theirs::Signs,
        ),
        (
            "a block id without a hash",
            Request::Vote(
                VoteRequest::precommit(CHAIN, 13, 0).with_block(half(|it| it.hash.clear())),
            ),
            Theirs::Signs,
        ),
        (
            "a block id of no parts",
            Request::Vote(VoteRequest::precommit(CHAIN, 14, 0).with_block(half(|it| it.total = 0))),
            Theirs::Signs,
        ),
        (
            "a hash of 31 bytes",
            Request::Vote(VoteRequest::precommit(CHAIN, 15, 0).with_block(half(|it| {
                it.hash.truncate(31);
            }))),
            Theirs::Panics,
        ),
        (
            "a vote of type 0",
            vote(16, |it| it.kind = 0),
            Theirs::Panics,
        ),
        (
            "a vote of type 3",
            vote(17, |it| it.kind = 3),
            Theirs::Panics,
        ),
        (
            "a vote of type 32",
            vote(18, |it| it.kind = 32),
            Theirs::Panics,
        ),
        (
            "a proposal of no block",
            proposal(19, |it| it.block = None),
            Theirs::Signs,
        ),
        (
            "a proof of lock in round −2",
            proposal(20, |it| it.pol_round = -2),
            Theirs::Signs,
        ),
        (
            "a time of 10^9 nanoseconds",
            vote(21, |it| it.time = Some((5, 1_000_000_000))),
            Theirs::HangsUp,
        ),
        (
            "an address of 21 bytes",
            vote(22, |it| it.validator_address = vec![1; 21]),
            Theirs::Signs,
        ),
    ];
    let mut wrong = Vec::new();
    for (number, (name, request, expected)) in cases.iter().enumerate() {
        // A panic leaves FilePV's mutex as it is: a fresh pair for each.
        let mut pair = Pair::start(ground, server, 1_000 + number as u64)?;
        let body = request.body();
        pair.theirs.send(&body)?;
        pair.ours.send(&body)?;
        let found = match pair.theirs.receive() {
            Err(_) => Theirs::HangsUp,
            Ok(body) => match request.read(&body)?.error {
                None => Theirs::Signs,
                Some((-1, _)) => Theirs::Panics,
                Some(error) => {
                    wrong.push(format!("{name}: FilePV refused: {error:?}"));
                    continue;
                }
            },
        };
        let ours = request.read(&pair.ours.receive()?)?;
        if found != *expected || !matches!(ours.error, Some((0, _))) {
            wrong.push(format!("{name}: FilePV {found:?}, ours {:?}", ours.error));
        }
    }
    if wrong.is_empty() {
        Ok(cases.len())
    } else {
        Err(wrong.join("\n").into())
    }
}
