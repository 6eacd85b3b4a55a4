//! `tmkms softsign`: keys in files. No command destroys one.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Exit;
use super::command::Arguments;
use super::node::{NODE_STATE, node_state};
use super::passphrase::Keyholder;
use super::report::{complain, quoted, say, warn, with_cause};
use super::show::{Prefixes, say_key};
use super::vault;
use crate::files;
use crate::guard::Watermark;
use crate::keys::{self, Fingerprint, Kept, Sealed, SigningKey, Work};
use crate::link::random;
use crate::store::mark::{self, Mark};
use crate::types::PublicKey;

/// A new key. The all-zero seed is no key, and does not come.
pub(super) fn generate() -> Result<SigningKey, io::Error> {
    SigningKey::from_seed(&*random()?).map_err(io::Error::other)
}

/// `softsign keygen PATH`.
pub(super) fn keygen(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let Some(path) = arguments.operands.first().map(PathBuf::from) else {
        return Ok(Exit::Usage);
    };
    let account = match arguments.value("type").map(|text| text.to_string_lossy()) {
        None => false,
        Some(text) if text == "consensus" => false,
        Some(text) if text == "account" => true,
        Some(text) => {
            return Err(format!("a key's type is consensus or account, not {text:?}").into());
        }
    };
    let prefixes = Prefixes::of(arguments)?;
    let mut form = Form::of(arguments)?;
    if account && matches!(form, Form::Sealed(..)) {
        return Err("account keys are not encrypted: this program does not use them".into());
    }
    let key = match generate() {
        Ok(key) => key,
        Err(error) => {
            complain(&format_args!("no random bytes: {error}"), "try again");
            return Ok(Exit::Failed);
        }
    };
    let Some(text) = form.text(&key, &path) else {
        return Ok(Exit::Key);
    };
    let put = match put(&path, &key.public_key(), &text) {
        Ok(put) => put,
        Err(error) => return Ok(error.complain(&path)),
    };
    put.say(&path);
    if account {
        say(&format!(
            "made an account key: {}\nthis program signs no transactions: it only keeps the key\n",
            path.display()
        ));
        return Ok(Exit::Done);
    }
    form.say(&path, &key.public_key(), &prefixes);
    let mark = Mark {
        public_key: key.public_key(),
        watermark: Watermark::ZERO,
        origin: None,
    };
    leave_mark(&path, &mark, "it is new and has signed nothing");
    Ok(Exit::Done)
}

/// `softsign import INPUT OUTPUT`.
pub(super) fn import(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let prefixes = Prefixes::of(arguments)?;
    let form = Form::of(arguments)?;
    let [input, output] = arguments.operands.as_slice() else {
        return Ok(Exit::Usage);
    };
    Ok(import_file(
        Path::new(input),
        Path::new(output),
        form,
        &prefixes,
    ))
}

/// The same, as `init --key` does it.
pub(super) fn import_plain(input: &Path, output: &Path) -> Result<Exit, lexopt::Error> {
    let prefixes = Prefixes::named("cosmos")?;
    Ok(import_file(input, output, Form::Plain, &prefixes))
}

