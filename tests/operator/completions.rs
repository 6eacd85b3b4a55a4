//! `completions` and `help --man`: whatever `help` knows, and nothing that a shell cannot read.

use std::process::{Command, Stdio};

use crate::scene::Scene;

/// What bash offers for a command line; the last word is being typed.
fn offers(scene: &Scene, line: &[&str]) -> Vec<String> {
    let script = r#"
        source /dev/stdin
        COMP_WORDS=(tmkms "$@")
        COMP_CWORD=$#
        COMPREPLY=()
        _tmkms
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let completions = scene.tmkms(&["completions", "bash"]);
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), completions.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint, "", "{line:?}");
    let offered = String::from_utf8(output.stdout).unwrap();
    offered.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_offers_what_fits() {
    let scene = Scene::new("completions_bash");
    for (line, expected) in [
        (&["s"][..], &["start", "softsign", "state"][..]),
        (&["start", "--c"], &["--config"]),
        (&["start", "-v", "--"], &["--config", "--verbose", "--help"]),
        (&["state", "im"], &["import"]),
        (&["softsign", "k"], &["keygen"]),
        (&["softsign", "keygen", "-t", "c"], &["consensus"]),
        (
            &["state", "init", "--step", "pre"],
            &["prevote", "precommit"],
        ),
        (&["init", "-n", "os"], &["osmosis"]),
        (&["init", "--k"], &["--key"]),
        (&["completions", "z"], &["zsh"]),
        (&["help", "vers"], &["version"]),
        (&["init", "--key", "x"], &[]),
        (&["bogus", "x"], &[]),
    ] {
        assert_eq!(offers(&scene, line), expected, "{line:?}");
    }
}

#[test]
fn every_command_and_flag_is_in_every_shell_and_on_the_manual_page() {
    let scene = Scene::new("completions_all");
    let pages = [
        ("bash", scene.tmkms(&["completions", "bash"])),
        ("zsh", scene.tmkms(&["completions", "zsh"])),
        ("fish", scene.tmkms(&["completions", "fish"])),
        ("man", scene.tmkms(&["help", "--man"]).replace("\\-", "-")),
    ];
    let overview = scene.tmkms(&["help"]);
    let commands = overview
        .lines()
        .skip_while(|line| !line.starts_with("  init"))
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let words = line.split_whitespace();
            words
                .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
                .take(2)
                .collect::<Vec<_>>()
        });
    let mut flags = 0;
    for words in commands {
        // The first word of what a command does may look like one of its own.
        let words = match scene.ends(&[&["help"], words.as_slice()].concat()) {
            (0, _) => words,
            (_, _) => words[..1].to_vec(),
        };
        let help = scene.tmkms(&[&["help"], words.as_slice()].concat());
        for (shell, page) in &pages {
            for word in &words {
                assert!(page.contains(word), "{word} is not there for {shell}");
            }
            for flag in help
                .split_whitespace()
                .filter(|word| word.starts_with("--"))
            {
                let flag = flag
                    .trim_start_matches('-')
                    .trim_end_matches([',', '.', ':']);
                assert!(page.contains(flag), "--{flag} is not there for {shell}");
                flags += 1;
            }
        }
    }
    assert!(flags > 40, "{flags}");
}

/// Runs a checker over a page, if it is installed; it must say nothing.
fn check(checker: &[&str], page: &str) {
    let spawned = Command::new(checker[0])
        .args(&checker[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut running) = spawned else {
        return;
    };
    std::io::Write::write_all(&mut running.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{checker:?}: {complaint}"
    );
}

#[test]
fn what_reads_them_has_nothing_to_complain_of() {
    let scene = Scene::new("completions_check");
    for (checker, arguments) in [
        (
            &["bash", "-n", "/dev/stdin"][..],
            &["completions", "bash"][..],
        ),
        (&["zsh", "-n", "/dev/stdin"], &["completions", "zsh"]),
        (
            &["fish", "--no-execute", "/dev/stdin"],
            &["completions", "fish"],
        ),
        (&["groff", "-man", "-ww", "-z"], &["help", "--man"]),
    ] {
        check(checker, &scene.tmkms(arguments));
    }
}

#[test]
fn fish_offers_what_fits() {
    let scene = Scene::new("completions_fish");
    let completions = scene.home.path("tmkms.fish");
    std::fs::write(&completions, scene.tmkms(&["completions", "fish"])).unwrap();
    for (line, offered) in [
        ("tmkms s", &["softsign", "start", "state"][..]),
        ("tmkms state i", &["import", "init"]),
        ("tmkms state init --step pre", &["precommit", "prevote"]),
        ("tmkms init --ch", &["--chain-id"]),
        ("tmkms start --ch", &[]),
        ("tmkms state init --he", &["--height"]),
        ("tmkms completions z", &["zsh"]),
    ] {
        let script = format!("source {}; complete -C '{line}'", completions.display());
        let Ok(output) = Command::new("fish")
            .args(["--no-config", "-c", &script])
            .output()
        else {
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let mut found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        found.sort_unstable();
        assert_eq!(found, offered, "{line}");
    }
}

#[test]
fn another_shell_is_a_usage_error() {
    let scene = Scene::new("completions_other");
    let (code, printed) = scene.ends(&["completions", "tcsh"]);
    assert_eq!(code, 2);
    assert!(printed.contains("bash, zsh and fish"), "{printed}");
}
