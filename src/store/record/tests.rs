use core::num::NonZeroU32;

use super::*;
use crate::types::{BlockId, Height, Proposal, Round, Timestamp, Vote, VoteKind};

fn header() -> Header {
    Header {
        chain_id: ChainId::new("record-1").unwrap(),
        public_key: PublicKey([0x11; 32]),
        origin: None,
    }
}

/// The longest sign-bytes there are: a proposal before 1970 without proof of lock, on the longest chain id.
fn longest() -> SignBytes {
    SignBytes::proposal(
        &ChainId::new(&"x".repeat(50)).unwrap(),
        &Proposal {
            height: Height::new(i64::MAX).unwrap(),
            round: Round::new(i32::MAX).unwrap(),
            pol_round: None,
            block_id: BlockId {
                hash: &[0xff; 32],
                total: NonZeroU32::MAX,
                parts_hash: &[0xff; 32],
            },
            timestamp: Timestamp::new(-62_135_596_800, 999_999_999).unwrap(),
        },
    )
}

fn nil_prevote(height: i64) -> SignBytes {
    SignBytes::vote(
        &ChainId::new("record-1").unwrap(),
        &Vote {
            kind: VoteKind::Prevote,
            height: Height::new(height).unwrap(),
            round: Round::ZERO,
            block_id: None,
            timestamp: Timestamp::GO_ZERO,
        },
    )
}

fn record(sequence: u64, watermark: Watermark) -> Record {
    Record {
        sequence,
        status: Status::Active,
        watermark,
    }
}

#[test]
fn the_longest_record_fits_into_one_sector() {
    let sign_bytes = longest();
    assert_eq!(sign_bytes.as_bytes().len(), canon::MAX_LEN);
    let record = Record {
        sequence: u64::MAX,
        status: Status::Retired,
        watermark: Watermark::signed(sign_bytes),
    };
    let mut text = Text::<RECORD_LEN>::new();
    record.write(&mut text, &[0; 32]).unwrap();
    assert!(text.len < RECORD_LEN, "{} bytes", text.len);
}

