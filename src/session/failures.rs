//! One log line for a failure, then a summary once a minute; and a limit to the lines that a peer can provoke.

use core::time::Duration;
use std::time::Instant;

use crate::link::Error;

/// How often a failure that goes on is spoken of.
const SUMMARY: Duration = Duration::from_mins(1);

/// How many different failures are told apart at a time; more are each news.
const KINDS: usize = 4;

/// The failures since the last answered request.
#[derive(Debug)]
pub(super) struct Failures {
    kinds: Vec<Kind>,
    /// Whether a link was announced that has not been used yet.
    announced: bool,
    /// A peer that answers once and hangs up makes each link and each end news.
    limit: Limit,
}

#[derive(Debug)]
struct Kind {
    text: String,
    spoken: Instant,
    silent: u32,
}

impl Failures {
    pub(super) fn new() -> Self {
        Self {
            kinds: Vec::new(),
            announced: false,
            limit: Limit::new(),
        }
    }

    /// An answered request: whatever comes next is news.
    pub(super) fn reset(&mut self) {
        self.kinds.clear();
        self.announced = false;
    }

    /// Whether to announce a link that was just made. Links that drop before they are used are
    /// announced once, not each time.
    pub(super) fn connected(&mut self, now: Instant) -> bool {
        !core::mem::replace(&mut self.announced, true) && self.limit.note(now).is_some()
    }

    /// The line to log for a failure, if there is one.
    pub(super) fn note(&mut self, error: &Error, now: Instant) -> Option<String> {
        let text = error.to_string();
        let Some(kind) = self.kinds.iter_mut().find(|kind| kind.text == text) else {
            if self.kinds.len() == KINDS {
                drop(self.kinds.remove(0));
            }
            self.kinds.push(Kind {
                text: text.clone(),
                spoken: now,
                silent: 0,
            });
            return match self.limit.note(now)? {
                0 => Some(text),
                unsaid => Some(format!(
                    "{text} ({unsaid} lines were left out in the last minute)"
                )),
            };
        };
        kind.silent = kind.silent.saturating_add(1);
        let since = now.duration_since(kind.spoken);
        if since < SUMMARY {
            return None;
        }
        let line = format!(
            "{text} ({} more times in the last {} s)",
            kind.silent,
            since.as_secs()
        );
        kind.spoken = now;
        kind.silent = 0;
        Some(line)
    }
}

/// How many lines of one sort a connection may log in a minute: enough for an incident, too few to fill a
/// disk.
const LINES: u32 = 60;

/// A limit to the lines that a peer can provoke, which may be thousands a second.
#[derive(Debug)]
pub(super) struct Limit {
    since: Option<Instant>,
    spoken: u32,
    unsaid: u32,
}

impl Limit {
    pub(super) fn new() -> Self {
        Self {
            since: None,
            spoken: 0,
            unsaid: 0,
        }
    }

    /// Whether to log a line, and how many were passed over before it.
    pub(super) fn note(&mut self, now: Instant) -> Option<u32> {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= SUMMARY)
        {
            self.since = Some(now);
            self.spoken = 1;
            return Some(core::mem::take(&mut self.unsaid));
        }
        if self.spoken < LINES {
            self.spoken = self.spoken.saturating_add(1);
            return Some(0);
        }
        self.unsaid = self.unsaid.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn refused() -> Error {
        Error::Connect(io::Error::from_raw_os_error(111))
    }

    #[test]
    fn a_failure_that_goes_on_is_one_line_and_a_summary_a_minute() {
        let mut failures = Failures::new();
        let start = Instant::now();
        assert!(
            failures
                .note(&refused(), start)
                .unwrap()
                .contains("os error 111")
        );
        for second in 1..60 {
            assert_eq!(
                failures.note(&refused(), start + Duration::from_secs(second)),
                None
            );
        }
        let summary = failures.note(&refused(), start + SUMMARY).unwrap();
        assert!(
            summary.ends_with("(60 more times in the last 60 s)"),
            "{summary}"
        );
        assert_eq!(failures.note(&refused(), start + SUMMARY), None);
    }

    #[test]
    fn another_failure_is_news() {
        let mut failures = Failures::new();
        let now = Instant::now();
        assert!(failures.note(&refused(), now).is_some());
        assert!(failures.note(&Error::Slow, now).is_some());
        assert!(failures.note(&Error::Slow, now).is_none());
        failures.reset();
        assert!(failures.note(&Error::Slow, now).is_some());
    }

    #[test]
    fn links_that_drop_before_use_are_announced_once() {
        let mut failures = Failures::new();
        let now = Instant::now();
        assert!(failures.connected(now));
        assert!(failures.note(&Error::Slow, now).is_some());
        assert!(!failures.connected(now));
        failures.reset();
        assert!(failures.connected(now));
    }

    #[test]
    fn the_first_link_after_refused_dials_is_announced() {
        let mut failures = Failures::new();
        let now = Instant::now();
        let _ = failures.note(&refused(), now);
        assert!(failures.connected(now));
    }

    #[test]
    fn lines_are_limited_to_a_number_a_minute() {
        let mut limit = Limit::new();
        let start = Instant::now();
        for _ in 0..LINES {
            assert_eq!(limit.note(start), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(limit.note(start), None);
        }
        assert_eq!(limit.note(start + SUMMARY), Some(1000));
        assert_eq!(limit.note(start + SUMMARY), Some(0));
    }

    #[test]
    fn a_peer_that_answers_once_and_hangs_up_does_not_fill_the_log() {
        let mut failures = Failures::new();
        let now = Instant::now();
        let mut lines = 0;
        for _ in 0..1000 {
            lines += u32::from(failures.connected(now));
            lines += u32::from(failures.note(&Error::Slow, now).is_some());
            failures.reset();
        }
        assert_eq!(lines, LINES);
    }
}
