//! `state import`: other programs' states, taken over upwards only.

use std::fs;

use ct_codecs::{Base64, Encoder, Hex};

use super::place::{CHAIN, Place};
use super::ran::Ran;
use super::validator::VoteRequest;

fn import(place: &Place, text: impl AsRef<[u8]>) -> Ran {
    place.write("input.json", text);
    place.run(&["state", "import", CHAIN, "input.json"])
}

/// What a node wrote that signed a precommit with its own key.
fn signed_by(place: &Place, key: &str, chain: &str, height: i64) -> String {
    let bytes = VoteRequest::precommit(chain, height, 0).sign_bytes();
    let signature = Base64::encode_to_string(place.key(key).sign(&bytes).0).unwrap();
    let bytes = Hex::encode_to_string(bytes).unwrap().to_uppercase();
    format!(
        r#"{{"height":"{height}","round":0,"step":3,"signature":"{signature}","signbytes":"{bytes}"}}"#
    )
}

#[test]
fn each_programs_state_makes_a_state_at_its_position() {
    for (name, text, position) in [
        (
            "tmkms",
            r#"{"height":"12345","round":"2","step":2,"block_id":null}"#,
            "12345/2/2",
        ),
        (
            "tmkms-old",
            r#"{"height":"12345","round":"2","step":6,"block_id":null}"#,
            "12345/2/2",
        ),
        (
            "filepv",
            r#"{"height":"12345","round":2,"step":2}"#,
            "12345/2/1",
        ),
        ("fresh", r#"{"height":"0","round":0,"step":0}"#, "0/0/-"),
        (
            "horcrux",
            r#"{"height":"12345","round":"2","step":2,"nonce_public":"AA==","signature":"AA=="}"#,
            "12345/2/1",
        ),
        // Two programs' readings fit: the higher one.
        (
            "either",
            r#"{"height":"12345","round":"2","step":2}"#,
            "12345/2/2",
        ),
    ] {
        let place = Place::with_chain(&format!("state-import-{name}"));
        import(&place, text)
            .exits(0)
            .says(&format!("signed up to {position}"));
        place.start_dials();
    }
}

#[test]
fn a_nodes_state_brings_its_sign_bytes() {
    let place = Place::with_chain("state-import-signed");
    import(&place, signed_by(&place, CHAIN, CHAIN, 77)).exits(0);
    let ran = place.run(&["state", "show"]).exits(0);
    let block = &Hex::encode_to_string(super::validator::Block::numbered(1).hash).unwrap()[..10];
    ran.says("77      0 precommit").says(&block.to_uppercase());
}

#[test]
fn raises_and_never_lowers() {
    let place = Place::with_state("state-import-raise", 100);
    let at = |height: u32| format!(r#"{{"height":"{height}","round":0,"step":2}}"#);
    import(&place, at(99)).exits(0).says("left at 100/0/-");
    import(&place, at(100))
        .exits(0)
        .says("raised from 100/0/- to 100/0/1");
    let before = fs::read(place.state()).unwrap();
    import(&place, at(100)).exits(0).says("left at 100/0/1");
    import(&place, at(7)).exits(0).says("left at 100/0/1");
    place
        .run(&["state", "show"])
        .exits(0)
        .says("100      0 prevote");
    assert_eq!(fs::read(place.state()).unwrap().len(), before.len());
}

#[test]
fn raises_over_another_programs_state_and_keeps_the_original() {
    let place = Place::with_chain("state-import-over");
    let old = r#"{"height":"50","round":"0","step":1,"block_id":null}"#;
    place.write("state/test-1-consensus.json", old);
    import(&place, r#"{"height":"60","round":0,"step":3}"#)
        .exits(0)
        .says("raised from 50/0/1 to 60/0/2");
    let kept = Place::kept(&place.state());
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), old);
}

#[test]
fn a_state_of_ours_from_elsewhere_is_taken_over_as_well() {
    let place = Place::with_state("state-import-ours", 100);
    fs::rename(place.state(), place.path("moved.json")).unwrap();
    place
        .run(&["state", "import", CHAIN, "moved.json"])
        .exits(0)
        .says("signed up to 100/0/-");
}

#[test]
fn another_chains_or_another_keys_state_is_refused() {
    let place = Place::with_state("state-import-foreign", 100);
    place.home.chain("test-2", "").unwrap();
    place.write_key("test-2");
    place.run(&["state", "init", "test-2"]).exits(0);
    let ours = fs::read(place.home.state_file("test-2")).unwrap();
    for (text, message) in [
        (
            signed_by(&place, CHAIN, "other-1", 500).into_bytes(),
            "another chain, other-1",
        ),
        (
            signed_by(&place, "test-2", CHAIN, 500).into_bytes(),
            "signed by another key",
        ),
        (ours, "another chain, test-2"),
    ] {
        place.write("input.json", &text);
        let before = place.listing();
        let ran = import(&place, text);
        assert!(ran.problem().message.contains(message), "{ran}");
        assert!(ran.exits(5).has("nothing was changed"));
        let after = place.listing();
        let state = place.state();
        assert_eq!(before.get(&state), after.get(&state));
    }
}

#[test]
fn what_is_no_state_is_refused_by_its_name() {
    let place = Place::with_state("state-import-refused", 100);
    let before = place.listing().get(&place.state()).cloned();
    let key = super::place::node_key(&place.seed(CHAIN));
    for (text, message) in [
        ("", "is empty"),
        ("\0\0\0\0", "zero bytes"),
        ("garbage", "JSON"),
        (r#"{"height":"100","rou"#, "JSON"),
        (r#"{"height":"-5","round":0,"step":1}"#, "below zero"),
        (r#"{"height":"5","round":0,"step":7}"#, "`step`"),
        (r#"{"hello":"world"}"#, "no known program"),
        (key.as_str(), "is a key"),
    ] {
        let ran = import(&place, text).exits(5);
        assert!(ran.problem().message.contains(message), "{text:?}: {ran}");
    }
    let ran = place
        .run(&["state", "import", CHAIN, "absent.json"])
        .exits(5);
    assert!(
        ran.problem().message.contains("there is no absent.json"),
        "{ran}"
    );
    assert_eq!(place.listing().get(&place.state()).cloned(), before);
}

#[test]
fn a_chain_that_is_not_there_is_a_usage_error() {
    let place = Place::with_chain("state-import-unknown");
    place
        .run(&["state", "import", "test-9", "input.json"])
        .exits(2)
        .says("it has test-1");
}

#[test]
fn start_takes_over_another_programs_state_where_it_lies() {
    for (name, text, position, kept) in [
        (
            "start-tmkms",
            r#"{"height":"12345","round":"2","step":1,"block_id":null}"#,
            "12345/2/1",
            "tmkms",
        ),
        (
            "start-filepv",
            r#"{"height":"12345","round":2,"step":1}"#,
            "12345/2/0",
            "filepv",
        ),
    ] {
        let place = Place::with_chain(name);
        place.write("state/test-1-consensus.json", text);
        let lines = place.start_dials().join("\n");
        assert!(
            lines.contains(&format!("signed up to {position}")),
            "{lines}"
        );
        let path = format!("{}.old-{kept}", place.state().display());
        assert!(lines.contains(&format!("is kept as {path}")), "{lines}");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
}
