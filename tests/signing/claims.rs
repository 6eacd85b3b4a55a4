//! One signer for each state file and for each key and chain, on a whole host.

use std::fs;
use std::os::unix::fs::symlink;

use crate::scene::{PATIENCE, Scene, Socket, World, accept};

#[test]
fn a_second_process_with_the_same_configuration_ends_with_6() {
    let mut world = World::new("twice", Socket::Tcp);
    let vote = world.chain.prevote(1, 0);
    world.sign(&vote);
    let (code, printed) = world.scene.start_ends();
    assert_eq!(code, 6, "{printed}");
    assert!(printed.contains("another process on this host holds this key"));
    assert!(printed.contains("another process is using it"));
    // The first has noticed nothing.
    let vote = world.chain.prevote(2, 0);
    world.sign(&vote);
}

#[test]
fn one_key_with_two_states_is_held_host_wide() {
    let world = World::new("two_states", Socket::Tcp);
    let copy = Scene::new("two_states_copy");
    let id = &world.chain.id;
    fs::copy(world.scene.home.key_file(id), copy.home.key_file(id)).unwrap();
    copy.home.chain(id, "").unwrap();
    copy.dial(&world.chain, &world.node.addr(), "");
    // It would have a state to begin with.
    copy.tmkms(&["version"]);
    let state = world.scene.home.state_file(id);
    fs::copy(state, copy.home.state_file(id)).unwrap();
    let (code, printed) = copy.start_ends();
    assert_eq!(code, 6, "{printed}");
    assert!(printed.contains("another process on this host holds this key"));
}

#[test]
fn one_state_under_two_names_is_one_file() {
    let world = World::new("two_names", Socket::Tcp);
    let state = world.scene.home.state_file(&world.chain.id);
    for (name, link) in [("two_names_soft", true), ("two_names_hard", false)] {
        // Another key, so that the lock on the file is what holds.
        let other = Scene::new(name);
        let chain = other.chain(&world.chain.id, "");
        let _node = other.node(&chain, Socket::Tcp, "");
        let named = other.home.state_file(&chain.id);
        if link {
            symlink(&state, named).unwrap();
        } else {
            fs::hard_link(&state, named).unwrap();
        }
        let (code, printed) = other.start_ends();
        assert_eq!(code, 6, "{name}: {printed}");
        assert!(printed.contains("another process is using it"), "{printed}");
    }
}

#[test]
fn commands_that_change_a_state_wait_for_nobody() {
    let mut world = World::new("commands", Socket::Tcp);
    let id = world.chain.id.clone();
    let vote = world.chain.prevote(5, 0);
    world.sign(&vote);
    let init = ["state", "init", "-c", "tmkms.toml", "--height", "9", &id];
    let (code, printed) = world.scene.ends(&init);
    assert_eq!(code, 6, "{printed}");
    // To look is allowed.
    let shown = world.scene.tmkms(&["state", "show", "-c", "tmkms.toml"]);
    let row = shown.lines().find(|line| line.contains(&id)).unwrap();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells[..4], [&id, "5", "0", "prevote"]);
    assert_eq!(cells[5], "active");
}

#[test]
fn kill_9_leaves_nothing_held() {
    let mut world = World::new("let_go", Socket::Tcp);
    for _ in 0..3 {
        world.signer.kill().unwrap();
        world.signer = world.scene.start();
        world.link = accept(&world.node, &mut world.signer);
        world.link.ping().unwrap();
    }
    let lines = world.signer.lines();
    assert!(!lines.iter().any(|line| line.contains("error:")));
    let status = world.signer.stop(PATIENCE).unwrap();
    assert_eq!(status.expect("an end").code(), Some(0));
}
