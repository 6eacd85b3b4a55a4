//! Failing disks: a chain whose state cannot be kept answers, says so, and signs no more; the chain beside
//! it goes on; and after a restart nothing that was signed can be signed differently.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ground::{Ground, Node, Outcome, PATIENCE, SEED, public_key};
use super::trace;
use super::validator::{Block, Connection, Home, Process, Validator, VoteRequest};

const SICK: &str = "sick-1";
const WELL: &str = "well-1";

pub fn run(ground: &Ground) -> Outcome {
    let mut done = Vec::new();
    let mut skipped = Vec::new();
    for case in CASES {
        match running(ground, case) {
            Ok(()) => done.push(case.name),
            Err(error) if error.is::<Skip>() => skipped.push(format!("{}: {error}", case.name)),
            Err(error) => return Err(format!("{}: {error}", case.name).into()),
        }
    }
    for (name, inject, foreign) in COMMANDS {
        command(ground, inject, *foreign).map_err(|error| format!("{name}: {error}"))?;
        done.push(name);
    }
    for (name, proof) in FULL {
        match proof(ground) {
            Ok(()) => done.push(name),
            Err(error) if error.is::<Skip>() => skipped.push(format!("{name}: {error}")),
            Err(error) => return Err(format!("{name}: {error}").into()),
        }
    }
    for skip in &skipped {
        ground.say(&format!("skipped: {skip}"));
    }
    ground.say(&format!(
        "{} failures of a disk ({}): the chain refused, said so and signed no more, the other signed on, and no slot \
         was signed twice after the restart; {} skipped",
        done.len(),
        done.join(", "),
        skipped.len()
    ));
    Ok(())
}

/// What this machine does not let us do.
#[derive(Debug)]
struct Skip(String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Skip {}

/// A failure under a running signer.
struct Case {
    name: &'static str,
    /// Faults that `strace` injects into the calls on the state file.
    inject: &'static [&'static str],
    disk: Place,
    /// What happens after three signed heights.
    trouble: fn(&World) -> Outcome,
    /// What the operator does before the restart.
    cure: fn(&World) -> Outcome,
    after: After,
}

/// Where the sick chain's state lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    Tmpfs,
    Ext4,
}

/// What a restart finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    SignsOn,
    /// A torn record, or no state: `start` refuses with the code for state.
    RefusesToStart,
}

const NOTHING: fn(&World) -> Outcome = |_| Ok(());

