//! Clocks, quantiles, and what the system knows about a process.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Durations of one sort.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Takes all of another's.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Times `act` and keeps what it took.
    pub fn time<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = act();
        self.push(began.elapsed());
        done
    }

    /// The duration that `per_mille` of all stay below; zero if there are none.
    pub fn quantile(&self, per_mille: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = sorted.len() * per_mille / 1000;
        sorted
            .get(at.min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.quantile(500)
    }
}

/// One number out of repeated batches of `act`, each long enough for the clock: the median batch.
pub fn per_call(batches: usize, calls: u32, mut act: impl FnMut()) -> Duration {
    let mut samples = Samples::default();
    for _ in 0..batches {
        let began = Instant::now();
        for _ in 0..calls {
            act();
        }
        samples.push(began.elapsed() / calls);
    }
    samples.median()
}

pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What a process has used so far, all of its threads together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu: Duration,
    /// Context switches, of its own will and not.
    pub switches: u64,
    /// The most memory that was resident at once, in KiB.
    pub peak_kib: u64,
}

/// Reads `/proc`: `schedstat` counts nanoseconds where `stat` counts ticks of 10 ms.
pub fn usage(process: u32) -> Usage {
    let mut usage = Usage::default();
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let on_cpu = read("schedstat");
        let on_cpu = on_cpu
            .split(' ')
            .next()
            .and_then(|field| field.parse().ok());
        usage.cpu += Duration::from_nanos(on_cpu.unwrap_or_default());
        let status = read("status");
        usage.switches += number(&status, "voluntary_ctxt_switches:");
        usage.switches += number(&status, "nonvoluntary_ctxt_switches:");
    }
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    usage.peak_kib = number(&status, "VmHWM:");
    usage
}

fn number(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or_default()
}

/// Machine, kernel, file system and date: without them a number says nothing.
pub fn surroundings(directory: &Path) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model)
        .to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let date = date.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    format!(
        "{model}, {cores} cores; Linux {}; state on {}; load {}; {}",
        kernel.trim(),
        file_system(directory),
        load.split(' ').next().unwrap_or_default(),
        date.unwrap_or_default().trim()
    )
}

/// Type and device of the file system below `directory`.
pub fn file_system(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (device, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
            directory
                .starts_with(point)
                .then(|| (point.len(), format!("{kind} ({device})")))
        })
        // Of several at one place, the last is on top.
        .max_by_key(|(len, _)| *len)
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name)
}
