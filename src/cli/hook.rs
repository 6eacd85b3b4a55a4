//! `state_hook`: at start, a command of the operator's tells how high the chain is.
//!
//! The watermark is raised above the height that it prints, durably, before the first request is
//! answered: whatever this signer has forgotten, it signs nothing in a block that is there already.

use core::fmt::{self, Display};
use core::time::Duration;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use nojson::{RawJson, RawJsonValue};
use rustix::process::{Pid, Signal, kill_process_group};

use super::Exit;
use super::report::{Report, complain, quoted, with_cause};
use crate::config::{Chain, StateHook};
use crate::guard::{Position, Watermark};
use crate::store::Store;

/// What a hook may print, in bytes: a node's `/status` has under 2,000.
const OUTPUT_MAX_LEN: usize = 64 * 1024;
/// How much of what it says on standard error is shown, in bytes.
const COMPLAINT_MAX_LEN: usize = 500;
/// How far a hook may raise a height: it is tmkms' limit. A wrong number would end the validator, for
/// no command lowers a height.
const RAISE_MAX: i64 = 9_000;
/// How often it is looked whether a hook has ended that has closed its output.
const LOOK: Duration = Duration::from_millis(2);

/// Why a hook was of no use.
#[derive(Debug)]
enum Error {
    Spawn(io::Error),
    Late(Duration),
    /// And what it said on standard error.
    Status(ExitStatus, String),
    TooMuch,
    NoHeight(String),
    TooHigh {
        told: i64,
        known: Position,
    },
}

/// Runs a chain's hook and raises its state. Complaints are printed.
pub(super) fn follow(
    hook: &StateHook,
    chain: &Chain,
    store: &mut Store,
    report: &Report,
) -> Result<(), Exit> {
    let id = chain.id.value;
    let known = store.watermark().position();
    let told = ask(hook).and_then(|told| aim(told, known));
    match told {
        Ok(None) => log::info!(
            target: "tmkms::chain",
            "[{id}] `state_hook` told of no height above {known}"
        ),
        Ok(Some(aim)) => {
            if let Err(error) = store.raise(&Watermark::at(aim)) {
                complain(
                    &format_args!("{id}: {}", with_cause(&error)),
                    "nothing was signed; mend the cause and start again",
                );
                return Err(Exit::State);
            }
            log::warn!(
                target: "tmkms::chain",
                "[{id}] `state_hook` raised the state from {known} to {aim}: below it nothing is signed"
            );
        }
        Err(error) if hook.fail_closed => {
            complain(
                &format_args!("{id}: its `state_hook` {error}"),
                &cure(&error, chain, report),
            );
            return Err(Exit::State);
        }
        Err(error) => log::warn!(
            target: "tmkms::chain",
            "[{id}] `state_hook` {error}; signing goes on from {known}, as `fail_closed = false` asks"
        ),
    }
    Ok(())
}

fn cure(error: &Error, chain: &Chain, report: &Report) -> String {
    match error {
        Error::TooHigh { told, .. } => format!(
            "if the chain is there, raise the state once by hand: tmkms state init -c {} --height {} {}",
            quoted(report.file()),
            told.saturating_add(1),
            chain.id.value
        ),
        Error::Spawn(_) => "write the program's path and each argument in quotes of their own, as in `cmd = [\"/usr/local/bin/height\", \"cosmoshub-4\"]`: there is no shell".to_owned(),
        Error::Late(_) | Error::Status(..) | Error::TooMuch | Error::NoHeight(_) => {
            "nothing was signed; mend the hook, or write `fail_closed = false` in it to sign without it".to_owned()
        }
    }
}

/// Where signing may begin above a block that is there; `None` if it begins there anyway.
fn aim(told: i64, known: Position) -> Result<Option<Position>, Error> {
    if told == 0 || told < known.height() {
        return Ok(None);
    }
    let too_high = Error::TooHigh { told, known };
    if told.saturating_sub(known.height()) >= RAISE_MAX {
        return Err(too_high);
    }
    let above = told.checked_add(1);
    let Some(aim) = above.and_then(|height| Position::new(height, 0, None)) else {
        return Err(too_high);
    };
    Ok(Some(aim))
}

/// Runs the command to its end, and gives the height that it prints.
fn ask(hook: &StateHook) -> Result<i64, Error> {
    let deadline = Instant::now().checked_add(hook.timeout);
    let mut child = Command::new(&hook.program)
        .args(&hook.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(Error::Spawn)?;
    let output = collect(child.stdout.take(), OUTPUT_MAX_LEN.saturating_add(1));
    let complaint = collect(child.stderr.take(), COMPLAINT_MAX_LEN);
    let left = || {
        deadline.map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        })
    };

    // Until its output has ended nobody has waited for the child, so its number is its own.
    let Ok(output) = output.recv_timeout(left()) else {
        return Err(kill(&mut child, hook.timeout));
    };
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if left().is_zero() => return Err(kill(&mut child, hook.timeout)),
            Ok(None) => thread::sleep(LOOK),
            Err(error) => return Err(Error::Spawn(error)),
        }
    };
    if output.len() > OUTPUT_MAX_LEN {
        return Err(Error::TooMuch);
    }
    if !status.success() {
        // It may have left somebody behind who holds this pipe open.
        let complaint = complaint.recv_timeout(left()).unwrap_or_default();
        return Err(Error::Status(status, first_line(&complaint)));
    }
    height(&output).ok_or_else(|| Error::NoHeight(first_line(&output)))
}

