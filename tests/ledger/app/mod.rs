//! The Tendermint Validator app of a Ledger, as it was watched in Speculos: its APDUs over TCP, its
//! watermark, its screen, and what can go wrong between it and a signer.
//!
//! Written apart from the product: lengths, fields and rules are read here a second time.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "one module for a test and for a program of its own"
)]

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha512};
use tmkms::keys::SigningKey;

/// What differs between versions of the app.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    pub number: [u8; 3],
    /// P1 says 0 for the beginning, 1 for more, 2 for the last packet; else the packet's number.
    pub marks_packets: bool,
    /// Signs the SHA-512 of a message.
    pub hashes: bool,
}

/// The one that operators have.
pub const RELEASE: Version = Version {
    number: [0, 9, 1],
    marks_packets: false,
    hashes: false,
};

/// What happens to the next request of one kind.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The line is cut before the app sees it.
    Cut,
    /// It is done, and the line is cut before the reply.
    Lose,
    /// It is done, and the line is cut in the middle of the reply.
    Half,
    /// It is done, and the reply stops in its middle.
    Stall,
    /// It is done, and the reply is late.
    Delay(Duration),
    /// It is done, and these bytes are sent in place of the reply.
    Send(&'static [u8]),
    /// It is done, and the reply has this data and status.
    Answer(&'static [u8], u16),
}

/// What the device shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    App,
    Dashboard,
    Locked,
    /// Off: the line is closed to everybody.
    Unplugged,
}

/// A type, height and round: the app knows no chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub kind: u8,
    pub height: i64,
    pub round: i64,
}

/// A device with the app, listening until the process ends.
pub struct App {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Held while an APDU is done: the others queue.
    busy: Mutex<()>,
}

struct State {
    version: Version,
    key: SigningKey,
    screen: Screen,
    /// Ends what was shown and asked before.
    epoch: u64,
    watermark: Option<Slot>,
    asked: Option<Slot>,
    pressed: Option<bool>,
    /// Presses by itself.
    agrees: bool,
    faults: VecDeque<(u8, Fault)>,
    packets: Vec<u8>,
    seen: Vec<Vec<u8>>,
    signed: Vec<Slot>,
    open: Vec<TcpStream>,
}

pub const GET_VERSION: u8 = 0;
pub const PUBLIC_KEY: u8 = 1;
pub const SIGN: u8 = 2;

const PROPOSAL: u8 = 0x20;

