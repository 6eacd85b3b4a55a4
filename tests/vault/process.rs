//! What the system knows of a running signer.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

use super::validator::{Home, Process, Validator};
use super::{Place, TMKMS};

const CHAIN: &str = "process-1";
const PATIENCE: Duration = Duration::from_secs(30);
/// Whom a signer runs as when the tests run as root, who may look at everything.
const NOBODY: u32 = 65534;

/// A signer that has a link, run through `launcher`.
fn running(place: &Place, launcher: &[&str]) -> Process {
    let node = Validator::listen_tcp().unwrap();
    let home = Home::new(&place.path("home")).unwrap();
    home.chain(CHAIN, "").unwrap();
    home.validator(CHAIN, &node.addr(), "").unwrap();
    let key = home.key_file(CHAIN).display().to_string();
    place.run(&["softsign", "keygen", &key]).succeeded();
    let binary = place.path("tmkms");
    fs::copy(TMKMS, &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    if launcher.iter().any(|word| word.starts_with("--reuid")) {
        let status = Command::new("chown")
            .args(["-R", "65534:65534"])
            .arg(&place.0)
            .status();
        assert!(status.unwrap().success());
    }
    let words = [launcher, &[binary.to_str().unwrap(), "start", "-v", "-c"]].concat();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(home.config())
        .stdin(Stdio::null());
    let mut signer = Process::spawn(&mut command).unwrap();
    node.accept(PATIENCE)
        .unwrap_or_else(|error| panic!("{error}: {:?}", signer.lines()));
    signer
}

fn status(signer: &Process, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", signer.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[test]
fn no_core_is_dumped() {
    let place = Place::new("no_core");
    let signer = running(&place, &["env"]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", signer.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}

#[test]
fn its_own_user_cannot_trace_it_or_read_its_memory() {
    if !geteuid().is_root() {
        // Not another user's: its own.
        let place = Place::new("no_trace");
        let signer = running(&place, &["env"]);
        assert_eq!(owner(signer.id()), 0);
        return;
    }
    // Below /tmp, where that user may go.
    let dir = std::env::temp_dir().join(format!("tmkms-no-trace-{}", std::process::id()));
    let place = Place::at(dir.clone());
    let drop_root = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let signer = running(&place, &drop_root);
    assert_eq!(status(&signer, "Uid:"), u64::from(NOBODY));
    assert_eq!(owner(signer.id()), 0);
    let looked = Command::new("setpriv")
        .args(&drop_root[1..])
        .args(["cat", &format!("/proc/{}/environ", signer.id())])
        .output()
        .unwrap();
    assert!(!looked.status.success());
    drop(signer);
    fs::remove_dir_all(dir).unwrap();
}

/// Who owns a process's secrets: root, if it forbade that its own user looks.
fn owner(id: u32) -> u32 {
    fs::metadata(format!("/proc/{id}/environ")).unwrap().uid()
}

/// What takes the right to lock as much as it likes from root.
const WITHOUT_RIGHT: &[&str] = &[
    "setpriv",
    "--bounding-set=-ipc_lock",
    "--inh-caps=-ipc_lock",
];

fn may_lock() -> bool {
    let own = capabilities(None).unwrap();
    own.effective.contains(CapabilitySet::IPC_LOCK)
}

/// What it says of its memory, which must be what the system says.
fn locked(signer: &mut Process) -> &'static str {
    let lines = signer.lines().join("\n");
    let said = [
        "memory is locked",
        "holds the keys is locked",
        "cannot be locked",
        "is not locked",
    ]
    .into_iter()
    .find(|text| lines.contains(text))
    .unwrap_or_else(|| panic!("nothing about memory in {lines}"));
    let is_locked = status(signer, "VmLck:") > 0;
    assert_eq!(is_locked, said.ends_with("is locked"), "{lines}");
    said
}

#[test]
fn memory_is_locked_where_it_may_be() {
    let place = Place::new("locked");
    let mut signer = running(&place, &["env"]);
    let said = locked(&mut signer);
    assert!(!may_lock() || said == "memory is locked", "{said}");
}

#[test]
fn a_signer_that_may_lock_nothing_runs_all_the_same() {
    let place = Place::new("not_locked");
    let right = if may_lock() { WITHOUT_RIGHT } else { &[] };
    let mut signer = running(&place, &[&["prlimit", "--memlock=0"], right].concat());
    assert!(locked(&mut signer).ends_with("not locked") || locked(&mut signer).contains("cannot"));
}

#[test]
fn a_signer_with_a_limit_locks_what_fits_and_says_so() {
    let place = Place::new("some_locked");
    let right = if may_lock() { WITHOUT_RIGHT } else { &["env"] };
    let mut signer = running(&place, right);
    assert_ne!(locked(&mut signer), "");
}
