//! How long to wait before dialling again.

use core::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};

/// The first wait that is one. Before it, a dropped link is redialled at once.
const FIRST: Duration = Duration::from_millis(50);
/// The longest: a node that starts waits 3 s for its signer, once.
const LAST: Duration = Duration::from_millis(500);

/// At once, then after 50 ms, doubling to 500 ms; each less up to a fifth, so that many signers of one
/// host do not dial in step.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Option<Duration>,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: None }
    }

    /// An answered request: the node is there.
    pub(super) fn reset(&mut self) {
        self.next = None;
    }

    pub(super) fn next(&mut self) -> Duration {
        match self.next {
            None => {
                self.next = Some(FIRST);
                Duration::ZERO
            }
            Some(wait) => {
                self.next = Some(wait.saturating_mul(2).min(LAST));
                wait.saturating_sub(jitter(wait))
            }
        }
    }
}

/// From nothing to a fifth. Without randomness there is none: the wait is still right.
fn jitter(wait: Duration) -> Duration {
    let mut byte = [0_u8];
    let _ = getrandom(&mut byte, GetRandomFlags::NONBLOCK);
    wait.saturating_mul(u32::from(byte[0]))
        .checked_div(5 * 256)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redials_at_once_and_then_ever_slower_up_to_half_a_second() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.next(), Duration::ZERO);
        for upper in [50, 100, 200, 400, 500, 500, 500] {
            let wait = backoff.next();
            let upper = Duration::from_millis(upper);
            assert!(
                wait <= upper && wait >= upper * 4 / 5,
                "{wait:?} of {upper:?}"
            );
        }
        backoff.reset();
        assert_eq!(backoff.next(), Duration::ZERO);
    }
}
