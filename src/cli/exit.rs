//! How a command ends, as the process that started it sees it.

use std::process::ExitCode;

/// The exit codes. The unit file restarts none of `Usage` to `Locked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, or asked to stop.
    Done,
    /// 1: no chain can be served any more, or the system said no.
    Failed,
    /// 2: the command line.
    Usage,
    /// 3: the configuration.
    Config,
    /// 4: a key.
    Key,
    /// 5: a state.
    State,
    /// 6: another process holds it.
    Locked,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Config => 3,
            Exit::Key => 4,
            Exit::State => 5,
            Exit::Locked => 6,
        })
    }
}