const CASES: &[Case] = &[
    injected("EIO at write", &["pwrite64:error=EIO:when=4+"]),
    injected("ENOSPC at write", &["pwrite64:error=ENOSPC:when=4+"]),
    injected("EIO at one write only", &["pwrite64:error=EIO:when=4"]),
    injected("a write of no bytes", &["pwrite64:retval=0:when=4"]),
    injected("EIO at sync", &["fdatasync:error=EIO:when=4+"]),
    // The kernel reports a lost write once, and calls the file clean afterwards.
    injected("EIO at one sync only", &["fdatasync:error=EIO:when=4"]),
    injected("ENOSPC at sync", &["fdatasync:error=ENOSPC:when=4"]),
    injected("EIO at looking for the file", &["statx:error=EIO:when=9+"]),
    injected("the file not found once", &["statx:error=ENOENT:when=9"]),
    Case {
        name: "the file deleted",
        inject: &[],
        disk: Place::Plain,
        trouble: |world| Ok(fs::remove_file(&world.state)?),
        cure: NOTHING,
        after: After::RefusesToStart,
    },
    Case {
        name: "the file replaced by an older copy",
        inject: &[],
        disk: Place::Plain,
        trouble: |world| {
            fs::rename(&world.state, world.aside())?;
            fs::write(&world.state, fs::read(world.aside())?)?;
            Ok(())
        },
        cure: |world| Ok(fs::rename(world.aside(), &world.state)?),
        after: After::SignsOn,
    },
    Case {
        name: "the file cut short",
        inject: &[],
        disk: Place::Plain,
        trouble: |world| {
            Ok(fs::File::options()
                .write(true)
                .open(&world.state)?
                .set_len(512)?)
        },
        cure: NOTHING,
        after: After::RefusesToStart,
    },
    Case {
        name: "its directory renamed",
        inject: &[],
        disk: Place::Plain,
        trouble: |world| {
            Ok(fs::rename(
                &world.folder,
                world.folder.with_extension("away"),
            )?)
        },
        cure: |world| {
            Ok(fs::rename(
                world.folder.with_extension("away"),
                &world.folder,
            )?)
        },
        after: After::SignsOn,
    },
    Case {
        name: "its mount point gone",
        inject: &[],
        disk: Place::Ext4,
        trouble: |world| tool("umount", &["-l", text(&world.folder)]),
        cure: NOTHING,
        after: After::RefusesToStart,
    },
    Case {
        name: "another disk mounted over it",
        inject: &[],
        disk: Place::Plain,
        trouble: |world| {
            tool(
                "mount",
                &["-t", "tmpfs", "-o", "size=1m", "tmpfs", text(&world.folder)],
            )
        },
        cure: |world| tool("umount", &["-l", text(&world.folder)]),
        after: After::SignsOn,
    },
    Case {
        name: "ext4 gone read-only after an error",
        inject: &[],
        disk: Place::Ext4,
        trouble: |world| {
            let device = device_of(&world.folder)?;
            let path = format!("/sys/fs/ext4/{device}/trigger_fs_error");
            fs::write(path, "prove").map_err(|error| Skip(error.to_string()))?;
            Ok(())
        },
        cure: |world| world.remount(),
        after: After::SignsOn,
    },
    Case {
        name: "a state on tmpfs, full, its file renamed over",
        inject: &[],
        disk: Place::Tmpfs,
        trouble: |world| {
            // Full: overwriting in place goes on all the same, so the file is taken away too.
            let _ = fs::write(world.folder.join("filler"), vec![0; 2 << 20]);
            fs::rename(&world.state, world.aside())?;
            Ok(())
        },
        cure: |world| Ok(fs::rename(world.aside(), &world.state)?),
        after: After::SignsOn,
    },
];

