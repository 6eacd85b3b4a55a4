#![doc = include_str!("README.md")]

mod app;
mod limits;
mod line;
mod transport;

use core::time::Duration;

use sha2::{Digest, Sha512};

pub use limits::{MESSAGE_MAX_LEN, ROUND_MAX, TooLong, too_long};
pub use transport::Route;

use super::Error;
use super::device::{Device, Message, OpenError, Slots, Trouble};
use crate::canon::message::{Canonical, PROPOSAL, Shape};
use crate::canon::parts::{BlockId, Timestamp};
use crate::canon::writer;
use crate::keys::verify;
use crate::types::{ChainId, PublicKey, Signature};
use app::{Answer, Known, Request, Style, Version};
use line::{Line, Silence};

/// A Ledger with the Tendermint Validator app.
pub struct Ledger {
    route: Route,
    line: Option<Line>,
    app: Option<App>,
    /// The message whose signature was asked for and has not come: lost, or owed.
    unanswered: Option<Vec<u8>>,
    /// A signature that came when nobody waited for it any more.
    late: Option<(Vec<u8>, Signature)>,
}

/// The app as it was found when the line was opened.
#[derive(Clone, Copy)]
struct App {
    version: Version,
    style: Style,
    public_key: PublicKey,
}

/// How long a signature is waited for: below the device's patience, so that the refusal says why.
const SIGN_PATIENCE: Duration = Duration::from_millis(2_500);

/// How long any other answer is waited for.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

impl Ledger {
    /// A device that is not opened yet.
    #[must_use]
    pub const fn new(route: Route) -> Self {
        Self {
            route,
            line: None,
            app: None,
            unanswered: None,
            late: None,
        }
    }

    /// Sets the app's own watermark to a height and round, as if their proposal had been signed. After the app
    /// was opened, a person has to agree on the device, for which `patience` is the time. The device
    /// must be open.
    ///
    /// # Errors
    ///
    /// What the device said, or that nobody pressed a button.
    pub fn initialise(
        &mut self,
        chain_id: &ChainId,
        height: i64,
        round: i32,
        patience: Duration,
    ) -> Result<(), Error> {
        // What the app takes for a proposal, and no node does: it has no block.
        let message = Canonical {
            shape: Shape::Vote(PROPOSAL),
            height,
            round: i64::from(round),
            block_id: BlockId::default(),
            timestamp: Timestamp::default(),
            chain_id: chain_id.as_bytes(),
        };
        let mut bytes = Vec::new();
        writer::delimited(&mut bytes, &message);
        let signed = self
            .settle()
            .and_then(|()| self.ask_to_sign(&bytes, patience));
        match signed {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(error) | Trouble::Lost(error)) => Err(error),
        }
    }

    /// Takes in what is owed. Until it has come, nothing can be asked.
    fn settle(&mut self) -> Result<(), Trouble> {
        let line = self.line.as_mut().ok_or_else(not_open)?;
        let Some(owed_for) = line.owed_for() else {
            return Ok(());
        };
        let answer = match line.owed() {
            Ok(answer) => answer,
            Err(Silence::Late) => return Err(Trouble::Refused(waiting(owed_for))),
            Err(Silence::Gone(error)) => return Err(Trouble::Lost(error)),
        };
        let (route, seconds) = (self.route, owed_for.as_secs_f32());
        let asked = self.unanswered.take();
        match (asked, signature(&answer)) {
            (Some(asked), Some(signature)) => {
                log::info!(target: "tmkms::keyring", "[{route}] answered after {seconds:.1} s");
                self.late = Some((asked, signature));
            }
            (Some(_), None) if answer.status == app::REJECTED => log::warn!(
                target: "tmkms::keyring",
                "[{route}] what it showed was rejected after {seconds:.1} s; the next request asks there again"
            ),
            _ => log::info!(
                target: "tmkms::keyring",
                "[{route}] answered after {seconds:.1} s with status {:04x}", answer.status
            ),
        }
        Ok(())
    }

    /// Asks for one signature. Nothing may be owed.
    fn ask_to_sign(&mut self, message: &[u8], patience: Duration) -> Result<Signature, Trouble> {
        let (Some(line), Some(app)) = (&mut self.line, &mut self.app) else {
            return Err(not_open());
        };
        let was_unanswered = self.unanswered.as_deref() == Some(message);
        self.unanswered = Some(message.to_vec());
        let mut answer = send(line, app.style, message, patience)?;
        if answer.status == app::WRONG_PARAMETERS && app.style == Style::Counted {
            app.style = Style::Marked;
            answer = send(line, app.style, message, patience)?;
        }
        if answer.status == app::NOT_ABOVE && was_unanswered {
            // And stays so, however often it is asked for.
            return Err(Trouble::Refused(app::signed_and_lost()));
        }
        self.unanswered = None;
        if answer.status != app::OK {
            return Err(app::trouble(&answer, Some(app.version), message.len()));
        }
        let signature = signature(&answer)
            .ok_or_else(|| Trouble::Lost(malformed("signature of 64", &answer)))?;
        if !verify(&app.public_key, message, &signature)
            && verify(&app.public_key, &Sha512::digest(message), &signature)
        {
            return Err(Trouble::Refused(app::signs_a_hash(app.version)));
        }
        Ok(signature)
    }

    /// Asks the app who it is.
    fn look(&mut self) -> Result<App, OpenError> {
        let Some(line) = &mut self.line else {
            return Err(OpenError::Away(closed()));
        };
        let answer = ask(line, Request::version(), None)?;
        let version = Version::read(&answer.data)
            .ok_or_else(|| OpenError::Away(malformed("version of 4 or 9", &answer)))?;
        match version.known() {
            Known::Fit | Known::Not => {}
            Known::Hashing => return Err(OpenError::Wrong(app::signs_a_hash(version))),
            Known::Old => return Err(OpenError::Wrong(app::too_old(version))),
        }
        if version.is_test {
            log::warn!(
                target: "tmkms::keyring",
                "[{}] its app is a build for tests: others may know its key", self.route
            );
        }
        let answer = ask(line, Request::public_key(), Some(version))?;
        let public_key = <[u8; 32]>::try_from(answer.data.as_slice())
            .map(PublicKey)
            .map_err(|_| OpenError::Away(malformed("public key of 32", &answer)))?;
        Ok(App {
            version,
            style: Style::Counted,
            public_key,
        })
    }
}

