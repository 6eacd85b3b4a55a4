//! `tmkms softsign encrypt` and `decrypt`: a key put under a passphrase, and out again, in its place.

use std::path::{Path, PathBuf};

use super::Exit;
use super::command::Arguments;
use super::passphrase::{Keyholder, Refused};
use super::report::{complain, quoted, say, warn, with_cause};
use super::show::{Prefixes, say_key};
use crate::files::{self, Old};
use crate::keys::{self, Fingerprint, Passphrase, SALT_LEN, Sealed, SigningKey, Work};
use crate::link::random;
use crate::store::mark;
use crate::types::PublicKey;

/// `softsign encrypt PATH`.
pub(super) fn encrypt(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let prefixes = Prefixes::of(arguments)?;
    let work = work(arguments)?;
    let mut keyholder = Keyholder::of(arguments)?;
    let Some(path) = arguments.operands.first().map(Path::new) else {
        return Ok(Exit::Usage);
    };
    let done = read(path).and_then(|bytes| {
        if Sealed::recognises(&bytes) {
            let sealed = Sealed::parse(&bytes).map_err(|error| broken(path, &error))?;
            say("encrypted already: for another passphrase, decrypt it first\n");
            say_key(path, &sealed.public_key(), &prefixes, true);
            return Ok(());
        }
        let key = keys::parse_seed(&bytes).map_err(|error| {
            Refused::because(
                format!("{} {error}", path.display()),
                "only tmkms' own key files are encrypted in their place; of another, make an encrypted copy: \
                 tmkms softsign import --encrypt INPUT OUTPUT",
            )
        })?;
        let text = seal(&key, path, work, &mut keyholder)?;
        let public_key = key.public_key();
        let old = in_place(path, &public_key, || {
            files::replace_and_wipe(path, &bytes, text.as_bytes(), 0o600)
        })?;
        match old {
            Old::Overwritten => {}
            Old::Left(error) => warn(&format_args!(
                "the key is encrypted now, and its old bytes could not be overwritten: {error}"
            )),
        }
        say_key(path, &public_key, &prefixes, true);
        say("the bytes that lay there were overwritten; backups, snapshots, a journal of data and an SSD may keep them\n");
        warn_of_copies(path, &public_key);
        Ok(())
    });
    Ok(finish(done))
}

/// `softsign decrypt PATH`.
pub(super) fn decrypt(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let prefixes = Prefixes::of(arguments)?;
    let mut keyholder = Keyholder::of(arguments)?;
    let Some(path) = arguments.operands.first().map(Path::new) else {
        return Ok(Exit::Usage);
    };
    let done = read(path).and_then(|bytes| {
        if !Sealed::recognises(&bytes) {
            return Err(Refused::because(
                format!("{} is not encrypted", path.display()),
                "it was left as it is",
            ));
        }
        let sealed = Sealed::parse(&bytes).map_err(|error| broken(path, &error))?;
        let key = keyholder.open(path, &sealed)?;
        let text = key.to_base64_seed();
        let _ = in_place(path, &key.public_key(), || {
            files::replace_and_wipe(path, &bytes, text.as_bytes(), 0o600)
        })?;
        say_key(path, &key.public_key(), &prefixes, false);
        Ok(())
    });
    Ok(finish(done))
}

/// The cost from `--work`.
pub(super) fn work(arguments: &Arguments) -> Result<Work, lexopt::Error> {
    match arguments.parsed::<u8>("work")? {
        None => Ok(Work::DEFAULT),
        Some(log_n) => Work::new(log_n)
            .map_err(|_| "--work is 10 to 18: 2^WORK KiB of memory for each attempt".into()),
    }
}

/// The file of a key under a new passphrase, which was opened again before it is handed out.
pub(super) fn seal(
    key: &SigningKey,
    path: &Path,
    work: Work,
    keyholder: &mut Keyholder,
) -> Result<String, Refused> {
    let salt = random().map_err(|error| {
        Refused::because(format!("no random bytes: {error}"), "nothing was written")
    })?;
    let passphrase = keyholder.fresh(path)?;
    if passphrase.is_short() {
        warn(&"the passphrase has less than 12 bytes: whoever gets the file can try them all");
    }
    let text = sealed_text(key, passphrase, work, &salt).map_err(|error| broken(path, &error))?;
    Ok(text)
}

fn sealed_text(
    key: &SigningKey,
    passphrase: &Passphrase,
    work: Work,
    salt: &[u8; SALT_LEN],
) -> Result<String, keys::SealedError> {
    let text = Sealed::seal(key, passphrase, work, salt)?.to_string();
    // The key in plain is about to go: what replaces it must be known to open.
    let _ = Sealed::parse(text.as_bytes())?.open(passphrase)?;
    Ok(text)
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, Refused> {
    files::read_secret(path)
        .map_err(|error| Refused::because(with_cause(&error), "nothing was changed"))
}

/// Replaces a key's file. The mark that is good for the old file is made anew for the new one.
fn in_place<T>(
    path: &Path,
    public_key: &PublicKey,
    replace: impl FnOnce() -> Result<T, files::Error>,
) -> Result<T, Refused> {
    let unsure = |error: std::io::Error| {
        Refused::because(
            format!("{}: {error}", mark::path(path).display()),
            "nothing was changed",
        )
    };
    let before = mark::find(path, public_key).map_err(unsure)?;
    let done = replace().map_err(|error| {
        let cure = if matches!(error.problem, files::Problem::Linked) {
            "remove the other name (find -samefile shows it); nothing was changed"
        } else {
            "nothing was changed"
        };
        Refused::because(with_cause(&error), cure)
    })?;
    if let mark::Found::Valid(mark) = before {
        // Used up meanwhile, it does not come back.
        let is_there = matches!(
            mark::find(path, public_key),
            Ok(mark::Found::Void(mark::Void::Copied))
        );
        let left = if is_there {
            mark::remove(path).and_then(|()| mark::leave(path, &mark))
        } else {
            Ok(true)
        };
        if !matches!(left, Ok(true)) {
            warn(&format_args!(
                "{} could not be made anew: run `tmkms state init` or `tmkms state import` before `start`",
                mark::path(path).display()
            ));
        }
    }
    Ok(done)
}

/// Says where the same key lies in plain still.
pub(super) fn warn_of_copies(path: &Path, public_key: &PublicKey) {
    let fingerprint = Fingerprint::of_key(public_key);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".old-{fingerprint}"));
    let aside = PathBuf::from(name);
    if aside.symlink_metadata().is_ok() {
        warn(&format_args!(
            "the same key lies in plain in {path}: encrypt it too, or remove it: shred -u {path}",
            path = quoted(&aside)
        ));
    }
}

fn broken(path: &Path, error: &keys::SealedError) -> Refused {
    Refused::because(format!("{} {error}", path.display()), "nothing was changed")
}

fn finish(done: Result<(), Refused>) -> Exit {
    match done {
        Ok(()) => Exit::Done,
        Err(refused) => {
            complain(&refused.message, &refused.cure);
            Exit::Key
        }
    }
}
