//! `check`: what it finds, what it calls it, and that it leaves no trace.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::scene::{Scene, Socket, World};
use crate::shelf::Shelf;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file below a directory: content, inode, mode, times.
fn traces(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.metadata().unwrap();
        let mut trace = format!(
            "{} {:o} {}.{} {}.{}",
            metadata.ino(),
            metadata.mode(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec()
        );
        if metadata.is_dir() {
            found.extend(traces(&path));
        } else if metadata.is_file() {
            trace = format!("{trace} {:?}", fs::read(&path).unwrap());
        }
        found.insert(path.display().to_string(), trace);
    }
    found
}

#[test]
fn a_home_in_order_is_told_so_and_left_without_a_trace() {
    let (shelf, _) = Shelf::signed("op_order");
    let home = shelf.path(".");
    let before = traces(&home);
    let printed = shelf.scene.tmkms(&["check"]);
    assert!(printed.contains("goes on from 5/0/1"), "{printed}");
    assert!(printed.contains("tmkms.toml: 0 problems"), "{printed}");
    assert_eq!(traces(&home), before);
}

#[test]
fn a_new_key_and_a_foreign_state_are_announced_and_not_touched() {
    let scene = Scene::new("op_begins");
    let chain = scene.chain("op_begins-1", "");
    scene.dial(&chain, "unix:///nobody/listens.sock", "");
    let before = traces(&scene.home.path("."));
    let printed = scene.tmkms(&["check"]);
    assert!(printed.contains("begins a new state at 0/0/-"), "{printed}");
    assert_eq!(traces(&scene.home.path(".")), before);

    let state = scene.home.state_file("op_begins-1");
    fs::write(
        &state,
        r#"{"height":"50","round":"1","step":2,"block_id":null}"#,
    )
    .unwrap();
    let printed = scene.tmkms(&["check"]);
    assert!(
        printed.contains("takes over the state of tmkms, signed up to 50/1/2"),
        "{printed}"
    );
    assert!(
        fs::read_to_string(&state)
            .unwrap()
            .starts_with(r#"{"height""#)
    );
}

/// Every line of `start` that names a problem or says what to do.
fn complaints(printed: &str) -> Vec<&str> {
    let lines = printed.lines();
    lines
        .filter(|line| line.starts_with("error: ") || line.starts_with("       "))
        .collect()
}

#[test]
fn finds_what_start_finds_in_the_same_words_and_ends_with_its_code() {
    type Break = fn(&Shelf);
    let cases: [(&str, i32, Break); 7] = [
        ("op_same_config", 3, |shelf| {
            shelf
                .scene
                .home
                .configure("[[validator]]\nadr = 1")
                .unwrap();
        }),
        ("op_same_address", 3, |shelf| {
            let addr = "unix:///nobody/listens.sock";
            shelf.scene.dial(&shelf.chain, addr, "");
        }),
        ("op_same_mode", 4, |shelf| {
            set_mode(&shelf.scene.home.key_file(&shelf.chain.id), 0o644);
        }),
        ("op_same_key", 5, |shelf| {
            let name = format!("{}-consensus.key", shelf.chain.id);
            shelf.scene.home.write_key(&name, &[9; 32]).unwrap();
        }),
        ("op_same_missing", 5, |shelf| {
            fs::remove_file(shelf.scene.home.state_file(&shelf.chain.id)).unwrap();
        }),
        ("op_same_retired", 5, |shelf| {
            drop(shelf.state("retire", &[]));
        }),
        ("op_same_several", 3, |shelf| {
            shelf
                .scene
                .home
                .configure("[[validator]]\nadr = 1")
                .unwrap();
            fs::remove_file(shelf.scene.home.key_file(&shelf.chain.id)).unwrap();
        }),
    ];
    for (name, code, damage) in cases {
        let shelf = Shelf::at(name, 3);
        damage(&shelf);
        let (found, checked) = shelf.scene.ends(&["check", "-c", "tmkms.toml"]);
        let (refused, started) = shelf.scene.start_ends();
        assert_eq!((found, refused), (code, code), "{name}: {checked}");
        assert_eq!(complaints(&checked), complaints(&started), "{name}");
        assert!(!complaints(&checked).is_empty(), "{name}: {checked}");
    }
}

#[test]
fn warnings_alone_end_well() {
    let scene = Scene::new("op_warned");
    let chain = scene.chain("op_warned-1", "sign_extensions = false");
    scene.dial(&chain, "unix:///nobody/listens.sock", "");
    scene.tmkms(&["state", "init"]);
    let state = scene.home.state_file(&chain.id);
    set_mode(&state, 0o664);
    set_mode(state.parent().unwrap(), 0o777);
    set_mode(&scene.home.config(), 0o666);
    let later = SystemTime::now() + Duration::from_hours(1);
    let file = fs::File::options().write(true).open(&state).unwrap();
    file.set_modified(later).unwrap();
    let printed = scene.tmkms(&["check"]);
    for part in [
        "nodes of v0.38 and later panic",
        "may change the state, ",
        "may change the configuration, ",
        "may replace files in ",
        "was written in the future",
    ] {
        assert!(printed.contains(part), "no {part:?} in {printed}");
    }
}

#[test]
fn a_state_in_memory_is_warned_of() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        return;
    }
    let state = memory.join(format!("tmkms-op-{}.json", std::process::id()));
    let scene = Scene::new("op_memory");
    let chain = scene.chain("op_memory-1", "");
    scene.dial(&chain, "unix:///nobody/listens.sock", "");
    let config = fs::read_to_string(scene.home.config()).unwrap();
    let there = scene.home.state_file(&chain.id);
    let config = config.replace(there.to_str().unwrap(), state.to_str().unwrap());
    fs::write(scene.home.config(), config).unwrap();
    let printed = scene.tmkms(&["check"]);
    assert!(
        printed.contains("lies on a file system in memory (tmpfs); it is gone after the next boot"),
        "{printed}"
    );
    assert!(!state.exists());
}

