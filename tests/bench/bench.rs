//! `make bench`: what a signature takes, beside what this machine takes for the same work.
//!
//! ```text
//! bench [micro|latency|calls|starts|connections|chains|sizes]... [--quick] [--program NAME=PATH]...
//! bench --state DIRECTORY...
//! ```
//!
//! Without a name, everything. `--program` puts another binary beside ours; one whose name begins with
//! `tmkms-` is iqlusion's, which serves one chain in a process. It prints, and fails only if something
//! does not work: never on time.

#![allow(
    unreachable_pub,
    reason = "nobody else sees what one program has in its modules"
)]

#[path = "../validator/mod.rs"]
mod validator;

mod disk;
mod floor;
mod measure;
mod micro;
mod rig;
mod table;
mod whole;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rig::Program;
use whole::Amount;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // What `cargo bench` adds.
    arguments.retain(|argument| argument != "--bench");
    let done = match &arguments[..] {
        [flag, addr, ask, answer] if flag == "--echo" => {
            // Ends when the other end does.
            let _ = floor::echo(addr, ask.parse().unwrap_or(0), answer.parse().unwrap_or(0));
            Ok(())
        }
        [flag, places @ ..] if flag == "--state" => {
            disk::run(&places.iter().map(String::as_str).collect::<Vec<_>>())
        }
        _ => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[String]) -> io::Result<()> {
    let mut programs = vec![Program {
        name: "ours".to_owned(),
        binary: PathBuf::from(env!("CARGO_BIN_EXE_tmkms")),
        many_chains: true,
    }];
    let mut wanted = Vec::new();
    let mut amount = Amount {
        // Short turns: whatever else the machine does meets all of them alike.
        rounds: 500,
        requests: 20,
        times: 51,
        away: Duration::from_secs(20),
    };
    let mut quick = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => {
                quick = true;
                amount = Amount {
                    rounds: 25,
                    requests: 20,
                    times: 5,
                    away: Duration::from_secs(2),
                };
            }
            "--program" => {
                let (name, path) = arguments
                    .next()
                    .and_then(|program| program.split_once('='))
                    .ok_or_else(|| io::Error::other("--program wants NAME=PATH"))?;
                programs.push(Program {
                    name: name.to_owned(),
                    binary: PathBuf::from(path),
                    many_chains: !name.starts_with("tmkms-"),
                });
            }
            name => wanted.push(name),
        }
    }
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    println!("{}", measure::surroundings(&directory));
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(&name);
    let run = || {
        if is_wanted("micro") {
            micro::run(&directory, quick)?;
        }
        if is_wanted("latency") {
            whole::latency(&programs, &directory, amount)?;
        }
        if is_wanted("calls") {
            whole::system_calls(&programs, &directory)?;
        }
        if is_wanted("starts") {
            whole::starts(&programs, &directory, amount)?;
        }
        if is_wanted("connections") {
            whole::connections(&programs, &directory, amount)?;
        }
        if is_wanted("chains") {
            whole::chains(&programs, &directory, amount)?;
        }
        if is_wanted("sizes") {
            whole::sizes(&programs)?;
        }
        Ok(())
    };
    let done = run();
    std::fs::remove_dir_all(&directory)?;
    done
}
