//! What a commit costs on a file system, and what reaches the device.

use std::fs;
use std::io;
use std::path::Path;

use super::measure::{file_system, micros};
use super::micro::commits;
use super::table::Table;

const COUNT: i64 = 1000;

/// Commits in each of `places`, which should lie on devices that nobody else writes to.
pub fn run(places: &[&str]) -> io::Result<()> {
    let columns = ["p50 µs", "p99 µs", "data writes", "KiB written", "flushes"];
    let mut table = Table::new(
        "Judge and commit by file system; what reaches the device for each",
        &columns,
    );
    for place in places {
        let place = fs::canonicalize(place)?;
        let name = file_system(&place);
        let told = place.file_name().unwrap_or_default().to_string_lossy();
        let before = Device::below(&name);
        let samples = commits(&place, COUNT)?;
        let after = Device::below(&name);
        let each = |count: fn(&Device) -> f64| match (&before, &after) {
            (Some(before), Some(after)) => {
                let count =
                    (count(after) - count(before)) / f64::from(i32::try_from(COUNT).unwrap_or(1));
                format!("{count:.2}")
            }
            _ => String::new(),
        };
        table.row(
            &format!("{told}: {name}"),
            &[
                format!("{:.0}", micros(samples.median())),
                format!("{:.0}", micros(samples.quantile(990))),
                each(|device| device.writes - device.flushes),
                each(|device| device.sectors / 2.0),
                each(|device| device.flushes),
            ],
        );
    }
    table.print();
    Ok(())
}

/// The kernel's own count of what a block device was asked for (Documentation/block/stat.rst).
struct Device {
    /// Flushes included, which write nothing.
    writes: f64,
    sectors: f64,
    flushes: f64,
}

impl Device {
    /// `name` is `type (/dev/device)`. `None`: no device, as below tmpfs.
    fn below(name: &str) -> Option<Self> {
        let (_, device) = name.split_once("(/dev/")?;
        let stat = fs::read_to_string(
            Path::new("/sys/class/block")
                .join(device.strip_suffix(')')?)
                .join("stat"),
        );
        let stat = stat.ok()?;
        let field = |index| stat.split_whitespace().nth(index)?.parse().ok();
        Some(Self {
            writes: field(4)?,
            sectors: field(6)?,
            flushes: field(15)?,
        })
    }
}
