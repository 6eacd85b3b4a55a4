//! `state export` and `state retire`.

use std::fs;

use ct_codecs::{Base64, Encoder};

use crate::scene::{PATIENCE, Socket, World, accept, refusal};
use crate::shelf::{Shelf, hex};

#[test]
fn filepv_gets_the_signature_that_the_node_got() {
    let (shelf, reply) = Shelf::signed("op_filepv");
    let printed = shelf.state("export", &["out.json", "--format", "filepv"]);
    assert!(printed.contains("this copy is retired"), "{printed}");
    let signature = Base64::encode_to_string(&reply.signature).unwrap();
    let sign_bytes = hex(&shelf.chain.prevote(5, 0).sign_bytes());
    assert_eq!(
        shelf.read("out.json"),
        format!(
            "{{\n  \"height\": \"5\",\n  \"round\": 0,\n  \"step\": 2,\n  \"signature\": \"{signature}\",\n  \"signbytes\": \"{sign_bytes}\"\n}}"
        )
    );
}

#[test]
fn tmkms_gets_the_block() {
    let (shelf, _) = Shelf::signed("op_tmkms");
    let block = shelf.chain.prevote(5, 0).block.unwrap();
    let printed = shelf.state("export", &["out.json", "-f", "tmkms"]);
    assert!(printed.contains("signed up to 5/0/1"), "{printed}");
    assert_eq!(
        shelf.read("out.json"),
        format!(
            r#"{{"height":"5","round":"0","step":1,"block_id":{{"hash":"{}","parts":{{"total":{},"hash":"{}"}}}}}}"#,
            hex(&block.hash),
            block.total,
            hex(&block.parts_hash)
        )
    );
}

#[test]
fn a_retired_copy_does_not_start_and_says_how_it_comes_back() {
    let (shelf, _) = Shelf::signed("op_retired");
    shelf.state("export", &["out.json", "-f", "filepv"]);
    assert_eq!(shelf.shown(), "5/0/prevote retired");
    let (code, printed) = shelf.scene.start_ends();
    assert_eq!(code, 5, "{printed}");
    for part in [
        "it is retired",
        "tmkms state export -c tmkms.toml op_retired-1 OUTPUT",
        "tmkms state import -c tmkms.toml op_retired-1 STATE_FILE",
    ] {
        assert!(printed.contains(part), "{printed}");
    }
}

#[test]
fn what_the_node_signed_since_comes_back_and_is_not_signed_again() {
    let mut world = World::new("op_back", Socket::Unix);
    world.sign(&world.chain.prevote(5, 0));
    world.signer.kill().unwrap();
    let id = world.chain.id.clone();
    world
        .scene
        .tmkms(&["state", "export", &id, "out.json", "-f", "filepv"]);
    // The node's own key signs up to height 9.
    fs::write(
        world.scene.home.path("out.json"),
        r#"{"height":"9","round":0,"step":3}"#,
    )
    .unwrap();
    let printed = world.scene.tmkms(&["state", "import", &id, "out.json"]);
    assert!(
        printed.contains("no longer retired: signs again from 5/0/1 to 9/0/2 on"),
        "{printed}"
    );
    world.signer = world.scene.start();
    world.link = accept(&world.node, &mut world.signer);
    let refused = world.link.sign_vote(&world.chain.precommit(9, 0)).unwrap();
    assert_eq!(refusal(&refused).0, 0);
    world.sign(&world.chain.prevote(10, 0));
}

#[test]
fn a_state_that_went_to_filepv_and_back_repeats_its_slot() {
    let mut world = World::new("op_repeat", Socket::Unix);
    let vote = world.chain.precommit(5, 0);
    let first = world.sign(&vote);
    world.signer.kill().unwrap();
    let id = world.chain.id.clone();
    world
        .scene
        .tmkms(&["state", "export", &id, "out.json", "-f", "filepv"]);
    fs::remove_file(world.scene.home.state_file(&id)).unwrap();
    world.scene.tmkms(&["state", "import", &id, "out.json"]);
    world.signer = world.scene.start();
    world.link = accept(&world.node, &mut world.signer);
    assert_eq!(world.sign(&vote).signature, first.signature);
    world.refused(&vote.clone().with_block(Some(crate::scene::other_block())));
}

