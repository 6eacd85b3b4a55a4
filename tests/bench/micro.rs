//! The parts of a request's path, each by itself in this process.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Duration;

use tmkms::canon::SignBytes;
use tmkms::guard::{Verdict, Watermark};
use tmkms::keys::{SigningKey, verify};
use tmkms::link::random;
use tmkms::secret::{Authenticated, FRAME_LEN, Hello};
use tmkms::store::{Found, Initial, Store, find};
use tmkms::types::{ChainId, Vote};
use tmkms::wire::{self, Request};

use super::measure::{Samples, micros, per_call};
use super::table::Table;
use super::validator::VoteRequest;

const CHAIN: &str = "bench-1";
const BATCHES: usize = 31;

pub fn run(directory: &Path, quick: bool) -> io::Result<()> {
    let mut table = Table::new("One step by itself, µs, median", &["µs"]);
    let mut row = |name: &str, took: Duration| table.row(name, &[format!("{:.2}", micros(took))]);

    let chain = ChainId::new(CHAIN).map_err(io::Error::other)?;
    let body = VoteRequest::precommit(CHAIN, 1_234_567, 1)
        .with_extension(&[7; 100])
        .body();
    row(
        "decode a vote",
        per_call(BATCHES, 2000, || {
            black_box(wire::decode(black_box(&body)).is_ok());
        }),
    );
    let Ok(Request::SignVote { vote, .. }) = wire::decode(&body) else {
        return Err(io::Error::other("the vote does not decode"));
    };
    let vote = Vote::try_from(&vote).map_err(|_| io::Error::other("no vote"))?;
    row(
        "check and make its sign-bytes",
        per_call(BATCHES, 2000, || {
            black_box(SignBytes::vote(&chain, black_box(&vote)));
        }),
    );

    let key = SigningKey::from_seed(&[9; 32]).map_err(io::Error::other)?;
    let message = SignBytes::vote(&chain, &vote);
    row(
        "Ed25519: sign",
        per_call(BATCHES, 100, || {
            black_box(key.sign(black_box(message.as_bytes())));
        }),
    );
    let (public, signature) = (key.public_key(), key.sign(message.as_bytes()));
    row(
        "Ed25519: verify",
        per_call(BATCHES, 100, || {
            black_box(verify(&public, black_box(message.as_bytes()), &signature));
        }),
    );

    let (mut near, mut far) = pair()?;
    let mut frame = [0; FRAME_LEN];
    let (mut seals, mut opens) = (Samples::default(), Samples::default());
    for _ in 0..2000 {
        seals
            .time(|| near.seal.seal(&body, &mut frame))
            .map_err(io::Error::other)?;
        let _ = opens.time(|| far.open.open(&mut frame).is_ok());
    }
    row("seal a frame", seals.median());
    row("open a frame", opens.median());

    let count = if quick { 200 } else { 4000 };
    for (name, place) in [
        (
            "judge and commit, no disk below (tmpfs)",
            Path::new("/dev/shm"),
        ),
        ("judge and commit, flushed", directory),
    ] {
        row(name, commits(place, count)?.median());
    }
    table.print();
    Ok(())
}

/// Two ends that have shaken hands.
fn pair() -> io::Result<(Authenticated, Authenticated)> {
    let keys = [[1; 32], [2; 32]].map(|seed| SigningKey::from_seed(&seed).expect("not all zeros"));
    let [near, far] = [Hello::new(random()?), Hello::new(random()?)];
    let (to_near, to_far) = (*far.message(), *near.message());
    let near = near.receive(&to_near, &keys[0]).map_err(io::Error::other)?;
    let far = far.receive(&to_far, &keys[1]).map_err(io::Error::other)?;
    let (mut to_near, mut to_far) = (*far.frame(), *near.frame());
    Ok((
        near.receive(&mut to_near).map_err(io::Error::other)?,
        far.receive(&mut to_far).map_err(io::Error::other)?,
    ))
}

/// A state in a directory of its own below `place`, and `count` slots committed to it.
pub fn commits(place: &Path, count: i64) -> io::Result<Samples> {
    let place = place.join(format!("tmkms-bench-{}", std::process::id()));
    std::fs::create_dir_all(&place)?;
    let samples = commits_in(&place, count);
    std::fs::remove_dir_all(&place)?;
    samples
}

fn commits_in(place: &Path, count: i64) -> io::Result<Samples> {
    let key = SigningKey::from_seed(&[9; 32]).map_err(io::Error::other)?;
    let chain = ChainId::new(CHAIN).map_err(io::Error::other)?;
    let Ok(Found::Missing(vacant)) = find(&place.join("state.json"), &chain, &key.public_key())
    else {
        return Err(io::Error::other("there is a state already"));
    };
    let initial = Initial {
        watermark: Watermark::ZERO,
        origin: None,
    };
    let mut store: Store = vacant.create(&initial).map_err(io::Error::other)?;
    let mut samples = Samples::default();
    for height in 1..=count {
        let body = VoteRequest::prevote(CHAIN, height, 0).body();
        let Ok(Request::SignVote { vote, .. }) = wire::decode(&body) else {
            return Err(io::Error::other("the vote does not decode"));
        };
        let vote = Vote::try_from(&vote).map_err(|_| io::Error::other("no vote"))?;
        let asked = SignBytes::vote(&chain, &vote);
        samples.time(|| match store.judge(asked) {
            Ok(Verdict::Permit(permit)) => store.commit(permit).map(drop).map_err(io::Error::other),
            Ok(Verdict::Replay(_)) | Err(_) => Err(io::Error::other("refused")),
        })?;
    }
    Ok(samples)
}
