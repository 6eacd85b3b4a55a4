//! One line, in memory of a fixed size.

use core::{fmt, fmt::Write, time::Duration};

use log::{Level, Record};

/// The longest line in bytes, its end included: `PIPE_BUF` of pipe(7), what Linux writes to a pipe
/// without mixing in another writer's bytes. What is longer ends in `…`.
pub(crate) const LINE_MAX_LEN: usize = 4096;

/// Whether a line carries terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    On,
    Off,
}

/// A line as it goes out. Nothing in target or message can end it, begin another, or reach the
/// terminal as anything but text.
pub(crate) struct Line {
    bytes: [u8; LINE_MAX_LEN],
    len: usize,
}

impl Line {
    /// Writes `record` down, logged at `now` since 1970.
    pub(crate) fn new(record: &Record<'_>, now: Duration, colour: Colour) -> Self {
        let mut line = Self {
            bytes: [0; LINE_MAX_LEN],
            len: 0,
        };
        if line.write_record(record, now, colour).is_err() {
            line.push(CUT);
            if colour == Colour::On {
                line.push(b"\x1b[0m");
            }
        }
        line.push(b"\n");
        line
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// # Errors
    ///
    /// No room; the line then ends with the last character that had some.
    fn write_record(&mut self, record: &Record<'_>, now: Duration, colour: Colour) -> fmt::Result {
        let (hue, dim, reset) = match colour {
            Colour::On => (hue(record.level()), "\x1b[2m", "\x1b[0m"),
            Colour::Off => ("", "", ""),
        };
        let level = record.level();
        self.push(dim.as_bytes());
        write!(self, "{}", Utc(now))?;
        self.push(reset.as_bytes());
        self.push(b" ");
        self.push(hue.as_bytes());
        write!(self, "{level:>5}")?;
        self.push(reset.as_bytes());
        self.push(b" ");
        self.push(dim.as_bytes());
        self.write_str(record.target())?;
        self.push(reset.as_bytes());
        self.push(dim.as_bytes());
        self.push(b":");
        self.push(reset.as_bytes());
        self.push(b" ");
        self.write_fmt(*record.args())
    }

    /// Adds bytes of ours, for which room is set aside.
    fn push(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    fn push_char(&mut self, char: char) -> fmt::Result {
        let mut utf8 = [0; 4];
        let bytes = char.encode_utf8(&mut utf8).as_bytes();
        if self.len.saturating_add(bytes.len()) > LINE_MAX_LEN - RESERVED_LEN {
            return Err(fmt::Error);
        }
        self.push(bytes);
        Ok(())
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly all of it, at once.
        let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_plain && self.len.saturating_add(text.len()) <= LINE_MAX_LEN - RESERVED_LEN {
            self.push(text.as_bytes());
            return Ok(());
        }
        for char in text.chars() {
            if !is_hidden(char) {
                self.push_char(char)?;
            } else if char.is_ascii() {
                char.escape_default().try_for_each(|c| self.push_char(c))?;
            } else {
                char.escape_unicode().try_for_each(|c| self.push_char(c))?;
            }
        }
        Ok(())
    }
}

/// Control characters, and those that break lines or turn the direction of writing.
fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const fn hue(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[34m",
        Level::Trace => "\x1b[35m",
    }
}

const CUT: &[u8] = "…".as_bytes();
/// Room for our own end of a line: the sign of a cut, two colour codes, the line feed.
const RESERVED_LEN: usize = 32;

/// A time since 1970 in UTC, without the parts of a second: `2022-08-12T07:27:05Z`.
pub(super) fn to_the_second(since: Duration) -> String {
    let mut text = Utc(since).to_string();
    text.truncate("2022-08-12T07:27:05".len());
    text.push('Z');
    text
}

/// A time since 1970 in UTC, with microseconds: `2022-08-12T07:27:05.904223Z`.
struct Utc(Duration);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.as_secs() / DAY, self.0.as_secs() % DAY);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let micros = self.0.subsec_micros();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Counts from March 1 of the year 0, so that the leap day is the last of its year, of its four
/// years, of its century and of its cycle of 400 years.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "u64::MAX seconds are 2^48 days, and all that is subtracted was counted before"
)]
fn civil(days: u64) -> (u64, u64, u64) {
    let day = days + 719_468;
    let (cycles, day) = (day / 146_097, day % 146_097);
    let centuries = (day / 36_524).min(3);
    let day = day - centuries * 36_524;
    let (fours, day) = (day / 1_461, day % 1_461);
    let years = (day / 365).min(3);
    let day = day - years * 365;
    let year = cycles * 400 + centuries * 100 + fours * 4 + years;
    // From March on, five months have 153 days, again and again.
    let month = (day * 5 + 2) / 153;
    let day = day - (month * 153 + 2) / 5 + 1;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, message: &str, colour: Colour) -> String {
        let now = Duration::new(1_660_289_225, 904_223_999);
        let line = Line::new(
            &Record::builder()
                .level(level)
                .target("tmkms::commands::start")
                .args(format_args!("{message}"))
                .build(),
            now,
            colour,
        );
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn prints_the_line_that_tmkms_prints() {
        assert_eq!(
            line(Level::Info, "tmkms 0.12.2 starting up...", Colour::Off),
            "2022-08-12T07:27:05.904223Z  INFO tmkms::commands::start: tmkms 0.12.2 starting up...\n"
        );
        assert_eq!(
            line(Level::Error, "no", Colour::Off),
            "2022-08-12T07:27:05.904223Z ERROR tmkms::commands::start: no\n"
        );
    }

    #[test]
    fn colours_time_level_and_target_as_tracing_does() {
        assert_eq!(
            line(Level::Warn, "careful", Colour::On),
            "\x1b[2m2022-08-12T07:27:05.904223Z\x1b[0m \x1b[33m WARN\x1b[0m \
             \x1b[2mtmkms::commands::start\x1b[0m\x1b[2m:\x1b[0m careful\n"
        );
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_drive_the_terminal() {
        let forged = "a\n2022 ERROR\r\x1b[2J\t\u{9b}31m\u{7f}\0\u{202e}gnp\u{2028}ß";
        let line = line(Level::Info, forged, Colour::Off);
        assert!(
            line.ends_with(
                r"a\n2022 ERROR\r\u{1b}[2J\t\u{9b}31m\u{7f}\u{0}\u{202e}gnp\u{2028}ß
"
            ),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        for colour in [Colour::On, Colour::Off] {
            for len in LINE_MAX_LEN - 200..LINE_MAX_LEN + 200 {
                let message = format!("{}{}", "x".repeat(len % 3), "€".repeat(len / 3));
                let line = line(Level::Info, &message, colour);
                assert!(line.len() <= LINE_MAX_LEN, "{len}");
                assert!(line.ends_with('\n'), "{len}");
                let whole = line.contains(&message);
                assert_eq!(line.contains('…'), !whole, "{len}");
            }
        }
    }

    #[test]
    fn knows_every_date_from_1970_to_2420() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..165_000 {
            assert_eq!(civil(days), (year, month, day), "{days}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert!(year > 2420);
    }

    #[test]
    fn no_time_is_too_late() {
        assert!(Utc(Duration::MAX).to_string().ends_with(":15.999999Z"));
        assert_eq!(
            Utc(Duration::ZERO).to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
    }
}
