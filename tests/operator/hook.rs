//! `state_hook`: asked once at start, believed upwards only.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::scene::{PATIENCE, Scene, Socket, World, accept, refusal};

/// The line for a hook that is a line of shell.
fn hook(shell: &str, more: &str) -> String {
    format!("state_hook = {{ cmd = [\"/bin/sh\", \"-c\", '''{shell}''']{more} }}")
}

/// A chain with this hook and a key that has never signed, whose state is at height 100.
fn scene(name: &str, shell: &str, more: &str) -> Scene {
    let scene = Scene::new(&format!("hook_{name}"));
    let chain = scene.chain("hook-1", &hook(shell, more));
    scene.dial(&chain, "tcp://127.0.0.1:1", "");
    scene.tmkms(&["state", "init", "-c", "tmkms.toml", "--height", "100"]);
    scene
}

/// The row of `state show`.
fn state(scene: &Scene) -> String {
    let table = scene.tmkms(&["state", "show", "-c", "tmkms.toml"]);
    let row = table.lines().nth(1).unwrap();
    row.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

/// `start` must refuse with the code for state, and leave the state as it was.
#[track_caller]
fn refuses(scene: &Scene, said: &[&str]) {
    let before = state(scene);
    let (code, printed) = scene.start_ends();
    assert_eq!(code, 5, "{printed}");
    for text in said {
        assert!(printed.contains(text), "{text:?} is missing in: {printed}");
    }
    assert_eq!(state(scene), before);
}

#[test]
fn blocks_that_are_there_are_signed_no_more() {
    for (name, shell) in [
        ("digits", "echo 41"),
        (
            "json",
            r#"echo "{\"latest_block_height\":\"41\",\"catching_up\":false}""#,
        ),
        (
            "status",
            r#"echo "{\"jsonrpc\":\"2.0\",\"result\":{\"sync_info\":{\"latest_block_height\":\"41\"}}}""#,
        ),
    ] {
        let name = format!("hook_{name}");
        let mut world = World::with(&name, Socket::Unix, &hook(shell, ""), "");
        let (code, text) = world.refused(&world.chain.prevote(41, 3));
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("42"), "{text}");
        // On disk, too, before anything was signed.
        assert!(state(&world.scene).ends_with(" 42 0 none"));
        world.sign(&world.chain.prevote(42, 0));
        world.sign(&world.chain.prevote(43, 0));
        // Asked again, with what it then says far below.
        world.restart();
        assert!(state(&world.scene).ends_with(" 43 0 prevote"));
        world.sign(&world.chain.precommit(43, 0));
    }
}

#[test]
fn a_raise_outlives_the_hook() {
    let scene = Scene::new("hook_outlives");
    let chain = scene.chain("hook-1", &hook("echo 500", ""));
    let node = scene.node(&chain, Socket::Unix, "");
    let mut signer = scene.start();
    drop(accept(&node, &mut signer));
    signer.kill().unwrap();
    let config = fs::read_to_string(scene.home.config()).unwrap();
    fs::write(scene.home.config(), config.replace("echo 500", "echo 1")).unwrap();
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    let reply = link.sign_vote(&chain.prevote(500, 0)).unwrap();
    assert_eq!(refusal(&reply).0, 0);
}

#[test]
fn a_hook_that_fails_keeps_the_signer_from_starting() {
    for (name, shell, said) in [
        (
            "status",
            "echo no route to the node >&2; exit 3",
            &["hook-1: its `state_hook` failed: exit status: 3: no route to the node"][..],
        ),
        ("killed", "kill -9 $$", &["failed: signal: 9"]),
        ("silent", "true", &["printed nothing"]),
        ("words", "echo no height", &["printed \"no height\""]),
        (
            "endless",
            "head -c 70000 /dev/zero | tr '\\\\0' 1",
            &["printed more than 65536 bytes"],
        ),
    ] {
        let scene = scene(name, shell, "");
        refuses(&scene, said);
        refuses(
            &scene,
            &["nothing was signed; mend the hook, or write `fail_closed = false`"],
        );
    }
}

