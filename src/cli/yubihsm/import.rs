//! `yubihsm keys import`.

use std::path::Path;

use ct_codecs::{Base64, Decoder as _};
use yubihsm::{Capability, Domain, asymmetric, object, wrap};
use zeroize::Zeroizing;

use super::super::Exit;
use super::super::command::Arguments;
use super::super::node::node_state;
use super::super::report::{complain, quoted, say, warn, with_cause};
use super::keys::{exit_of, label, leave, operand};
use super::{Desk, id_flag};
use crate::files;
use crate::keys::{self, SigningKey};

/// `yubihsm keys import`.
pub(super) fn import(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let path = operand(arguments);
    let wrap_key = id_flag(arguments, "wrapkey")?.unwrap_or(1);
    let id = id_flag(arguments, "id")?;
    let label = label(arguments, "")?;
    let kind = arguments.value("type").map(|kind| kind.to_string_lossy());
    if !matches!(kind.as_deref(), None | Some("wrap" | "base64" | "json")) {
        return Err("what is imported is wrap, base64 or json".into());
    }
    let (text, warnings) = match files::read_foreign(&path) {
        Ok(read) => read,
        Err(error) => {
            complain(
                &with_cause(&error),
                "PATH is a backup, or a validator's key",
            );
            return Ok(Exit::Key);
        }
    };
    for warning in warnings {
        warn(&warning);
    }
    // A backup is longer than any key, and is base64; a key is what says that it is one.
    let is_wrapped = match kind.as_deref() {
        Some(kind) => kind == "wrap",
        None => {
            keys::parse(&text).is_err()
                && Base64::decode_to_vec(text.trim_ascii(), None)
                    .is_ok_and(|bytes| bytes.len() > 64)
        }
    };
    if is_wrapped {
        if id.is_some() || arguments.has("label") || arguments.has("non-exportable") {
            warn(
                &"a backup brings its own number, label and capabilities: those given are not used",
            );
        }
        return Ok(exit_of(import_backup(arguments, &path, &text, wrap_key)));
    }
    let key = match keys::parse(&text) {
        Ok(imported) => imported.key,
        Err(error) => {
            complain(
                &format_args!("{} {error}", path.display()),
                "PATH is a backup of `keys export`, or a validator's priv_validator_key.json; nothing was changed",
            );
            return Ok(Exit::Key);
        }
    };
    let id = id.ok_or("which number shall the key have? -i ID is needed")?;
    let may_leave = !arguments.has("non-exportable");
    Ok(exit_of(import_key(
        arguments, &path, &key, id, label, may_leave,
    )))
}

fn import_key(
    arguments: &Arguments,
    path: &Path,
    key: &SigningKey,
    id: u16,
    label: object::Label,
    may_leave: bool,
) -> Result<(), Exit> {
    let desk = Desk::open(arguments)?;
    desk.no_key_at(id)?;
    let base64 = key.to_base64_seed();
    let seed = Base64::decode_to_vec(base64.trim_ascii(), None).map(Zeroizing::new);
    let Ok(seed) = seed else {
        complain(&"the key has no seed", "this is a fault of this program");
        return Err(Exit::Failed);
    };
    let put = desk.session.client().put_asymmetric_key(
        id,
        label,
        Domain::DOM1,
        Capability::SIGN_EDDSA | leave(may_leave),
        asymmetric::Algorithm::Ed25519,
        seed.to_vec(),
    );
    let _ = desk.done(put, &format!("import key 0x{id:04x}"))?;
    let imported = desk.public_key(id)?;
    if imported != key.public_key() {
        complain(
            &format_args!(
                "the device has made another key of it, {}",
                imported.to_hex()
            ),
            "do not use it: delete it with yubihsm-shell, and have the device looked at",
        );
        return Err(Exit::Device);
    }
    say(&format!(
        "Imported key 0x{id:04x}: {}\n",
        desk.shown(id, &imported)
    ));
    say(&format!(
        "{} holds the key still: two signers with one key double-sign. Once a backup is safe, destroy it\n",
        quoted(path)
    ));
    if let Ok(Some((watermark, origin))) = node_state(path, &imported) {
        say(&format!(
            "the node has signed up to {} with it. Before the first start, stop the node and take that over:\n  \
             tmkms state import CHAIN {}\n",
            watermark.position(),
            quoted(&origin)
        ));
    } else {
        desk.say_next(id);
    }
    Ok(())
}

fn import_backup(
    arguments: &Arguments,
    path: &Path,
    text: &[u8],
    wrap_key: u16,
) -> Result<(), Exit> {
    let message = Base64::decode_to_vec(text.trim_ascii(), None)
        .ok()
        .and_then(|bytes| wrap::Message::from_vec(bytes).ok());
    let Some(message) = message else {
        complain(
            &format_args!("{} is no backup", quoted(path)),
            "a backup is what `tmkms yubihsm keys export` has written: base64 in one line",
        );
        return Err(Exit::Key);
    };
    let desk = Desk::open(arguments)?;
    let imported = desk.session.client().import_wrapped(wrap_key, message);
    let handle = desk.done(
        imported,
        &format!("import the backup under wrap key 0x{wrap_key:04x}, which must be the one it was made with"),
    )?;
    let id = handle.object_id;
    if handle.object_type != object::Type::AsymmetricKey {
        say(&format!("Imported {} 0x{id:04x}\n", handle.object_type));
        return Ok(());
    }
    let key = desk.public_key(id)?;
    say(&format!(
        "Imported key 0x{id:04x}: {}\n",
        desk.shown(id, &key)
    ));
    desk.say_next(id);
    Ok(())
}
