use core::num::NonZeroU32;
use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::files::scratch::Scratch;
use crate::guard::Position;
use crate::keys::SigningKey;
use crate::types::{BlockId, Height, Round, Timestamp, Vote, VoteKind};

fn chain() -> ChainId {
    ChainId::new("store-1").unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[3; 32]).unwrap()
}

fn precommit(height: i64, block: Option<u8>, seconds: i64) -> SignBytes {
    let hash = [block.unwrap_or_default(); 32];
    SignBytes::vote(
        &chain(),
        &Vote {
            kind: VoteKind::Precommit,
            height: Height::new(height).unwrap(),
            round: Round::ZERO,
            block_id: block.map(|_| BlockId {
                hash: &hash,
                total: NonZeroU32::MIN,
                parts_hash: &hash,
            }),
            timestamp: Timestamp::new(seconds, 0).unwrap(),
        },
    )
}

fn look(path: &Path) -> Result<Found, OpenError> {
    find(path, &chain(), &key().public_key())
}

fn create(path: &Path, watermark: Watermark, origin: Option<PathBuf>) -> Store {
    let Found::Missing(vacant) = look(path).unwrap() else {
        panic!("there is a state already");
    };
    vacant.create(&Initial { watermark, origin }).unwrap()
}

fn open(path: &Path) -> Store {
    let Found::Ours(ready) = look(path).unwrap() else {
        panic!("there is no state of ours");
    };
    ready.open().unwrap()
}

fn commit(store: &mut Store, sign_bytes: SignBytes) -> Result<Committed, Error> {
    match store.judge(sign_bytes).unwrap() {
        Verdict::Permit(permit) => store.commit(permit),
        Verdict::Replay(replay) => store.recall(&replay),
    }
}

#[test]
fn what_is_committed_is_there_after_a_restart() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let mut store = create(&path, Watermark::ZERO, None);
    for height in 1..=5 {
        let committed = commit(&mut store, precommit(height, Some(1), 0)).unwrap();
        assert_eq!(committed.sign_bytes(), &precommit(height, Some(1), 0));
        drop(store);
        store = open(&path);
        assert_eq!(
            store.watermark(),
            &Watermark::signed(precommit(height, Some(1), 0))
        );
    }
    assert!(store.judge(precommit(5, Some(2), 0)).is_err());
    assert!(store.judge(precommit(4, Some(1), 0)).is_err());
}

#[test]
fn a_replay_hands_back_the_stored_bytes_after_a_restart_too() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let _ = commit(
        &mut create(&path, Watermark::ZERO, None),
        precommit(1, Some(1), 100),
    )
    .unwrap();
    let again = commit(&mut open(&path), precommit(1, Some(1), 200)).unwrap();
    assert_eq!(again.sign_bytes(), &precommit(1, Some(1), 100));
}

#[test]
fn a_permit_for_another_watermark_commits_nothing() {
    let scratch = Scratch::new();
    let mut store = create(&scratch.path("state.json"), Watermark::ZERO, None);
    let Ok(Verdict::Permit(early)) = store.judge(precommit(5, Some(1), 0)) else {
        panic!("not permitted");
    };
    let _ = commit(&mut store, precommit(5, Some(2), 0)).unwrap();
    assert!(matches!(store.commit(early), Err(Error::Stale)));
    assert_eq!(
        store.watermark(),
        &Watermark::signed(precommit(5, Some(2), 0))
    );
}

#[test]
fn a_replay_for_another_watermark_recalls_nothing() {
    let scratch = Scratch::new();
    let mut store = create(&scratch.path("state.json"), Watermark::ZERO, None);
    let _ = commit(&mut store, precommit(5, Some(1), 0)).unwrap();
    let Ok(Verdict::Replay(early)) = store.judge(precommit(5, Some(1), 9)) else {
        panic!("no replay");
    };
    let _ = commit(&mut store, precommit(6, Some(2), 0)).unwrap();
    assert!(matches!(store.recall(&early), Err(Error::Stale)));
    assert!(!store.is_poisoned());
}

