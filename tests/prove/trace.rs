//! What a process did to its disk and to its peers, in order, as `strace` saw it.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::ground::PATIENCE;
use super::validator::Process;

/// One system call that succeeded, with the files that its numbers stand for.
#[derive(Debug, Clone)]
pub enum Event {
    /// A name was opened, and made if it was not there and `create` says so.
    Open {
        path: PathBuf,
        handle: Handle,
        create: bool,
    },
    Write {
        path: PathBuf,
        handle: Handle,
        offset: u64,
        bytes: Vec<u8>,
    },
    Mkdir(PathBuf),
    /// It has returned: of a file its bytes, of a directory its names.
    Sync(PathBuf, Handle),
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Unlink(PathBuf),
    Truncate(Handle, u64),
    /// It is about to leave: to a socket or a pipe.
    Say(Vec<u8>),
}

/// What one `open` gave: it leads to the same file whatever becomes of the name.
pub type Handle = u64;

/// The calls that matter; everything else the process does changes no file.
const CALLS: &str = "trace=openat,open,creat,close,lseek,dup,dup2,dup3,fcntl,write,writev,pwrite64,pwritev,\
    sendto,sendmsg,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,\
    truncate,ftruncate,fallocate,copy_file_range,sendfile,splice,mmap,socket,connect,accept4,io_uring_setup";

/// `strace` in front of a program; the process that is spawned is the program itself.
pub fn command(log: &Path, inject: &[&str], binary: &str) -> Command {
    let mut command = Command::new("strace");
    let _ = command.args(["-f", "-D", "-q", "-xx", "-s", "65536", "-e", CALLS]);
    for fault in inject {
        let _ = command.args(["-e", &format!("inject={fault}")]);
    }
    let _ = command.arg("-o").arg(log).arg(binary);
    command
}

/// Runs a command to its end. The trace is whole when this returns.
pub fn run(
    log: &Path,
    inject: &[&str],
    binary: &str,
    args: &[&str],
) -> Result<std::process::Output, Box<dyn Error>> {
    let output = command(log, inject, binary)
        .args(args)
        .stdin(Stdio::null())
        .output()?;
    wait(log)?;
    Ok(output)
}

/// Spawns the program under `strace`.
pub fn spawn(
    log: &Path,
    inject: &[&str],
    binary: &str,
    args: &[&str],
) -> Result<Process, Box<dyn Error>> {
    Ok(Process::spawn(command(log, inject, binary).args(args))?)
}

/// The tracer is not our child: waits until it has written the end of the traced process.
pub fn wait(log: &Path) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let text = fs::read(log).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(200)..];
        let tail = String::from_utf8_lossy(tail);
        let last = tail.trim_end().lines().next_back().unwrap_or_default();
        if last.ends_with("+++") && tail.ends_with('\n') && is_over(&text) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(format!("strace has not ended: {}", log.display()).into())
}

/// Whether the first process of the log, and not only one of its threads, has ended.
fn is_over(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let first = text.split_whitespace().next().unwrap_or_default();
    text.lines()
        .any(|line| line.starts_with(&format!("{first} ")) && line.ends_with("+++"))
}

/// What a descriptor leads to.
#[derive(Debug, Clone)]
enum Target {
    File {
        path: PathBuf,
        handle: Handle,
        at: u64,
    },
    Peer,
}

