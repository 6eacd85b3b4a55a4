//! A device on USB, and which there are.
//!
//! Devices are found in sysfs, which asks nothing of them: another program, and another signer's device on the
//! same bus, notice nothing. Only the one that is opened is reset.

use core::time::Duration;
use std::fs;
use std::path::Path;

use rusb::UsbContext as _;

use super::fault::Fault;
use super::frame::FRAME_MAX_LEN;

/// A YubiHSM 2 that the kernel sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Ten digits.
    pub serial: String,
    /// The number of the bus.
    pub bus: u8,
    /// The number of the device on it, another one each time it is plugged in.
    pub address: u8,
}

impl Found {
    /// The device node, whose mode decides who may use the device.
    #[must_use]
    pub fn node(&self) -> String {
        format!("/dev/bus/usb/{:03}/{:03}", self.bus, self.address)
    }
}

/// Every YubiHSM 2 on USB, by its serial number. Asks the kernel, and no device.
#[must_use]
pub fn devices() -> Vec<Found> {
    devices_in(Path::new("/sys/bus/usb/devices"))
}

fn devices_in(folder: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<Found> = entries
        .flatten()
        .filter_map(|entry| {
            let read = |name: &str| {
                let text = fs::read_to_string(entry.path().join(name)).ok()?;
                Some(text.trim().to_owned())
            };
            let is_ours = read("idVendor")? == VENDOR && read("idProduct")? == PRODUCT;
            if !is_ours {
                return None;
            }
            Some(Found {
                // The kernel leaves leading zeros as the device gives them; ten digits are what everybody writes.
                serial: format!("{:0>10}", read("serial").unwrap_or_default()),
                bus: read("busnum")?.parse().ok()?,
                address: read("devnum")?.parse().ok()?,
            })
        })
        .collect();
    found.sort_by(|a, b| a.serial.cmp(&b.serial));
    found
}

/// The one device that is meant.
fn choose(mut found: Vec<Found>, wanted: Option<&str>) -> Result<Found, Fault> {
    let there: Vec<String> = found.iter().map(|found| found.serial.clone()).collect();
    if let Some(wanted) = wanted {
        found.retain(|found| found.serial == wanted);
    }
    match found.pop() {
        None => Err(Fault::Absent {
            wanted: wanted.map(str::to_owned),
            there,
        }),
        Some(found_one) if found.is_empty() => Ok(found_one),
        Some(_) => Err(Fault::Several(there)),
    }
}

/// An open device.
pub(super) struct Connection(rusb::DeviceHandle<rusb::Context>);

impl Connection {
    pub(super) fn open(serial: Option<&str>) -> Result<Self, Fault> {
        let found = choose(devices(), serial)?;
        let fault = |error| fault(error, &found);
        let context = rusb::Context::new().map_err(fault)?;
        let listed = context.devices().map_err(fault)?;
        let device = listed
            .iter()
            .find(|device| device.bus_number() == found.bus && device.address() == found.address)
            .ok_or(Fault::Unplugged)?;
        let handle = device.open().map_err(fault)?;
        // Whatever an earlier program has begun ends here, for this device alone.
        handle.reset().map_err(fault)?;
        handle.claim_interface(INTERFACE).map_err(fault)?;
        let mut left = [0; FRAME_MAX_LEN];
        for _ in 0..LEFTOVERS {
            if handle.read_bulk(ENDPOINT_IN, &mut left, DRAIN).is_err() {
                break;
            }
        }
        Ok(Self(handle))
    }

    pub(super) fn exchange(&mut self, frame: &[u8], deadline: Duration) -> Result<Vec<u8>, Fault> {
        let fault = |error| match error {
            rusb::Error::Timeout => Fault::Silent(deadline),
            // An endpoint that stalls is one whose device is going.
            rusb::Error::NoDevice | rusb::Error::NotFound | rusb::Error::Pipe => Fault::Unplugged,
            rusb::Error::Busy => Fault::Busy,
            rusb::Error::Io
            | rusb::Error::InvalidParam
            | rusb::Error::Access
            | rusb::Error::Overflow
            | rusb::Error::Interrupted
            | rusb::Error::NoMem
            | rusb::Error::NotSupported
            | rusb::Error::BadDescriptor
            | rusb::Error::Other => Fault::System(format!("USB: {error}")),
        };
        let written = self
            .0
            .write_bulk(ENDPOINT_OUT, frame, deadline)
            .map_err(fault)?;
        if written != frame.len() {
            return Err(Fault::Garbled("USB took only a part of the command"));
        }
        if frame.len().is_multiple_of(PACKET_LEN) {
            // A message ends with a packet that is not full.
            let _ = self
                .0
                .write_bulk(ENDPOINT_OUT, &[], deadline)
                .map_err(fault)?;
        }
        let mut answer = vec![0; FRAME_MAX_LEN.next_multiple_of(PACKET_LEN)];
        let len = self
            .0
            .read_bulk(ENDPOINT_IN, &mut answer, deadline)
            .map_err(fault)?;
        answer.truncate(len);
        Ok(answer)
    }
}

