//! Asking at the terminal, without showing what is typed.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::PASSPHRASE_MAX_LEN;

/// Asks for a line that is not shown. Control-C and control-D end it as an error.
///
/// # Errors
///
/// There is no terminal; the system's; [`ErrorKind::Interrupted`].
pub(super) fn ask(prompt: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let quiet = Quiet::new(&terminal)?;
    terminal.write_all(prompt.as_bytes())?;
    let line = read_line(&mut terminal);
    terminal.write_all(b"\r\n")?;
    drop(quiet);
    line
}

/// A terminal that shows nothing and turns no key into a signal, until this is dropped: a signal would
/// leave it so for the shell.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn new(terminal: &File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        let terminal = terminal.try_clone()?;
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn read_line(terminal: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: what grows leaves copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_MAX_LEN));
    let mut byte = [0];
    loop {
        let read = terminal.read(&mut byte);
        let [key] = byte;
        byte.zeroize();
        match read {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match key {
            b'\n' | b'\r' => return Ok(line),
            CONTROL_C | CONTROL_D => return Err(ErrorKind::Interrupted.into()),
            CONTROL_U => line.clear(),
            BACKSPACE | DELETE => erase(&mut line),
            _ if line.len() < PASSPHRASE_MAX_LEN => line.push(key),
            _ => return Err(ErrorKind::InvalidInput.into()),
        }
    }
}

/// Takes back a character of UTF-8, however many bytes it has.
fn erase(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

const CONTROL_C: u8 = 3;
const CONTROL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CONTROL_U: u8 = 21;
const DELETE: u8 = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_taken_back_whole() {
        let mut line = "aé🔑".as_bytes().to_vec();
        erase(&mut line);
        assert_eq!(line, "aé".as_bytes());
        erase(&mut line);
        erase(&mut line);
        erase(&mut line);
        assert!(line.is_empty());
    }
}