/// Reads a log. Descriptors that the process was born with are peers.
pub fn read(log: &Path) -> Result<Vec<Event>, Box<dyn Error>> {
    let text = fs::read_to_string(log)?;
    let mut open: HashMap<String, Target> = HashMap::new();
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut events = Vec::new();
    let mut handle = 0;
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').ok_or("a line without a process")?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        let whole;
        let call = if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            let _ = begun.insert(pid, start);
            // What leaves the process counts from its beginning, whatever the call returns.
            if start.starts_with("sendto(") || start.starts_with("write(") {
                let arguments = arguments(start);
                if let (Some(Target::Peer) | None, Some(bytes)) = (
                    arguments.first().and_then(|fd| open.get(*fd)),
                    arguments.get(1).and_then(|text| string(text)),
                ) {
                    events.push(Event::Say(bytes));
                }
            }
            continue;
        } else if let Some(end) = rest.strip_prefix("<... ") {
            let start = begun
                .remove(pid)
                .ok_or("a resumed call without its start")?;
            let (_, end) = end.split_once(" resumed>").ok_or("a resumed call")?;
            whole = format!("{start}{end}");
            whole.as_str()
        } else {
            rest
        };
        let resumed = rest.starts_with("<... ");
        let Some((before, result)) = call.rsplit_once(" = ") else {
            continue;
        };
        let Ok(result) = result.split(' ').next().unwrap_or_default().parse::<i64>() else {
            continue;
        };
        if result < 0 {
            continue;
        }
        let name = before.split('(').next().unwrap_or_default();
        let arguments = arguments(before);
        let path = |index: usize| -> Result<PathBuf, Box<dyn Error>> {
            let bytes = arguments.get(index).and_then(|text| string(text));
            Ok(PathBuf::from(OsString::from_vec(
                bytes.ok_or_else(|| format!("no path in {call}"))?,
            )))
        };
        let fd = arguments.first().copied().unwrap_or_default().to_owned();
        let file = |open: &HashMap<String, Target>| match open.get(&fd) {
            Some(Target::File { path, handle, at }) => Some((path.clone(), *handle, *at)),
            _ => None,
        };
        match name {
            "open" | "openat" => {
                let at = usize::from(name == "openat");
                let path = path(at)?;
                let flags = arguments.get(at + 1).copied().unwrap_or_default();
                handle += 1;
                events.push(Event::Open {
                    path: path.clone(),
                    handle,
                    create: flags.contains("O_CREAT"),
                });
                if flags.contains("O_TRUNC") {
                    events.push(Event::Truncate(handle, 0));
                }
                let _ = open.insert(
                    result.to_string(),
                    Target::File {
                        path,
                        handle,
                        at: 0,
                    },
                );
            }
            "close" => {
                let _ = open.remove(&fd);
            }
            "fcntl" if before.contains("F_DUPFD") => {
                if let Some(target) = open.get(&fd).cloned() {
                    let _ = open.insert(result.to_string(), target);
                }
            }
            "socket" | "accept4" => {
                let _ = open.insert(result.to_string(), Target::Peer);
            }
            "write" | "sendto" => {
                let bytes = arguments.get(1).and_then(|text| string(text));
                let mut bytes = bytes.ok_or_else(|| format!("no bytes in {call}"))?;
                bytes.truncate(result as usize);
                match file(&open) {
                    Some((path, handle, at)) => {
                        let end = at + bytes.len() as u64;
                        let target = Target::File {
                            path: path.clone(),
                            handle,
                            at: end,
                        };
                        let _ = open.insert(fd, target);
                        events.push(Event::Write {
                            path,
                            handle,
                            offset: at,
                            bytes,
                        });
                    }
                    None if resumed => {}
                    None => events.push(Event::Say(bytes)),
                }
            }
            "pwrite64" => {
                let (path, handle, _) =
                    file(&open).ok_or_else(|| format!("what file is {call}"))?;
                let bytes = arguments.get(1).and_then(|text| string(text));
                let mut bytes = bytes.ok_or_else(|| format!("no bytes in {call}"))?;
                bytes.truncate(result as usize);
                events.push(Event::Write {
                    path,
                    handle,
                    offset: arguments.get(3).ok_or("no offset")?.parse()?,
                    bytes,
                });
            }
            "fsync" | "fdatasync" => {
                let (path, handle, _) =
                    file(&open).ok_or_else(|| format!("what file is {call}"))?;
                events.push(Event::Sync(path, handle));
            }
            "rename" => events.push(Event::Rename(path(0)?, path(1)?)),
            "renameat" | "renameat2" => events.push(Event::Rename(path(1)?, path(3)?)),
            "link" => events.push(Event::Link(path(0)?, path(1)?)),
            "linkat" => events.push(Event::Link(path(1)?, path(3)?)),
            "mkdir" => events.push(Event::Mkdir(path(0)?)),
            "mkdirat" => events.push(Event::Mkdir(path(1)?)),
            "unlink" => events.push(Event::Unlink(path(0)?)),
            "unlinkat" => events.push(Event::Unlink(path(1)?)),
            "ftruncate" => {
                let (_, handle, _) = file(&open).ok_or_else(|| format!("what file is {call}"))?;
                events.push(Event::Truncate(
                    handle,
                    arguments.get(1).ok_or("no length")?.parse()?,
                ));
            }
            "mmap" if before.contains("PROT_WRITE") && before.contains("MAP_SHARED") => {
                return Err(format!("a file that is written through memory: {call}").into());
            }
            "lseek" => {
                if let Some(Target::File { at, .. }) = open.get_mut(&fd) {
                    *at = result as u64;
                }
            }
            "fcntl" | "mmap" | "connect" => {}
            // Sendmsg and the like carry no bytes to a file that we know; a new one must be looked at.
            other => {
                return Err(format!("a call that the simulation does not know: {other}").into());
            }
        }
    }
    Ok(events)
}

/// The arguments of a call, split at the commas that are in no string or bracket.
fn arguments(call: &str) -> Vec<&str> {
    let Some((_, text)) = call.split_once('(') else {
        return Vec::new();
    };
    let text = text.trim_end();
    let text = text.strip_suffix(')').unwrap_or(text);
    let mut found = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth -= 1,
            b',' if !quoted && depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    found
}

/// `"\x2f\x74"`, never cut short.
fn string(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(text.len() / 4);
    for part in text.split("\\x").skip(1) {
        bytes.push(u8::from_str_radix(part, 16).ok()?);
    }
    Some(bytes)
}