#[test]
fn a_path_that_cannot_be_looked_at_poisons_the_store_and_says_why() {
    let scratch = Scratch::new();
    let folder = scratch.path("folder");
    fs::create_dir(&folder).unwrap();
    let mut store = create(&folder.join("state.json"), Watermark::ZERO, None);
    fs::rename(&folder, scratch.path("elsewhere")).unwrap();
    fs::write(&folder, "a file where the folder was").unwrap();
    let Err(error) = commit(&mut store, precommit(1, Some(1), 0)) else {
        panic!("committed to a file that has no name");
    };
    assert!(matches!(&error, Error::Io(cause) if cause.kind() == io::ErrorKind::NotADirectory));
    assert!(store.is_poisoned());
}

#[test]
fn each_failure_has_a_sentence_and_what_the_system_said_its_cause() {
    use std::error::Error as _;
    let system = || io::Error::other("the disk is on fire");
    for (error, text, cause) in [
        (
            Error::Io(system()),
            "could not be written",
            Some("the disk is on fire"),
        ),
        (Error::Moved, "deleted, replaced or cut short", None),
        (Error::Poisoned, "until a restart", None),
        (Error::Stale, "between judging and committing", None),
    ] {
        assert!(error.to_string().contains(text), "{error}");
        let said = error.source().map(ToString::to_string);
        assert_eq!(said.as_deref(), cause, "{error}");
        let refresh = RefreshError::Store(error);
        assert!(refresh.to_string().contains(text), "{refresh}");
        assert!(refresh.source().unwrap().to_string().contains(text));
    }
    let origin = RefreshError::Origin(OriginError::OtherKey);
    let cause = origin.source().unwrap().to_string();
    assert_eq!(origin.to_string(), format!("the node's own state: {cause}"));
}

#[test]
fn a_state_that_is_held_is_locked_under_every_name() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let _store = create(&path, Watermark::ZERO, None);
    let (soft, hard) = (scratch.path("soft.json"), scratch.path("hard.json"));
    symlink(&path, &soft).unwrap();
    fs::hard_link(&path, &hard).unwrap();
    for name in [&path, &soft, &hard] {
        assert!(
            matches!(look(name), Err(OpenError::Locked)),
            "{}",
            name.display()
        );
    }
}

#[test]
fn a_file_that_is_taken_away_poisons_the_store_before_it_signs() {
    type Trouble = fn(&Path);
    let troubles: [(&str, Trouble); 4] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("replaced by a copy", |path| {
            let bytes = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            fs::write(path, bytes).unwrap();
        }),
        ("renamed over", |path| {
            let other = path.with_extension("other");
            fs::copy(path, &other).unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("cut short", |path| {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(512)
                .unwrap();
        }),
    ];
    for (name, trouble) in troubles {
        let scratch = Scratch::new();
        let path = scratch.path("state.json");
        let mut store = create(&path, Watermark::ZERO, None);
        let _ = commit(&mut store, precommit(1, Some(1), 0)).unwrap();
        assert!(!store.is_poisoned(), "{name}");
        trouble(&path);
        assert!(
            matches!(
                commit(&mut store, precommit(2, Some(1), 0)),
                Err(Error::Moved)
            ),
            "{name}"
        );
        assert!(store.is_poisoned(), "{name}");
        assert!(
            matches!(
                commit(&mut store, precommit(3, Some(1), 0)),
                Err(Error::Poisoned)
            ),
            "{name}"
        );
        assert!(
            matches!(
                commit(&mut store, precommit(1, Some(1), 0)),
                Err(Error::Poisoned)
            ),
            "{name}: a replay"
        );
    }
}

#[test]
fn states_of_other_chains_and_keys_are_refused() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    drop(create(&path, Watermark::ZERO, None));
    let other_chain = ChainId::new("store-2").unwrap();
    assert!(matches!(
        find(&path, &other_chain, &key().public_key()),
        Err(OpenError::OtherChain(found)) if found == chain()
    ));
    assert!(matches!(
        find(&path, &chain(), &PublicKey([9; 32])),
        Err(OpenError::OtherKey(found)) if found == key().public_key()
    ));
}