#[test]
fn what_is_written_is_read_again() {
    let positions = [
        Watermark::ZERO,
        Watermark::at(Position::new(7, 3, None).unwrap()),
        Watermark::at(Position::new(i64::MAX, i32::MAX, Some(Step::Precommit)).unwrap()),
        Watermark::signed(nil_prevote(5)),
        Watermark::signed(longest()),
    ];
    let names = [r"a\b", r#"quote"d"#, "ünïcode-1", "plain-1"];
    for (watermark, name) in positions
        .into_iter()
        .flat_map(|w| names.map(|name| (w, name)))
    {
        for status in [Status::New, Status::Active, Status::Retired] {
            let header = Header {
                chain_id: ChainId::new(name).unwrap(),
                origin: Some("/a \"path\"\\\u{1}".to_owned()),
                ..header()
            };
            let newest = Record {
                sequence: 41,
                status,
                watermark,
            };
            let contents = Contents::parse(&Contents::render(&header, &newest).unwrap()).unwrap();
            assert_eq!(contents.header, header);
            assert_eq!(contents.newest, newest);
        }
    }
}

#[test]
fn the_file_is_three_lines_of_json() {
    let file = Contents::render(&header(), &record(2, Watermark::signed(nil_prevote(5)))).unwrap();
    let text = String::from_utf8(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert_eq!(line.len(), BLOCK_LEN - 1);
        assert!(RawJson::parse(line).is_ok(), "{line}");
    }
}

#[test]
fn names_stand_in_the_file_as_they_are_but_for_what_json_forbids() {
    let header = Header {
        chain_id: ChainId::new("ünïcode-1").unwrap(),
        origin: Some("/a \"path\"\\\u{1}/ü".to_owned()),
        ..header()
    };
    let block = header.render().unwrap();
    let text = str::from_utf8(&block).unwrap();
    assert!(text.contains(r#""chain_id":"ünïcode-1""#), "{text}");
    assert!(
        text.contains(r#""origin":"/a \"path\"\\\u0001/ü""#),
        "{text}"
    );
}

#[test]
fn damage_says_where_it_is() {
    for (damage, text) in [
        (Damage::Length, "not 12288 bytes long"),
        (Damage::Header, "first block"),
        (
            Damage::OneRecord(Position::new(7, 3, None).unwrap()),
            "the other says 7/3/-",
        ),
        (Damage::Records, "both of its records"),
    ] {
        assert!(damage.to_string().contains(text), "{damage}");
    }
}

#[test]
fn every_changed_byte_is_damage() {
    let file = Contents::render(&header(), &record(2, Watermark::signed(nil_prevote(5)))).unwrap();
    for at in 0..file.len() {
        for flip in [0x01, 0x80] {
            let mut damaged = file.clone();
            damaged[at] ^= flip;
            let damage = Contents::parse(&damaged).expect_err("a changed byte went unseen");
            let expected = match at / BLOCK_LEN {
                0 => damage == Damage::Header,
                _ => matches!(damage, Damage::OneRecord(_)),
            };
            assert!(expected, "byte {at}: {damage:?}");
        }
    }
}

#[test]
fn every_other_length_is_damage() {
    let file = Contents::render(&header(), &record(2, Watermark::ZERO)).unwrap();
    for len in [0, 1, RECORD_LEN, BLOCK_LEN, FILE_LEN - 1] {
        assert_eq!(
            Contents::parse(&file[..len]).unwrap_err(),
            Damage::Length,
            "{len}"
        );
    }
    let longer = [file.as_slice(), b"\n"].concat();
    assert_eq!(Contents::parse(&longer).unwrap_err(), Damage::Length);
}

/// Every state that a power cut can leave while `next` is written over the older record.
#[test]
fn a_cut_leaves_the_old_record_or_the_new_one() {
    let mut file = Contents::render(&header(), &record(1, Watermark::ZERO)).unwrap();
    let digest = Contents::parse(&file).unwrap().digest;
    for (sequence, height) in (2..200).zip(1..) {
        let before = Contents::parse(&file).unwrap().newest;
        let next = record(sequence, Watermark::signed(nil_prevote(height)));
        let at = usize::try_from(offset(sequence)).unwrap();
        file[at..at + RECORD_LEN].copy_from_slice(&next.render(&digest));
        assert_eq!(Contents::parse(&file).unwrap().newest, next);
        assert!(next.watermark.position() > before.watermark.position());
    }
}

#[test]
fn records_that_do_not_follow_one_another_are_damage() {
    let mut file = Contents::render(&header(), &record(1, Watermark::ZERO)).unwrap();
    let digest = Contents::parse(&file).unwrap().digest;
    for sequence in [4, 6, u64::MAX - 1] {
        let at = usize::try_from(offset(sequence)).unwrap();
        file[at..at + RECORD_LEN]
            .copy_from_slice(&record(sequence, Watermark::ZERO).render(&digest));
        assert_eq!(Contents::parse(&file).unwrap_err(), Damage::Records);
    }
}

#[test]
fn a_record_of_another_file_is_damage() {
    let ours = Contents::render(&header(), &record(1, Watermark::ZERO)).unwrap();
    let theirs = Header {
        public_key: PublicKey([0x22; 32]),
        ..header()
    };
    let theirs = Contents::render(&theirs, &record(1, Watermark::signed(nil_prevote(5)))).unwrap();
    let mixed = [&ours[..BLOCK_LEN], &theirs[BLOCK_LEN..]].concat();
    assert_eq!(Contents::parse(&mixed).unwrap_err(), Damage::Records);
}

#[test]
fn the_longest_origin_that_fits_is_read_again_and_a_longer_one_is_no_header() {
    let with_origin = |len: usize| Header {
        origin: Some("x".repeat(len)),
        ..header()
    };
    let bare = with_origin(0).render().unwrap();
    // The line end takes one byte.
    let room = BLOCK_LEN - bare.trim_ascii_end().len() - 1;
    for len in [room - 1, room] {
        let block = with_origin(len).render().unwrap();
        assert_eq!(Header::parse(&block), Some(with_origin(len)), "{len}");
    }
    for len in [room + 1, room + 2, BLOCK_LEN] {
        assert_eq!(with_origin(len).render(), None, "{len}");
    }
}