#[test]
fn a_program_that_is_not_there_is_said_with_how_to_write_it() {
    let scene = Scene::new("hook_absent");
    let chain = scene.chain(
        "hook-1",
        "state_hook = { cmd = [\"./height --chain hook-1\"] }",
    );
    scene.dial(&chain, "tcp://127.0.0.1:1", "");
    scene.tmkms(&["state", "init", "-c", "tmkms.toml"]);
    refuses(
        &scene,
        &[
            "could not be run: No such file or directory",
            "each argument in quotes of their own",
        ],
    );
}

#[test]
fn with_fail_closed_false_it_warns_and_goes_on() {
    let open = ", fail_closed = false";
    let mut world = World::with("hook_open", Socket::Unix, &hook("exit 1", open), "");
    let line = world
        .signer
        .find(&["WARN", "`state_hook` failed: exit status: 1"], PATIENCE)
        .unwrap();
    assert!(line.contains("`fail_closed = false`"), "{line}");
    world.sign(&world.chain.prevote(1, 0));
}

#[test]
fn a_slow_hook_is_killed_with_all_that_it_started() {
    let shell = "sleep 1000 & echo $! > child; echo $$ > parent; wait";
    let scene = scene("slow", shell, ", timeout_secs = 1");
    let began = Instant::now();
    refuses(&scene, &["took longer than 1 s and was killed"]);
    assert!(began.elapsed() < PATIENCE);
    for name in ["child", "parent"] {
        let pid = fs::read_to_string(scene.home.path(name)).unwrap();
        let proc = Path::new("/proc").join(pid.trim());
        // The grandchild waits for whoever inherits it.
        let is_gone = || match fs::read_to_string(proc.join("stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let deadline = Instant::now() + PATIENCE;
        while !is_gone() {
            assert!(Instant::now() < deadline, "{name} {pid} lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_hook_that_closes_its_output_and_stays_is_killed_too() {
    let scene = scene(
        "stays",
        "echo 7; exec >&- 2>&-; sleep 1000",
        ", timeout_secs = 1",
    );
    refuses(&scene, &["took longer than 1 s and was killed"]);
}

#[test]
fn a_hook_has_nothing_to_read_and_runs_where_the_signer_does() {
    let shell = "cat; test -f tmkms.toml && echo 41";
    let mut world = World::with("hook_stdin", Socket::Unix, &hook(shell, ""), "");
    world.sign(&world.chain.prevote(42, 0));
}

#[test]
fn a_height_that_is_too_far_away_needs_the_operator_once() {
    let scene = scene("far", "echo 9100", "");
    let command = "tmkms state init -c ";
    refuses(
        &scene,
        &[
            "told of height 9100, 9000 or more above the state's 100/0/-",
            "if the chain is there, raise the state once by hand: tmkms state init -c ",
        ],
    );
    let (_, printed) = scene.start_ends();
    let (_, line) = printed.split_once(command).unwrap();
    let line = line.lines().next().unwrap();
    let arguments: Vec<&str> = line.split(' ').collect();
    scene.tmkms(&[&["state", "init", "-c"], arguments.as_slice()].concat());
    assert_eq!(state(&scene), "hook-1 9101 0 none");
    let mut signer = scene.start();
    signer
        .wait_for("told of no height above", PATIENCE)
        .unwrap();
}

#[test]
fn of_several_chains_every_hook_that_fails_is_said() {
    let scene = Scene::new("hook_several");
    for (id, addr) in [
        ("hook-1", "tcp://127.0.0.1:1"),
        ("hook-2", "tcp://127.0.0.1:2"),
    ] {
        let chain = scene.chain(id, &hook("exit 1", ""));
        scene.dial(&chain, addr, "");
    }
    let (code, printed) = scene.start_ends();
    assert_eq!(code, 5, "{printed}");
    for id in ["hook-1", "hook-2"] {
        assert!(
            printed.contains(&format!("{id}: its `state_hook` failed")),
            "{printed}"
        );
    }
}
