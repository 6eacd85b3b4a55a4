//! The device's frames, checked before anybody believes them.
//!
//! A frame is a command's code, the length of what follows in two bytes, and the data; an answer has the
//! command's code with the highest bit set, or 0x7f and an error's code. The crate that opens the answers
//! trusts their form: one of another form would end the process.

use super::fault::Fault;

/// The most bytes of a frame: the device's buffer of 3,136 bytes and its header.
pub(super) const FRAME_MAX_LEN: usize = 3_139;

/// What stands before the data.
const HEADER_LEN: usize = 3;

const ERROR: u8 = 0x7f;
pub(super) const CREATE_SESSION: u8 = 0x03;
pub(super) const AUTHENTICATE_SESSION: u8 = 0x04;
pub(super) const SESSION_MESSAGE: u8 = 0x05;
const ANSWER: u8 = 0x80;

/// A session's number, the challenge, the cryptogram.
const CREATED_LEN: usize = 1 + 8 + 8;
/// Ciphertext comes in blocks.
const BLOCK_LEN: usize = 16;
const MAC_LEN: usize = 8;

/// The command and the data of a frame whose length is what it says.
pub(super) fn split(frame: &[u8]) -> Option<(u8, &[u8])> {
    let (header, data) = frame.split_first_chunk::<HEADER_LEN>()?;
    let [code, high, low] = *header;
    (usize::from(u16::from_be_bytes([high, low])) == data.len()).then_some((code, data))
}

/// Whether these bytes are a command that may be passed on.
pub(super) fn is_command(frame: &[u8]) -> bool {
    frame.len() <= FRAME_MAX_LEN && split(frame).is_some_and(|(code, _)| code & ANSWER == 0)
}

/// The session that a command is for, if it is for one.
pub(super) fn session_of(command: &[u8]) -> Option<u8> {
    match split(command)? {
        (AUTHENTICATE_SESSION | SESSION_MESSAGE, data) => data.first().copied(),
        _ => None,
    }
}

/// The session that an answer opens.
pub(super) fn opened_session(command: &[u8], answer: &[u8]) -> Option<u8> {
    match (split(command)?, split(answer)?) {
        ((CREATE_SESSION, _), (code, data)) if code == CREATE_SESSION | ANSWER => {
            data.first().copied()
        }
        _ => None,
    }
}

/// The code of an answer that is an error.
pub(super) fn error_code(answer: &[u8]) -> Option<u8> {
    match split(answer)? {
        (ERROR, data) => data.first().copied(),
        _ => None,
    }
}

/// Holds an answer to the command it is for.
pub(super) fn check(command: &[u8], answer: &[u8]) -> Result<(), Fault> {
    let Some((asked, _)) = split(command) else {
        return Err(Fault::Garbled("there was no command"));
    };
    let Some((code, data)) = split(answer) else {
        return Err(Fault::Garbled("its length is not what it says"));
    };
    if code == ERROR {
        return match data.len() {
            1 => Ok(()),
            _ => Err(Fault::Garbled("an error without its code")),
        };
    }
    if code != asked | ANSWER {
        return Err(Fault::Garbled("it is for another command"));
    }
    let is_whole = match asked {
        CREATE_SESSION => data.len() == CREATED_LEN,
        AUTHENTICATE_SESSION => data.is_empty(),
        SESSION_MESSAGE => data
            .len()
            .checked_sub(1 + MAC_LEN)
            .is_some_and(|blocks| blocks >= BLOCK_LEN && blocks.is_multiple_of(BLOCK_LEN)),
        _ => true,
    };
    if is_whole {
        Ok(())
    } else {
        Err(Fault::Garbled("it is cut short or too long"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(code: u8, data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(data.len()).unwrap().to_be_bytes();
        [&[code], &len[..], data].concat()
    }

    #[test]
    fn an_answer_is_held_to_its_command() {
        let command = frame(SESSION_MESSAGE, &[2; 25]);
        for (answer, is_sound) in [
            (frame(0x85, &[2; 25]), true),
            (frame(0x85, &[2; 41]), true),
            (frame(0x85, &[2; 9]), false),
            (frame(0x85, &[2; 26]), false),
            (frame(0x85, &[]), false),
            (frame(0x83, &[2; 25]), false),
            (frame(0x7f, &[3]), true),
            (frame(0x7f, &[]), false),
            (frame(0x05, &[2; 25]), false),
            (vec![0x85, 0, 9, 1], false),
            (vec![0x85], false),
            (vec![], false),
        ] {
            assert_eq!(check(&command, &answer).is_ok(), is_sound, "{answer:02x?}");
        }
    }

    #[test]
    fn a_session_opens_with_its_number_and_both_halves_of_the_proof() {
        let command = frame(CREATE_SESSION, &[0, 1, 9, 9, 9, 9, 9, 9, 9, 9]);
        let answer = frame(0x83, &[7; 17]);
        assert!(check(&command, &answer).is_ok());
        assert_eq!(opened_session(&command, &answer), Some(7));
        assert!(check(&command, &frame(0x83, &[7; 16])).is_err());
        assert_eq!(opened_session(&command, &frame(0x7f, &[5])), None);
    }

    #[test]
    fn only_commands_are_passed_on() {
        assert!(is_command(&frame(SESSION_MESSAGE, &[1; 25])));
        assert!(!is_command(&frame(0x85, &[1; 25])));
        assert!(!is_command(&[5, 0, 2, 1]));
        assert!(!is_command(&frame(1, &[0; FRAME_MAX_LEN])));
    }
}
