//! `softsign keygen`, and `kengen`: a new key, and the old one kept.

use std::fs;
use std::os::unix::fs::symlink;

use super::place::{Place, chmod, mode};

#[test]
fn a_new_key_is_44_characters_of_base64_for_its_owner_alone() {
    let place = Place::new("keygen-new");
    for command in ["keygen", "kengen"] {
        let ran = place.run(&["softsign", command, command]).exits(0);
        let key = fs::read_to_string(place.path(command)).unwrap();
        assert_eq!(key.len(), 44, "{command}");
        assert_eq!(mode(&place.path(command)), 0o600, "{command}");
        let seed = tmkms::keys::parse_seed(key.as_bytes()).ok().unwrap();
        let public = seed.public_key();
        assert!(!ran.has(&key), "the secret is printed:\n{ran}");
        ran.says(&public.to_cosmos_json())
            .says(&public.to_hex())
            .says(&public.address_hex());
    }
}

#[test]
fn a_consensus_key_gets_a_mark_and_an_account_key_none() {
    let place = Place::new("keygen-mark");
    for (args, marked) in [
        (&["keygen", "a"][..], true),
        (&["kengen", "-t", "consensus", "b"], true),
        (&["keygen", "--type=account", "c"], false),
    ] {
        let ran = place.run(&[&["softsign"], args].concat()).exits(0);
        let mark = place.path(&format!("{}.begin-once", args.last().unwrap()));
        assert_eq!(mark.exists(), marked, "{args:?}");
        if marked {
            assert_eq!(mode(&mark), 0o600);
            assert!(ran.has("`tmkms start` will begin the state"), "{ran}");
        }
    }
}

#[test]
fn an_old_key_is_kept_with_the_same_bytes_however_often() {
    let place = Place::new("keygen-over");
    let key = place.path("secrets/consensus.key");
    let mut old = Vec::new();
    for round in 0..4 {
        let ran = place
            .run(&["softsign", "keygen", "secrets/consensus.key"])
            .exits(0);
        assert_eq!(ran.has("is kept as "), round > 0, "{ran}");
        let kept = Place::kept(&key);
        assert_eq!(kept.len(), old.len());
        let mut bytes: Vec<_> = kept.iter().map(|path| fs::read(path).unwrap()).collect();
        bytes.sort();
        old.sort();
        assert_eq!(bytes, old);
        for path in kept {
            assert_eq!(mode(&path), 0o600);
            assert!(round == 0 || path.to_str().unwrap().contains(".old-"));
        }
        old.push(fs::read(&key).unwrap());
    }
}

#[test]
fn an_old_key_is_named_by_its_public_half_and_a_second_copy_by_a_number() {
    let place = Place::with_chain("keygen-names");
    let fingerprint = &place.key(super::place::CHAIN).public_key().to_hex()[..16].to_lowercase();
    let key = place.home.key_file(super::place::CHAIN);
    let path = key.to_str().unwrap();
    for name in [
        format!("{path}.old-{fingerprint}"),
        format!("{path}.old-{fingerprint}.1"),
    ] {
        place.write_key(super::place::CHAIN);
        place
            .run(&["softsign", "keygen", path])
            .exits(0)
            .says(&name);
        assert!(fs::read(name).is_ok());
    }
}

#[test]
fn an_account_key_moves_the_old_one_aside_and_says_so() {
    let place = Place::new("keygen-account");
    place.run(&["softsign", "keygen", "key"]).exits(0);
    let old = fs::read(place.path("key")).unwrap();
    let ran = place
        .run(&["softsign", "keygen", "-t", "account", "key"])
        .exits(0);
    let kept = Place::kept(&place.path("key"));
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), old);
    ran.says(kept[0].file_name().unwrap().to_str().unwrap());
}

#[test]
fn what_is_no_key_is_kept_as_well() {
    let place = Place::new("keygen-no-key");
    for (name, content) in [("notes", &b"my notes"[..]), ("empty", b"")] {
        place.write(name, content);
        chmod(&place.path(name), 0o644);
        place.run(&["softsign", "keygen", name]).exits(0);
        let kept = Place::kept(&place.path(name));
        assert_eq!(kept.len(), 1, "{name}");
        assert_eq!(fs::read(&kept[0]).unwrap(), content);
        assert_eq!(mode(&kept[0]), 0o600);
    }
}

#[test]
fn a_link_is_moved_aside_and_what_it_leads_to_stays() {
    let place = Place::new("keygen-link");
    let real = place.write("real", "something");
    symlink(&real, place.path("key")).unwrap();
    place.run(&["softsign", "keygen", "key"]).exits(0);
    assert_eq!(fs::read(&real).unwrap(), b"something");
    assert!(!place.path("key").is_symlink());
    assert_eq!(Place::kept(&place.path("key")).len(), 1);
}

#[test]
fn a_missing_directory_is_said_with_the_command_that_makes_it() {
    let place = Place::new("keygen-directory");
    let ran = place.run(&["softsign", "keygen", "no such/key"]).exits(4);
    let cure = ran.problem().cure;
    let (_, command) = cure.split_once("make the directory: ").unwrap();
    let made = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(place.path(""))
        .status();
    assert!(made.unwrap().success());
    assert_eq!(mode(&place.path("no such")), 0o700);
    place.run(&["softsign", "keygen", "no such/key"]).exits(0);
}

#[test]
fn a_directory_is_no_place_for_a_key() {
    let place = Place::new("keygen-a-directory");
    let before = place.listing();
    place
        .run(&["softsign", "keygen", "secrets"])
        .exits(4)
        .says("not a regular file");
    assert_eq!(place.listing(), before);
}