const fn injected(name: &'static str, inject: &'static [&'static str]) -> Case {
    Case {
        name,
        inject,
        disk: Place::Plain,
        trouble: NOTHING,
        cure: NOTHING,
        after: After::SignsOn,
    }
}

struct World {
    home: Home,
    folder: PathBuf,
    state: PathBuf,
    mounted: Option<Mount>,
}

impl World {
    fn aside(&self) -> PathBuf {
        self.folder.join("aside.json")
    }

    /// As a reboot does.
    fn remount(&self) -> Outcome {
        let mount = self.mounted.as_ref().ok_or("nothing is mounted")?;
        tool("umount", &["-l", text(&self.folder)])?;
        mount.mount()
    }
}

fn running(ground: &Ground, case: &Case) -> Outcome {
    let dir = ground.on_disk("failing")?;
    let node = Node::new(&dir, WELL)?;
    let folder = dir.join("sick");
    fs::create_dir(&folder)?;
    let mounted = Mount::new(case.disk, &folder)?;
    let state = folder.join("state.json");
    let sick = Validator::listen_unix(&dir.join("sick.sock"))?;
    node.home.configure(&format!(
        "[[chain]]\nid = \"{SICK}\"\nkey_format = {{ type = \"hex\" }}\nstate_file = \"{}\"\n\
         [[providers.softsign]]\nchain_ids = [\"{SICK}\"]\nkey_type = \"consensus\"\npath = \"{}\"",
        state.display(),
        node.home.key_file(SICK).display()
    ))?;
    let _ = node
        .home
        .write_key(&format!("{SICK}-consensus.key"), &SEED)?;
    node.home.validator(SICK, &sick.addr(), "")?;
    node.init(ground)?;

    let mut process = spawn(ground, &node.home, case.inject, &state)?;
    let mut world = World {
        home: node.home,
        folder,
        state,
        mounted,
    };
    let mut well = node.listener.accept(PATIENCE)?;
    let mut ill = sick.accept(PATIENCE)?;
    let mut height = 0;
    while height < 3 {
        height += 1;
        signs(&mut well, WELL, height, 1)?;
        signs(&mut ill, SICK, height, 1)?;
    }
    (case.trouble)(&world)?;
    // At once, or at the next record that is struck; never more than the two places there are.
    let mut refusal = None;
    while refusal.is_none() {
        height += 1;
        if height > 20 {
            return Err("it signs on and on".into());
        }
        refusal = asks(&mut ill, SICK, height, 1)?;
    }
    let said = process.wait_for("THIS CHAIN SIGNS NO MORE", PATIENCE)?;
    if !said.contains(SICK) {
        return Err(format!("another chain was meant: {said}").into());
    }
    // In-band, every time, and nothing is signed: neither what is new nor what was.
    for (height, block) in [
        (height, 1),
        (height, 2),
        (height + 1, 1),
        (height - 1, 1),
        (1, 1),
    ] {
        if asks(&mut ill, SICK, height, block)?.is_none() {
            return Err(format!("signed at {height} after its state had failed").into());
        }
    }
    ill.ping()?;
    for more in height..height + 5 {
        signs(&mut well, WELL, more, 1)?;
    }
    if process.wait(std::time::Duration::ZERO)?.is_some() {
        return Err("the process has ended".into());
    }
    let _ = process.kill()?;
    drop((well, ill, process));

    (case.cure)(&world)?;
    let mut process = spawn(ground, &world.home, &[], &world.state)?;
    if case.after == After::RefusesToStart {
        let status = process.wait(PATIENCE)?.ok_or("it started")?;
        if status.code() != Some(5) {
            return Err(format!("ended with {status} and not with the code for state").into());
        }
        world.mounted = None;
        return Ok(());
    }
    let mut ill = accept_live(&sick, &mut process)?;
    for signed in 1..height {
        if asks(&mut ill, SICK, signed, 2)?.is_none() {
            return Err(format!("TWO SIGNATURES AT {signed}").into());
        }
    }
    signs(&mut ill, SICK, height + 10, 1)
}

fn spawn(
    ground: &Ground,
    home: &Home,
    inject: &[&str],
    state: &Path,
) -> Result<Process, Box<dyn Error>> {
    let config = home.config();
    let start = ["start", "-c", text(&config)];
    if inject.is_empty() {
        // Where a file may not grow further, the write is to fail and not to end the process.
        let mut command = Command::new("sh");
        let _ = command
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", ground.binary()])
            .args(start);
        return Ok(Process::spawn(&mut command)?);
    }
    let log = home.path("strace.log");
    let mut command = Command::new("strace");
    let _ = command
        .args(["-f", "-D", "-q", "-o", text(&log), "-P", text(state)])
        .args(["-e", "trace=pwrite64,fdatasync,statx"]);
    for fault in inject {
        let _ = command.args(["-e", &format!("inject={fault}")]);
    }
    Ok(Process::spawn(command.arg(ground.binary()).args(start))?)
}

/// A killed signer's dial may still wait in the queue: takes the one that answers.
fn accept_live(listener: &Validator, process: &mut Process) -> Result<Connection, Box<dyn Error>> {
    for _ in 0..10 {
        let mut connection = listener
            .accept(PATIENCE)
            .map_err(|error| format!("{error}: {}", process.lines().join("\n")))?;
        if connection.ping().is_ok() {
            return Ok(connection);
        }
    }
    Err("no connection answers".into())
}

fn signs(connection: &mut Connection, chain: &str, height: i64, block: u64) -> Outcome {
    match asks(connection, chain, height, block)? {
        None => Ok(()),
        Some(refusal) => Err(format!("{chain} at {height}: {refusal}").into()),
    }
}

/// `Some`: refused, in-band, and without a signature.
fn asks(
    connection: &mut Connection,
    chain: &str,
    height: i64,
    block: u64,
) -> Result<Option<String>, Box<dyn Error>> {
    let vote = VoteRequest::precommit(chain, height, 0).with_block(Some(Block::numbered(block)));
    let reply = connection.sign_vote(&vote)?;
    match &reply.error {
        None if reply.signs(&public_key().0, &vote.sign_bytes()) => Ok(None),
        None => Err("neither refused nor signed".into()),
        Some(_) if !reply.signature.is_empty() || !reply.extension_signature.is_empty() => {
            Err("a refusal with a signature".into())
        }
        Some((_, text)) => Ok(Some(text.clone())),
    }
}

/// Commands whose calls fail: they say so, and what was there is still there.
const COMMANDS: &[(&str, &str, bool)] = &[
    ("init: EIO at write", "write:error=EIO:when=1", false),
    ("init: ENOSPC at write", "write:error=ENOSPC:when=1", false),
    ("init: EIO at sync", "fsync:error=EIO:when=1", false),
    ("init: EIO at rename", "renameat2:error=EIO:when=1", false),
    (
        "init: EROFS at rename",
        "renameat2:error=EROFS:when=1",
        false,
    ),
    ("adopt: EIO at write", "write:error=EIO:when=1", true),
    ("adopt: EIO at sync", "fsync:error=EIO:when=1", true),
    (
        "adopt: EIO at the second sync",
        "fsync:error=EIO:when=2",
        true,
    ),
    ("adopt: EIO at link", "linkat:error=EIO:when=1", true),
    ("adopt: EIO at rename", "rename:error=EIO:when=1", true),
];

fn command(ground: &Ground, inject: &str, foreign: bool) -> Outcome {
    let dir = ground.on_disk("command")?;
    let node = Node::new(&dir, "cuts-1")?;
    let state = node.home.state_file("cuts-1");
    let config = node.home.config();
    let before = super::cuts::filepv(500)?;
    let input = dir.join("input.json");
    fs::write(&input, &before)?;
    let args = if foreign {
        fs::write(&state, &before)?;
        vec![
            "state",
            "import",
            "-c",
            text(&config),
            "cuts-1",
            text(&input),
        ]
    } else {
        vec!["state", "init", "-c", text(&config)]
    };
    let log = dir.join("strace.log");
    let output = trace::run(&log, &[inject], ground.binary(), &args)?;
    if output.status.code() != Some(5) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ended with {}: {said}", output.status).into());
    }
    if foreign {
        // The original, or ours, whole and as high.
        if fs::read(&state)? != before.as_bytes() {
            return Err("the original is gone".into());
        }
    } else if state.exists() {
        return Err("there is a state after a failure".into());
    }
    let output = node.home.run(ground.binary(), &args)?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("again: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

type Full = (&'static str, fn(&Ground) -> Outcome);

/// Failures of the only chain there is.
const FULL: &[Full] = &[
    ("a short write", short_write),
    ("init on a full tmpfs", |ground| full(ground, Place::Tmpfs)),
    ("init on ext4 that lies until the flush", |ground| {
        full(ground, Place::Ext4)
    }),
];

/// A limit on the size of files lies inside a record: the kernel writes 200 bytes of it and says so.
fn short_write(ground: &Ground) -> Outcome {
    let dir = ground.on_disk("short")?;
    let node = Node::new(&dir, SICK)?;
    node.init(ground)?;
    let mut process = spawn(ground, &node.home, &[], &node.home.state_file(SICK))?;
    let mut connection = node.listener.accept(PATIENCE)?;
    // The third record goes to the first of the two places.
    for height in 1..=2 {
        signs(&mut connection, SICK, height, 1)?;
    }
    let pid = process.id().to_string();
    tool("prlimit", &["--pid", &pid, "--fsize=4296"])?;
    let refused = asks(&mut connection, SICK, 3, 1)?;
    if !refused.is_some_and(|text| text.contains("File too large")) {
        return Err("a torn record was signed".into());
    }
    // No chain is left to serve.
    let status = process.wait(PATIENCE)?.ok_or("it goes on")?;
    let mut again = spawn(ground, &node.home, &[], &node.home.state_file(SICK))?;
    let restart = again.wait(PATIENCE)?.ok_or("it started")?;
    if (status.code(), restart.code()) != (Some(5), Some(5)) {
        return Err(format!("ended with {status}, then {restart}").into());
    }
    let said = again.lines().join(" ");
    if !said.contains("one of its two records is damaged") {
        return Err(format!("a torn record, and it said: {said}").into());
    }
    Ok(())
}

fn full(ground: &Ground, place: Place) -> Outcome {
    let dir = ground.on_disk("full")?;
    let node = Node::new(&dir, "cuts-1")?;
    let folder = dir.join("state");
    let mount = Mount::new(place, &folder)?.ok_or("nothing is mounted")?;
    // Of the tmpfs itself, or of the one below the image: then writes succeed, and the flush does not.
    let filler = match place {
        Place::Ext4 => mount.below.join("filler"),
        Place::Plain | Place::Tmpfs => folder.join("filler"),
    };
    let mut filling = fs::File::create(&filler)?;
    let full = io::copy(&mut io::repeat(1).take_bytes(64 << 20), &mut filling);
    if full.is_ok() {
        return Err("the disk is not full".into());
    }
    let config = node.home.config();
    let args = ["state", "init", "-c", text(&config)];
    let output = node.home.run(ground.binary(), &args)?;
    if output.status.code() != Some(5) {
        return Err(format!("ended with {}", output.status).into());
    }
    drop(filling);
    fs::remove_file(&filler)?;
    if place == Place::Ext4 {
        tool("umount", &["-l", text(&folder)])?;
        mount.mount()?;
    }
    let state = node.home.state_file("cuts-1");
    if state.exists() {
        return Err("there is a state on a disk that had no room for it".into());
    }
    node.init(ground)
}

trait TakeBytes: io::Read + Sized {
    fn take_bytes(self, limit: u64) -> io::Take<Self> {
        self.take(limit)
    }
}

impl TakeBytes for io::Repeat {}

/// A small file system of its own, unmounted when it is dropped.
struct Mount {
    place: Place,
    at: PathBuf,
    /// For ext4: the tmpfs that holds its image.
    below: PathBuf,
}

impl Mount {
    fn new(place: Place, at: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        if place == Place::Plain {
            return Ok(None);
        }
        let mount = Self {
            place,
            at: at.to_owned(),
            below: at.with_extension("below"),
        };
        if place == Place::Ext4 {
            fs::create_dir_all(&mount.below)?;
            let below = text(&mount.below);
            tool("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs", below])?;
            let image = fs::File::create(mount.image())?;
            image.set_len(64 << 20)?;
            tool("mkfs.ext4", &["-q", "-F", text(&mount.image())])?;
        }
        mount.mount()?;
        Ok(Some(mount))
    }

    fn image(&self) -> PathBuf {
        self.below.join("image")
    }

    fn mount(&self) -> Outcome {
        let at = text(&self.at);
        if self.place == Place::Tmpfs {
            return tool("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", at]);
        }
        let options = "loop,errors=remount-ro";
        tool(
            "mount",
            &["-t", "ext4", "-o", options, text(&self.image()), at],
        )
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        for path in [&self.at, &self.below] {
            let _ = Command::new("umount").args(["-l", text(path)]).output();
        }
    }
}

fn device_of(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let line = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some(text(folder)));
    let device = line.and_then(|line| line.split(' ').next());
    Ok(device
        .and_then(|device| device.strip_prefix("/dev/"))
        .ok_or("no device")?
        .to_owned())
}

/// A program of the system; that it is missing or not permitted is no failure of ours.
fn tool(name: &str, args: &[&str]) -> Outcome {
    match Command::new(name).args(args).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Skip(format!("{name} {}: {said}", args.join(" "))).into())
        }
        Err(error) => Err(Skip(format!("{name}: {error}")).into()),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}
