//! A damaged state stops `start`, whose message mends it.

use std::fs;

use super::place::{CHAIN, Place, listing};
use super::ran::Ran;

const BLOCK: usize = 4096;

/// Overwrites the state, shows that nothing starts and nothing changes, and gives what was said.
fn damage(place: &Place, content: &[u8]) -> Ran {
    fs::write(place.state(), content).unwrap();
    let ran = place.start_is_refused().exits(5);
    let problem = ran.problem();
    assert!(
        problem.message.starts_with("tmkms.toml:5:14: the state "),
        "{problem:?}"
    );
    // No other way round it.
    let before = listing(&place.path("state"));
    place.run(&["state", "init"]).exits(5);
    place.write("input.json", r#"{"height":"900","round":0,"step":3}"#);
    place
        .run(&["state", "import", CHAIN, "input.json"])
        .exits(5);
    place.run(&["state", "show"]).exits(5);
    assert_eq!(listing(&place.path("state")), before);
    ran
}

/// The command in the cure, for a height that the operator has found out.
fn mend(place: &Place, ran: &Ran, height: &str) -> Ran {
    let cure = ran.problem().cure;
    let command = cure.split(", H being").next().unwrap();
    assert!(command.starts_with("tmkms state init -c "), "{cure}");
    assert!(cure.contains("H being"), "{cure}");
    place.run_line(&command.replace(" H ", &format!(" {height} ")))
}

fn assert_mended(place: &Place, ran: &Ran, damaged: &[u8]) {
    mend(place, ran, "5000").exits(0).says("is kept as ");
    let kept = Place::kept(&place.state());
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(&kept[0]).unwrap(), damaged);
    let lines = place.start_dials().join("\n");
    assert!(lines.contains("signed up to 5000/0/-"), "{lines}");
}

fn flipped(state: &[u8], places: &[usize]) -> Vec<u8> {
    let mut bytes = state.to_vec();
    for at in places {
        bytes[*at] ^= 1;
    }
    bytes
}

#[test]
fn every_kind_of_damage_stops_start_and_is_mended_by_the_command_it_prints() {
    for (name, damaged) in [
        (
            "truncated",
            (|state| state[..state.len() / 2].to_vec()) as fn(&[u8]) -> Vec<u8>,
        ),
        ("short", |state| state[..state.len() - 1].to_vec()),
        ("longer", |state| [state, b"\n"].concat()),
        ("first-record", |state| flipped(state, &[BLOCK + 20])),
        ("second-record", |state| flipped(state, &[2 * BLOCK + 20])),
        ("padding", |state| flipped(state, &[2 * BLOCK - 9])),
        ("both-records", |state| {
            flipped(state, &[BLOCK + 20, 2 * BLOCK + 20])
        }),
        ("header", |state| flipped(state, &[30])),
        ("magic", |state| flipped(state, &[2])),
        ("empty", |_| Vec::new()),
        ("zeros", |state| vec![0; state.len()]),
        ("few-zeros", |_| vec![0; 100]),
        ("garbage", |_| b"what is this".to_vec()),
        ("cut-tmkms", |_| br#"{"height":"123","round":"#.to_vec()),
    ] {
        let place = Place::with_state(&format!("damage-{name}"), 100);
        let damaged = damaged(&fs::read(place.state()).unwrap());
        let ran = damage(&place, &damaged);
        assert_mended(&place, &ran, &damaged);
    }
}

#[test]
fn one_lost_record_may_have_been_the_higher_one_so_the_other_is_not_enough() {
    let place = Place::with_state("damage-one", 100);
    let state = fs::read(place.state()).unwrap();
    let damaged = flipped(&state, &[BLOCK + 20]);
    let ran = damage(&place, &damaged);
    assert!(ran.has("the other says 100/0/-"), "{ran}");
    assert!(
        ran.problem().cure.contains("above 100 and above any"),
        "{ran}"
    );
    for height in ["0", "99", "100"] {
        let ran = mend(&place, &ran, height).exits(5);
        assert!(ran.has("signed up to 100/0/- at least"), "{ran}");
    }
    assert_eq!(fs::read(place.state()).unwrap(), damaged);
    assert_mended(&place, &ran, &damaged);
}

#[test]
fn a_second_damaged_file_is_kept_beside_the_first() {
    let place = Place::with_state("damage-twice", 100);
    for content in ["first", "second", "third"] {
        let ran = damage(&place, content.as_bytes());
        mend(&place, &ran, "5000").exits(0);
    }
    let mut kept: Vec<_> = Place::kept(&place.state())
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["first", "second", "third"]);
}

#[test]
fn the_command_works_where_names_need_quotes() {
    let place = Place::new("damage-quotes it's");
    place.home.chain(CHAIN, "").unwrap();
    place
        .home
        .validator(CHAIN, super::place::CLOSED, "")
        .unwrap();
    place.write_key(CHAIN);
    place.write("state/test-1-consensus.json", "");
    let config = place.path("my 'config' file.toml");
    fs::rename(place.home.config(), &config).unwrap();
    let ran = place
        .run(&["start", "-c", config.to_str().unwrap()])
        .exits(5);
    mend(&place, &ran, "5000").exits(0);
    place
        .run(&["state", "show", "-c", config.to_str().unwrap()])
        .exits(0)
        .says("5000");
}

#[test]
fn a_key_file_where_a_state_belongs_is_left_alone() {
    let place = Place::with_chain("damage-key");
    let key = super::place::node_key(&place.seed(CHAIN));
    place.write("state/test-1-consensus.json", &key);
    let ran = place.start_is_refused().exits(5);
    assert!(ran.problem().message.contains("is a key"), "{ran}");
    place.run(&["state", "init", "-H", "5000"]).exits(5);
    assert_eq!(fs::read_to_string(place.state()).unwrap(), key);
}

#[test]
fn a_directory_where_a_state_belongs_is_said() {
    let place = Place::with_chain("damage-directory");
    fs::create_dir(place.state()).unwrap();
    let ran = place.start_is_refused().exits(5);
    assert!(ran.problem().message.contains("the state "), "{ran}");
    place.run(&["state", "init", "-H", "5000"]).exits(5);
    place.run(&["state", "show"]).exits(5);
    assert!(place.state().is_dir());
}
