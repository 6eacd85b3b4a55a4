//! Log lines as tmkms prints them.
//!
//! ```text
//! 2022-08-12T07:27:05.904223Z  INFO tmkms::commands::start: tmkms 0.12.2 starting up...
//! ```
//!
//! Time in UTC with microseconds, level, target, message: the full format of the `tracing` crate,
//! which operators' filters are made for. One line is one `write` to stdout, without a lock and
//! without the heap. What cannot be written is lost: a closed pipe does not stop a signer.

mod line;

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
    time::{SystemTime, UNIX_EPOCH},
};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::io::{Errno, write};

use line::{Colour, Line};

/// Sends the lines of the whole process to stdout, from level INFO, or DEBUG if `verbose`.
///
/// In colour if stdout is a terminal and `NO_COLOR` is unset or empty (<https://no-color.org>). A
/// second call changes the level only.
pub fn init(verbose: bool) {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let printer = if wanted && io::stdout().is_terminal() {
        &COLOURED
    } else {
        &PLAIN
    };
    // Refused if there is a logger already, which is then this one.
    log::set_logger(printer).ok();
    log::set_max_level(if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    });
}

/// A time in UTC to the second, as RFC 3339 has it: `2022-08-12T07:27:05Z`.
#[must_use]
pub fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    line::to_the_second(since)
}

struct Printer(Colour);

static PLAIN: Printer = Printer(Colour::Off);
static COLOURED: Printer = Printer(Colour::On);

impl Log for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // It shows every frame, and calls that information.
        let is_talk = metadata.target().starts_with("ledger_transport_hid");
        let level = metadata
            .level()
            .max(if is_talk { Level::Debug } else { Level::Error });
        level <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let line = Line::new(record, now.unwrap_or_default(), self.0);
            put(io::stdout(), line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// Writes a line, at once unless the system takes only a part; errors are no one's to mend.
fn put(out: impl AsFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(&out, bytes) {
            Ok(count @ 1..) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_closed_pipe_stops_nothing() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        put(writer, b"line\n");
    }

    #[test]
    fn a_full_pipe_that_does_not_block_loses_lines_and_nothing_else() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        for _ in 0..10_000 {
            put(&writer, b"a line of twenty-one\n");
        }
        drop(writer);
        let mut kept = Vec::new();
        let len = reader.read_to_end(&mut kept).unwrap();
        assert!((4096..210_000).contains(&len), "{len}");
    }
}
