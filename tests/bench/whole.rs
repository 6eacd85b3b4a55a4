//! Whole requests, asked of the real binary by a stand-in node, and the floor beside them.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::floor::{Echo, Floor, Flush};
use super::measure::{Samples, Usage, micros, millis, usage};
use super::rig::{Program, Rig, Transport};
use super::table::Table;
use super::validator::Validator;

/// How much is asked.
#[derive(Clone, Copy)]
pub struct Amount {
    /// Turns that each program and the floor get.
    pub rounds: usize,
    /// Requests in a turn.
    pub requests: usize,
    /// Starts, cuts.
    pub times: usize,
    /// How long the node is away.
    pub away: Duration,
}

/// A request and a reply on the socket, in bytes: a frame each over tcp, about a vote over unix.
const FRAME: (usize, usize) = (1044, 1044);
const VOTE: (usize, usize) = (190, 250);

/// One program under measurement.
struct Lane<'a> {
    program: &'a Program,
    rig: Rig,
    signed: Samples,
    pinged: Samples,
    used: Usage,
    count: u32,
}

/// One connection: latency and what it costs, over both transports.
pub fn latency(programs: &[Program], directory: &Path, amount: Amount) -> io::Result<()> {
    for (transport, name, sizes) in [
        (Transport::Tcp, "tcp + SecretConnection", FRAME),
        (Transport::Unix, "unix", VOTE),
    ] {
        let node = match transport {
            Transport::Tcp => Validator::listen_tcp()?,
            Transport::Unix => Validator::listen_unix(&directory.join("echo.sock"))?,
        };
        let echo = Echo::start(&node, sizes.0, sizes.1)?;
        let mut floor = Floor::new(echo, Flush::new(&directory.join("flushed"))?);
        let mut lanes = Vec::new();
        for program in programs {
            let mut rig = Rig::start(program, &directory.join(&program.name), transport, 1, 1)?;
            for _ in 0..50 {
                let _ = rig.nodes[0].sign()?;
            }
            lanes.push(Lane {
                program,
                rig,
                signed: Samples::default(),
                pinged: Samples::default(),
                used: Usage::default(),
                count: 0,
            });
        }
        for _ in 0..amount.rounds {
            floor.round(amount.requests / 2)?;
            for lane in &mut lanes {
                lane.turn(amount.requests)?;
            }
        }
        report(name, &floor, &lanes);
        fs::remove_file(directory.join("flushed"))?;
    }
    Ok(())
}

impl Lane<'_> {
    fn turn(&mut self, requests: usize) -> io::Result<()> {
        let node = &mut self.rig.nodes[0];
        for _ in 0..requests / 4 {
            self.pinged.push(node.ping()?);
        }
        let bodies: Vec<_> = (0..requests).map(|_| node.next()).collect();
        let before = usage(self.rig.process());
        let node = &mut self.rig.nodes[0];
        for body in &bodies {
            self.signed.push(node.ask(body)?);
            self.count += 1;
        }
        let after = usage(self.rig.process());
        self.used.cpu += after.cpu.saturating_sub(before.cpu);
        self.used.switches += after.switches - before.switches;
        self.used.peak_kib = after.peak_kib;
        Ok(())
    }
}

