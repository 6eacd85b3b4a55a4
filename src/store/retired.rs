//! A state on its way elsewhere, and the copy that stays behind.
//!
//! ```text
//! Store ─ leave ─▶ Leaving ─ retire ─▶ (on disk) retired ─▶ the exported file appears
//!                     └ recall ─▶ Committed: the watermark's own bytes, for the exported signature
//! Retired ─ reinstate, not lower ─▶ Store
//!    Ready ─ replace, at any watermark ─▶ Store, the old file kept and retired
//! ```
//!
//! Retired before the exported file appears: after a crash in between nobody signs, and the export can
//! be made again from the retired copy.

use std::io;

use super::open::{Ready, keep, make};
use super::record::{Header, Status};
use super::{Adopted, Committed, Convertible, Error, OpenError, Store};
use crate::files;
use crate::guard::{Verdict, Watermark};

/// A copy that may not sign: held and locked.
#[derive(Debug)]
pub struct Retired {
    ready: Ready,
}

/// A state that is handed over: it commits nothing any more.
///
/// ```compile_fail
/// fn sign_on(mut leaving: tmkms::store::Leaving, permit: tmkms::guard::Permit) {
///     let _ = leaving.commit(permit);
/// }
/// ```
#[derive(Debug)]
pub struct Leaving {
    store: Store,
}

impl Retired {
    pub(super) fn new(ready: Ready) -> Self {
        Self { ready }
    }

    /// How far the chain was signed when this copy was retired.
    #[must_use]
    pub fn watermark(&self) -> &Watermark {
        self.ready.watermark()
    }

    /// Puts the copy back to work at the watermark that comes back from elsewhere.
    ///
    /// What was signed elsewhere at this copy's own position is known only if both say the same; else
    /// that slot is refused.
    ///
    /// # Errors
    ///
    /// [`OpenError::Retired`], with the copy, if the watermark is below its own; I/O.
    pub fn reinstate(self, watermark: &Watermark) -> Result<Store, OpenError> {
        let own = *self.watermark();
        if watermark.position() < own.position() {
            return Err(OpenError::Retired(Box::new(self)));
        }
        let unsure = watermark.position() == own.position() && *watermark != own;
        let watermark = if unsure {
            Watermark::at(own.position())
        } else {
            *watermark
        };
        let mut store = self.ready.open()?;
        store
            .write(Status::Active, &watermark)
            .map_err(as_open_error)?;
        Ok(store)
    }

    /// Hands the state over once more, as when an export was cut short.
    ///
    /// # Errors
    ///
    /// I/O.
    pub fn leave(self) -> Result<Leaving, OpenError> {
        self.ready.open().map(Store::leave)
    }

    /// See [`Ready::replace`].
    ///
    /// # Errors
    ///
    /// I/O.
    pub fn replace(self, watermark: &Watermark) -> Result<Adopted, OpenError> {
        self.ready.replace(watermark)
    }
}

impl Ready {
    /// Puts a new state in this one's place, at a watermark that may be lower. This one is kept beside
    /// it, retired.
    ///
    /// # Errors
    ///
    /// I/O; what lies at the path then is this state, retired or as it was.
    pub fn replace(self, watermark: &Watermark) -> Result<Adopted, OpenError> {
        let path = self.held.path.clone();
        let header = Header {
            origin: None,
            ..self.contents.header.clone()
        };
        let mut old = self.open()?.leave();
        let kept = keep(&path, "replaced")?;
        // Under both of its names, and before the new one can sign.
        old.retire().map_err(as_open_error)?;
        // The lock on the old file is held until the new one is locked.
        let store = make(&path, &header, watermark, files::replace_atomic)?;
        Ok(Adopted { store, kept })
    }
}

impl Convertible {
    /// Puts a state of ours in the foreign file's place, at a watermark that may be lower, and keeps the
    /// original beside it.
    ///
    /// # Errors
    ///
    /// I/O; the path then still names the original.
    pub fn replace(self, watermark: &Watermark) -> Result<Adopted, OpenError> {
        self.at(watermark).adopt()
    }
}

impl Store {
    /// Hands the state over: from here on it commits nothing.
    #[must_use]
    pub fn leave(self) -> Leaving {
        Leaving { store: self }
    }
}

impl Leaving {
    /// How far the chain is signed.
    #[must_use]
    pub fn watermark(&self) -> &Watermark {
        self.store.watermark()
    }

    /// Whether this copy is retired already.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.store.newest.status == Status::Retired
    }

    /// The watermark's own bytes, which are on disk, to be signed once more. `None`: they are not known.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`].
    pub fn recall(&mut self) -> Result<Option<Committed>, Error> {
        let Some(own) = self.store.watermark().sign_bytes().copied() else {
            return Ok(None);
        };
        match self.store.judge(own) {
            Ok(Verdict::Replay(replay)) => self.store.recall(&replay).map(Some),
            Ok(Verdict::Permit(_)) | Err(_) => Ok(None),
        }
    }

    /// Retires this copy, durably. One that is retired already stays so.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the copy may or may not be retired.
    pub fn retire(&mut self) -> Result<(), Error> {
        if self.is_retired() {
            return Ok(());
        }
        let watermark = *self.store.watermark();
        self.store.write(Status::Retired, &watermark)
    }
}

