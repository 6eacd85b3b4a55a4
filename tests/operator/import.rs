//! `state import`: several files, our own files, and a watermark that goes down.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::scene::{BINARY, Socket, World};
use crate::shelf::Shelf;

const LEADER: &str =
    r#"{"height":"90","round":"0","step":1,"ephemeral_public":null,"signature":null}"#;
const COSIGNER: &str =
    r#"{"height":"90","round":"0","step":3,"ephemeral_public":null,"signature":null}"#;

#[test]
fn of_the_two_files_of_horcrux_the_higher_counts_in_either_order() {
    for (name, order) in [
        ("op_two_a", ["leader.json", "cosigner.json"]),
        ("op_two_b", ["cosigner.json", "leader.json"]),
    ] {
        let shelf = Shelf::at(name, 3);
        shelf.write("leader.json", LEADER);
        shelf.write("cosigner.json", COSIGNER);
        let printed = shelf.state("import", &order);
        assert!(
            printed.contains("the highest is 90/0/2, of cosigner.json"),
            "{printed}"
        );
        assert!(printed.contains("raised from 3/0/- to 90/0/2"), "{printed}");
        assert_eq!(shelf.shown(), "90/0/precommit new");
    }
}

#[test]
fn one_bad_file_of_several_stops_the_import() {
    let shelf = Shelf::at("op_one_bad", 3);
    shelf.write("leader.json", LEADER);
    shelf.write("cut.json", r#"{"height":"90","#);
    for inputs in [["leader.json", "cut.json"], ["leader.json", "absent.json"]] {
        let (code, printed) = shelf.state_ends("import", &inputs);
        assert_eq!(code, 5, "{printed}");
        assert_eq!(shelf.shown(), "3/0/none new");
    }
}

#[test]
fn every_format_comes_in() {
    for (name, text, expected) in [
        (
            "op_in_tmkms",
            r#"{"height":"50","round":"1","step":1,"block_id":null}"#,
            "50/1/prevote",
        ),
        (
            "op_in_filepv",
            r#"{"height":"50","round":1,"step":1}"#,
            "50/1/proposal",
        ),
        (
            "op_in_old",
            r#"{"height":"50","round":"1","step":1}"#,
            // Horcrux, an old node or tmkms: of the readings the highest.
            "50/1/prevote",
        ),
    ] {
        let shelf = Shelf::at(name, 3);
        shelf.write("in.json", text);
        shelf.state("import", &["in.json"]);
        assert_eq!(shelf.shown(), format!("{expected} new"), "{text}");
    }
}

#[test]
fn a_lower_file_lowers_nothing() {
    let (shelf, _) = Shelf::signed("op_lower");
    shelf.write("low.json", r#"{"height":"4","round":0,"step":3}"#);
    let printed = shelf.state("import", &["low.json"]);
    assert!(
        printed.contains("left at 5/0/1, which is not below 4/0/2 (--force lowers it)"),
        "{printed}"
    );
    assert_eq!(shelf.shown(), "5/0/prevote active");
}

#[test]
fn force_wants_the_chain_id_again() {
    let (shelf, _) = Shelf::signed("op_force");
    shelf.write("low.json", r#"{"height":"4","round":0,"step":3}"#);
    for more in [
        &["low.json", "--force"][..],
        &["low.json", "--force", "--chain-id-again", "op_force-2"],
        &["low.json", "--chain-id-again", "op_force-1"],
    ] {
        let (code, printed) = shelf.state_ends("import", more);
        assert_eq!(code, 2, "{printed}");
        assert_eq!(shelf.shown(), "5/0/prevote active", "{more:?}");
    }
    let printed = shelf.state(
        "import",
        &["low.json", "--force", "--chain-id-again", "op_force-1"],
    );
    assert!(printed.contains("LOWERED from 5/0/1 to 4/0/2"), "{printed}");
    assert_eq!(shelf.shown(), "4/0/precommit new");

    // What was there is kept, and signs no more.
    let state = shelf.scene.home.state_file(&shelf.chain.id);
    let kept = format!("{}.old-replaced", state.display());
    fs::rename(kept, state).unwrap();
    assert_eq!(shelf.shown(), "5/0/prevote retired");
}

#[test]
fn force_raises_without_being_asked() {
    let (shelf, _) = Shelf::signed("op_force_up");
    shelf.write("high.json", r#"{"height":"9","round":0,"step":3}"#);
    shelf.state(
        "import",
        &["high.json", "--force", "--chain-id-again", "whatever"],
    );
    assert_eq!(shelf.shown(), "9/0/precommit active");
}

/// `script` gives the command a terminal of its own.
#[test]
fn at_a_terminal_the_chain_id_is_asked_for() {
    for (name, typed, expected) in [
        ("op_asked_a", "op_asked_a-1\n", "4/0/precommit new"),
        ("op_asked_b", "yes\n", "5/0/none new"),
    ] {
        let shelf = Shelf::at(name, 5);
        shelf.write("low.json", r#"{"height":"4","round":0,"step":3}"#);
        let command = format!("{BINARY} state import {} low.json --force", shelf.chain.id);
        let spawned = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(shelf.path("."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            eprintln!("there is no `script` here: not tested");
            return;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(typed.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            printed.contains("this LOWERS the watermark from 5/0/- to 4/0/2"),
            "{printed}"
        );
        assert_eq!(shelf.shown(), expected, "{printed}");
    }
}

#[test]
fn a_retired_copy_is_not_brought_back_by_less_than_it_knows() {
    let (shelf, _) = Shelf::signed("op_less");
    shelf.state("retire", &[]);
    shelf.write("low.json", r#"{"height":"5","round":0,"step":1}"#);
    let (code, printed) = shelf.state_ends("import", &["low.json"]);
    assert_eq!(code, 5, "{printed}");
    assert!(
        printed.contains("retired at 5/0/1, and 5/0/0 is below that"),
        "{printed}"
    );
    let state = shelf.scene.home.state_file(&shelf.chain.id);
    let (code, printed) = shelf.state_ends("import", &[state.to_str().unwrap()]);
    assert_eq!(code, 5, "{printed}");
    assert!(printed.contains("own, retired state"), "{printed}");
    assert_eq!(shelf.shown(), "5/0/prevote retired");
}

#[test]
fn our_own_file_comes_in_and_must_not_be_in_use() {
    let mut world = World::new("op_own", Socket::Unix);
    world.sign(&world.chain.prevote(5, 0));
    let id = world.chain.id.clone();
    let from = world.scene.home.state_file(&id);
    // The same key and chain, on another state.
    let config = fs::read_to_string(world.scene.home.config()).unwrap();
    let config = config.replace(from.to_str().unwrap(), "other.json");
    fs::write(world.scene.home.path("other.toml"), config).unwrap();
    let import = [
        "state",
        "import",
        "-c",
        "other.toml",
        &id,
        from.to_str().unwrap(),
    ];
    let (code, printed) = world.scene.ends(&import);
    assert_eq!(code, 6, "{printed}");

    world.signer.kill().unwrap();
    let (code, printed) = world.scene.ends(&import);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("is not retired"), "{printed}");
    world.scene.tmkms(&["state", "retire", &id]);
    let (code, printed) = world.scene.ends(&import);
    assert_eq!(code, 0, "{printed}");
    assert!(!printed.contains("is not retired"), "{printed}");
    let shown = world.scene.tmkms(&["state", "show", "-c", "other.toml"]);
    assert!(shown.contains("prevote"), "{shown}");
}