#[test]
fn a_retired_state_does_not_open() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let header = Header {
        chain_id: chain(),
        public_key: key().public_key(),
        origin: None,
    };
    let retired = Record {
        sequence: 7,
        status: Status::Retired,
        watermark: Watermark::ZERO,
    };
    fs::write(&path, record::Contents::render(&header, &retired).unwrap()).unwrap();
    assert!(matches!(look(&path), Err(OpenError::Retired(_))));
}

#[test]
fn a_state_says_without_a_lock_what_it_holds() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    assert!(peek(&path).unwrap().is_none(), "there is no file");
    let mut store = create(&path, Watermark::ZERO, None);
    assert_eq!(peek(&path).unwrap().unwrap().status, Some(Status::New));
    let _ = commit(&mut store, precommit(5, Some(1), 0)).unwrap();
    let seen = peek(&path).unwrap().unwrap();
    assert_eq!(seen.chain_id, Some(chain()));
    assert_eq!(seen.public_key, Some(key().public_key()));
    assert_eq!(seen.status, Some(Status::Active));
    assert_eq!(seen.format, None);
    assert_eq!(&seen.watermark, store.watermark());

    let foreign = scratch.path("priv_validator_state.json");
    fs::write(&foreign, filepv(&precommit(8, Some(1), 50), &key())).unwrap();
    let seen = peek(&foreign).unwrap().unwrap();
    assert_eq!(
        (seen.chain_id, seen.public_key, seen.status),
        (None, None, None)
    );
    assert_eq!(seen.format, Some(foreign::Format::FilePv));
    assert_eq!(seen.watermark, Watermark::signed(precommit(8, Some(1), 50)));

    fs::write(&foreign, record::MAGIC).unwrap();
    assert!(matches!(
        peek(&foreign),
        Err(OpenError::Damaged(Damage::Length))
    ));
    assert!(matches!(peek(&path.join("below")), Err(OpenError::Io(_))));
}

#[test]
fn how_far_is_signed_is_told_for_one_chain_and_key_only() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let other_chain = ChainId::new("store-2").unwrap();
    let (ours, other_key) = (key().public_key(), PublicKey([9; 32]));
    assert!(watermark_of(&path, &chain(), &ours).unwrap().is_none());
    let mut store = create(&path, Watermark::ZERO, None);
    let _ = commit(&mut store, precommit(5, Some(1), 0)).unwrap();
    let signed = Watermark::signed(precommit(5, Some(1), 0));
    assert_eq!(watermark_of(&path, &chain(), &ours).unwrap(), Some(signed));
    assert!(matches!(
        watermark_of(&path, &other_chain, &ours),
        Err(OpenError::OtherChain(found)) if found == chain()
    ));
    assert!(matches!(
        watermark_of(&path, &chain(), &other_key),
        Err(OpenError::OtherKey(found)) if found == ours
    ));
    let foreign = scratch.path("priv_validator_state.json");
    fs::write(&foreign, filepv(&precommit(5, Some(1), 0), &key())).unwrap();
    let seen = watermark_of(&foreign, &chain(), &ours).unwrap();
    assert_eq!(seen, Some(signed));
    assert!(matches!(
        watermark_of(&foreign, &chain(), &other_key),
        Err(OpenError::Unreadable(OriginError::OtherKey))
    ));
}

#[test]
fn a_record_with_the_sign_bytes_of_another_chain_is_damage() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let header = Header {
        chain_id: ChainId::new("store-2").unwrap(),
        public_key: key().public_key(),
        origin: None,
    };
    let newest = Record {
        sequence: 7,
        status: Status::Active,
        watermark: Watermark::signed(precommit(5, Some(1), 0)),
    };
    fs::write(&path, record::Contents::render(&header, &newest).unwrap()).unwrap();
    assert!(matches!(
        find(&path, &header.chain_id, &header.public_key),
        Err(OpenError::Damaged(Damage::Records))
    ));
}

