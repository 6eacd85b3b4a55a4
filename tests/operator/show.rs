//! `state show --json`.

use std::fs;

use crate::shelf::{Shelf, hex};

/// The members of the one row, `null` included, as they stand there.
fn row(shelf: &Shelf) -> (i32, Vec<(String, String)>) {
    let (code, json) = shelf.prints(&["state", "show", "--json"]);
    let rows: Vec<_> = json.value().to_array().unwrap().collect();
    assert_eq!(rows.len(), 1);
    let members = rows[0].to_object().unwrap();
    let members = members.map(|(name, value)| {
        let name = name.to_unquoted_string_str().unwrap().into_owned();
        (name, value.as_raw_str().to_owned())
    });
    (code, members.collect())
}

fn expected(shelf: &Shelf, rest: [&str; 8]) -> Vec<(String, String)> {
    let state = shelf.scene.home.state_file(&shelf.chain.id);
    let mut all = vec![
        ("chain_id", format!("\"{}\"", shelf.chain.id)),
        ("state_file", format!("\"{}\"", state.display())),
    ];
    let names = [
        "status",
        "format",
        "height",
        "round",
        "step",
        "block_hash",
        "sign_bytes_known",
        "problem",
    ];
    all.extend(names.into_iter().zip(rest.map(str::to_owned)));
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[test]
fn a_state_that_signed_names_its_block() {
    let (shelf, _) = Shelf::signed("op_show_a");
    let block = shelf.chain.prevote(5, 0).block.unwrap();
    let hash = format!("\"{}\"", hex(&block.hash));
    let wanted = expected(
        &shelf,
        [
            "\"active\"",
            "null",
            "\"5\"",
            "0",
            "\"prevote\"",
            &hash,
            "true",
            "null",
        ],
    );
    assert_eq!(row(&shelf), (0, wanted));
}

#[test]
fn what_is_foreign_missing_or_bad_is_told_apart() {
    let shelf = Shelf::at("op_show_b", 3);
    let state = shelf.scene.home.state_file(&shelf.chain.id);

    fs::write(&state, r#"{"height":"4","round":0,"step":3}"#).unwrap();
    let wanted = expected(
        &shelf,
        [
            "\"foreign\"",
            "\"filepv\"",
            "\"4\"",
            "0",
            "\"precommit\"",
            "null",
            "false",
            "null",
        ],
    );
    assert_eq!(row(&shelf), (0, wanted));

    fs::write(&state, "").unwrap();
    let (code, members) = row(&shelf);
    assert_eq!(code, 5);
    assert_eq!(members[2].1, "\"bad\"");
    assert!(members[9].1.contains("it is empty"), "{members:?}");

    fs::remove_file(&state).unwrap();
    let nothing = [
        "\"missing\"",
        "null",
        "null",
        "null",
        "null",
        "null",
        "null",
        "null",
    ];
    assert_eq!(row(&shelf), (0, expected(&shelf, nothing)));
}