fn report(transport: &str, floor: &Floor, lanes: &[Lane<'_>]) {
    let title = format!("Request to signature over {transport}, one connection, µs");
    let names: Vec<&str> = lanes
        .iter()
        .map(|lane| lane.program.name.as_str())
        .collect();
    let mut columns = vec!["floor"];
    columns.extend(names);
    let mut table = Table::new(title, &columns);
    let mut row = |name: &str, floor: String, cell: &dyn Fn(&Lane<'_>) -> String| {
        let mut cells = vec![floor];
        cells.extend(lanes.iter().map(cell));
        table.row(name, &cells);
    };
    let us = |duration| format!("{:.0}", micros(duration));
    let parts = [&floor.trips, &floor.flushes, &floor.signatures];
    let quantile = |per_mille| parts.iter().map(|part| part.quantile(per_mille)).sum();
    row(
        "p10: the machine at its quietest",
        us(quantile(100)),
        &|lane| us(lane.signed.quantile(100)),
    );
    row("p50", us(quantile(500)), &|lane| us(lane.signed.median()));
    row("p99", us(quantile(990)), &|lane| {
        us(lane.signed.quantile(990))
    });
    row("p99.9", us(quantile(999)), &|lane| {
        us(lane.signed.quantile(999))
    });
    for (name, per_mille) in [("p10 over the floor's", 100), ("p50 over the floor's", 500)] {
        let floor: Duration = quantile(per_mille);
        row(name, "1.00".to_owned(), &|lane| {
            format!(
                "{:.2}",
                micros(lane.signed.quantile(per_mille)) / micros(floor)
            )
        });
    }
    row("ping, p50", us(floor.trips.median()), &|lane| {
        us(lane.pinged.median())
    });
    row("one flush, p50", us(floor.flushes.median()), &|_| {
        String::new()
    });
    row("one Ed25519, p50", us(floor.signatures.median()), &|_| {
        String::new()
    });
    row("CPU per signature", String::new(), &|lane| {
        us(lane.used.cpu / lane.count)
    });
    row("context switches per signature", String::new(), &|lane| {
        let switches = u32::try_from(lane.used.switches).unwrap_or(u32::MAX);
        format!("{:.2}", f64::from(switches) / f64::from(lane.count))
    });
    row("peak resident memory, KiB", String::new(), &|lane| {
        lane.used.peak_kib.to_string()
    });
    table.print();
}

/// Which system calls a signature takes.
pub fn system_calls(programs: &[Program], directory: &Path) -> io::Result<()> {
    const REQUESTS: u32 = 400;
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        println!("\nSystem calls: skipped, there is no strace.");
        return Ok(());
    }
    println!("\nSystem calls per signature, tcp + SecretConnection");
    for program in programs {
        let mut rig = Rig::start(
            program,
            &directory.join(&program.name),
            Transport::Tcp,
            1,
            1,
        )?;
        for _ in 0..20 {
            let _ = rig.nodes[0].sign()?;
        }
        let counts = directory.join("strace");
        let mut tracer = Command::new("strace")
            .args(["-f", "-c", "-o"])
            .arg(&counts)
            .args(["-p", &rig.process().to_string()])
            .stderr(Stdio::null())
            .spawn()?;
        // It says when it has attached, but only to a terminal.
        thread::sleep(Duration::from_millis(500));
        for _ in 0..REQUESTS {
            let _ = rig.nodes[0].sign()?;
        }
        let pid = i32::try_from(tracer.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        let _ = tracer.wait()?;
        let text = fs::read_to_string(&counts)?;
        let mut calls: Vec<(f64, String)> = text.lines().filter_map(calls_of).collect();
        for (count, _) in &mut calls {
            *count /= f64::from(REQUESTS);
        }
        calls.retain(|(count, _)| *count >= 0.05);
        calls.sort_by(|one, other| other.0.total_cmp(&one.0));
        let sum: f64 = calls.iter().map(|(count, _)| count).sum();
        let list: Vec<_> = calls
            .iter()
            .map(|(count, name)| format!("{name} {count:.1}"))
            .collect();
        println!("  {}: {sum:.1} ({})", program.name, list.join(", "));
        fs::remove_file(&counts)?;
    }
    Ok(())
}

/// `% time, seconds, usecs/call, calls, [errors,] syscall` of `strace -c`.
fn calls_of(line: &str) -> Option<(f64, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (name, calls) = (fields.last()?, fields.get(3)?);
    let _: f64 = fields.first()?.parse().ok()?;
    (*name != "total").then_some((calls.parse().ok()?, (*name).to_owned()))
}

/// From `exec` to the first signature, and back to work after the node was away.
pub fn starts(programs: &[Program], directory: &Path, amount: Amount) -> io::Result<()> {
    let mut columns = vec!["floor"];
    columns.extend(programs.iter().map(|program| program.name.as_str()));
    let mut table = Table::new("Starting and redialling over tcp, ms", &columns);
    let mut rigs = Vec::new();
    // The floor of a start: a process that dials, and does nothing else. A redial has none.
    let bare = bare_starts(amount.times)?;
    let mut rows = vec![vec![String::new()]; 5];
    rows[0] = vec![format!("{:.2}", millis(bare.quantile(100)))];
    rows[1] = vec![format!("{:.2}", millis(bare.median()))];
    for program in programs {
        let mut rig = Rig::start(
            program,
            &directory.join(&program.name),
            Transport::Tcp,
            1,
            1,
        )?;
        let _ = rig.nodes[0].sign()?;
        let mut starts = Samples::default();
        for _ in 0..amount.times {
            rig.kill()?;
            let began = Instant::now();
            rig.spawn()?;
            rig.accept()?;
            let _ = rig.nodes[0].sign()?;
            starts.push(began.elapsed());
        }
        let mut cuts = Samples::default();
        for _ in 0..amount.times.min(21) {
            cuts.push(rig.nodes[0].cut()?);
            let _ = rig.nodes[0].sign()?;
        }
        rows[0].push(format!("{:.2}", millis(starts.quantile(100))));
        rows[1].push(format!("{:.2}", millis(starts.median())));
        rows[2].push(format!("{:.2}", millis(cuts.median())));
        rigs.push(rig);
    }
    let mut absences = vec![Samples::default(); rigs.len()];
    for time in 0..3 {
        // Longer each time, so that we come back at another moment of the signer's clock.
        let away = amount.away + Duration::from_millis(170) * time;
        thread::scope(|scope| {
            let back: Vec<_> = rigs
                .iter_mut()
                .map(|rig| {
                    scope.spawn(move || {
                        let node = &mut rig.nodes[0];
                        let address = node.go_down().ok_or(io::ErrorKind::NotConnected)?;
                        thread::sleep(away);
                        let took = node.come_up(&address)?;
                        node.sign().map(|_| took)
                    })
                })
                .collect();
            for (thread, samples) in back.into_iter().zip(&mut absences) {
                samples.push(thread.join().map_err(|_| io::Error::other("a panic"))??);
            }
            io::Result::Ok(())
        })?;
    }
    for samples in &absences {
        rows[3].push(format!("{:.0}", millis(samples.median())));
        rows[4].push(format!("{:.0}", millis(samples.quantile(1000))));
    }
    table.row("exec to first signature, p10", &rows[0]);
    table.row("  p50", &rows[1]);
    table.row("redial after a cut, p50", &rows[2]);
    let away = amount.away.as_secs();
    table.row(
        &format!("redial after {away} s without a listener"),
        &rows[3],
    );
    table.row("  the worst of three", &rows[4]);
    table.print();
    Ok(())
}

/// From `exec` to the call of a process that does nothing but dial.
fn bare_starts(times: usize) -> io::Result<Samples> {
    let node = Validator::listen_tcp()?;
    let mut starts = Samples::default();
    for _ in 0..times {
        let _ = starts.time(|| Echo::start(&node, FRAME.0, FRAME.1))?;
    }
    Ok(starts)
}

/// How much of a disk each program takes.
pub fn sizes(programs: &[Program]) -> io::Result<()> {
    let mut table = Table::new("The program's file", &["bytes"]);
    for program in programs {
        let len = fs::metadata(&program.binary)?.len();
        table.row(&program.name, &[len.to_string()]);
    }
    table.print();
    Ok(())
}

/// Several nodes of one chain ask for the same vote at the same moment.
pub fn connections(programs: &[Program], directory: &Path, amount: Amount) -> io::Result<()> {
    let names: Vec<&str> = programs
        .iter()
        .map(|program| program.name.as_str())
        .collect();
    let mut table = Table::new(
        "Nodes of one chain that ask for one vote at once, tcp: p50 / p99 µs, votes a second",
        &names,
    );
    let count = amount.requests * amount.rounds / 8;
    for connections in [1, 2, 4] {
        let mut cells = Vec::new();
        for program in programs {
            let place = directory.join(&program.name);
            let mut rig = Rig::start(program, &place, Transport::Tcp, 1, connections)?;
            let barrier = Barrier::new(connections);
            let began = Instant::now();
            let samples = thread::scope(|scope| {
                let threads: Vec<_> = rig
                    .nodes
                    .iter_mut()
                    .map(|node| {
                        let barrier = &barrier;
                        scope.spawn(move || {
                            let mut samples = Samples::default();
                            for _ in 0..count {
                                let body = node.next();
                                let _ = barrier.wait();
                                samples.push(node.ask(&body).expect("a signature"));
                            }
                            samples
                        })
                    })
                    .collect();
                let mut all = Samples::default();
                for thread in threads {
                    all.extend(&thread.join().expect("a signature for every node"));
                }
                all
            });
            let replies = u32::try_from(count * connections).unwrap_or(u32::MAX);
            cells.push(format!(
                "{:.0} / {:.0}, {:.0}",
                micros(samples.median()),
                micros(samples.quantile(990)),
                f64::from(replies) / began.elapsed().as_secs_f64()
            ));
        }
        table.row(&connections.to_string(), &cells);
    }
    table.print();
    Ok(())
}

/// Many chains in one process, asked in turn.
pub fn chains(programs: &[Program], directory: &Path, amount: Amount) -> io::Result<()> {
    for program in programs.iter().filter(|program| program.many_chains) {
        let title = format!(
            "Chains in one process of {}, unix, asked in turn",
            program.name
        );
        let columns = [
            "p50 µs",
            "p99 µs",
            "peak KiB",
            "KiB a chain",
            "start to all, ms",
        ];
        let mut table = Table::new(title, &columns);
        let mut alone = 0;
        for chains in [1, 10, 200] {
            let place = directory.join(&program.name);
            let mut rig = Rig::start(program, &place, Transport::Unix, chains, 1)?;
            rig.kill()?;
            let began = Instant::now();
            rig.spawn()?;
            rig.accept()?;
            let started = began.elapsed();
            let mut samples = Samples::default();
            for _ in 0..(amount.requests * amount.rounds / 4).div_ceil(chains) {
                for node in &mut rig.nodes {
                    samples.push(node.sign()?);
                }
            }
            let peak = usage(rig.process()).peak_kib;
            if chains == 1 {
                alone = peak;
            }
            let others = u64::try_from(chains).unwrap_or(1).saturating_sub(1);
            table.row(
                &chains.to_string(),
                &[
                    format!("{:.0}", micros(samples.median())),
                    format!("{:.0}", micros(samples.quantile(990))),
                    peak.to_string(),
                    peak.saturating_sub(alone)
                        .checked_div(others)
                        .map_or_else(String::new, |each| each.to_string()),
                    format!("{:.1}", millis(started)),
                ],
            );
        }
        table.print();
    }
    Ok(())
}