/// Takes a key over, with what is known of how far it has signed.
fn import_file(input: &Path, output: &Path, mut form: Form, prefixes: &Prefixes) -> Exit {
    if let (Ok(from), Ok(to)) = (files::Identity::at(input), files::Identity::at(output))
        && from == to
    {
        complain(
            &format_args!("{} is INPUT and OUTPUT at once", quoted(output)),
            "name another OUTPUT; nothing was written",
        );
        return Exit::Usage;
    }
    let (bytes, warnings) = match files::read_foreign(input) {
        Ok(read) => read,
        Err(error) => {
            complain(
                &with_cause(&error),
                "INPUT is the validator's priv_validator_key.json",
            );
            return Exit::Key;
        }
    };
    for warning in warnings {
        warn(&warning);
    }
    let key = match keys::parse(&bytes) {
        Ok(imported) => imported.key,
        Err(error) => {
            complain(
                &format_args!("{} {error}", input.display()),
                "INPUT is the validator's priv_validator_key.json; nothing was written",
            );
            return Exit::Key;
        }
    };
    // Looked at before anything is written: a state that cannot be read is no reason to forget it.
    let public_key = key.public_key();
    let found = match node_state(input, &public_key) {
        Ok(found) => found,
        Err((state, error)) => {
            complain(
                &format_args!("the node's own state, {}: {error}", state.display()),
                "mend it or move it away, then import again; nothing was written",
            );
            return Exit::State;
        }
    };
    let known = is_known(output, &public_key);
    if matches!(form, Form::Sealed(..))
        && matches!(read_own(output), Some(Kept::Plain(there)) if there.public_key() == public_key)
    {
        complain(
            &format_args!("{} holds this key already, in plain", output.display()),
            &format!(
                "put it under a passphrase: tmkms softsign encrypt {}",
                quoted(output)
            ),
        );
        return Exit::Key;
    }
    let Some(text) = form.text(&key, output) else {
        return Exit::Key;
    };
    let put = match put(output, &public_key, &text) {
        Ok(put) => put,
        Err(error) => return error.complain(output),
    };
    put.say(output);
    form.say(output, &public_key, prefixes);
    if matches!(form, Form::Sealed(..)) {
        say(&format!("{} holds the key in plain still\n", quoted(input)));
    }
    match found {
        _ if known => say("this key was here before, so its state goes on where it was\n"),
        Some((watermark, origin)) => {
            let about = format!(
                "signed up to {} by the node, as {} says",
                watermark.position(),
                origin.display()
            );
            let mark = Mark {
                public_key,
                watermark,
                origin: Some(origin),
            };
            leave_mark(output, &mark, &about);
        }
        None => say(&format!(
            "no {NODE_STATE} was found beside {}, so how far this key has signed is not known. Once tmkms.toml is written:\n  \
             it has signed before:  tmkms state import -c tmkms.toml CHAIN priv_validator_state.json\n  \
             it never has:          tmkms state init -c tmkms.toml CHAIN\n",
            input.display()
        )),
    }
    Exit::Done
}

/// Whether this key lies at the target, or beside it under an old name: then it has begun already.
fn is_known(path: &Path, key: &PublicKey) -> bool {
    let mut old = path.as_os_str().to_owned();
    old.push(format!(".old-{}", Fingerprint::of_key(key)));
    Path::new(&old).symlink_metadata().is_ok() || read_public(path) == Some(*key)
}

fn read_public(path: &Path) -> Option<PublicKey> {
    let (bytes, _) = files::read_foreign(path).ok()?;
    Some(keys::read(&bytes).ok()?.public_key())
}

/// What lies there if `start` could use it: in another form, or for others to read, it could not.
fn read_own(path: &Path) -> Option<Kept> {
    let bytes = files::read_secret(path).ok()?;
    if Sealed::recognises(&bytes) {
        return keys::read(&bytes).ok();
    }
    keys::parse_seed(&bytes).ok().map(Kept::Plain)
}

/// How a key is going to lie in its file.
enum Form {
    Plain,
    Sealed(Box<Keyholder>, Work),
}

impl Form {
    fn of(arguments: &Arguments) -> Result<Self, lexopt::Error> {
        if arguments.has("encrypt") {
            let work = vault::work(arguments)?;
            return Ok(Self::Sealed(Box::new(Keyholder::of(arguments)?), work));
        }
        for flag in ["work", "passphrase-fd", "passphrase-file"] {
            if arguments.has(flag) {
                return Err(format!("--{flag} goes with --encrypt").into());
            }
        }
        Ok(Self::Plain)
    }

    /// The content of the file; `None` if that was complained of.
    fn text(&mut self, key: &SigningKey, path: &Path) -> Option<Zeroizing<String>> {
        match self {
            Self::Plain => Some(key.to_base64_seed()),
            Self::Sealed(keyholder, work) => match vault::seal(key, path, *work, keyholder) {
                Ok(text) => Some(Zeroizing::new(text)),
                Err(refused) => {
                    complain(&refused.message, &refused.cure);
                    None
                }
            },
        }
    }

