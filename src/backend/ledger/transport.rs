//! The two ways to a Ledger: USB, and a TCP port of an emulator.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use ledger_transport::APDUCommand;
use ledger_transport_hid::hidapi::HidApi;
use ledger_transport_hid::{LedgerHIDError, TransportNativeHID};

use super::app::{Answer, CLA, Request};
use crate::backend::Error;

/// Where the device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// On USB; of several, the first that is found.
    Hid,
    /// An emulator's APDU port, as Speculos has it.
    Tcp(SocketAddr),
}

/// An open way to a device. A call may take as long as a person needs to press a button: `line` gives it
/// a thread.
pub(super) enum Transport {
    Hid(TransportNativeHID),
    Tcp(TcpStream),
}

/// How long an emulator may take to accept a connection or a request, and to finish a reply it has begun.
const TCP_DEADLINE: Duration = Duration::from_secs(1);

/// The longest reply in bytes, without its status word: what one APDU can carry.
const REPLY_MAX_LEN: usize = 256;

impl Transport {
    pub(super) fn open(route: Route) -> Result<Self, Error> {
        match route {
            Route::Hid => {
                let api = HidApi::new().map_err(|error| {
                    Error::new(
                        format!("USB devices cannot be listed: {error}"),
                        "is udev there, and may this user see /sys and /dev?",
                    )
                })?;
                TransportNativeHID::new(&api)
                    .map(Self::Hid)
                    .map_err(|error| match error {
                        LedgerHIDError::DeviceNotFound => Error::new(
                            "no Ledger is plugged in",
                            "plug it in and unlock it; open the Tendermint Validator app on it",
                        ),
                        error @ (LedgerHIDError::Comm(_)
                        | LedgerHIDError::Io(_)
                        | LedgerHIDError::Hid(_)
                        | LedgerHIDError::UTF8(_)) => Error::new(
                            format!("it cannot be opened: {}", with_cause(&error)),
                            "may this user open its /dev/hidraw file? config/ledger.rules is a udev rule for that; no other program may have it open",
                        ),
                    })
            }
            Route::Tcp(address) => TcpStream::connect_timeout(&address, TCP_DEADLINE)
                .and_then(|stream| {
                    stream.set_nodelay(true)?;
                    stream.set_write_timeout(Some(TCP_DEADLINE))?;
                    Ok(Self::Tcp(stream))
                })
                .map_err(|error| {
                    Error::new(
                        format!("no emulator answers at {address}: {error}"),
                        "start it, or remove `emulator` from [[providers.ledgertm]] to use a device on USB",
                    )
                }),
        }
    }

    /// A second handle, with which a call that waits can be ended.
    pub(super) fn closer(&self) -> Option<TcpStream> {
        match self {
            Self::Hid(_) => None,
            Self::Tcp(stream) => stream.try_clone().ok(),
        }
    }

    /// Sends a request and waits for its reply, without a deadline before that begins.
    pub(super) fn exchange(&mut self, request: &Request) -> Result<Answer, Error> {
        match self {
            Self::Hid(device) => {
                let command = APDUCommand {
                    cla: CLA,
                    ins: request.instruction,
                    p1: request.p1,
                    p2: request.p2,
                    data: request.data.as_slice(),
                };
                device
                    .exchange(&command)
                    .map(|answer| Answer {
                        data: answer.data().to_vec(),
                        status: answer.retcode(),
                    })
                    .map_err(|error| {
                        Error::new(
                            format!("the exchange over USB failed: {}", with_cause(&error)),
                            "is it plugged in? a bad cable or hub does the same",
                        )
                    })
            }
            Self::Tcp(stream) => exchange_tcp(stream, request).map_err(|error| {
                let what = if error.kind() == io::ErrorKind::UnexpectedEof {
                    "it hung up".to_owned()
                } else if error.kind() == io::ErrorKind::WouldBlock {
                    "its reply stopped in the middle".to_owned()
                } else {
                    error.to_string()
                };
                Error::new(
                    format!("the exchange with the emulator failed: {what}"),
                    "look at the emulator",
                )
            }),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hid => f.write_str("Ledger"),
            Self::Tcp(address) => write!(f, "Ledger emulator {address}"),
        }
    }
}

/// Speculos' framing: the length as four bytes, big-endian, before the APDU; in a reply it does not count
/// the two bytes of the status word.
fn exchange_tcp(stream: &mut TcpStream, request: &Request) -> io::Result<Answer> {
    let apdu = request.to_bytes();
    let len = u32::try_from(apdu.len()).map_err(io::Error::other)?;
    let mut framed = len.to_be_bytes().to_vec();
    framed.extend_from_slice(&apdu);
    stream.write_all(&framed)?;
    let mut first = [0; 1];
    stream.set_read_timeout(None)?;
    stream.read_exact(&mut first)?;
    stream.set_read_timeout(Some(TCP_DEADLINE))?;
    let mut rest = [0; 3];
    stream.read_exact(&mut rest)?;
    let [high] = first;
    let [second, third, low] = rest;
    let len = usize::try_from(u32::from_be_bytes([high, second, third, low]))
        .ok()
        .filter(|len| *len <= REPLY_MAX_LEN)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a reply longer than any"))?;
    let mut data = vec![0; len];
    stream.read_exact(&mut data)?;
    let mut status = [0; 2];
    stream.read_exact(&mut status)?;
    Ok(Answer {
        data,
        status: u16::from_be_bytes(status),
    })
}

/// An error and what it comes from; the crate's own words leave that out.
fn with_cause(error: &dyn core::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
