//! The passphrase typed at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::{PASSPHRASE, Place, SEED, TMKMS, WORK, base64};

const PATIENCE: Duration = Duration::from_mins(1);

/// A program with a terminal of its own, and whoever sits before it.
struct Terminal {
    master: File,
    /// Held, so that what is shown stays readable.
    slave: Option<OwnedFd>,
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    passed: usize,
}

impl Terminal {
    fn new(place: &Place, arguments: &[&str]) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(&*name, flags, Mode::empty()).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = Command::new("setsid")
            .args(["--ctty", "--wait", TMKMS])
            .args(arguments)
            .current_dir(&place.0)
            .env_remove("TMKMS_PASSPHRASE_FILE")
            .env_remove("CREDENTIALS_DIRECTORY")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let master = File::from(master);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (master.try_clone().unwrap(), Arc::clone(&seen));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(len @ 1..) = reader.read(&mut bytes) {
                sink.lock().unwrap().extend_from_slice(&bytes[..len]);
            }
        });
        Self {
            master,
            slave: Some(slave),
            child,
            seen,
            reader: Some(reader),
            passed: 0,
        }
    }

    fn seen(&self) -> String {
        String::from_utf8(self.seen.lock().unwrap().clone()).unwrap()
    }

    /// Waits for a prompt after the one before.
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen();
            if let Some(at) = seen[self.passed..].find(text) {
                self.passed += at + text.len();
                return;
            }
            assert!(Instant::now() < deadline, "no {text:?} in {seen}");
            thread::yield_now();
        }
    }

    fn answer(&mut self, prompt: &str, keys: &str) {
        self.wait_for(prompt);
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    fn shows_what_is_typed(&self) -> bool {
        let modes = tcgetattr(self.slave.as_ref().unwrap()).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Its exit code, and everything that was shown.
    fn end(&mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        assert!(self.shows_what_is_typed(), "the terminal was left quiet");
        // Nobody holds it any more, so that reading comes to an end.
        self.slave = None;
        self.reader.take().unwrap().join().unwrap();
        let seen = self.seen();
        assert!(
            !seen.contains(PASSPHRASE) && !seen.contains("horse"),
            "{seen}"
        );
        (code, seen)
    }
}

fn encrypt(place: &Place) -> Terminal {
    Terminal::new(place, &["softsign", "encrypt", "a.key", "--work", WORK])
}

fn decrypt(place: &Place) -> Terminal {
    Terminal::new(place, &["softsign", "decrypt", "a.key"])
}

#[test]
fn a_passphrase_is_typed_twice_and_not_shown() {
    let place = Place::new("typed");
    place.key("a.key");
    let mut terminal = encrypt(&place);
    terminal.answer(
        "new passphrase for a.key: ",
        "correct horse battery staple\r",
    );
    assert!(!terminal.shows_what_is_typed());
    terminal.answer("the same again: ", "correct horse battery staple\r");
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    let file = ["--passphrase-file", "passphrase"];
    place
        .run(&[&["softsign", "decrypt", "a.key"][..], &file].concat())
        .succeeded();
    assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
}

#[test]
fn two_passphrases_that_differ_change_nothing() {
    let place = Place::new("typed_otherwise");
    place.key("a.key");
    let mut terminal = encrypt(&place);
    terminal.answer(
        "new passphrase for a.key: ",
        "correct horse battery staple\r",
    );
    terminal.answer("the same again: ", "correct horse battery stable\r");
    let (code, seen) = terminal.end();
    assert_eq!(code, 4);
    assert!(seen.contains("differ"), "{seen}");
    assert_eq!(place.read("a.key"), base64(&SEED).as_bytes());
}

#[test]
fn a_short_passphrase_is_warned_of() {
    let place = Place::new("typed_short");
    place.key("a.key");
    let mut terminal = encrypt(&place);
    terminal.answer("new passphrase for a.key: ", "tiny\r");
    terminal.answer("the same again: ", "tiny\r");
    let (code, seen) = terminal.end();
    assert_eq!(code, 0);
    assert!(seen.contains("less than 12 bytes"), "{seen}");
}

#[test]
fn a_wrong_passphrase_is_asked_for_again_three_times_in_all() {
    let place = Place::new("typed_wrong");
    place.encrypted_key("a.key");
    let mut terminal = decrypt(&place);
    terminal.answer("passphrase of a.key: ", "wrong\r");
    terminal.answer("passphrase of a.key: ", "correct horse battery staple\r");
    assert_eq!(terminal.end().0, 0);
    place.encrypted_key("a.key");
    let sealed = place.read("a.key");
    let mut terminal = decrypt(&place);
    for _ in 0..3 {
        terminal.answer("passphrase of a.key: ", "wrong\r");
    }
    let (code, seen) = terminal.end();
    assert_eq!(code, 4);
    assert!(seen.contains("another passphrase"), "{seen}");
    assert_eq!(place.read("a.key"), sealed);
}

#[test]
fn what_is_typed_can_be_taken_back() {
    let place = Place::new("typed_edited");
    place.encrypted_key("a.key");
    let mut terminal = decrypt(&place);
    // Control-U, and a character of two bytes that is taken back.
    terminal.answer(
        "passphrase of a.key: ",
        "nonsense\u{15}correct horse battery stapleé\u{7f}\r",
    );
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn control_c_and_control_d_end_it_and_leave_the_terminal_as_it_was() {
    let place = Place::new("typed_no");
    place.encrypted_key("a.key");
    let sealed = place.read("a.key");
    for key in ["cor\u{3}", "\u{4}"] {
        let mut terminal = decrypt(&place);
        terminal.answer("passphrase of a.key: ", key);
        let (code, seen) = terminal.end();
        assert_eq!(code, 4);
        assert!(seen.contains("no passphrase was typed"), "{seen}");
    }
    let mut terminal = decrypt(&place);
    terminal.answer("passphrase of a.key: ", "\r");
    assert!(terminal.end().1.contains("is empty"));
    let mut terminal = decrypt(&place);
    terminal.answer("passphrase of a.key: ", &"x".repeat(1025));
    assert!(terminal.end().1.contains("more than 1024 bytes"));
    assert_eq!(place.read("a.key"), sealed);
}

#[test]
fn one_passphrase_is_asked_for_once_for_all_keys() {
    let place = Place::new("typed_once");
    place.encrypted_key("a.key");
    place.encrypted_key("identity.key");
    place.write(
        "tmkms.toml",
        format!(
            r#"
[[chain]]
id = "once-1"
key_format = {{ type = "hex" }}
state_file = "{dir}/state.json"

[[validator]]
chain_id = "once-1"
addr = "unix://{dir}/absent.sock"
protocol_version = "v0.34"
reconnect = true

[[providers.softsign]]
chain_ids = ["once-1"]
key_type = "consensus"
path = "{dir}/a.key"
"#,
            dir = place.0.display()
        )
        .as_bytes(),
    );
    place
        .run(&["state", "init", "-c", "tmkms.toml", "once-1"])
        .succeeded();
    let mut terminal = Terminal::new(&place, &["start", "-c", "tmkms.toml"]);
    terminal.answer("a.key: ", "correct horse battery staple\r");
    terminal.wait_for("added consensus Ed25519 key");
    assert_eq!(terminal.seen().matches("passphrase of").count(), 1);
    terminal.child.kill().unwrap();
    let _ = terminal.child.wait();
}