#[test]
fn what_is_found_says_where_it_is_and_how_far_it_is_signed() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let signed = Watermark::signed(precommit(5, Some(1), 0));
    let Found::Missing(vacant) = look(&path).unwrap() else {
        panic!("there is a state already");
    };
    assert_eq!(vacant.path(), path);
    drop(create(&path, signed, None));
    let Found::Ours(ready) = look(&path).unwrap() else {
        panic!("there is no state of ours");
    };
    assert_eq!(ready.watermark(), &signed);
    assert_eq!(ready.open().unwrap().path(), path);
    let foreign = scratch.path("priv_validator_state.json");
    fs::write(&foreign, filepv(&precommit(5, Some(1), 0), &key())).unwrap();
    let Found::Foreign(foreign) = look(&foreign).unwrap() else {
        panic!("not recognised");
    };
    assert_eq!(foreign.format(), foreign::Format::FilePv);
    assert_eq!(foreign.watermark(), &signed);
}

#[test]
fn what_keeps_a_state_from_opening_is_said() {
    let file = crate::files::create(Path::new("/proc/no/such/place"), b"", 0o600).unwrap_err();
    let cause = std::error::Error::source(&file).unwrap().to_string();
    for (error, text) in [
        (OpenError::Locked, "another process is using it"),
        (
            OpenError::Damaged(Damage::Header),
            "it is damaged: its first block",
        ),
        (OpenError::OtherChain(chain()), "another chain, store-1"),
        (
            OpenError::OtherKey(PublicKey([0xab; 32])),
            "of another key, ",
        ),
        (OpenError::File(file), &*cause),
        (
            OpenError::Io(io::Error::other("the disk is on fire")),
            "the disk is on fire",
        ),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn a_copy_that_comes_back_repeats_its_own_slot_only_if_both_signed_the_same_there() {
    let ours = Watermark::signed(precommit(5, Some(1), 0));
    let position = ours.position();
    for (brought, expected) in [
        (ours, ours),
        (
            Watermark::signed(precommit(5, Some(2), 0)),
            Watermark::at(position),
        ),
        (Watermark::at(position), Watermark::at(position)),
        (
            Watermark::signed(precommit(6, Some(2), 0)),
            Watermark::signed(precommit(6, Some(2), 0)),
        ),
    ] {
        let scratch = Scratch::new();
        let path = scratch.path("state.json");
        create(&path, ours, None).leave().retire().unwrap();
        let Err(OpenError::Retired(retired)) = look(&path) else {
            panic!("not retired");
        };
        let store = retired.reinstate(&brought).unwrap();
        assert_eq!(store.watermark(), &expected, "{brought:?}");
    }
}

#[test]
fn a_foreign_state_is_replaced_by_a_lower_one_only_when_told() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    fs::write(&path, filepv(&precommit(8, Some(1), 50), &key())).unwrap();
    let Found::Foreign(foreign) = look(&path).unwrap() else {
        panic!("not recognised");
    };
    let lower = Watermark::signed(precommit(3, Some(1), 0));
    let Adopted { store, kept } = foreign.replace(&lower).unwrap();
    assert_eq!(store.watermark(), &lower);
    assert_eq!(kept, scratch.path("state.json.old-filepv"));
}

#[test]
fn a_state_in_the_place_of_a_new_one_no_longer_follows_the_node() {
    let scratch = Scratch::new();
    let origin = scratch.path("priv_validator_state.json");
    let path = scratch.path("state.json");
    drop(create(&path, Watermark::ZERO, Some(origin.clone())));
    let Found::Ours(ready) = look(&path).unwrap() else {
        panic!("there is no state of ours");
    };
    let told = Watermark::signed(precommit(3, Some(1), 0));
    let mut store = ready.replace(&told).unwrap().store;
    fs::write(&origin, filepv(&precommit(9, Some(1), 0), &key())).unwrap();
    assert!(!store.refresh().unwrap());
    assert_eq!(store.watermark(), &told);
}

#[test]
fn what_is_no_state_is_told_apart() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    assert!(matches!(look(&path), Ok(Found::Missing(_))));
    fs::write(&path, b"").unwrap();
    assert!(matches!(look(&path), Err(OpenError::Unreadable(_))));
    fs::write(&path, vec![0; record::FILE_LEN]).unwrap();
    assert!(matches!(
        look(&path),
        Err(OpenError::Damaged(Damage::Header))
    ));
    fs::write(&path, record::MAGIC).unwrap();
    assert!(matches!(
        look(&path),
        Err(OpenError::Damaged(Damage::Length))
    ));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(look(&path), Err(OpenError::Io(_))));
}

