//! Sign-bytes, against CometBFT's `types` package.

use tmkms::canon::message::{Canonical, Extension, Shape};
use tmkms::canon::parts::{BlockId, Timestamp};
use tmkms::canon::{self, SignBytes, writer};
use tmkms::types::{ChainId, Height, Proposal, Round, Step, Vote, VoteKind};

use crate::case::{self, Case};

const COUNT: usize = 179;

/// The values of a vote or proposal, which a message borrows.
struct Values {
    hash: Vec<u8>,
    parts_hash: Vec<u8>,
}

impl Values {
    fn of(case: &Case) -> Self {
        Self {
            hash: case.hex("hash"),
            parts_hash: case.hex("parts_hash"),
        }
    }

    fn message<'a>(&'a self, case: &'a Case) -> Canonical<'a> {
        let (seconds, nanos) = case.text("timestamp").split_once(' ').unwrap();
        Canonical {
            shape: match case.text("message") {
                "vote" => Shape::Vote(case.number("type")),
                _ => Shape::Proposal {
                    pol_round: case.number("pol_round"),
                },
            },
            height: case.number("height"),
            round: case.number("round"),
            block_id: BlockId {
                hash: &self.hash,
                total: case.number("total"),
                parts_hash: &self.parts_hash,
            },
            timestamp: Timestamp {
                seconds: seconds.parse().unwrap(),
                nanos: nanos.parse().unwrap(),
            },
            chain_id: case.text("chain_id").as_bytes(),
        }
    }
}

fn votes_and_proposals() -> impl Iterator<Item = Case> {
    let all = case::all("canon", COUNT).into_iter();
    all.filter(|case| case.text("message") != "extension")
}

fn extensions() -> impl Iterator<Item = Case> {
    let all = case::all("canon", COUNT).into_iter();
    all.filter(|case| case.text("message") == "extension")
}

#[test]
fn any_value_is_encoded_as_cometbft_encodes_it() {
    for case in votes_and_proposals() {
        let mut bytes = Vec::new();
        writer::delimited(&mut bytes, &Values::of(&case).message(&case));
        assert_eq!(bytes, case.bytes, "{}", case.name);
    }
}

#[test]
fn what_is_encoded_reads_back() {
    for case in votes_and_proposals() {
        let values = Values::of(&case);
        let message = values.message(&case);
        let read = Canonical::read(&case.bytes);
        // Read as a proposal, in which field 4 is no block id.
        if message.shape != Shape::Vote(32) {
            assert_eq!(read, Ok(message), "{}", case.name);
        }
    }
}

#[test]
fn valid_values_make_the_same_sign_bytes() {
    let mut signable = 0;
    for case in votes_and_proposals().filter(|case| case.expect() == "signable") {
        let values = Values::of(&case);
        let made = close(&values.message(&case)).expect(&case.name);
        assert_eq!(made.as_bytes(), case.bytes, "{}", case.name);
        signable += 1;
    }
    assert!(signable > 50);
}

#[test]
fn exactly_the_signable_ones_parse() {
    for case in votes_and_proposals() {
        let parsed = SignBytes::parse(&case.bytes);
        assert_eq!(
            parsed.is_ok(),
            case.expect() == "signable",
            "{}: {parsed:?}",
            case.name
        );
        let Ok(parsed) = parsed else { continue };
        let values = Values::of(&case);
        let message = values.message(&case);
        let step = match message.shape {
            Shape::Vote(1) => Step::Prevote,
            Shape::Vote(_) => Step::Precommit,
            Shape::Proposal { .. } => Step::Proposal,
        };
        assert_eq!(parsed.as_bytes(), case.bytes, "{}", case.name);
        assert_eq!(parsed.slot().height.get(), message.height, "{}", case.name);
        assert_eq!(
            i64::from(parsed.slot().round.get()),
            message.round,
            "{}",
            case.name
        );
        assert_eq!(parsed.slot().step, step, "{}", case.name);
        assert_eq!(
            Some(parsed.timestamp()),
            message.timestamp.valid(),
            "{}",
            case.name
        );
        assert_eq!(parsed.chain_id(), message.chain_id, "{}", case.name);
        assert_eq!(
            parsed.block_hash().map_or(&[][..], |hash| &hash[..]),
            message.block_id.hash,
            "{}",
            case.name
        );
    }
}

#[test]
fn extensions_are_encoded_as_cometbft_encodes_them() {
    let mut reused = b"left over".to_vec();
    for case in extensions() {
        let extension = case.hex("extension");
        let message = Extension {
            extension: &extension,
            height: case.number("height"),
            round: case.number("round"),
            chain_id: case.text("chain_id").as_bytes(),
        };
        let mut bytes = Vec::new();
        writer::delimited(&mut bytes, &message);
        assert_eq!(bytes, case.bytes, "{}", case.name);
        if case.expect() == "signable" {
            canon::extension(
                &mut reused,
                &ChainId::new(case.text("chain_id")).unwrap(),
                Height::new(message.height).unwrap(),
                Round::new(case.number("round")).unwrap(),
                &extension,
            );
            assert_eq!(reused, case.bytes, "{}", case.name);
        }
        assert!(SignBytes::parse(&case.bytes).is_err(), "{}", case.name);
    }
}

#[test]
fn every_one_of_them_is_refused_as_raw_bytes() {
    for case in case::all("canon", COUNT) {
        assert!(canon::is_lookalike(&case.bytes), "{}", case.name);
    }
}

/// The closed values of a message that has some.
fn close(message: &Canonical<'_>) -> Option<SignBytes> {
    let chain_id = ChainId::new(str::from_utf8(message.chain_id).ok()?).ok()?;
    let height = Height::new(message.height)?;
    let round = Round::new(message.round.try_into().ok()?)?;
    let timestamp = message.timestamp.valid()?;
    Some(match message.shape {
        Shape::Vote(kind) => SignBytes::vote(
            &chain_id,
            &Vote {
                kind: match kind {
                    1 => VoteKind::Prevote,
                    2 => VoteKind::Precommit,
                    _ => return None,
                },
                height,
                round,
                block_id: message.block_id.complete(),
                timestamp,
            },
        ),
        Shape::Proposal { pol_round } => SignBytes::proposal(
            &chain_id,
            &Proposal {
                height,
                round,
                pol_round: Round::new(pol_round.try_into().ok()?),
                block_id: message.block_id.complete()?,
                timestamp,
            },
        ),
    })
}