impl App {
    /// Plugs it in. Its first signature waits for a button.
    pub fn start(seed: [u8; 32], version: Version, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                version,
                key: SigningKey::from_seed(&seed).map_err(io::Error::other)?,
                screen: Screen::App,
                epoch: 0,
                watermark: None,
                asked: None,
                pressed: None,
                agrees: false,
                faults: VecDeque::new(),
                packets: Vec::new(),
                seen: Vec::new(),
                signed: Vec::new(),
                open: Vec::new(),
            }),
            changed: Condvar::new(),
            busy: Mutex::new(()),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut state = serving.lock();
                if state.screen == Screen::Unplugged {
                    continue;
                }
                state.open.extend(stream.try_clone());
                drop(state);
                let shared = Arc::clone(&serving);
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Ok(Self { addr, shared })
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.shared.lock().key.public_key().0
    }

    /// Presses by itself from now on, as a person does who trusts it.
    pub fn agree(&self) {
        self.shared.lock().agrees = true;
        self.shared.changed.notify_all();
    }

    /// As if it had been initialised.
    pub fn set_watermark(&self, watermark: Slot) {
        self.shared.lock().watermark = Some(watermark);
    }

    pub fn watermark(&self) -> Option<Slot> {
        self.shared.lock().watermark
    }

    /// Everything that was signed, whether it arrived or not.
    pub fn signed(&self) -> Vec<Slot> {
        self.shared.lock().signed.clone()
    }

    /// Every APDU that it has seen.
    pub fn seen(&self) -> Vec<Vec<u8>> {
        self.shared.lock().seen.clone()
    }

    /// The next request of this kind goes wrong. Several come true one after another.
    pub fn fault(&self, instruction: u8, fault: Fault) {
        self.shared.lock().faults.push_back((instruction, fault));
    }

    /// Waits until it asks for a button, and says what it shows.
    pub fn asks(&self, timeout: Duration) -> Option<Slot> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        while state.asked.is_none() {
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state.asked
    }

    /// Presses a button: yes, or no.
    pub fn press(&self, yes: bool) {
        let mut state = self.shared.lock();
        assert!(state.asked.is_some(), "nothing is asked");
        state.pressed = Some(yes);
        self.shared.changed.notify_all();
    }

    /// What is done on the device itself. The app forgets when it is left.
    pub fn show(&self, screen: Screen) {
        let mut state = self.shared.lock();
        if screen != Screen::Locked && state.screen != Screen::Locked {
            state.watermark = None;
        }
        state.screen = screen;
        state.epoch += 1;
        // USB goes away for a moment; a device that is locked keeps it.
        if screen != Screen::Locked {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
    }

    pub fn set_version(&self, version: Version) {
        self.shared.lock().version = version;
    }

    /// Another device is plugged in, in its place.
    pub fn set_key(&self, seed: [u8; 32]) {
        self.shared.lock().key = SigningKey::from_seed(&seed).unwrap();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        loop {
            let mut len = [0; 4];
            stream.read_exact(&mut len)?;
            let len = usize::try_from(u32::from_be_bytes(len)).map_err(io::Error::other)?;
            assert!(len <= 260, "an APDU of {len} bytes");
            let mut apdu = vec![0; len];
            stream.read_exact(&mut apdu)?;
            let one_at_a_time = self.busy.lock().unwrap();
            let fault = {
                let mut state = self.lock();
                state.seen.push(apdu.clone());
                let instruction = apdu.get(1).copied();
                match state.faults.front() {
                    Some((kind, _)) if Some(*kind) == instruction => state.faults.pop_front(),
                    _ => None,
                }
            };
            let fault = fault.map(|(_, fault)| fault);
            if matches!(fault, Some(Fault::Cut)) {
                return stream.shutdown(Shutdown::Both);
            }
            let Some((mut data, mut status)) = self.done(&apdu) else {
                return Ok(());
            };
            if let Some(Fault::Answer(other, code)) = fault {
                (data, status) = (other.to_vec(), code);
            }
            drop(one_at_a_time);
            let mut reply = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
            reply.extend_from_slice(&data);
            reply.extend_from_slice(&status.to_be_bytes());
            match fault {
                Some(Fault::Lose) => return stream.shutdown(Shutdown::Both),
                Some(Fault::Half) => {
                    stream.write_all(&reply[..reply.len() / 2])?;
                    return stream.shutdown(Shutdown::Both);
                }
                Some(Fault::Stall) => stream.write_all(&reply[..reply.len() / 2])?,
                Some(Fault::Send(bytes)) => stream.write_all(bytes)?,
                Some(Fault::Delay(time)) => {
                    thread::sleep(time);
                    stream.write_all(&reply)?;
                }
                Some(Fault::Cut | Fault::Answer(..)) | None => stream.write_all(&reply)?,
            }
        }
    }

    /// Does one APDU. `None`: the device went away meanwhile.
    fn done(&self, apdu: &[u8]) -> Option<(Vec<u8>, u16)> {
        let mut state = self.lock();
        let version = state.version;
        match state.screen {
            Screen::App => {}
            Screen::Dashboard => return Some((vec![], 0x6e00)),
            Screen::Locked => return Some((vec![], 0x5515)),
            Screen::Unplugged => return None,
        }
        let Some((&[class, instruction, p1, p2, len], data)) = apdu.split_first_chunk() else {
            return Some((vec![], 0x6700));
        };
        assert_eq!(usize::from(len), data.len(), "Lc");
        let [major, minor, patch] = version.number;
        Some(match (class, instruction) {
            (0x56, GET_VERSION) if minor < 11 => (vec![0, major, minor, patch], 0x9000),
            (0x56, GET_VERSION) => {
                let target = [0x31, 0x10, 0x00, 0x04];
                ([&[0, major, minor, patch, 0], &target[..]].concat(), 0x9000)
            }
            (0x56, PUBLIC_KEY) => (state.key.public_key().0.to_vec(), 0x9000),
            (0x56, SIGN) => {
                let is_first = p1 == u8::from(!version.marks_packets);
                if version.marks_packets && (p2 != 0 || p1 > 2) {
                    return Some((vec![], 0x6b00));
                }
                if is_first {
                    state.packets.clear();
                }
                if !(version.marks_packets && is_first) {
                    state.packets.extend_from_slice(data);
                }
                if state.packets.len() > 1024 {
                    return Some((vec![], 0x6983));
                }
                let is_last = if version.marks_packets {
                    p1 == 2
                } else {
                    p1 == p2
                };
                if !is_last {
                    return Some((vec![], 0x9000));
                }
                let message = std::mem::take(&mut state.packets);
                return self.sign(state, &message);
            }
            (0x56, _) => (vec![], 0x6d00),
            _ => (vec![], 0x6e00),
        })
    }

    fn sign(&self, mut state: MutexGuard<'_, State>, message: &[u8]) -> Option<(Vec<u8>, u16)> {
        let slot = match parse(message) {
            Ok(slot) => slot,
            Err(code) => return Some((vec![code], 0x6984)),
        };
        match state.watermark {
            Some(watermark) if !is_above(&watermark, &slot) => return Some((vec![], 0x6985)),
            Some(_) => {}
            None => {
                let epoch = state.epoch;
                state.asked = Some(slot);
                state.pressed = None;
                self.changed.notify_all();
                let yes = loop {
                    if state.epoch != epoch {
                        state.asked = None;
                        return None;
                    }
                    if state.agrees {
                        break true;
                    }
                    if let Some(yes) = state.pressed.take() {
                        break yes;
                    }
                    state = self.changed.wait(state).unwrap();
                };
                state.asked = None;
                if !yes {
                    return Some((vec![], 0x6986));
                }
            }
        }
        // Before the signature is made: it does not come back if the reply is lost.
        state.watermark = Some(slot);
        state.signed.push(slot);
        let signature = if state.version.hashes {
            state.key.sign(&Sha512::digest(message))
        } else {
            state.key.sign(message)
        };
        Some((signature.0.to_vec(), 0x9000))
    }
}

