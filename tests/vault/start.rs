//! `start` and `state` with encrypted keys.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::validator::{Connection, Home, Process, Validator, VoteRequest};
use super::{PASSPHRASE, Place, Ran, TMKMS, WORK};

const CHAIN: &str = "vault-1";
const PATIENCE: Duration = Duration::from_secs(30);

/// A home with a consensus key and an identity that are encrypted, and a node.
fn home(place: &Place, node: &Validator) -> Home {
    let home = Home::new(&place.path("home")).unwrap();
    home.chain(CHAIN, "").unwrap();
    home.validator(CHAIN, &node.addr(), "").unwrap();
    let sealed = ["--work", WORK, "--passphrase-file", "passphrase"];
    let consensus = home.key_file(CHAIN).display().to_string();
    place
        .run(&[&["softsign", "keygen", "-e", &consensus][..], &sealed].concat())
        .succeeded();
    place
        .run(
            &[
                &["softsign", "encrypt", "home/secrets/kms-identity.key"][..],
                &sealed,
            ]
            .concat(),
        )
        .succeeded();
    home
}

fn start(place: &Place, home: &Home) -> Command {
    let mut command = Command::new(TMKMS);
    command
        .args(["start", "-v", "-c"])
        .arg(home.config())
        .current_dir(&place.0)
        .stdin(Stdio::null())
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("TMKMS_PASSPHRASE_FILE");
    command
}

/// The link is handed back: once it is cut, the signer dials again.
#[must_use]
fn signs(node: &Validator, height: i64) -> Connection {
    let mut link = node.accept(PATIENCE).unwrap();
    let key = link.pub_key(CHAIN).unwrap().ed25519.unwrap();
    let request = VoteRequest::prevote(CHAIN, height, 0);
    let reply = link.sign_vote(&request).unwrap();
    reply.accepted().unwrap();
    assert!(reply.signs(&key.try_into().unwrap(), &request.sign_bytes()));
    link
}

#[test]
fn start_signs_with_encrypted_keys_from_every_source() {
    let place = Place::new("start");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    place.write("tmkms-passphrase", PASSPHRASE.as_bytes());
    let mut by_file = start(&place, &home);
    by_file.args(["--passphrase-file", "passphrase"]);
    let mut by_descriptor = Command::new("sh");
    by_descriptor
        .args([
            "-c",
            "exec \"$0\" start --passphrase-fd 5 -c \"$1\" 5<passphrase",
            TMKMS,
        ])
        .arg(home.config())
        .current_dir(&place.0);
    let mut by_environment = start(&place, &home);
    by_environment.env("TMKMS_PASSPHRASE_FILE", place.path("passphrase"));
    let mut by_credential = start(&place, &home);
    by_credential.env("CREDENTIALS_DIRECTORY", &place.0);
    for (height, command) in (1..).zip([
        &mut by_file,
        &mut by_descriptor,
        &mut by_environment,
        &mut by_credential,
    ]) {
        let mut signer = Process::spawn(command).unwrap();
        let link = signs(&node, height);
        let status = signer.stop(PATIENCE).unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
        drop(link);
        assert!(signer.lines().iter().all(|line| !line.contains(PASSPHRASE)));
    }
}

#[test]
fn start_without_a_passphrase_changes_nothing_and_says_how_to_give_it() {
    let place = Place::new("start_refused");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    let config = home.config().display().to_string();
    let start = |more: &[&str]| place.run(&[&["start", "-c", &config], more].concat());
    start(&[]).failed(4, "systemd credential tmkms-passphrase");
    place.write("wrong", b"incorrect horse");
    let ran = start(&["--passphrase-file", "wrong"]).failed(4, "another passphrase");
    // Both keys, each where the configuration names it.
    assert_eq!(ran.err.matches("tmkms.toml:").count(), 2, "{}", ran.err);
    assert!(!home.state_file(CHAIN).exists());
    // The mark is still good.
    let mut signer =
        Process::spawn(self::start(&place, &home).args(["--passphrase-file", "passphrase"]))
            .unwrap();
    let _link = signs(&node, 1);
    drop(signer.stop(PATIENCE));
}

