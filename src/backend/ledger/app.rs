//! The APDUs of the Tendermint Validator app, and what each of its answers means.

use core::fmt;

use crate::backend::Error;
use crate::backend::device::Trouble;

/// The class of all its instructions.
pub(super) const CLA: u8 = 0x56;

const GET_VERSION: u8 = 0;
const PUBLIC_KEY: u8 = 1;
const SIGN: u8 = 2;

/// Done.
pub(super) const OK: u16 = 0x9000;
/// P1 or P2 is not what this version expects.
pub(super) const WRONG_PARAMETERS: u16 = 0x6b00;
/// The slot is not above the app's watermark.
pub(super) const NOT_ABOVE: u16 = 0x6985;
/// The person at the device said no.
pub(super) const REJECTED: u16 = 0x6986;
const DATA_INVALID: u16 = 0x6984;

/// One APDU. `data` has at most 255 bytes: a vote or a proposal is never longer than 182.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) instruction: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) data: Vec<u8>,
    pub(super) status: u16,
}

/// The app's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// A build for tests of the app itself.
    pub(super) is_test: bool,
    major: u8,
    minor: u8,
    patch: u8,
}

/// What is known of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Signs what nodes verify.
    Fit,
    /// Wants a path for its key, which later ones do not.
    Old,
    /// Signs SHA-512 of the message.
    Hashing,
    /// Nothing: each signature will tell.
    Not,
}

/// How the message follows SIGN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// P1 is the packet's number from 1, P2 how many there are.
    Counted,
    /// P1 is 0 for the beginning, 2 for the last packet; P2 is 0.
    Marked,
}

impl Request {
    pub(super) fn version() -> Self {
        Self::plain(GET_VERSION)
    }

    pub(super) fn public_key() -> Self {
        Self::plain(PUBLIC_KEY)
    }

    /// The APDUs of one signature.
    pub(super) fn sign(style: Style, message: &[u8]) -> (Self, Option<Self>) {
        let packet = |p1, p2, data: &[u8]| Self {
            instruction: SIGN,
            p1,
            p2,
            data: data.to_vec(),
        };
        match style {
            Style::Counted => (packet(1, 1, message), None),
            Style::Marked => (packet(0, 0, &[]), Some(packet(2, 0, message))),
        }
    }

    fn plain(instruction: u8) -> Self {
        Self {
            instruction,
            p1: 0,
            p2: 0,
            data: Vec::new(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let len = u8::try_from(self.data.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![CLA, self.instruction, self.p1, self.p2, len];
        bytes.extend(self.data.iter().take(usize::from(len)));
        bytes
    }
}

impl Version {
    /// From the answer to GET_VERSION: mode, major, minor, patch; since 0.11 more follows.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        match *data {
            [mode, major, minor, patch] | [mode, major, minor, patch, _, _, _, _, _] => {
                Some(Self {
                    is_test: mode != 0,
                    major,
                    minor,
                    patch,
                })
            }
            _ => None,
        }
    }

    pub(super) const fn known(self) -> Known {
        match (self.major, self.minor) {
            (0, 0..=5) => Known::Old,
            (0, 6..=10) => Known::Fit,
            (0, 11 | 12) => Known::Hashing,
            _ => Known::Not,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// That this version cannot be used, since it signs a hash.
pub(super) fn signs_a_hash(version: Version) -> Error {
    Error::new(
        format!("version {version} of its app signs the SHA-512 of a vote, which no node accepts"),
        "install version 0.9 of the Tendermint Validator app",
    )
}

/// That this version cannot be used, since it is spoken to in another way.
pub(super) fn too_old(version: Version) -> Error {
    Error::new(
        format!(
            "version {version} of its app is too old: it wants the key's path with each request"
        ),
        "install version 0.9 of the Tendermint Validator app",
    )
}

/// That a signature was made and did not arrive.
pub(super) fn signed_and_lost() -> Error {
    Error::new(
        "it has signed this, the reply was lost on the way, and its app signs nothing twice (6985)",
        "nothing: the next slot is signed; if replies are lost often, change the cable",
    )
}

/// That the app cannot sign a vote extension.
pub(super) fn no_extensions(version: Version) -> Error {
    Error::new(
        format!("version {version} of its app signs no vote extensions"),
        "a chain that has them needs another provider; one that has none needs no `sign_extensions = true`",
    )
}

/// What an answer means that is not [`OK`]; `len` is that of the message that was to be signed.
pub(super) fn trouble(answer: &Answer, version: Option<Version>, len: usize) -> Trouble {
    let app = version.map_or_else(
        || "its app".to_owned(),
        |version| format!("version {version} of its app"),
    );
    match answer.status {
        NOT_ABOVE => Trouble::Refused(Error::new(
            "it refuses (6985): its app has signed this slot or a later one already, and signs nothing twice, the same bytes neither",
            "the next slot is signed; if none is, its app was initialised too high: quit and open it, then `tmkms ledger init`",
        )),
        REJECTED => Trouble::Refused(Error::new(
            "the person at the device rejected it (6986)",
            "the next request asks there again: accept it if height and round are not below what was signed",
        )),
        DATA_INVALID => Trouble::Refused(Error::new(
            format!(
                "{app} does not sign this (6984): {}",
                parse_error(&answer.data, len)
            ),
            "nothing helps but another provider; `tmkms check` says what else it does not sign for this chain",
        )),
        0x6e00 | 0x6e01 | 0x6d00 | 0x6d02 | 0x6511 => Trouble::Lost(Error::new(
            format!("another app is open on it, or none ({:04x})", answer.status),
            "open the Tendermint Validator app on it",
        )),
        0x5515 | 0x530c | 0x6804 => Trouble::Lost(Error::new(
            format!("it is locked ({:04x})", answer.status),
            "unlock it with its PIN, and open the Tendermint Validator app; switch its auto-lock off",
        )),
        WRONG_PARAMETERS | 0x6700 | 0x6982 | 0x6983 => Trouble::Lost(Error::new(
            format!(
                "{app} does not understand the request ({:04x})",
                answer.status
            ),
            "install version 0.9 of the Tendermint Validator app",
        )),
        0x6400 | 0x6a80 | 0x6f01 => Trouble::Lost(Error::new(
            format!("{app} failed to sign ({:04x})", answer.status),
            "quit the app and open it again",
        )),
        other => Trouble::Lost(Error::new(
            format!("{app} answered with the unknown status {other:04x}"),
            "quit the app and open it again; if it lasts, plug the device out and in",
        )),
    }
}

/// The byte that comes with status 6984.
fn parse_error(data: &[u8], len: usize) -> String {
    match data {
        [1] => "it takes the message for cut short".to_owned(),
        [2] => "a field is not where it expects it".to_owned(),
        [3] => "a field is not of the kind it expects".to_owned(),
        [4] => "it is neither a vote nor a proposal".to_owned(),
        [5 | 6] => "its round is above 127".to_owned(),
        [7] => format!(
            "it has {} bytes, and 127 is the most",
            len.saturating_sub(if len > 128 { 2 } else { 1 })
        ),
        [other] => format!("unknown code {other}"),
        _ => "it gives no reason".to_owned(),
    }
}