/// Type, height and round of a message, or the code of what is wrong with it. The rest is not looked at.
fn parse(message: &[u8]) -> Result<Slot, u8> {
    let (&len, body) = message.split_first().ok_or(1)?;
    if usize::from(len) != body.len() || len > 127 {
        return Err(7);
    }
    let (kind, body) = match body {
        [0x08, kind, rest @ ..] => (*kind, rest),
        [tag, ..] if tag >> 3 == 1 => return Err(3),
        rest => (0, rest),
    };
    if ![1, 2, PROPOSAL].contains(&kind) {
        return Err(4);
    }
    let (height, body) = number(body, 2)?;
    let (round, _) = number(body, 3)?;
    match round {
        256.. => return Err(6),
        128..=255 | ..0 => return Err(5),
        0..=127 => {}
    }
    if height < 0 {
        return Err(5);
    }
    Ok(Slot {
        kind,
        height,
        round,
    })
}

/// A field of eight bytes, which is left out if it is zero.
fn number(body: &[u8], field: u8) -> Result<(i64, &[u8]), u8> {
    match body.split_first() {
        Some((tag, rest)) if tag >> 3 == field => {
            if tag & 7 != 1 {
                return Err(3);
            }
            let (bytes, rest) = rest.split_first_chunk().ok_or(1)?;
            Ok((i64::from_le_bytes(*bytes), rest))
        }
        _ => Ok((0, body)),
    }
}

/// A height that is higher, or a round, or a later step of the same round.
fn is_above(watermark: &Slot, slot: &Slot) -> bool {
    let step = |slot: &Slot| match slot.kind {
        PROPOSAL => 0,
        kind => kind,
    };
    let place = |slot: &Slot| (slot.height, slot.round, step(slot));
    place(slot) > place(watermark)
}
