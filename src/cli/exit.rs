//! How a command ends, as the process that started it sees it.

use std::process::ExitCode;

/// The exit codes. The unit file restarts none of `Usage` to `Locked`; a device may come back.
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
    /// 7: a device that is needed cannot be used.
    Device,
}

impl Exit {
    /// The one code of several problems: the lowest above 2, or 1 if that is all there is. `None` of none.
    pub(super) fn of_several(exits: impl IntoIterator<Item = Self>) -> Option<Self> {
        exits
            .into_iter()
            .min_by_key(|exit| (*exit <= Self::Usage, *exit))
    }
}

impl Exit {
    /// The number.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Key => 4,
            Self::State => 5,
            Self::Locked => 6,
            Self::Device => 7,
        }
    }

    /// The class, in one word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Key => "key",
            Self::State => "state",
            Self::Locked => "locked",
            Self::Device => "device",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_problems_the_lowest_code_above_2_counts() {
        for (exits, of_all) in [
            (vec![], None),
            (vec![Exit::Failed], Some(Exit::Failed)),
            (vec![Exit::Failed, Exit::Locked], Some(Exit::Locked)),
            (
                vec![Exit::State, Exit::Config, Exit::Key],
                Some(Exit::Config),
            ),
        ] {
            assert_eq!(Exit::of_several(exits.clone()), of_all, "{exits:?}");
        }
    }
}