fn filepv(sign_bytes: &SignBytes, signer: &SigningKey) -> String {
    use ct_codecs::{Base64, Encoder as _, Hex};
    let slot = sign_bytes.slot();
    format!(
        r#"{{"height": "{}", "round": {}, "step": {}, "signature": "{}", "signbytes": "{}"}}"#,
        slot.height.get(),
        slot.round.get(),
        slot.step.number() + 1,
        Base64::encode_to_string(signer.sign(sign_bytes.as_bytes()).0).unwrap(),
        Hex::encode_to_string(sign_bytes.as_bytes())
            .unwrap()
            .to_uppercase(),
    )
}

#[test]
fn a_foreign_state_counts_as_far_as_the_higher_of_what_it_says_and_what_it_signed() {
    let sign_bytes = precommit(8, Some(1), 50);
    let text = filepv(&sign_bytes, &key());
    for (height, expected) in [
        (7, Watermark::signed(sign_bytes)),
        (8, Watermark::signed(sign_bytes)),
        (
            9,
            Watermark::at(Position::new(9, 0, Some(Step::Precommit)).unwrap()),
        ),
    ] {
        let text = text.replace(r#""8""#, &format!(r#""{height}""#));
        let foreign = foreign::read(text.as_bytes()).unwrap();
        assert_eq!(foreign.unchecked_watermark(), expected, "{text}");
        assert_eq!(foreign.chain_id(), Some(chain()));
    }
}

#[test]
fn an_origin_that_cannot_be_read_is_not_one_that_is_missing() {
    let scratch = Scratch::new();
    let ours = key().public_key();
    let missing = scratch.path("missing.json");
    assert!(matches!(origin::read(&missing, &chain(), &ours), Ok(None)));
    let folder = scratch.path("folder");
    fs::create_dir(&folder).unwrap();
    let not_below = scratch.file("file", b"", 0o600).join("state.json");
    for path in [&folder, &not_below] {
        let Err(error) = origin::read(path, &chain(), &ours) else {
            panic!("{} was read", path.display());
        };
        assert!(matches!(error, OriginError::File(_)), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn a_foreign_state_is_taken_over_and_kept() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let original = filepv(&precommit(8, Some(1), 50), &key());
    fs::write(&path, &original).unwrap();
    let Ok(Found::Foreign(foreign)) = look(&path) else {
        panic!("not recognised");
    };
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        original,
        "looking changed it"
    );
    let Adopted { mut store, kept } = foreign.adopt().unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), original);
    assert_eq!(kept, scratch.path("state.json.old-filepv"));
    assert_eq!(
        commit(&mut store, precommit(8, Some(1), 60))
            .unwrap()
            .sign_bytes(),
        &precommit(8, Some(1), 50)
    );
    assert!(store.judge(precommit(8, Some(2), 50)).is_err());
}

#[test]
fn a_foreign_state_behind_a_symbolic_link_is_replaced_where_it_lies() {
    let scratch = Scratch::new();
    let (real, link) = (scratch.path("real.json"), scratch.path("link.json"));
    fs::write(&real, filepv(&precommit(8, Some(1), 50), &key())).unwrap();
    symlink(&real, &link).unwrap();
    let Ok(Found::Foreign(foreign)) = look(&link) else {
        panic!("not recognised");
    };
    drop(foreign.adopt().unwrap());
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(open(&real).watermark().position().height(), 8);
}