#[test]
fn a_placeholder_is_a_problem_with_its_place() {
    let shelf = Shelf::at("op_placeholder", 3);
    let config = shelf.read("tmkms.toml");
    let config = config.replace("/nobody/listens.sock", "/run/<your node>/privval.sock");
    shelf.write("tmkms.toml", &config);
    let (code, printed) = shelf.scene.ends(&["check"]);
    assert_eq!(code, 3, "{printed}");
    let line = config
        .lines()
        .position(|line| line.contains("<your"))
        .unwrap()
        + 1;
    assert!(
        printed.contains(&format!("error: tmkms.toml:{line}:8: ")),
        "{printed}"
    );
    assert!(printed.contains("is left to fill in"), "{printed}");
}

#[test]
fn a_running_signer_is_told_and_left_alone() {
    let mut world = World::new("op_alone", Socket::Unix);
    world.sign(&world.chain.prevote(5, 0));
    let printed = world.scene.tmkms(&["check", "--dial"]);
    assert!(
        printed.contains("a signer is running on it, now at 5/0/1"),
        "{printed}"
    );
    assert!(
        printed.contains("not dialled, the running signer has it"),
        "{printed}"
    );
    world.sign(&world.chain.precommit(5, 0));
}

#[test]
fn a_rival_with_the_same_key_and_another_state_is_a_problem() {
    let world = World::new("op_rival", Socket::Unix);
    let state = world.scene.home.state_file(&world.chain.id);
    let config = fs::read_to_string(world.scene.home.config()).unwrap();
    let config = config.replace(state.to_str().unwrap(), "other.json");
    fs::write(world.scene.home.path("other.toml"), config).unwrap();
    fs::copy(&state, world.scene.home.path("other.json")).unwrap();
    let (code, printed) = world.scene.ends(&["check", "-c", "other.toml"]);
    assert_eq!(code, 6, "{printed}");
    assert!(
        printed.contains("two signers would double-sign"),
        "{printed}"
    );
}

#[test]
fn json_says_the_same() {
    let shelf = Shelf::at("op_json", 3);
    set_mode(&shelf.scene.home.config(), 0o666);
    let (code, json) = shelf.prints(&["check", "--json"]);
    assert_eq!(code, 0);
    let at = |path: &[&str]| {
        path.iter()
            .fold(json.value(), |value, name| match name.parse::<usize>() {
                Ok(index) => value.to_array().unwrap().nth(index).unwrap(),
                Err(_) => value.to_member(name).unwrap().required().unwrap(),
            })
    };
    assert_eq!(at(&["exit"]).as_raw_str(), "0");
    assert_eq!(at(&["file"]).as_raw_str(), "\"tmkms.toml\"");
    assert_eq!(at(&["problems"]).as_raw_str(), "[]");
    assert_eq!(at(&["warnings", "0", "class"]).as_raw_str(), "\"warning\"");
    assert_eq!(at(&["chains", "0", "begins"]).as_raw_str(), "\"state\"");
    assert_eq!(at(&["chains", "0", "height"]).as_raw_str(), "\"3\"");
    assert_eq!(at(&["dials"]).as_raw_str(), "[]");

    set_mode(&shelf.scene.home.key_file(&shelf.chain.id), 0o644);
    let (code, json) = shelf.prints(&["check", "--json"]);
    assert_eq!(code, 4);
    let problem = json
        .value()
        .to_member("problems")
        .unwrap()
        .required()
        .unwrap();
    let problem = problem.to_array().unwrap().next().unwrap();
    let get = |name: &str| problem.to_member(name).unwrap().required().unwrap();
    assert_eq!(get("class").as_raw_str(), "\"key\"");
    assert!(get("line").as_raw_str().parse::<u32>().unwrap() > 1);
    assert!(get("message").as_raw_str().contains("mode 0644"));
    assert!(get("cure").as_raw_str().contains("chmod"));
}
