//! Damage: every changed byte, every lost sector and every tear inside a sector of a state file is
//! refused. None is ever read as a state, lower or not.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use tmkms::guard::{Position, Verdict, Watermark};
use tmkms::store::{Found, Initial, OpenError, Store, find};
use tmkms::types::{Height, Round, Vote, VoteKind};

use super::disk::SECTOR;
use super::ground::{Ground, Outcome, Rng, chain_id, public_key};

const CHAIN: &str = "damage-1";
/// In a short run only the bits of a byte are changed one by one.
const EVERY_VALUE_FROM: u64 = 1_000;

pub fn run(ground: &Ground) -> Outcome {
    let commits = ground.count(1_000);
    let dir = ground.in_memory("damage")?;
    let path = dir.join("state.json");
    let mut rng = ground.rng();
    let Found::Missing(vacant) = find(&path, &chain_id(CHAIN), &public_key())? else {
        return Err("there is a state already".into());
    };
    let mut store = vacant.create(&Initial {
        watermark: Watermark::ZERO,
        origin: None,
    })?;
    let mut proof = Damage {
        path: dir.join("damaged.json"),
        seen: HashSet::new(),
        refused: 0,
        unharmed: 0,
    };
    let mut before = fs::read(&path)?;
    for number in 0..commits {
        let position = commit(&mut store, number, &mut rng)?;
        let after = fs::read(&path)?;
        let at = (0..after.len())
            .find(|at| before[*at] != after[*at])
            .ok_or("a commit changed nothing")?
            / SECTOR
            * SECTOR;
        // A tear: the first bytes are new and the rest old, or the other way round.
        for tear in 1..SECTOR {
            for (old, new) in [(&before, &after), (&after, &before)] {
                let mut torn = old.clone();
                torn[at..at + tear].copy_from_slice(&new[at..at + tear]);
                proof.refuse(&torn, &[&before, &after], position)?;
            }
        }
        for sector in (0..after.len()).step_by(SECTOR) {
            for filler in [0x00, 0xff, b' '] {
                let mut lost = after.clone();
                lost[sector..sector + SECTOR].fill(filler);
                proof.refuse(&lost, &[&before, &after], position)?;
            }
            let mut noise = after.clone();
            noise[sector..sector + SECTOR].fill_with(|| (rng.next() >> 32) as u8);
            proof.refuse(&noise, &[&before, &after], position)?;
            // A sector that was written in another one's place.
            let from = rng.below((after.len() / SECTOR) as u64) as usize * SECTOR;
            let mut strayed = after.clone();
            strayed.copy_within(from..from + SECTOR, sector);
            proof.refuse(&strayed, &[&before, &after], position)?;
        }
        before = after;
    }
    let whole = fs::read(&path)?;
    let position = store.watermark().position();
    let every_value = commits >= EVERY_VALUE_FROM;
    for at in 0..whole.len() {
        // Every value of the bytes that say something, each bit of the padding.
        let padding = whole[at] == b' ' && at % 4096 > SECTOR;
        for value in 0..=255_u8 {
            let bit = (value ^ whole[at]).is_power_of_two();
            if value == whole[at] || !(bit || every_value && !padding) {
                continue;
            }
            let mut bad = whole.clone();
            bad[at] = value;
            proof.refuse(&bad, &[&whole], position)?;
        }
    }
    for len in 0..whole.len() {
        proof.refuse(&whole[..len], &[&whole], position)?;
    }
    ground.say(&format!(
        "{} distinct damaged files from {commits} commits (every tear inside a sector, every lost, foreign and strayed \
         sector, every byte, every length): all refused (seed {})",
        proof.refused, ground.seed
    ));
    Ok(())
}

struct Damage {
    path: std::path::PathBuf,
    seen: HashSet<[u8; 16]>,
    refused: u64,
    unharmed: u64,
}

impl Damage {
    /// `bytes` must not load, unless they are what was written.
    fn refuse(&mut self, bytes: &[u8], sound: &[&Vec<u8>], at: Position) -> Outcome {
        if sound.iter().any(|sound| sound.as_slice() == bytes) {
            self.unharmed += 1;
            return Ok(());
        }
        let digest = Sha256::digest(bytes);
        let short: [u8; 16] = digest[..16].try_into()?;
        if !self.seen.insert(short) {
            return Ok(());
        }
        write(&self.path, bytes)?;
        match find(&self.path, &chain_id(CHAIN), &public_key()) {
            Err(OpenError::Damaged(_) | OpenError::Unreadable(_)) => {
                self.refused += 1;
                Ok(())
            }
            other => Err(format!("damage below {at} was read as {other:?}").into()),
        }
    }
}

/// In place, which is quicker than making the file again.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.write_all_at(bytes, 0)?;
    file.set_len(bytes.len() as u64)
}

fn commit(
    store: &mut Store,
    number: u64,
    rng: &mut Rng,
) -> Result<Position, Box<dyn std::error::Error>> {
    let vote = Vote {
        kind: *rng.pick(&[VoteKind::Prevote, VoteKind::Precommit]),
        height: Height::new(i64::try_from(number)? + 1).ok_or("height")?,
        round: Round::new(i32::try_from(rng.below(3))?).ok_or("round")?,
        block_id: None,
        timestamp: tmkms::types::Timestamp::new(i64::try_from(rng.below(1 << 32))?, 5)
            .ok_or("time")?,
    };
    let sign_bytes = tmkms::canon::SignBytes::vote(&chain_id(CHAIN), &vote);
    match store.judge(sign_bytes)? {
        Verdict::Permit(permit) => {
            let _ = store.commit(permit)?;
            Ok(store.watermark().position())
        }
        Verdict::Replay(_) => Err("a replay of a new slot".into()),
    }
}
