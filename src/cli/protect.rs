//! What keeps the keys inside this process: no core dump, no tracing, no swap.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// How much of this process stays out of swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locked {
    /// Everything, whatever is taken later as well.
    All,
    /// What there was at that moment: the keys, but no thread's stack.
    Now,
    /// Nothing.
    Nothing,
}

impl Locked {
    /// Logs what came of it; that keys may reach the disk is a warning.
    pub(super) fn tell(self) {
        match self {
            Self::All => log::debug!(target: "tmkms::commands::start", "memory is locked"),
            Self::Now => log::debug!(
                target: "tmkms::commands::start",
                "the memory that holds the keys is locked, the stacks of threads are not"
            ),
            Self::Nothing if has_swap() => log::warn!(
                target: "tmkms::commands::start",
                "memory cannot be locked, so keys may be swapped to disk: set LimitMEMLOCK=infinity in the \
                 unit, or run without swap"
            ),
            Self::Nothing => log::debug!(
                target: "tmkms::commands::start",
                "memory is not locked, and there is no swap"
            ),
        }
    }
}

/// Forbids core dumps, and that any process but root's looks into this one or traces it.
///
/// Two locks for one door: a handler that dumps are piped to may overlook the limit, but not the other.
///
/// # Errors
///
/// The system's.
pub(super) fn forbid_dumps() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Keeps every page out of swap, now and later, if this process may lock as much as it likes.
///
/// Under a limit it must not be asked for: memory beyond the limit would be refused later, to a signer that
/// is running. `lock_now` is for then.
pub(super) fn lock_all() -> Locked {
    if !is_unlimited() {
        return Locked::Nothing;
    }
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).map_or(Locked::Nothing, |()| Locked::All)
}

/// Keeps the pages out of swap that there are, within the limit: after the keys are read.
pub(super) fn lock_now(so_far: Locked) -> Locked {
    match so_far {
        Locked::All | Locked::Now => so_far,
        Locked::Nothing => mlockall(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT)
            .map_or(Locked::Nothing, |()| Locked::Now),
    }
}

/// Whether this host has anywhere to swap to.
fn has_swap() -> bool {
    // A line for each, below a heading. If it cannot be told, there may be one.
    std::fs::read_to_string("/proc/swaps").map_or(true, |text| text.lines().count() > 1)
}

fn is_unlimited() -> bool {
    let limit = rustix::process::getrlimit(Resource::Memlock);
    limit.current.is_none()
        || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}
