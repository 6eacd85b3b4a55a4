//! State files as other programs read them, from one watermark.
//!
//! The opposite of [`foreign`](super::foreign), with its table of steps: what is written here is read
//! there as the same watermark, or, where a format cannot say it, as one that forbids more.

use core::fmt::Write as _;

use ct_codecs::{Base64, Encoder as _};

use crate::canon::SignBytes;
use crate::guard::Watermark;
use crate::types::{Signature, Step};

/// A format that a state can be handed over in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CometBFT's `priv_validator_state.json`, also read by cosmos/kms and horcrux.
    FilePv,
    /// iqlusion's tmkms.
    Tmkms,
}

impl Format {
    /// The format that goes by this name: `filepv`, `tmkms`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "filepv" => Some(Self::FilePv),
            "tmkms" => Some(Self::Tmkms),
            _ => None,
        }
    }
}

/// What `FilePV` writes, as it writes it (`privval/file.go`, `FilePVLastSignState`).
///
/// `FilePV` panics on sign-bytes without a signature, so the two come together or not at all: without
/// them it refuses its own slot.
#[must_use]
pub fn filepv(watermark: &Watermark, signature: Option<&Signature>) -> String {
    let position = watermark.position();
    let step = match position.step() {
        None => 0,
        Some(Step::Proposal) => 1,
        Some(Step::Prevote) => 2,
        Some(Step::Precommit) => 3,
    };
    let mut text = format!(
        "{{\n  \"height\": \"{}\",\n  \"round\": {},\n  \"step\": {step}",
        position.height(),
        position.round(),
    );
    let signature = signature.and_then(|signature| Base64::encode_to_string(signature.0).ok());
    if let (Some(sign_bytes), Some(signature)) = (watermark.sign_bytes(), signature) {
        let hex = upper_hex(sign_bytes.as_bytes());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            ",\n  \"signature\": \"{signature}\",\n  \"signbytes\": \"{hex}\""
        );
    }
    text.push_str("\n}");
    text
}

/// What tmkms writes (`src/chain/state.rs`), the block taken from the sign-bytes.
///
/// tmkms cannot say that nothing is signed in a round above 0/0: it gets that round's proposal, and
/// refuses to propose in it. A block that is not known is none, and tmkms refuses every block there.
#[must_use]
pub fn tmkms(watermark: &Watermark) -> String {
    let position = watermark.position();
    let step = match position.step() {
        None | Some(Step::Proposal) => 0,
        Some(Step::Prevote) => 1,
        Some(Step::Precommit) => 2,
    };
    let mut text = format!(
        r#"{{"height":"{}","round":"{}","step":{step},"block_id":"#,
        position.height(),
        position.round(),
    );
    let signed = watermark.sign_bytes();
    match signed.and_then(SignBytes::block_id) {
        Some(block) => {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                r#"{{"hash":"{}","parts":{{"total":{},"hash":"{}"}}}}"#,
                upper_hex(block.hash),
                block.total,
                upper_hex(block.parts_hash),
            );
        }
        None => text.push_str("null"),
    }
    text.push('}');
    text
}

/// Upper-case hexadecimal, as these files and log lines have it.
#[must_use]
pub fn upper_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::foreign;
    use super::*;
    use crate::guard::Position;
    use crate::keys::SigningKey;
    use crate::types::{BlockId, ChainId, Height, Round, Timestamp, Vote, VoteKind};

    const STEPS: [Option<Step>; 4] = [
        None,
        Some(Step::Proposal),
        Some(Step::Prevote),
        Some(Step::Precommit),
    ];

    fn vote(kind: VoteKind, block_id: Option<BlockId<'_>>) -> SignBytes {
        let vote = Vote {
            kind,
            height: Height::new(77).unwrap(),
            round: Round::new(3).unwrap(),
            block_id,
            timestamp: Timestamp::GO_ZERO,
        };
        SignBytes::vote(&ChainId::new("handover-1").unwrap(), &vote)
    }

    fn positions() -> impl Iterator<Item = Position> {
        [(0, 0), (0, 1), (1, 0), (77, 3), (i64::MAX, i32::MAX)]
            .into_iter()
            .flat_map(|(height, round)| {
                STEPS.map(|step| Position::new(height, round, step).unwrap())
            })
    }

    #[test]
    fn a_format_is_named_by_its_word_alone() {
        let formats = ["filepv", "tmkms", "horcrux", "FilePV", ""].map(Format::from_word);
        assert_eq!(
            formats,
            [Some(Format::FilePv), Some(Format::Tmkms), None, None, None]
        );
    }

    #[test]
    fn filepv_says_every_position() {
        for position in positions() {
            let text = filepv(&Watermark::at(position), None);
            let read = foreign::read(text.as_bytes()).unwrap();
            assert_eq!(
                read.unchecked_watermark(),
                Watermark::at(position),
                "{text}"
            );
            assert_eq!(read.format, foreign::Format::FilePv);
        }
    }

    #[test]
    fn tmkms_says_every_position_or_the_next() {
        for position in positions() {
            let text = tmkms(&Watermark::at(position));
            let read = foreign::read(text.as_bytes()).unwrap();
            let zero = position.height() == 0 && position.round() == 0;
            let expected = match position.step() {
                // Before the first slot, where its own file begins.
                None | Some(Step::Proposal) if zero => None,
                None => Some(Step::Proposal),
                other => other,
            };
            let expected = Position::new(position.height(), position.round(), expected).unwrap();
            assert_eq!(read.unchecked_watermark().position(), expected, "{text}");
            assert_eq!(read.format, foreign::Format::Tmkms);
        }
    }

    #[test]
    fn filepv_takes_sign_bytes_and_signature_together_or_not_at_all() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let sign_bytes = vote(VoteKind::Precommit, None);
        let watermark = Watermark::signed(sign_bytes);
        let signature = key.sign(sign_bytes.as_bytes());

        let text = filepv(&watermark, Some(&signature));
        let read = foreign::read(text.as_bytes()).unwrap();
        assert_eq!(read.signature, Some(signature.0));
        let chain = ChainId::new("handover-1").unwrap();
        assert_eq!(
            read.watermark(&chain, &key.public_key()).unwrap(),
            watermark
        );

        for text in [
            filepv(&watermark, None),
            filepv(&Watermark::at(watermark.position()), Some(&signature)),
        ] {
            assert!(!text.contains("sign"), "{text}");
        }
    }

    #[test]
    fn tmkms_gets_the_block_from_the_sign_bytes() {
        let block = BlockId {
            hash: &[0xab; 32],
            total: 5.try_into().unwrap(),
            parts_hash: &[0xcd; 32],
        };
        let (hash, parts) = ("AB".repeat(32), "CD".repeat(32));
        assert_eq!(
            tmkms(&Watermark::signed(vote(VoteKind::Prevote, Some(block)))),
            format!(
                r#"{{"height":"77","round":"3","step":1,"block_id":{{"hash":"{hash}","parts":{{"total":5,"hash":"{parts}"}}}}}}"#
            )
        );
        assert_eq!(
            tmkms(&Watermark::signed(vote(VoteKind::Precommit, None))),
            r#"{"height":"77","round":"3","step":2,"block_id":null}"#
        );
    }
}
