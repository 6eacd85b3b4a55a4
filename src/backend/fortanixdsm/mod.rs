#![doc = include_str!("README.md")]

mod connection;
mod fault;
mod http;
mod resolver;
mod service;
mod session;
mod tls;

use core::time::Duration;
use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use fault::{Act, Fault, Kind};
use service::Info;
use session::{KeySource, Session};

use super::device::{Device, Message, OpenError, Slots, Trouble};
use crate::config::{self, ApiKey, DsmKey, DsmKeyName};
use crate::types::{PublicKey, Signature};

/// How often a key is looked at, one after another: what an operator changes there is noticed before a vote
/// is, and the connection stays warm.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// For opening as a whole, however many keys there are.
const OPEN_MAX: Duration = Duration::from_secs(10);

/// What opening takes between a loss and the second attempt.
const BETWEEN: Duration = Duration::from_millis(200);

/// What is left to a request after the pause that the service asked for.
const AFTER_PAUSE: Duration = Duration::from_millis(50);

/// A Fortanix DSM, and the keys in it that sign.
pub struct Fortanixdsm {
    name: String,
    timeout: Duration,
    session: Session,
    slots: Vec<Slot>,
    /// The slot that is looked at next, and when.
    next: usize,
    due: Instant,
    /// Until when the service wants to be left alone.
    pause: Option<Instant>,
    /// What was said about keys already.
    spoken: BTreeSet<String>,
}

/// One of the configured keys.
struct Slot {
    /// Its id, from the moment that it has signed: a name can be given to another key.
    asked: DsmKeyName,
    label: String,
    /// What was last known of it.
    known: Option<(String, PublicKey)>,
}