#[test]
fn nobody_is_asked_while_something_else_is_wrong() {
    let place = Place::new("start_other_problem");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    home.configure("[[chain]]\nid = \"\"\n").unwrap();
    let config = home.config().display().to_string();
    let ran = place.run(&["start", "-c", &config]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(!ran.err.contains("passphrase"), "{}", ran.err);
}

#[test]
fn state_commands_need_no_passphrase() {
    let place = Place::new("state_commands");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    let config = home.config().display().to_string();
    place
        .run(&["state", "init", "-c", &config, "--height", "7", CHAIN])
        .succeeded();
    let shown = place.run(&["state", "show", "-c", &config]).succeeded();
    assert!(shown.out.contains(CHAIN), "{}", shown.out);
    place.write("node.json", br#"{"height":"9","round":0,"step":3}"#);
    place
        .run(&["state", "import", "-c", &config, CHAIN, "node.json"])
        .succeeded();
}

#[test]
fn check_needs_a_passphrase_only_to_dial() {
    let place = Place::new("check");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    let config = home.config().display().to_string();
    place.run(&["check", "-c", &config]).succeeded();
    let ran = place.run(&["check", "--dial", "-c", &config]);
    ran.failed(4, "kms-identity.key");
    let answering = std::thread::spawn(move || node.accept(PATIENCE).map(|mut link| link.ping()));
    let file = ["--passphrase-file", "passphrase"];
    let dialled = place.run(&[&["check", "--dial", "-c", &config][..], &file].concat());
    answering.join().unwrap().unwrap().unwrap();
    assert_ne!(dialled.code, 4, "{}", dialled.err);
}

#[test]
fn an_export_that_signs_takes_the_passphrase_and_retires_nothing_without_it() {
    let place = Place::new("export");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    let config = home.config().display().to_string();
    let file = ["--passphrase-file", "passphrase"];
    let mut signer = Process::spawn(start(&place, &home).args(file)).unwrap();
    let link = signs(&node, 5);
    drop(signer.stop(PATIENCE));
    drop(link);
    let export = [
        "state", "export", "-c", &config, "--format", "filepv", CHAIN, "out.json",
    ];
    place.run(&export).failed(4, "no terminal");
    assert!(!place.path("out.json").exists());
    place.run(&[&export[..], &file].concat()).succeeded();
    let text = String::from_utf8(place.read("out.json")).unwrap();
    assert!(text.contains("\"signature\""), "{text}");
    place
        .run(&[&["start", "-c", &config][..], &file].concat())
        .failed(5, "retired");
}

#[test]
fn a_key_that_is_encrypted_later_still_begins_once() {
    let place = Place::new("mark");
    let node = Validator::listen_tcp().unwrap();
    let home = Home::new(&place.path("home")).unwrap();
    home.chain(CHAIN, "").unwrap();
    home.validator(CHAIN, &node.addr(), "").unwrap();
    let consensus = home.key_file(CHAIN).display().to_string();
    let file = ["--passphrase-file", "passphrase"];
    place.run(&["softsign", "keygen", &consensus]).succeeded();
    let encrypt = [
        &["softsign", "encrypt", &consensus, "--work", WORK][..],
        &file,
    ]
    .concat();
    let decrypt = [&["softsign", "decrypt", &consensus][..], &file].concat();
    place.run(&encrypt).succeeded();
    place.run(&decrypt).succeeded();
    place.run(&encrypt).succeeded();
    let mut signer = Process::spawn(start(&place, &home).args(file)).unwrap();
    let _link = signs(&node, 1);
    drop(signer.stop(PATIENCE));
    // Used up, it does not come back.
    std::fs::remove_file(home.state_file(CHAIN)).unwrap();
    place.run(&decrypt).succeeded();
    let config = home.config().display().to_string();
    place.run(&["start", "-c", &config]).failed(5, "is missing");
}

#[test]
fn a_damaged_key_is_reported_with_its_place() {
    let place = Place::new("start_damaged");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    let path = home.key_file(CHAIN);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"salt\": \"", "\"salt\": \"A")).unwrap();
    let config = home.config().display().to_string();
    let ran = place.run(&["start", "-c", &config]);
    let ran = ran.failed(4, "is an encrypted key, and damaged");
    assert!(ran.err.contains("tmkms.toml:"), "{}", ran.err);
}

#[test]
fn a_signer_that_waits_for_its_passphrase_ends_when_it_is_asked_to() {
    let place = Place::new("waits");
    let node = Validator::listen_tcp().unwrap();
    let home = home(&place, &node);
    // A descriptor that nobody writes to.
    let script = "exec \"$0\" start --passphrase-fd 5 -c \"$1\" 5<>pipe";
    let pipe = place.path("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let mut child = Command::new("sh")
        .args(["-c", script, TMKMS])
        .arg(home.config())
        .current_dir(&place.0)
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(!child.wait().unwrap().success());
    let config = home.config().display().to_string();
    let wrong = place.run(&["start", "-c", &config]);
    drop::<Ran>(wrong.failed(4, "passphrase"));
}
