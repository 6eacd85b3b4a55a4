//! `config/tmkms.service`: what it says holds, and the signer lives with what it forbids.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{BINARY, PATIENCE, Scene, Socket, accept, assert_signs};
use crate::validator::Process;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/tmkms.service");

/// The values of a setting, in order.
fn setting(name: &str) -> Vec<String> {
    let text = fs::read_to_string(UNIT).unwrap();
    let begin = format!("{name}=");
    text.lines()
        .filter_map(|line| line.strip_prefix(&begin))
        .map(str::to_owned)
        .collect()
}

/// What a program prints; `None` if it is not installed.
fn printed(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

#[test]
fn restarts_all_but_what_a_person_must_mend() {
    assert_eq!(setting("Restart"), ["always"]);
    assert_eq!(setting("RestartPreventExitStatus"), ["2 3 4 5 6"]);
    assert_eq!(setting("Type"), ["simple"]);
}

#[test]
fn is_as_closed_as_systemd_can_tell() {
    let arguments = ["security", "--offline=true", "--threshold=15", UNIT];
    if let Some((closed, text)) = printed("systemd-analyze", &arguments) {
        assert!(closed, "{text}");
    }
}

#[test]
fn systemd_knows_every_setting_of_it() {
    let Some((_, text)) = printed("systemd-analyze", &["verify", UNIT]) else {
        return;
    };
    for line in text.lines() {
        let is_installed_later = line.contains("not executable") || line.contains("man tmkms(1)");
        assert!(
            is_installed_later || !line.contains("tmkms.service"),
            "{line}"
        );
    }
}

/// The system calls that the unit allows, as this machine's systemd knows them.
fn allowed() -> Option<BTreeSet<String>> {
    let mut allowed = BTreeSet::new();
    for filter in setting("SystemCallFilter") {
        let sets = filter.trim_start_matches('~').split(' ');
        for call in sets.map(calls).collect::<Option<Vec<_>>>()?.concat() {
            if filter.starts_with('~') {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    // What systemd lets through whatever is set.
    allowed.extend(calls("@default")?);
    Some(allowed)
}

/// The system calls of a set, those of the sets in it included.
fn calls(set: &str) -> Option<Vec<String>> {
    let (_, text) = printed("systemd-analyze", &["syscall-filter", set])?;
    let mut found = Vec::new();
    for line in text.lines().skip(1).map(str::trim) {
        if line.starts_with('@') {
            found.extend(calls(line)?);
        } else if !line.starts_with('#') && !line.is_empty() {
            found.push(line.to_owned());
        }
    }
    Some(found)
}

/// Runs the signer through its life, over both kinds of socket and with a hook, and gives what it asked of
/// the kernel.
fn trace() -> Option<(Scene, Vec<String>)> {
    printed("strace", &["-V"])?;
    let scene = Scene::new("unit");
    let chain = scene.chain("unit-1", "state_hook = { cmd = [\"/bin/echo\", \"7\"] }");
    let nodes = [Socket::Tcp, Socket::Unix].map(|socket| scene.node(&chain, socket, ""));
    // A name, so that the resolver is asked as well.
    let config = fs::read_to_string(scene.home.config()).unwrap();
    fs::write(
        scene.home.config(),
        config.replace("127.0.0.1", "localhost"),
    )
    .unwrap();
    let trace = scene.home.path("trace");
    let mut signer = Process::spawn(
        Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(&trace)
            .args([BINARY, "start", "-c"])
            .arg(scene.home.config())
            .current_dir(scene.home.path("")),
    )
    .unwrap();
    let _ = signer.wait_for("starting up", PATIENCE).unwrap();
    let traced = Traced::of(&trace);
    for (node, height) in nodes.iter().zip(8..) {
        let mut link = accept(node, &mut signer);
        let vote = chain.precommit(height, 0);
        let reply = link.sign_vote(&vote).unwrap();
        assert_signs(&reply, &chain.key, &vote.sign_bytes());
    }
    drop(traced);
    assert_eq!(signer.wait(PATIENCE).unwrap().unwrap().code(), Some(0));
    let text = fs::read_to_string(trace).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, call)| call.trim_start().to_owned())
        .collect();
    Some((scene, lines))
}

/// The child of strace, which does not hand on what it is sent. Asked to stop when dropped.
struct Traced(Pid);

impl Traced {
    fn of(trace: &Path) -> Self {
        let text = fs::read_to_string(trace).unwrap();
        let pid = text.split_whitespace().next().unwrap().parse().unwrap();
        Self(Pid::from_raw(pid).unwrap())
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::TERM);
    }
}

#[test]
fn the_signer_lives_within_it() {
    let (Some(allowed), Some((scene, trace))) = (allowed(), trace()) else {
        return;
    };
    assert!(allowed.contains("fdatasync") && !allowed.contains("ptrace"));
    let families: Vec<String> = setting("RestrictAddressFamilies")
        .iter()
        .flat_map(|all| all.split(' '))
        .map(str::to_owned)
        .collect();
    let home = scene.home.path("").display().to_string();
    let mut seen = BTreeSet::new();
    for line in &trace {
        let Some((call, rest)) = line.split_once('(') else {
            continue;
        };
        if !call
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            continue;
        }
        seen.insert(call);
        assert!(allowed.contains(call), "{call} is not allowed: {line}");
        if matches!(call, "socket" | "socketpair") {
            assert!(
                families.iter().any(|family| rest.starts_with(family)),
                "{line}"
            );
        }
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"]
            .iter()
            .any(|flag| rest.contains(flag));
        if matches!(call, "open" | "openat") && writes {
            assert!(rest.contains(&home) || rest.contains("/dev/null"), "{line}");
        }
        let changes_code = match call {
            "mprotect" => rest.contains("PROT_EXEC"),
            "mmap" => rest.contains("PROT_WRITE|PROT_EXEC"),
            _ => false,
        };
        assert!(!changes_code, "{line}");
    }
    for expected in ["connect", "execve", "fdatasync", "socket"] {
        assert!(seen.contains(expected), "{expected} was not traced");
    }
}
