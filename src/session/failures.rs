//! One log line for a failure, then a summary once a minute.

use core::time::Duration;
use std::time::Instant;

use crate::link::Error;

/// How often a failure that goes on is spoken of.
const SUMMARY: Duration = Duration::from_secs(60);

/// How many different failures are told apart at a time; more are each news.
const KINDS: usize = 4;

/// The failures since the last answered request.
#[derive(Debug)]
pub(super) struct Failures {
    kinds: Vec<Kind>,
    /// Whether a link was announced that has not been used yet.
    announced: bool,
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
        }
    }

    /// An answered request: whatever comes next is news.
    pub(super) fn reset(&mut self) {
        self.kinds.clear();
        self.announced = false;
    }

    /// Whether to announce a link that was just made. Links that drop before they are used are
    /// announced once, not each time.
    pub(super) fn connected(&mut self) -> bool {
        !core::mem::replace(&mut self.announced, true)
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
            return Some(text);
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
        assert!(failures.connected());
        assert!(failures.note(&Error::Slow, now).is_some());
        assert!(!failures.connected());
        failures.reset();
        assert!(failures.connected());
    }

    #[test]
    fn the_first_link_after_refused_dials_is_announced() {
        let mut failures = Failures::new();
        let _ = failures.note(&refused(), Instant::now());
        assert!(failures.connected());
    }
}