#[test]
fn a_foreign_state_of_another_chain_or_key_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.path("state.json");
    let stranger = SigningKey::from_seed(&[4; 32]).unwrap();
    fs::write(&path, filepv(&precommit(8, Some(1), 50), &stranger)).unwrap();
    assert!(matches!(
        look(&path),
        Err(OpenError::Unreadable(OriginError::OtherKey))
    ));
    let other_chain = ChainId::new("store-2").unwrap();
    fs::write(&path, filepv(&precommit(8, Some(1), 50), &key())).unwrap();
    assert!(matches!(
        find(&path, &other_chain, &key().public_key()),
        Err(OpenError::Unreadable(OriginError::OtherChain(found))) if found == "store-1"
    ));
}

#[test]
fn a_new_state_follows_the_nodes_own_file_until_its_first_commit() {
    let scratch = Scratch::new();
    let origin = scratch.path("priv_validator_state.json");
    fs::write(&origin, filepv(&precommit(5, Some(1), 0), &key())).unwrap();
    let mut store = create(
        &scratch.path("state.json"),
        Watermark::signed(precommit(5, Some(1), 0)),
        Some(origin.clone()),
    );
    assert!(!store.refresh().unwrap(), "the same is not higher");

    fs::write(&origin, filepv(&precommit(9, Some(1), 0), &key())).unwrap();
    assert!(store.refresh().unwrap());
    assert_eq!(
        store.watermark(),
        &Watermark::signed(precommit(9, Some(1), 0))
    );
    drop(store);
    let mut store = open(&scratch.path("state.json"));
    assert_eq!(
        store.watermark().position().height(),
        9,
        "raised on disk as well"
    );

    // What a node makes when it is started without its key: an empty state, and another key.
    fs::write(&origin, r#"{"height": "0", "round": 0, "step": 0}"#).unwrap();
    assert!(!store.refresh().unwrap());
    let stranger = SigningKey::from_seed(&[4; 32]).unwrap();
    fs::write(&origin, filepv(&precommit(11, Some(1), 0), &stranger)).unwrap();
    assert!(!store.refresh().unwrap());
    fs::write(&origin, "{").unwrap();
    assert!(matches!(store.refresh(), Err(RefreshError::Origin(_))));
    fs::remove_file(&origin).unwrap();
    assert!(!store.refresh().unwrap());

    let _ = commit(&mut store, precommit(10, Some(1), 0)).unwrap();
    fs::write(&origin, filepv(&precommit(12, Some(1), 0), &key())).unwrap();
    assert!(
        !store.refresh().unwrap(),
        "nothing is read after the first commit"
    );
}

#[test]
fn raising_never_lowers() {
    let scratch = Scratch::new();
    let mut store = create(&scratch.path("state.json"), Watermark::ZERO, None);
    let at = |height| Watermark::at(Position::new(height, 0, None).unwrap());
    assert!(store.raise(&at(5)).unwrap());
    assert!(!store.raise(&at(5)).unwrap());
    assert!(!store.raise(&at(4)).unwrap());
    assert_eq!(store.watermark(), &at(5));
}

#[test]
fn only_a_precommit_for_a_block_has_an_extension() {
    let scratch = Scratch::new();
    let mut store = create(&scratch.path("state.json"), Watermark::ZERO, None);
    let mut buffer = Vec::new();
    let for_nil = commit(&mut store, precommit(1, None, 0)).unwrap();
    assert!(for_nil.extension(b"data", &mut buffer).is_none());
    let for_block = commit(&mut store, precommit(2, Some(1), 0)).unwrap();
    let extension = for_block.extension(b"", &mut buffer).unwrap();
    // Height 2 as sfixed64, round 0 left out, the chain id: CometBFT's CanonicalVoteExtension.
    assert_eq!(
        extension.sign_bytes(),
        [
            &[0x12, 0x11, 2, 0, 0, 0, 0, 0, 0, 0, 0x22, 7][..],
            b"store-1"
        ]
        .concat()
    );
}