    fn say(&self, path: &Path, key: &PublicKey, prefixes: &Prefixes) {
        let is_sealed = matches!(read_own(path), Some(Kept::Sealed(_)));
        say_key(path, key, prefixes, is_sealed);
        if matches!(self, Self::Sealed(..)) {
            vault::warn_of_copies(path, key);
        }
    }
}

fn leave_mark(path: &Path, mark: &Mark, about: &str) {
    // A mark that lies there belongs to a key that was moved aside.
    let left = mark::remove(path).and_then(|()| mark::leave(path, mark));
    match left {
        Ok(true) => say(&format!(
            "`tmkms start` will begin the state of its chain by itself, once: {about}\n"
        )),
        Ok(false) => say(
            "this file system does not tell when a file was made, so `start` cannot begin the state by itself:\n  \
             run `tmkms state init` or `tmkms state import` once tmkms.toml is written\n",
        ),
        Err(error) => warn(&format_args!(
            "no mark could be left beside {}: {error}; run `tmkms state init` or `tmkms state import` before `start`",
            quoted(path)
        )),
    }
}

/// What became of a key's file.
enum Put {
    Made,
    Unchanged,
    MovedAside(PathBuf),
}

/// Why a key could not be written. What lay there still lies there, or under the name told.
enum PutError {
    Files(files::Error),
    /// The old key was moved already.
    Moved(PathBuf, files::Error),
    Full,
}

/// Writes a key. Another one that lies there is moved aside first; the same one is left alone.
fn put(path: &Path, key: &PublicKey, text: &str) -> Result<Put, PutError> {
    let mut put = Put::Made;
    if path.symlink_metadata().is_ok() {
        if read_own(path).is_some_and(|there| there.public_key() == *key) {
            return Ok(Put::Unchanged);
        }
        put = Put::MovedAside(move_aside(path)?);
    }
    match (files::create(path, text.as_bytes(), 0o600), put) {
        (Ok(()), put) => Ok(put),
        (Err(error), Put::MovedAside(aside)) => Err(PutError::Moved(aside, error)),
        (Err(error), _) => Err(PutError::Files(error)),
    }
}

fn move_aside(path: &Path) -> Result<PathBuf, PutError> {
    let fingerprint = if let Some(key) = read_public(path) {
        Fingerprint::of_key(&key)
    } else {
        let bytes = files::read_foreign(path).map(|(bytes, _)| bytes);
        Fingerprint::of_bytes(&bytes.unwrap_or_default())
    };
    let word = fingerprint.to_string();
    files::aside(path, &word, |to| files::move_aside(path, to)).map_err(|error| {
        if matches!(error.problem, files::Problem::Exists) {
            PutError::Full
        } else {
            PutError::Files(error)
        }
    })
}

impl Put {
    fn say(&self, path: &Path) {
        match self {
            Self::Made => {}
            Self::Unchanged => say(&format!("{} holds this key already\n", path.display())),
            Self::MovedAside(aside) => {
                say(&format!("what was there is kept as {}\n", aside.display()));
            }
        }
    }
}

impl PutError {
    fn complain(&self, path: &Path) -> Exit {
        match self {
            Self::Files(error) => {
                let parent = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                match parent.filter(|parent| !parent.exists()) {
                    Some(parent) => complain(
                        &with_cause(error),
                        &format!("make the directory: mkdir -m 700 -p {}", quoted(parent)),
                    ),
                    None => complain(&with_cause(error), "no key was lost"),
                }
            }
            Self::Moved(aside, error) => complain(
                &with_cause(error),
                &format!(
                    "no key was lost: the one that was there is {}",
                    quoted(aside)
                ),
            ),
            Self::Full => complain(
                &format_args!("too many old copies lie beside {}", quoted(path)),
                "move them elsewhere; no key was lost",
            ),
        }
        Exit::Key
    }
}
