//! Owners, permissions, file systems and the clock: what goes wrong later, not at `start`.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::Exit;
use super::super::holder::ChainKey;
use super::super::report::{Report, quoted};
use crate::config::{Position, Problem, StateHook};
use crate::files::{self, Medium};

/// The beginning of 2024, 19,723 days after 1970's: a clock that is behind it was never set.
const CLOCK_MIN: Duration = Duration::from_hours(19_723 * 24);
/// By how much a state may be newer than the clock.
const CLOCK_SLACK: Duration = Duration::from_mins(5);

/// Looks around; what it finds are warnings, but for a clock that was never set.
pub(super) fn look(keys: &[ChainKey], report: &mut Report) {
    let now = SystemTime::now();
    if !is_set(now) {
        report.add(
            Exit::Failed,
            Problem {
                position: None,
                message: "the clock of this machine says a time before 2024".to_owned(),
                cure: "set it, and keep it right (chrony, systemd-timesyncd): logs and file times follow it"
                    .to_owned(),
            },
        );
    }
    let mut around = Around {
        report,
        owners: BTreeSet::new(),
    };
    let file = around.report.file().to_owned();
    around.look_at_writable(&file, None, "the configuration");
    around.look_at_owners(&file, None);
    for key in keys {
        let file = key.holder.file();
        if let Some(file) = file {
            around.look_at_owners(&file.value, Some(file.position));
            around.look_at_medium(&file.value, Some(file.position), Content::Key);
        }
        let state = &key.chain.state_file;
        let (path, position) = (&state.value, Some(state.position));
        around.look_at_writable(path, position, "the state");
        around.look_at_owners(path, position);
        around.look_at_medium(path, position, Content::State);
        around.look_at_directories(path, position);
        around.look_at_age(path, position, now);
        if let Some(file) = file {
            around.look_at_pair(&file.value, path, position);
        }
        if let Some(hook) = &key.chain.state_hook {
            around.look_at_hook(hook, key.chain.id.position);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Key,
    State,
}

struct Around<'a> {
    report: &'a mut Report,
    /// The paths whose owner was complained of.
    owners: BTreeSet<PathBuf>,
}

impl Around<'_> {
    fn warn(&mut self, position: Option<Position>, message: String, cure: &str) {
        self.report.warning(Problem {
            position,
            message,
            cure: cure.to_owned(),
        });
    }

    fn look_at_writable(&mut self, path: &Path, position: Option<Position>, what: &str) {
        let Ok(metadata) = path.metadata() else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_file() && mode & 0o022 != 0 {
            let path = quoted(path);
            self.warn(
                position,
                format!("others than its owner may change {what}, {path} (mode {mode:04o})"),
                &format!("chmod go-w {path}"),
            );
        }
    }

    fn look_at_owners(&mut self, path: &Path, position: Option<Position>) {
        // Root reads everybody's files, and `start` may run as their owner.
        if rustix::process::geteuid().is_root() && owners_agree(path) {
            return;
        }
        for (path, uid) in files::others_files(path) {
            if self.owners.insert(path.clone()) {
                self.warn(
                    position,
                    format!(
                        "{} belongs to user {uid}, who can put something else there",
                        quoted(&path)
                    ),
                    "run this as the user who will run `start`, or give it to that user with chown",
                );
            }
        }
    }

    fn look_at_directories(&mut self, path: &Path, position: Option<Position>) {
        // Above a file that is not there yet, the directory it will be made in.
        let (below, parent) = match path.parent() {
            Some(parent) if !path.exists() => (parent, Some(parent)),
            _ => (path, None),
        };
        if let Some(mode) = parent
            .and_then(|parent| parent.metadata().ok())
            .map(|metadata| metadata.permissions().mode() & 0o7777)
            && mode & 0o022 != 0
            && mode & 0o1000 == 0
        {
            let parent = quoted(below);
            self.warn(
                position,
                format!("others than its owner may make files in {parent} (mode {mode:04o})"),
                &format!("chmod go-w {parent}"),
            );
        }
        for warning in files::loose_directories(below) {
            self.warn(
                position,
                warning.to_string(),
                "so that nobody else can put another state there",
            );
        }
    }

    fn look_at_medium(&mut self, path: &Path, position: Option<Position>, content: Content) {
        let Some(medium) = Medium::of(path) else {
            return;
        };
        let (kind, why) = match (medium, content) {
            (Medium::Network(kind), Content::State) => (
                format!("a network file system ({kind})"),
                "its locks and flushes are another machine's promise, and the signer stops when that is away: keep the state on a disk of this machine",
            ),
            (Medium::Network(kind), Content::Key) => (
                format!("a network file system ({kind})"),
                "the key can be read on its way and where it comes from: keep it on a disk of this machine",
            ),
            (Medium::Memory(kind), Content::State) => (
                format!("a file system in memory ({kind})"),
                "it is gone after the next boot, and then nothing is signed: keep the state on a disk",
            ),
            // Where systemd puts credentials, and where whoever wants no key on a disk does.
            (Medium::Memory(_), Content::Key) => return,
            (Medium::Fuse, _) => (
                "a file system that is a program (fuse)".to_owned(),
                "whether a flush reaches a disk is up to it: keep the state on a disk of this machine",
            ),
            (Medium::Overlay, _) => (
                "a container's own layer (overlay)".to_owned(),
                "it is gone with the container: mount a volume there",
            ),
        };
        self.warn(position, format!("{} lies on {kind}", quoted(path)), why);
    }

    /// Run by root, for whom everything is readable: the user who runs `start` needs both.
    fn look_at_pair(&mut self, key: &Path, state: &Path, position: Option<Position>) {
        let owner = |path: &Path| path.metadata().ok().map(|metadata| metadata.uid());
        if let (Some(of_key), Some(of_state)) = (owner(key), owner(state))
            && of_key != of_state
        {
            self.warn(
                position,
                format!(
                    "{} belongs to user {of_state}, and its key to user {of_key}",
                    quoted(state)
                ),
                "give both to the user who runs `start`, with chown",
            );
        }
    }

    /// The program of a hook, which `start` runs and this does not.
    fn look_at_hook(&mut self, hook: &StateHook, position: Position) {
        let Some(program) = find_program(&hook.program) else {
            let problem = Problem {
                position: Some(position),
                message: format!(
                    "its `state_hook`, {}, is no program that this user may run",
                    quoted(Path::new(&hook.program))
                ),
                cure: "write its whole path, and chmod +x it".to_owned(),
            };
            if hook.fail_closed {
                self.report.add(Exit::State, problem);
            } else {
                self.report.warning(problem);
            }
            return;
        };
        self.look_at_writable(&program, Some(position), "its `state_hook`");
        self.look_at_owners(&program, Some(position));
    }

    fn look_at_age(&mut self, path: &Path, position: Option<Position>, now: SystemTime) {
        let Ok(written) = path.metadata().and_then(|metadata| metadata.modified()) else {
            return;
        };
        if written
            .duration_since(now)
            .is_ok_and(|ahead| ahead > CLOCK_SLACK)
        {
            self.warn(
                position,
                format!("{} was written in the future", quoted(path)),
                "the clock went back since: set it, and see that the machine keeps time",
            );
        }
    }
}

/// The file behind a command, found on `PATH` if it has no slash.
fn find_program(program: &str) -> Option<PathBuf> {
    let may_run = |path: &Path| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| may_run(path));
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| may_run(path))
}

/// Whether a file and its directory have one owner, as a service user's have.
fn owners_agree(path: &Path) -> bool {
    let uid = |path: &Path| path.metadata().ok().map(|metadata| metadata.uid());
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    uid(path).is_none_or(|own| uid(parent).is_none_or(|above| above == own || above == 0))
}

fn is_set(now: SystemTime) -> bool {
    now.duration_since(SystemTime::UNIX_EPOCH)
        .is_ok_and(|since| since >= CLOCK_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_told() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!is_set(at(0)));
        assert!(!is_set(at(1_704_067_199)));
        assert!(is_set(at(1_704_067_200)));
        assert!(is_set(SystemTime::now()));
    }
}