/// Reads a pipe to its end on a thread of its own, and keeps its first bytes.
fn collect(pipe: Option<impl Read + Send + 'static>, kept: usize) -> Receiver<Vec<u8>> {
    let (tell, output) = channel();
    drop(thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let mut head = pipe.by_ref().take(u64::try_from(kept).unwrap_or(0));
            drop(head.read_to_end(&mut bytes));
            // One that prints without end is ended by the deadline.
            drop(io::copy(&mut pipe, &mut io::sink()));
        }
        drop(tell.send(bytes));
    }));
    output
}

/// Ends the command and everything that it has started in its process group.
fn kill(child: &mut Child, timeout: Duration) -> Error {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    drop(child.wait());
    Error::Late(timeout)
}

/// The height in what a hook printed.
///
/// It is a number and nothing else; or JSON with `latest_block_height`, a number or a string, at the
/// top, in `sync_info` or `SyncInfo` (what a chain's own `status` prints), or in `result.sync_info`
/// (what a node answers at `/status`).
fn height(output: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(output).ok()?.trim();
    if let Some(height) = digits(text) {
        return Some(height);
    }
    let json = RawJson::parse(text).ok()?;
    [
        &["latest_block_height"][..],
        &["sync_info", "latest_block_height"],
        &["SyncInfo", "latest_block_height"],
        &["result", "sync_info", "latest_block_height"],
    ]
    .into_iter()
    .find_map(|path| {
        path.iter()
            .try_fold(json.value(), |value, name| member(value, name))
    })
    .and_then(|value| digits(value.as_raw_str().trim_matches('"')))
}

fn member<'text, 'raw>(
    value: RawJsonValue<'text, 'raw>,
    name: &str,
) -> Option<RawJsonValue<'text, 'raw>> {
    value.to_member(name).ok()?.optional()
}

/// A height. A chain that has not begun is at 0.
fn digits(text: &str) -> Option<i64> {
    let only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| only)
}

/// For a message: one line, of printable characters, and not a long one.
fn first_line(bytes: &[u8]) -> String {
    const SHOWN: usize = 120;
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect()
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(error) => write!(f, "could not be run: {error}"),
            Self::Late(timeout) => {
                write!(f, "took longer than {} s and was killed", timeout.as_secs())
            }
            Self::Status(status, complaint) if complaint.is_empty() => {
                write!(f, "failed: {status}")
            }
            Self::Status(status, complaint) => write!(f, "failed: {status}: {complaint}"),
            Self::TooMuch => write!(f, "printed more than {OUTPUT_MAX_LEN} bytes"),
            Self::NoHeight(line) if line.is_empty() => {
                f.write_str("printed nothing, where the height of the latest block belongs")
            }
            Self::NoHeight(line) => write!(
                f,
                "printed {line:?}, which is neither a number nor JSON with `latest_block_height`"
            ),
            Self::TooHigh { told, known } => write!(
                f,
                "told of height {told}, {RAISE_MAX} or more above the state's {known}: too far to be believed unasked"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_is_read_in_every_documented_form() {
        for (output, expected) in [
            ("123", Some(123)),
            (" 123\n", Some(123)),
            (r#"{"latest_block_height":"123"}"#, Some(123)),
            (r#"{ "other": [1], "latest_block_height": 123 }"#, Some(123)),
            (r#"{"sync_info":{"latest_block_height":"7"}}"#, Some(7)),
            (r#"{"SyncInfo":{"latest_block_height":"7"}}"#, Some(7)),
            (
                r#"{"jsonrpc":"2.0","id":-1,"result":{"node_info":{},"sync_info":{"latest_block_height":"9"}}}"#,
                Some(9),
            ),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("12 13", None),
            ("height 12", None),
            ("\"12\"", None),
            ("99999999999999999999", None),
            (r#"{"height":"12"}"#, None),
            (r#"{"latest_block_height":"0x12"}"#, None),
            (r#"{"latest_block_height":null}"#, None),
            (r#"{"latest_block_height":"12""#, None),
        ] {
            assert_eq!(height(output.as_bytes()), expected, "{output}");
        }
    }

    #[test]
    fn a_block_that_is_there_is_signed_no_more() {
        let at = |height| Position::new(height, 2, None).unwrap();
        for (told, known, expected) in [
            (0, 0, Some(None)),
            (99, 100, Some(None)),
            (100, 100, Some(Some(101))),
            (9_099, 100, Some(Some(9_100))),
            (9_100, 100, None),
            (i64::MAX, 100, None),
            (i64::MAX, i64::MAX - 1, None),
        ] {
            let aim = aim(told, at(known)).ok();
            let heights = aim.map(|aim| aim.map(Position::height));
            assert_eq!(heights, expected, "{told} above {known}");
        }
    }
}