fn as_open_error(error: Error) -> OpenError {
    match error {
        Error::Io(error) => OpenError::Io(error),
        other @ (Error::Moved | Error::Poisoned | Error::Stale) => {
            OpenError::Io(io::Error::other(other))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Found, find};
    use super::*;
    use crate::files::scratch::Scratch;
    use crate::guard::Position;
    use crate::store::{Damage, Initial};
    use crate::types::{ChainId, PublicKey, Step};
    use std::path::Path;

    const KEY: PublicKey = PublicKey([7; 32]);

    fn chain() -> ChainId {
        ChainId::new("retired-1").unwrap()
    }

    fn at(height: i64) -> Watermark {
        Watermark::at(Position::new(height, 0, Some(Step::Prevote)).unwrap())
    }

    fn retired(path: &Path) -> Retired {
        match find(path, &chain(), &KEY) {
            Err(OpenError::Retired(retired)) => *retired,
            other => panic!("{other:?}"),
        }
    }

    fn made(scratch: &Scratch, watermark: &Watermark) -> (std::path::PathBuf, Store) {
        let path = scratch.path("state.json");
        let Ok(Found::Missing(vacant)) = find(&path, &chain(), &KEY) else {
            panic!("there is one")
        };
        let initial = Initial {
            watermark: *watermark,
            origin: None,
        };
        (path, vacant.create(&initial).unwrap())
    }

    #[test]
    fn a_retired_copy_opens_for_nobody_who_does_not_bring_a_state() {
        let scratch = Scratch::new();
        let (path, store) = made(&scratch, &at(5));
        store.leave().retire().unwrap();
        assert_eq!(*retired(&path).watermark(), at(5));
    }

    #[test]
    fn a_lower_state_does_not_bring_it_back_and_an_equal_one_does() {
        let scratch = Scratch::new();
        let (path, store) = made(&scratch, &at(5));
        store.leave().retire().unwrap();
        assert!(matches!(
            retired(&path).reinstate(&at(4)),
            Err(OpenError::Retired(_))
        ));
        assert_eq!(
            *retired(&path).reinstate(&at(5)).unwrap().watermark(),
            at(5)
        );
        assert!(matches!(find(&path, &chain(), &KEY), Ok(Found::Ours(_))));
    }

    #[test]
    fn it_is_retired_once_and_held_meanwhile() {
        let scratch = Scratch::new();
        let (path, store) = made(&scratch, &at(5));
        let mut leaving = store.leave();
        leaving.retire().unwrap();
        leaving.retire().unwrap();
        assert!(matches!(
            find(&path, &chain(), &KEY),
            Err(OpenError::Locked)
        ));
        drop(leaving);
        let mut again = retired(&path).leave().unwrap();
        assert!(again.recall().unwrap().is_none());
        again.retire().unwrap();
    }

    #[test]
    fn a_replaced_state_is_kept_and_retired() {
        let scratch = Scratch::new();
        let (path, store) = made(&scratch, &at(5));
        drop(store);
        let Ok(Found::Ours(ready)) = find(&path, &chain(), &KEY) else {
            panic!("not ours")
        };
        let replaced = ready.replace(&at(3)).unwrap();
        assert_eq!(*replaced.store.watermark(), at(3));
        assert_eq!(*retired(&replaced.kept).watermark(), at(5));
        drop(replaced);
        assert!(matches!(find(&path, &chain(), &KEY), Ok(Found::Ours(_))));
    }

    #[test]
    fn a_retirement_that_half_of_the_file_says_is_damage() {
        let scratch = Scratch::new();
        let (path, store) = made(&scratch, &at(5));
        store.leave().retire().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let word = br#""status":"retired""#;
        let at = bytes.windows(word.len()).position(|part| part == word);
        bytes[at.unwrap() + 10] = b'R';
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(
            find(&path, &chain(), &KEY),
            Err(OpenError::Damaged(Damage::OneRecord(_)))
        ));
    }

    #[test]
    fn what_is_handed_over_says_whether_it_is_retired_and_hands_out_its_last_bytes() {
        let scratch = Scratch::new();
        let height = crate::types::Height::new(8).unwrap();
        let vote = crate::types::Vote {
            kind: crate::types::VoteKind::Prevote,
            height,
            round: crate::types::Round::ZERO,
            block_id: None,
            timestamp: crate::types::Timestamp::new(1, 0).unwrap(),
        };
        let sign_bytes = crate::canon::SignBytes::vote(&chain(), &vote);
        let (_, mut store) = made(&scratch, &at(7));
        let Ok(Verdict::Permit(permit)) = store.judge(sign_bytes) else {
            panic!("a new height is permitted");
        };
        let _ = store.commit(permit).unwrap();
        let mut leaving = store.leave();
        assert!(!leaving.is_retired());
        leaving.retire().unwrap();
        assert!(leaving.is_retired());
        let recalled = leaving.recall().unwrap().unwrap();
        assert_eq!(*recalled.sign_bytes(), sign_bytes);
    }
}