impl Fortanixdsm {
    /// A service as the configuration has it; `keys` are the slots in their order. Nothing is opened or read.
    #[must_use]
    pub fn new<'c>(
        config: &config::Fortanixdsm,
        keys: impl IntoIterator<Item = &'c DsmKey>,
    ) -> Self {
        let key = match &config.api_key {
            ApiKey::Text(key) => KeySource::text(key.expose()),
            ApiKey::File(path) => KeySource::File(path.value.clone()),
            ApiKey::Surroundings => KeySource::Surroundings,
        };
        let slots = keys.into_iter().map(|key| Slot {
            asked: key.key.value.clone(),
            label: match &key.key.value {
                DsmKeyName::Id(id) => id.clone(),
                DsmKeyName::Name(name) => format!("{name:?}"),
            },
            known: None,
        });
        Self {
            name: format!("Fortanix DSM {}", config.api_endpoint.value.authority(443)),
            timeout: config.timeout,
            session: Session::new(config, key),
            slots: slots.collect(),
            next: 0,
            due: after(LOOK_EVERY),
            pause: None,
            spoken: BTreeSet::new(),
        }
    }

    /// What the service says of the key in a slot.
    fn look(&mut self, index: usize, deadline: Instant) -> Result<Info, Fault> {
        let Some(slot) = self.slots.get_mut(index) else {
            return Err(Fault::refused(
                "there is no such slot",
                "this is a fault of this program",
            ));
        };
        let body = service::look(&slot.asked);
        let reply = self.session.ask(Act::Look(&slot.label), &body, deadline)?;
        let info = Info::read(reply.body(), &slot.asked, &slot.label)?;
        let label = slot.label.clone();
        slot.known = Some((info.kid.clone(), info.public_key));
        if info.is_exportable {
            self.say(format!(
                "the service gives the secret key {label} to whoever may export it; take the operation Export from it"
            ));
        }
        Ok(info)
    }

    /// Warns, once.
    fn say(&mut self, text: String) {
        if !self.spoken.contains(&text) {
            log::warn!(target: "tmkms::keyring", "[{}] {text}", self.name);
            let _ = self.spoken.insert(text);
        }
    }

    /// Refuses while the service wants to be left alone.
    fn check_pause(&mut self, deadline: Instant) -> Result<(), Fault> {
        let Some(until) = self.pause else {
            return Ok(());
        };
        let now = Instant::now();
        let left = until.saturating_duration_since(now);
        let last = deadline.checked_sub(AFTER_PAUSE).unwrap_or(deadline);
        if until > last {
            // As a whole number of seconds, as the service counts.
            let seconds = Duration::from_secs(
                left.as_millis()
                    .div_ceil(1_000)
                    .try_into()
                    .unwrap_or(u64::MAX),
            );
            return Err(Fault::of_status(429, Some(seconds), Act::Enter, ""));
        }
        if !left.is_zero() {
            thread::sleep(left);
        }
        self.pause = None;
        Ok(())
    }

    fn try_sign(&mut self, index: usize, message: &[u8]) -> Result<Signature, Fault> {
        let deadline = after(self.timeout);
        let known = self.slots.get_mut(index).and_then(|slot| {
            let (kid, _) = slot.known.clone()?;
            slot.asked = DsmKeyName::Id(kid.clone());
            Some((kid, slot.label.clone()))
        });
        let Some((kid, label)) = known else {
            return Err(Fault::refused(
                "the key in this slot has not been seen",
                "this is a fault of this program",
            ));
        };
        let body = service::sign(&kid, message)?;
        loop {
            self.check_pause(deadline)?;
            let fault = match self.session.ask(Act::Sign(&label), &body, deadline) {
                Ok(reply) => return service::signature(reply.body(), &kid),
                Err(fault) => fault,
            };
            let Kind::Pause(pause) = fault.kind else {
                return Err(fault);
            };
            // The next round waits or refuses.
            self.pause = Some(after(pause));
        }
    }

    fn try_open(&mut self) -> Result<Slots, Fault> {
        let deadline = after(OPEN_MAX);
        // The deadline of a request, within that of all.
        let next = |timeout| after(timeout).min(deadline);
        self.check_pause(next(self.timeout))?;
        self.session.enter(next(self.timeout))?;
        let mut slots = Slots::new();
        for index in 0..self.slots.len() {
            slots.push(match self.look(index, next(self.timeout)) {
                Ok(info) => Ok(info.public_key),
                Err(Fault {
                    kind: Kind::Refused,
                    error,
                }) => match self.slots.get(index).and_then(|slot| slot.known.as_ref()) {
                    // Each request will tell whether this still holds.
                    Some((_, public_key)) => Ok(*public_key),
                    None => Err(error),
                },
                Err(fault) => return Err(fault),
            });
        }
        Ok(slots)
    }

    /// Looks at the next key, if it is time.
    fn look_around(&mut self) -> Result<(), Fault> {
        let now = Instant::now();
        if self.due > now {
            return Ok(());
        }
        self.due = after(LOOK_EVERY);
        let index = self.next;
        self.next = index
            .checked_add(1)
            .filter(|next| *next < self.slots.len())
            .unwrap_or(0);
        let before = self.slots.get(index).and_then(|slot| slot.known.clone());
        match (before, self.look(index, after(self.timeout))) {
            (Some((_, before)), Ok(now)) if before == now.public_key => Ok(()),
            // What could not be used can be now, or is another: opening tells the chains.
            (_, Ok(_)) => Err(Fault::away("a key has changed", "it is looked at again")),
            (
                before,
                Err(Fault {
                    kind: Kind::Refused,
                    error,
                }),
            ) => {
                if before.is_some() {
                    self.say(error.to_string());
                }
                Ok(())
            }
            (_, Err(fault)) => Err(fault),
        }
    }
}

impl Device for Fortanixdsm {
    fn name(&self) -> String {
        self.name.clone()
    }

    /// A request, and another one after a loss.
    fn patience(&self) -> Duration {
        self.timeout.saturating_mul(2).saturating_add(BETWEEN)
    }

    fn open(&mut self) -> Result<Slots, OpenError> {
        self.try_open()
            .map_err(|fault| self.noted(fault).into_open())
    }

    fn sign(&mut self, slot: usize, message: Message<'_>) -> Result<Signature, Trouble> {
        self.try_sign(slot, message.as_bytes())
            .map_err(|fault| self.noted(fault).into_trouble())
    }

    fn idle(&mut self) -> Result<(), Trouble> {
        if self.is_paused() {
            return Ok(());
        }
        self.session
            .keep(after(self.timeout))
            .and_then(|()| self.look_around())
            .map_err(|fault| self.noted(fault).into_trouble())
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        if self.is_paused() {
            return Ok(());
        }
        self.session.renew(after(self.timeout));
        self.look_around()
            .map_err(|fault| self.noted(fault).into_trouble())
    }
}

impl Fortanixdsm {
    /// Whether the service wants to be left alone.
    fn is_paused(&self) -> bool {
        self.pause.is_some_and(|until| until > Instant::now())
    }

    /// Remembers a pause that the service asks for.
    fn noted(&mut self, fault: Fault) -> Fault {
        if let (Kind::Pause(pause), None) = (fault.kind, self.pause) {
            self.pause = Some(after(pause));
        }
        fault
    }
}

/// A deadline from now.
fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
