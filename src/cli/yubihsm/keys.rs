//! `yubihsm keys`.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ct_codecs::{Base64, Encoder as _};
use yubihsm::{Capability, Domain, asymmetric, object};

use super::super::Exit;
use super::super::command::Arguments;
use super::super::report::{complain, quoted, say, with_cause};
use super::super::setup::display;
use super::{Desk, id_flag, parse_id};
use crate::backend::yubihsm::names;
use crate::config::KeyFormat;
use crate::files;
use crate::keys::Prefix;
use crate::log::timestamp;
use crate::types::PublicKey;

/// `yubihsm keys list`.
pub(super) fn list(arguments: &Arguments) -> Exit {
    match Desk::open(arguments).and_then(|desk| list_at(&desk)) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

fn list_at(desk: &Desk) -> Result<(), Exit> {
    let serial = desk.serial()?;
    let client = desk.session.client();
    let of_keys = [object::Filter::Type(object::Type::AsymmetricKey)];
    let mut found = desk.done(client.list_objects(&of_keys), "list its keys")?;
    // Not every device filters.
    found.retain(|entry| entry.object_type == object::Type::AsymmetricKey);
    found.sort_by_key(|entry| entry.object_id);
    if found.is_empty() {
        say(&format!(
            "no keys in this YubiHSM (#{serial})\n`tmkms yubihsm keys generate 1` makes one\n"
        ));
        return Ok(());
    }
    let mut text = format!("Listing keys in YubiHSM #{serial}:\n");
    for entry in found {
        let id = entry.object_id;
        let public = desk.done(client.get_public_key(id), &format!("read key 0x{id:04x}"))?;
        let shown = match public.algorithm {
            asymmetric::Algorithm::Ed25519 => ed25519(&public.bytes).map_or_else(
                || "[cons] ?".to_owned(),
                |key| format!("[cons] {}", desk.shown(id, &key)),
            ),
            asymmetric::Algorithm::EcK256 => format!("[acct] {}", compressed(&public.bytes)),
            other @ (asymmetric::Algorithm::Rsa2048
            | asymmetric::Algorithm::Rsa3072
            | asymmetric::Algorithm::Rsa4096
            | asymmetric::Algorithm::EcP224
            | asymmetric::Algorithm::EcP256
            | asymmetric::Algorithm::EcP384
            | asymmetric::Algorithm::EcP521
            | asymmetric::Algorithm::EcBp256
            | asymmetric::Algorithm::EcBp384
            | asymmetric::Algorithm::EcBp512) => format!("[{other:?}] no key for a validator"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- 0x{id:04x}: {shown}");
        if let Ok(info) = client.get_object_info(id, object::Type::AsymmetricKey) {
            let _ = writeln!(
                text,
                "   label: \"{}\"\n   may: {}; {:?}",
                info.label.to_string().escape_default(),
                names(info.capabilities),
                info.origin
            );
        }
        let chains = desk.chains_of(id);
        if !chains.is_empty() {
            let _ = writeln!(text, "   signs for: {}", chains.join(", "));
        }
    }
    say(&text);
    Ok(())
}

/// `yubihsm keys generate`.
pub(super) fn generate(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let id = operand_id(arguments)?;
    let is_account = match arguments.value("type").map(|kind| kind.to_string_lossy()) {
        None => false,
        Some(kind) if kind == "consensus" => false,
        Some(kind) if kind == "account" => true,
        Some(kind) => {
            return Err(format!("a key's type is consensus or account, not {kind:?}").into());
        }
    };
    let prefix = match arguments.value("prefix").map(|text| text.to_string_lossy()) {
        None => None,
        Some(text) => Some(
            Prefix::new(&text)
                .map_err(|_| format!("{text:?} is no bech32 prefix: cosmosvalconspub is one"))?,
        ),
    };
    let now = timestamp(SystemTime::now());
    let begin = match (arguments.value("prefix"), is_account) {
        (Some(prefix), _) => prefix.to_string_lossy().into_owned(),
        (None, true) => "account".to_owned(),
        (None, false) => "consensus".to_owned(),
    };
    let label = label(arguments, &format!("{begin}:{now}"))?;
    let backup = arguments.value("backup").map(PathBuf::from);
    let wrap_key = id_flag(arguments, "wrapkey")?.unwrap_or(1);
    let may_leave = !arguments.has("non-exportable");
    if backup.is_some() && !may_leave {
        return Err(
            "--backup is of a key that may leave the device, --non-exportable of one that may not"
                .into(),
        );
    }
    Ok(exit_of((|| {
        is_free(backup.as_deref())?;
        let desk = Desk::open(arguments)?;
        desk.no_key_at(id)?;
        let (algorithm, capability) = if is_account {
            (asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA)
        } else {
            (asymmetric::Algorithm::Ed25519, Capability::SIGN_EDDSA)
        };
        let made = desk.session.client().generate_asymmetric_key(
            id,
            label,
            Domain::DOM1,
            capability | leave(may_leave),
            algorithm,
        );
        let _ = desk.done(made, &format!("make key 0x{id:04x}"))?;
        if is_account {
            say(&format!(
                "Generated account (secp256k1) key 0x{id:04x}\nthis program signs no transactions: it only keeps the key\n"
            ));
        } else {
            let key = desk.public_key(id)?;
            let shown = prefix
                .as_ref()
                .map_or_else(|| key.to_hex(), |prefix| key.to_bech32(prefix));
            say(&format!(
                "Generated consensus (ed25519) key 0x{id:04x}: {shown}\n"
            ));
            desk.say_next(id);
        }
        match &backup {
            Some(path) => desk.export(id, wrap_key, path),
            None => Ok(()),
        }
    })()))
}

/// `yubihsm keys export`.
pub(super) fn export(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let id = id_flag(arguments, "id")?.ok_or("which key? -i ID is needed")?;
    let wrap_key = id_flag(arguments, "wrapkey")?.unwrap_or(1);
    let path = operand(arguments);
    Ok(exit_of((|| {
        is_free(Some(&path))?;
        Desk::open(arguments)?.export(id, wrap_key, &path)
    })()))
}

impl Desk {
    pub(super) fn public_key(&self, id: u16) -> Result<PublicKey, Exit> {
        let read = self.session.client().get_public_key(id);
        let public = self.done(read, &format!("read key 0x{id:04x}"))?;
        ed25519(&public.bytes).ok_or_else(|| {
            complain(
                &format_args!("key 0x{id:04x} is of the algorithm {:?}", public.algorithm),
                "validators sign with Ed25519",
            );
            Exit::Device
        })
    }

    /// A key as its chain shows keys, if it is one chain's.
    pub(super) fn shown(&self, id: u16, key: &PublicKey) -> String {
        let chains = self.chains_of(id);
        let format = match chains.as_slice() {
            [one] => self
                .config
                .chains
                .iter()
                .find(|chain| chain.id.value.to_string() == *one)
                .map(|chain| &chain.key_format),
            _ => None,
        };
        display(key, format.unwrap_or(&KeyFormat::Hex))
    }

    /// The chains that a key is configured for.
    pub(super) fn chains_of(&self, id: u16) -> Vec<String> {
        self.provider()
            .into_iter()
            .flat_map(|provider| &provider.keys)
            .filter(|key| key.id.value == id)
            .flat_map(|key| &key.chain_ids)
            .map(|id| id.value.to_string())
            .collect()
    }

    /// Nothing is ever put in the place of a key.
    pub(super) fn no_key_at(&self, id: u16) -> Result<(), Exit> {
        let client = self.session.client();
        if client
            .get_object_info(id, object::Type::AsymmetricKey)
            .is_err()
        {
            return Ok(());
        }
        complain(
            &format_args!("the device has a key 0x{id:04x} already"),
            "take another number; `tmkms yubihsm keys list` shows those that are taken. Nothing was changed",
        );
        Err(Exit::Device)
    }

    fn export(&self, id: u16, wrap_key: u16, path: &Path) -> Result<(), Exit> {
        let exported =
            self.session
                .client()
                .export_wrapped(wrap_key, object::Type::AsymmetricKey, id);
        let message = self.done(
            exported,
            &format!("export key 0x{id:04x} under wrap key 0x{wrap_key:04x}, to which both have to agree by their capabilities"),
        )?;
        // Without the end of a line: tmkms reads none.
        let text = Base64::encode_to_string(message.into_vec()).unwrap_or_default();
        files::create(path, text.as_bytes(), 0o600).map_err(|error| {
            complain(
                &with_cause(&error),
                "name a new file in a directory of yours",
            );
            Exit::Failed
        })?;
        say(&format!(
            "Exported key 0x{id:04x} (encrypted under wrap key 0x{wrap_key:04x}) to {}\n",
            path.display()
        ));
        Ok(())
    }

    /// What there is to do before a new key signs.
    pub(super) fn say_next(&self, id: u16) {
        if self.chains_of(id).is_empty() {
            say(&format!(
                "name it in `keys` of [[providers.yubihsm]], then tell how far it has signed:\n  \
                 it never has:  tmkms state init CHAIN\n  it has:        tmkms state import CHAIN STATE_FILE\n\
                 key: {id}\n"
            ));
        } else {
            for chain in self.chains_of(id) {
                say(&format!(
                    "before it signs for {chain}, tell how far it has signed:\n  \
                     it never has:  tmkms state init {chain}\n  it has:        tmkms state import {chain} STATE_FILE\n"
                ));
            }
        }
    }
}

pub(super) fn leave(may_leave: bool) -> Capability {
    if may_leave {
        Capability::EXPORTABLE_UNDER_WRAP
    } else {
        Capability::empty()
    }
}

fn ed25519(bytes: &[u8]) -> Option<PublicKey> {
    bytes.try_into().ok().map(PublicKey)
}

/// A point of secp256k1 as chains write it: the sign of y, then x.
fn compressed(bytes: &[u8]) -> String {
    let (x, y) = bytes.split_at(bytes.len() / 2);
    let is_odd = y.last().is_some_and(|last| last % 2 == 1);
    let mut text = if is_odd { "03" } else { "02" }.to_owned();
    for byte in x {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

pub(super) fn label(arguments: &Arguments, default: &str) -> Result<object::Label, lexopt::Error> {
    let text = arguments.value("label").map_or_else(
        || default.to_owned(),
        |label| label.to_string_lossy().into_owned(),
    );
    object::Label::from_bytes(text.as_bytes()).map_err(|_| {
        format!(
            "a label has 40 bytes at most, and {text:?} has {}",
            text.len()
        )
        .into()
    })
}

pub(super) fn operand(arguments: &Arguments) -> PathBuf {
    arguments
        .operands
        .first()
        .map(PathBuf::from)
        .unwrap_or_default()
}

fn operand_id(arguments: &Arguments) -> Result<u16, lexopt::Error> {
    let text = arguments
        .operands
        .first()
        .map(|text| text.to_string_lossy());
    let text = text.unwrap_or_default();
    parse_id(&text)
        .ok_or_else(|| format!("{text:?} is no id: write 1 to 65534, or 0x0001 to 0xfffe").into())
}

/// Looked at before the device does anything: a backup is never written over.
fn is_free(path: Option<&Path>) -> Result<(), Exit> {
    match path {
        Some(path) if path.symlink_metadata().is_ok() => {
            complain(
                &format_args!("{} is there already", quoted(path)),
                "name a new file; nothing was changed",
            );
            Err(Exit::Failed)
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn exit_of(result: Result<(), Exit>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}