#[test]
fn a_state_that_went_to_tmkms_and_back_refuses_its_slot_alone() {
    let mut world = World::new("op_refuse", Socket::Unix);
    let vote = world.chain.prevote(5, 0);
    world.sign(&vote);
    world.signer.kill().unwrap();
    let id = world.chain.id.clone();
    world
        .scene
        .tmkms(&["state", "export", &id, "out.json", "-f", "tmkms"]);
    world.scene.tmkms(&["state", "import", &id, "out.json"]);
    world.signer = world.scene.start();
    world.link = accept(&world.node, &mut world.signer);
    world.refused(&vote);
    world.sign(&world.chain.precommit(5, 0));
}

#[test]
fn positions_survive_every_way_out_and_in() {
    for (name, format) in [("op_trip_f", "filepv"), ("op_trip_t", "tmkms")] {
        let shelf = Shelf::at(name, 3);
        for step in ["proposal", "prevote", "precommit"] {
            let height = "77";
            fs::remove_file(shelf.scene.home.state_file(&shelf.chain.id)).unwrap();
            shelf
                .scene
                .tmkms(&["state", "init", "-H", height, "-r", "2", "--step", step]);
            let out = format!("{step}.json");
            shelf.state("export", &[&out, "-f", format]);
            assert!(!shelf.read(&out).contains("sign"), "{format} {step}");
            fs::remove_file(shelf.scene.home.state_file(&shelf.chain.id)).unwrap();
            shelf.state("import", &[&out]);
            assert_eq!(shelf.shown(), format!("77/2/{step} new"), "{format}");
        }
    }
}

#[test]
fn nothing_moves_while_a_signer_runs() {
    let world = World::new("op_running", Socket::Unix);
    let id = &world.chain.id;
    for arguments in [
        &["state", "export", id, "out.json", "-f", "filepv"][..],
        &["state", "export", id, "out.json", "-f", "filepv", "--keep"],
        &["state", "retire", id],
    ] {
        let (code, printed) = world.scene.ends(arguments);
        assert_eq!(code, 6, "{printed}");
    }
    assert!(!world.scene.home.path("out.json").exists());
    let shown = world.scene.tmkms(&["state", "show"]);
    assert!(!shown.contains("retired"), "{shown}");
}

