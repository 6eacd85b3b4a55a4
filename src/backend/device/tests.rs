use core::sync::atomic::AtomicBool;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::canon::SignBytes;
use crate::files::scratch::Scratch;
use crate::guard::{Verdict, Watermark};
use crate::keys::{SigningKey, verify};
use crate::store::{Found, Initial, Store, find};
use crate::types::{BlockId, ChainId, Height, Round, Timestamp, Vote, VoteKind};

fn chain() -> ChainId {
    ChainId::new("device-1").unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

/// What the device does with a call.
enum Act {
    /// Signs with the seed of these bytes.
    Sign(u8),
    Refuse,
    Lose,
    /// Does not come back before something is sent.
    Hang(Receiver<()>),
}

/// Follows a script; what is not in it, it signs and opens as it should.
#[derive(Default)]
struct Script {
    opens: Mutex<VecDeque<Result<Slots, OpenError>>>,
    acts: Mutex<VecDeque<Act>>,
    /// What was signed, in order.
    signed: Mutex<Vec<Vec<u8>>>,
    closed: AtomicBool,
}

struct Fake(Arc<Script>);

impl Device for Fake {
    fn name(&self) -> String {
        "Fake 7".to_owned()
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(400)
    }

    fn open(&mut self) -> Result<Slots, OpenError> {
        let next = lock(&self.0.opens).pop_front();
        next.unwrap_or_else(|| Ok(vec![Ok(key().public_key())]))
    }

    fn sign(&mut self, _: usize, message: Message<'_>) -> Result<Signature, Trouble> {
        let seed = match lock(&self.0.acts).pop_front() {
            None => 9,
            Some(Act::Sign(seed)) => seed,
            Some(Act::Refuse) => return Err(Trouble::Refused(Error::new("no", "ask less"))),
            Some(Act::Lose) => return Err(Trouble::Lost(Error::new("cut", "wait"))),
            Some(Act::Hang(until)) => {
                let _ = until.recv();
                9
            }
        };
        lock(&self.0.signed).push(message.as_bytes().to_vec());
        Ok(SigningKey::from_seed(&[seed; 32])
            .unwrap()
            .sign(message.as_bytes()))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }
}

struct World {
    _scratch: Scratch,
    script: Arc<Script>,
    store: Store,
    attached: Attached,
    height: i64,
}

impl World {
    fn new(opens: Vec<Result<Slots, OpenError>>) -> Self {
        let scratch = Scratch::new();
        let Ok(Found::Missing(vacant)) =
            find(&scratch.path("state.json"), &chain(), &key().public_key())
        else {
            panic!("the scratch directory is not empty");
        };
        let initial = Initial {
            watermark: Watermark::ZERO,
            origin: None,
        };
        let script = Arc::new(Script {
            opens: Mutex::new(opens.into()),
            ..Script::default()
        });
        Self {
            store: vacant.create(&initial).unwrap(),
            _scratch: scratch,
            attached: attach(Fake(Arc::clone(&script))).unwrap(),
            script,
            height: 0,
        }
    }

    fn key(&self) -> Key {
        self.attached.key(0, key().public_key())
    }

    fn then(&self, acts: impl IntoIterator<Item = Act>) {
        lock(&self.script.acts).extend(acts);
    }

    /// The next precommit, on disk.
    fn committed(&mut self) -> Committed {
        self.height += 1;
        let sign_bytes = SignBytes::vote(
            &chain(),
            &Vote {
                kind: VoteKind::Precommit,
                height: Height::new(self.height).unwrap(),
                round: Round::ZERO,
                block_id: Some(BlockId {
                    hash: &[1; 32],
                    total: core::num::NonZeroU32::MIN,
                    parts_hash: &[2; 32],
                }),
                timestamp: Timestamp::new(1, 0).unwrap(),
            },
        );
        let Ok(Verdict::Permit(permit)) = self.store.judge(sign_bytes) else {
            panic!("a new height is permitted");
        };
        self.store.commit(permit).unwrap()
    }
}

fn away(what: &'static str) -> Result<Slots, OpenError> {
    Err(OpenError::Away(Error::new(what, "plug it in")))
}

#[track_caller]
fn is_signature(signature: &Signature, committed: &Committed) {
    assert!(verify(
        &key().public_key(),
        committed.sign_bytes().as_bytes(),
        signature
    ));
}

/// Asks until the device signs, as a node does from height to height.
fn until_signed(world: &mut World, key: &mut Key) -> Signature {
    loop {
        let committed = world.committed();
        if let Ok(signature) = key.sign(&committed) {
            is_signature(&signature, &committed);
            return signature;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_vote_and_its_extension_are_signed_in_one_turn() {
    let mut world = World::new(vec![]);
    let committed = world.committed();
    let mut buffer = Vec::new();
    let extension = committed.extension(b"data", &mut buffer).unwrap();
    let (slot, of_extension) = world.key().sign_both(&committed, &extension).unwrap();
    is_signature(&slot, &committed);
    assert!(verify(
        &key().public_key(),
        extension.sign_bytes(),
        &of_extension
    ));
    let order = lock(&world.script.signed).clone();
    assert_eq!(
        order,
        [extension.sign_bytes(), committed.sign_bytes().as_bytes()]
    );
}

#[test]
fn after_a_loss_the_same_bytes_are_asked_for_once_more() {
    let mut world = World::new(vec![]);
    world.then([Act::Lose]);
    let committed = world.committed();
    is_signature(&world.key().sign(&committed).unwrap(), &committed);

    // Twice in one request is once too often.
    world.then([Act::Lose, Act::Lose]);
    let committed = world.committed();
    let error = world.key().sign(&committed).unwrap_err();
    assert_eq!(error.to_string(), "Fake 7: cut; wait");
    let mut key = world.key();
    let _ = until_signed(&mut world, &mut key);
}

#[test]
fn a_refusal_leaves_the_device_open() {
    let mut world = World::new(vec![]);
    world.then([Act::Refuse]);
    let committed = world.committed();
    let error = world.key().sign(&committed).unwrap_err();
    assert_eq!(error.to_string(), "Fake 7: no; ask less");
    // An open that is not expected would fail.
    lock(&world.script.opens).push_back(away("opened again"));
    is_signature(&world.key().sign(&committed).unwrap(), &committed);
}

#[test]
fn a_wrong_signature_never_leaves() {
    let mut world = World::new(vec![]);
    world.then([Act::Sign(8), Act::Sign(8)]);
    let committed = world.committed();
    let error = world.key().sign(&committed).unwrap_err();
    assert!(error.what.contains("wrong signature"), "{error}");
    // Once is made good by asking again.
    let mut key = world.key();
    let _ = until_signed(&mut world, &mut key);
    world.then([Act::Sign(8)]);
    let committed = world.committed();
    is_signature(&key.sign(&committed).unwrap(), &committed);
}

#[test]
fn a_device_that_was_away_is_used_when_it_is_there() {
    let mut world = World::new(vec![away("not plugged in"), away("still not")]);
    assert_eq!(
        world.attached.opened().unwrap_err().error().what,
        "not plugged in"
    );
    let committed = world.committed();
    let mut key = world.key();
    let error = key.sign(&committed).unwrap_err();
    assert!(error.what.starts_with("Fake 7 is away: "), "{error}");
    let _ = until_signed(&mut world, &mut key);
}

#[test]
fn another_key_than_the_chains_signs_nothing() {
    let other = SigningKey::from_seed(&[8; 32]).unwrap().public_key();
    let mut world = World::new(vec![away("not plugged in"), Ok(vec![Ok(other)])]);
    let mut key = world.key();
    let error = loop {
        let committed = world.committed();
        let error = key.sign(&committed).unwrap_err();
        if !error.what.contains("away") {
            break error;
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(error.what.contains("it holds another key"), "{error}");
    assert!(lock(&world.script.signed).is_empty());
}

#[test]
fn a_device_that_hangs_is_refused_at_once_until_it_answers() {
    let mut world = World::new(vec![]);
    let (go_on, until): (Sender<()>, _) = channel();
    world.then([Act::Hang(until)]);
    let committed = world.committed();
    let mut key = world.key();
    let error = key.sign(&committed).unwrap_err();
    assert!(error.what.contains("did not answer"), "{error}");
    let error = key.sign(&committed).unwrap_err();
    assert!(error.what.contains("still owes"), "{error}");
    drop(go_on);
    let _ = until_signed(&mut world, &mut key);
}

#[test]
fn a_request_that_was_given_up_is_not_signed_later() {
    let mut world = World::new(vec![]);
    let (go_on, until): (Sender<()>, _) = channel();
    world.then([Act::Hang(until)]);
    let [first, second] = [world.committed(), world.committed()];
    let mut keys = [world.key(), world.key()];
    thread::scope(|scope| {
        for (key, committed) in keys.iter_mut().zip([&first, &second]) {
            let asked = scope.spawn(move || key.sign(committed));
            // The second waits in the queue behind the first.
            thread::sleep(Duration::from_millis(50));
            drop(asked);
        }
    });
    drop(go_on);
    let mut key = world.key();
    let _ = until_signed(&mut world, &mut key);
    let signed = lock(&world.script.signed).clone();
    assert!(
        !signed
            .iter()
            .any(|bytes| bytes == second.sign_bytes().as_bytes()),
        "nobody waited for it any more"
    );
}

#[test]
fn the_last_key_closes_the_device() {
    let world = World::new(vec![]);
    let script = Arc::clone(&world.script);
    let key = world.key();
    drop(world);
    assert!(!script.closed.load(Ordering::SeqCst));
    drop(key);
    assert!(script.closed.load(Ordering::SeqCst));
}
