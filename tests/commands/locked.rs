//! While a signer runs: what is refused, and what works.

use std::fs;

use super::place::{CHAIN, Place};

#[test]
fn commands_that_write_are_refused_while_a_signer_runs_and_show_works() {
    let place = Place::with_state("locked", 100);
    let input = place.write("input.json", r#"{"height":"900","round":0,"step":3}"#);
    let input = input.to_str().unwrap();
    let signer = place.dialling();
    let before = place.listing();
    for args in [
        &["state", "init"][..],
        &["state", "init", "--height", "500"],
        &["state", "import", CHAIN, input],
    ] {
        let ran = place.run(args).exits(6);
        assert!(
            ran.problem()
                .message
                .contains("another process on this host"),
            "{ran}"
        );
    }
    let ran = place.start_ends().exits(6);
    assert!(ran.has("another process"), "{ran}");
    place
        .run(&["state", "show"])
        .exits(0)
        .says("100      0 none");
    assert_eq!(place.listing(), before);
    drop(signer);
    place
        .run(&["state", "init", "--height", "500"])
        .exits(0)
        .says("raised");
}

#[test]
fn one_key_signs_for_a_chain_once_on_a_host_whatever_the_configuration_says() {
    let place = Place::with_state("locked-host", 100);
    let copy = Place::new("locked-host-copy");
    let config = fs::read_to_string(place.home.config()).unwrap();
    let dir = |place: &Place| place.path("").display().to_string();
    fs::write(
        copy.home.config(),
        config.replace(&dir(&place), &dir(&copy)),
    )
    .unwrap();
    copy.home
        .write_key("test-1-consensus.key", &place.seed(CHAIN))
        .unwrap();
    copy.run(&["state", "init"]).exits(0);
    let _signer = place.dialling();
    let problem = copy.start_is_refused().exits(6).problem();
    assert!(
        problem
            .message
            .contains("tmkms.toml:3:6: test-1: another process"),
        "{problem:?}"
    );
    assert!(
        problem.cure.contains("stop the other signer"),
        "{problem:?}"
    );
}

#[test]
fn a_state_file_is_held_by_one_signer_whatever_it_is_called() {
    let place = Place::with_state("locked-file", 100);
    // Another key, so that only the file stands in the way.
    let other = Place::with_chain("locked-file-other");
    fs::hard_link(place.state(), other.state()).unwrap();
    let signer = place.dialling();
    let problem = other.start_is_refused().exits(6).problem();
    assert!(
        problem.message.contains("another process is using it"),
        "{problem:?}"
    );
    other.run(&["state", "init"]).exits(6);
    drop(signer);
    other.start_is_refused().exits(5).says("another key");
}

#[test]
fn a_killed_signer_leaves_no_lock_behind() {
    let place = Place::with_state("locked-killed", 100);
    place.dialling().kill().unwrap();
    place.start_dials();
}

/// `check` and `state` hold a state for milliseconds: nobody would start the signer again for that.
#[test]
fn a_start_waits_a_moment_for_whoever_looks_at_the_state() {
    let place = Place::with_state("locked-for-a-moment", 100);
    let file = fs::File::open(place.home.state_file(CHAIN)).unwrap();
    file.lock().unwrap();
    let moment = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(file);
    });
    place.start_dials();
    moment.join().unwrap();
}