#[test]
fn what_stands_in_the_way_is_found_before_anything_is_retired() {
    let (shelf, _) = Shelf::signed("op_in_the_way");
    shelf.write("higher.json", r#"{"height":"6","round":0,"step":1}"#);
    shelf.write("notes.txt", "buy milk");
    let state = shelf.scene.home.state_file(&shelf.chain.id);
    let state = state.to_str().unwrap();
    for (output, part) in [
        ("higher.json", "is signed up to 6/0/0"),
        ("notes.txt", "it is not overwritten"),
        ("nowhere/out.json", "cannot write in nowhere"),
        (state, "own state"),
    ] {
        let (code, printed) = shelf.state_ends("export", &[output, "-f", "filepv"]);
        assert_eq!(code, 5, "{printed}");
        assert!(printed.contains(part), "{printed}");
        assert!(printed.contains("nothing was changed"), "{printed}");
        assert_eq!(shelf.shown(), "5/0/prevote active", "{output}");
    }
    assert_eq!(shelf.read("notes.txt"), "buy milk");
}

#[test]
fn a_lower_state_that_lies_there_is_kept() {
    let (shelf, _) = Shelf::signed("op_kept");
    let fresh = r#"{"height":"0","round":0,"step":0}"#;
    shelf.write("priv_validator_state.json", fresh);
    shelf.state("export", &["priv_validator_state.json", "-f", "filepv"]);
    assert_eq!(shelf.read("priv_validator_state.json.old-filepv"), fresh);
    assert!(shelf.read("priv_validator_state.json").contains("\"5\""));
    // The same once more changes nothing.
    shelf.state("export", &["priv_validator_state.json", "-f", "filepv"]);
    assert!(
        !shelf
            .path("priv_validator_state.json.old-filepv.1")
            .exists()
    );
}

#[test]
fn an_export_that_is_cut_short_leaves_nobody_signing_and_is_run_again() {
    let (shelf, _) = Shelf::signed("op_cut_short");
    // Where the file is made before it gets its name.
    let obstacle = shelf.path(".out.json.new");
    fs::create_dir(&obstacle).unwrap();
    let (code, printed) = shelf.state_ends("export", &["out.json", "-f", "filepv"]);
    assert_eq!(code, 5, "{printed}");
    assert!(
        printed.contains("this copy is retired and nobody signs"),
        "{printed}"
    );
    assert!(!shelf.path("out.json").exists());
    assert_eq!(shelf.scene.start_ends().0, 5);
    fs::remove_dir(&obstacle).unwrap();
    shelf.state("export", &["out.json", "-f", "filepv"]);
    assert!(shelf.read("out.json").contains("signature"));
}

#[test]
fn a_copy_that_is_kept_starts() {
    let mut world = World::new("op_keep", Socket::Unix);
    world.sign(&world.chain.prevote(5, 0));
    world.signer.kill().unwrap();
    let id = world.chain.id.clone();
    let printed = world
        .scene
        .tmkms(&["state", "export", &id, "out.json", "-f", "filepv", "--keep"]);
    assert!(printed.contains("NOT retired"), "{printed}");
    world.signer = world.scene.start();
    world.link = accept(&world.node, &mut world.signer);
    world.sign(&world.chain.precommit(5, 0));
}

#[test]
fn the_standard_output_carries_the_file_alone() {
    let (shelf, _) = Shelf::signed("op_stdout");
    let (code, json) = shelf.prints(&[
        "state",
        "export",
        &shelf.chain.id,
        "-",
        "--format=tmkms",
        "--keep",
    ]);
    assert_eq!(code, 0);
    let height = json
        .value()
        .to_member("height")
        .unwrap()
        .required()
        .unwrap();
    assert_eq!(height.to_unquoted_string_str().unwrap(), "5");
}

#[test]
fn a_format_must_be_said() {
    let shelf = Shelf::at("op_format", 3);
    for more in [&["out.json"][..], &["out.json", "-f", "horcrux"]] {
        let (code, printed) = shelf.state_ends("export", more);
        assert_eq!(code, 2, "{printed}");
        assert!(printed.contains("--format filepv"), "{printed}");
    }
    assert_eq!(shelf.shown(), "3/0/none new");
}

#[test]
fn a_missing_state_is_not_exported() {
    let shelf = Shelf::at("op_nothing", 3);
    fs::remove_file(shelf.scene.home.state_file(&shelf.chain.id)).unwrap();
    for (command, more) in [
        ("export", &["out.json", "-f", "tmkms"][..]),
        ("retire", &[]),
    ] {
        let (code, printed) = shelf.state_ends(command, more);
        assert_eq!(code, 5, "{printed}");
        assert!(printed.contains("nothing to hand over"), "{printed}");
    }
}

#[test]
fn a_copy_that_was_retired_by_hand_starts_above_its_height_if_told_so() {
    let (shelf, _) = Shelf::signed("op_by_hand");
    shelf.state("retire", &[]);
    shelf.state("retire", &[]);
    let init = |height: &str| shelf.scene.ends(&["state", "init", "-H", height]);
    assert_eq!(init("5").0, 5);
    assert_eq!(shelf.shown(), "5/0/prevote retired");
    let (code, printed) = init("6");
    assert_eq!(code, 0, "{printed}");
    assert!(
        printed.contains("no longer retired: raised from 5/0/1 to 6/0/-"),
        "{printed}"
    );
    let mut signer = shelf.scene.start();
    signer.wait_for("signed up to 6/0/-", PATIENCE).unwrap();
}