/// Why a device could not be opened.
fn fault(error: rusb::Error, found: &Found) -> Fault {
    match error {
        rusb::Error::Access => Fault::Permission(found.node()),
        rusb::Error::Busy => Fault::Busy,
        // The number is a new one after a reset that did not go well: the next attempt finds it.
        rusb::Error::NoDevice | rusb::Error::NotFound => Fault::Unplugged,
        rusb::Error::Io
        | rusb::Error::InvalidParam
        | rusb::Error::Timeout
        | rusb::Error::Overflow
        | rusb::Error::Pipe
        | rusb::Error::Interrupted
        | rusb::Error::NoMem
        | rusb::Error::NotSupported
        | rusb::Error::BadDescriptor
        | rusb::Error::Other => Fault::System(format!("USB: {error}")),
    }
}

/// Yubico's, and of the YubiHSM 2.
const VENDOR: &str = "1050";
const PRODUCT: &str = "0030";

const INTERFACE: u8 = 0;
const ENDPOINT_OUT: u8 = 0x01;
const ENDPOINT_IN: u8 = 0x81;
/// Bytes of a full-speed bulk packet.
const PACKET_LEN: usize = 64;
/// How many answers to an earlier program may wait in the device, and how long one is waited for.
const LEFTOVERS: usize = 3;
const DRAIN: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    fn plug(scratch: &Scratch, name: &str, lines: &[(&str, &str)]) {
        let folder = scratch.path(name);
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in lines {
            fs::write(folder.join(file), format!("{text}\n")).unwrap();
        }
    }

    fn device(serial: &str, address: u8) -> Found {
        Found {
            serial: serial.to_owned(),
            bus: 1,
            address,
        }
    }

    #[test]
    fn sysfs_tells_which_devices_there_are() {
        let scratch = Scratch::new();
        let yubico = [("idVendor", "1050"), ("idProduct", "0030"), ("busnum", "1")];
        plug(
            &scratch,
            "1-2",
            &[&yubico[..], &[("devnum", "9"), ("serial", "7550054")]].concat(),
        );
        plug(
            &scratch,
            "1-1",
            &[&yubico[..], &[("devnum", "4"), ("serial", "0001234567")]].concat(),
        );
        plug(
            &scratch,
            "1-3",
            &[
                ("idVendor", "1050"),
                ("idProduct", "0407"),
                ("serial", "1"),
                ("busnum", "1"),
                ("devnum", "5"),
            ],
        );
        plug(&scratch, "1-0:1.0", &[("bInterfaceNumber", "00")]);
        assert_eq!(
            devices_in(&scratch.path("")),
            [device("0001234567", 4), device("0007550054", 9)]
        );
        assert_eq!(device("0007550054", 9).node(), "/dev/bus/usb/001/009");
        assert!(devices_in(&scratch.path("none")).is_empty());
    }

    #[test]
    fn the_device_that_is_meant_is_opened_and_no_other() {
        let two = || vec![device("0000000001", 1), device("0000000002", 2)];
        let there = vec!["0000000001".to_owned(), "0000000002".to_owned()];
        assert_eq!(
            choose(two(), Some("0000000002")),
            Ok(device("0000000002", 2))
        );
        assert_eq!(choose(two(), None), Err(Fault::Several(there.clone())));
        assert_eq!(
            choose(two(), Some("0000000003")),
            Err(Fault::Absent {
                wanted: Some("0000000003".to_owned()),
                there
            })
        );
        assert_eq!(
            choose(Vec::new(), None),
            Err(Fault::Absent {
                wanted: None,
                there: Vec::new()
            })
        );
        assert_eq!(
            choose(vec![device("0000000001", 1)], None),
            Ok(device("0000000001", 1))
        );
    }
}