impl Device for Ledger {
    fn name(&self) -> String {
        self.route.to_string()
    }

    fn signs_extensions(&self) -> bool {
        false
    }

    fn open(&mut self) -> Result<Slots, OpenError> {
        // What is owed would be taken for the answer to the first question.
        if let Err(Trouble::Refused(error)) = self.settle() {
            return Err(OpenError::Away(error));
        }
        self.app = None;
        self.line = None;
        self.line = Some(Line::new(self.route).map_err(OpenError::Away)?);
        let app = self.look()?;
        self.app = Some(app);
        Ok(vec![Ok(app.public_key)])
    }

    fn sign(&mut self, _: usize, message: Message<'_>) -> Result<Signature, Trouble> {
        let app = self.app.ok_or_else(not_open)?;
        if message.is_extension() {
            return Err(Trouble::Refused(app::no_extensions(app.version)));
        }
        self.settle()?;
        match &self.late {
            Some((signed, signature)) if signed == message.as_bytes() => Ok(*signature),
            _ => self.ask_to_sign(message.as_bytes(), SIGN_PATIENCE),
        }
    }

    fn idle(&mut self) -> Result<(), Trouble> {
        self.settle()?;
        let (Some(line), Some(app)) = (&mut self.line, self.app) else {
            return Err(not_open());
        };
        match ask(line, Request::version(), Some(app.version)) {
            Ok(answer) if Version::read(&answer.data) == Some(app.version) => Ok(()),
            Ok(answer) => Err(Trouble::Lost(malformed("version as before", &answer))),
            // It may wait for a button: whoever asks next is told.
            Err(_) if line.owed_for().is_some() => Ok(()),
            Err(OpenError::Away(error) | OpenError::Wrong(error)) => Err(Trouble::Lost(error)),
        }
    }
}

/// Sends a message as packets; each but the last is answered with nothing.
fn send(
    line: &mut Line,
    style: Style,
    message: &[u8],
    patience: Duration,
) -> Result<Answer, Trouble> {
    let (first, second) = Request::sign(style, message);
    let mut exchange = |request| {
        line.exchange(request, patience)
            .map_err(|silence| match silence {
                Silence::Late => Trouble::Refused(waiting(patience)),
                Silence::Gone(error) => Trouble::Lost(error),
            })
    };
    let answer = exchange(first)?;
    match second {
        Some(second) if answer.status == app::OK => exchange(second),
        Some(_) | None => Ok(answer),
    }
}

/// Asks for something that no person has to agree to.
fn ask(line: &mut Line, request: Request, version: Option<Version>) -> Result<Answer, OpenError> {
    let answer = line
        .exchange(request, ASK_PATIENCE)
        .map_err(|silence| match silence {
            Silence::Late => OpenError::Away(waiting(ASK_PATIENCE)),
            Silence::Gone(error) => OpenError::Away(error),
        })?;
    if answer.status == app::OK {
        return Ok(answer);
    }
    Err(match app::trouble(&answer, version, 0) {
        Trouble::Refused(error) | Trouble::Lost(error) => OpenError::Away(error),
    })
}

fn signature(answer: &Answer) -> Option<Signature> {
    <[u8; 64]>::try_from(answer.data.as_slice())
        .ok()
        .filter(|_| answer.status == app::OK)
        .map(Signature)
}

fn waiting(since: Duration) -> Error {
    Error::new(
        format!(
            "it has not answered for {:.1} s: after its app was opened, the first signature waits for a button",
            since.as_secs_f32()
        ),
        "look at its screen, and accept if height and round are not below what was signed; if it shows nothing, plug it out and in",
    )
}

fn malformed(expected: &str, answer: &Answer) -> Error {
    Error::new(
        format!(
            "it answered with {} bytes in place of a {expected}",
            answer.data.len()
        ),
        "is the Tendermint Validator app open on it? quit the app and open it again",
    )
}

fn not_open() -> Trouble {
    Trouble::Lost(closed())
}

fn closed() -> Error {
    Error::new("it is not open", "it is opened again by itself")
}
