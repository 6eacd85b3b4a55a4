//! `yubihsm setup`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::super::Exit;
use super::super::command::Arguments;
use super::super::report::{complain, quoted, say};
use super::{Desk, fail, read_line};
use crate::backend::Error;
use crate::backend::yubihsm::{Phrase, erase_and_set_up, random};
use crate::log::timestamp;

pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    if arguments.has("print-only") && (arguments.has("write-report") || arguments.has("yes")) {
        return Err(
            "--print-only changes nothing, so that --yes and --write-report have nothing to do"
                .into(),
        );
    }
    Ok(match set_up(arguments) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    })
}

fn set_up(arguments: &Arguments) -> Result<(), Exit> {
    let is_print_only = arguments.has("print-only");
    let is_restore = arguments.has("restore");
    // The words are what there is already: no device is needed to print what is derived of them.
    if is_print_only && is_restore {
        let phrase = read_phrase()?;
        say("Below are all keys/passwords derived from your 24-word admin mnemonic:\n");
        show(&phrase);
        return Ok(());
    }
    let desk = Desk::open(arguments)?;
    let serial = desk.serial()?;
    if desk.is_shared && !is_print_only {
        return Err(fail(&Error::new(
            "a signer that runs has the device",
            "stop it first: a set-up erases its keys",
        )));
    }
    let phrase = if is_restore {
        say("Restoring and reprovisioning YubiHSM from existing 24-word mnemonic phrase.\n\n");
        read_phrase()?
    } else {
        let of_device = random(&desk.session)
            .map(Zeroizing::new)
            .map_err(|cause| fail(&cause.error("make up a random number")))?;
        let of_system = crate::link::random().map_err(|error| {
            complain(&format_args!("no random bytes: {error}"), "try again");
            Exit::Failed
        })?;
        Phrase::new(&of_device, &of_system)
    };
    if is_print_only {
        say("Below is a randomly generated 24-word admin mnemonic and derived keys/passwords:\n");
        show(&phrase);
        return Ok(());
    }
    // Made before anything is erased.
    let report = match arguments.value("write-report") {
        Some(path) => Some(new_file(Path::new(path))?),
        None => None,
    };
    say(&format!(
        "This process will *ERASE* the configured YubiHSM2 and reinitialize it:\n\n- YubiHSM serial: {serial}\n\n\
         Authentication keys with the following IDs and passwords will be created:\n"
    ));
    show(&phrase);
    confirm(arguments, &serial)?;
    let written = erase_and_set_up(&desk.session, &phrase, &timestamp(SystemTime::now()))
        .map_err(|error| fail(&error))?;
    say(&format!(
        "Success: reinitialized YubiHSM (serial: {serial})\n"
    ));
    if let Some(mut file) = report {
        let path = quoted(
            arguments
                .value("write-report")
                .map_or(Path::new(""), Path::new),
        );
        match file
            .write_all(written.as_bytes())
            .and_then(|()| file.sync_all())
        {
            Ok(()) => say(&format!("Wrote the provisioning report to {path}\n")),
            Err(error) => {
                complain(
                    &format_args!("the report could not be written to {path}: {error}"),
                    "the device has it as well, in opaque object 0xfffe",
                );
                return Err(Exit::Failed);
            }
        }
    }
    say(
        "Write the 24 words on paper, keep them where no computer is, and put the validator's password into the file \
         that `password_file` of `auth = { key = 4, … }` names.\n",
    );
    Ok(())
}

/// The one question on which a device is erased.
fn confirm(arguments: &Arguments, serial: &str) -> Result<(), Exit> {
    let answer = if let Some(given) = arguments.value("yes") {
        given.to_string_lossy().into_owned()
    } else {
        say(&format!(
            "\nEverything in the device is lost, keys as well. To erase it, type its serial number, {serial}: "
        ));
        read_line().trim().to_owned()
    };
    if answer == serial {
        return Ok(());
    }
    complain(
        &format_args!("that is not the serial number of the device, {serial}"),
        "nothing was changed",
    );
    Err(Exit::Failed)
}

fn read_phrase() -> Result<Phrase, Exit> {
    say("*** Enter mnemonic (separate words with spaces): ");
    let line = read_line();
    let phrase = Phrase::parse(&line).map_err(|error| {
        complain(
            &format_args!("these are not the words of a set-up: {error}"),
            "type all 24 in one line; nothing was changed",
        );
        Exit::Key
    })?;
    say("\nMnemonic phrase decoded/checksummed successfully!\n\n");
    Ok(phrase)
}

fn show(phrase: &Phrase) {
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    text.push_str("\n- key 0x0001: admin:\n\n");
    for (at, word) in phrase.words().split(' ').enumerate() {
        text.push_str(if at % 12 == 0 { "    " } else { " " });
        text.push_str(word);
        if at % 12 == 11 {
            text.push('\n');
        }
    }
    text.push('\n');
    for (line, role) in [
        ("- authkey 0x0002 [operator]:  ", "operator"),
        ("- authkey 0x0003 [auditor]:   ", "auditor"),
        ("- authkey 0x0004 [validator]: ", "validator"),
    ] {
        text.push_str(line);
        text.push_str(&phrase.role(role));
        text.push('\n');
    }
    text.push_str("- wrapkey 0x0001 [primary]:   ");
    for byte in phrase.wrap_key().iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
    }
    text.push('\n');
    say(&text);
}

fn new_file(path: &Path) -> Result<File, Exit> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            complain(
                &format_args!("{} cannot be made: {error}", quoted(path)),
                "name a new file for the report; nothing was changed",
            );
            Exit::Failed
        })
}

/// More than all that is shown takes.
const ROOM: usize = 2048;
