//! What most tests begin with: a fake device, a proxy before it, a home whose chains sign with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tmkms::keys::SigningKey;

use crate::proxy::Proxy;
use crate::validator::{Block, Connection, Home, Process, Reply, Validator, VoteRequest};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tmkms");

/// Far longer than anything takes that is waited for, on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The serial number of the fake device.
pub(crate) const SERIAL: &str = "0123456789";

/// The fake device, behind its connector. Dropping it ends it.
pub(crate) struct Mock {
    pub(crate) address: String,
    _process: Process,
}

impl Mock {
    pub(crate) fn new(objects: &[&str]) -> Self {
        let program = program();
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap().to_string();
            drop(free);
            let mut command = Command::new(&program);
            command.arg(&address).args(objects);
            let mut process = Process::spawn(&mut command).unwrap();
            // Somebody else may have taken the port meanwhile.
            if process.wait_for("listening on", PATIENCE).is_ok() {
                return Self {
                    address,
                    _process: process,
                };
            }
        }
        panic!("the fake device does not listen");
    }
}

/// The fake device's program, built once.
fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yubihsm/mock");
        // Not in this build's own directory, which cargo holds locked while it runs tests.
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mock-yubihsm");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(built.success(), "the fake device does not build");
        target.join("debug/mock-yubihsm")
    };
    PROGRAM.get_or_init(build).clone()
}

/// The key that the fake device makes of a number.
pub(crate) fn key(id: u8) -> [u8; 32] {
    SigningKey::from_seed(&[id; 32]).unwrap().public_key().0
}

pub(crate) struct Scene {
    pub(crate) home: Home,
    pub(crate) proxy: Proxy,
    pub(crate) mock: Mock,
}

impl Scene {
    /// A device with these objects; the provider is configured with the rest of its table.
    pub(crate) fn new(name: &str, objects: &[&str]) -> Self {
        let mock = Mock::new(objects);
        Self::before(name, mock)
    }

    pub(crate) fn before(name: &str, mock: Mock) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("yubihsm")
            .join(name);
        Self {
            home: Home::new(&folder).unwrap(),
            proxy: Proxy::new(&mock.address),
            mock,
        }
    }

    /// The provider behind the proxy: `keys` as in the file, and whatever else there is to say.
    pub(crate) fn provider(&self, keys: &[(&str, u16)], more: &str) {
        let keys: Vec<String> = keys
            .iter()
            .map(|(chain, id)| format!("{{ chain_ids = [\"{chain}\"], key = {id} }}"))
            .collect();
        let auth = if more.contains("auth =") {
            ""
        } else {
            "auth = { key = 1, password = \"password\" }"
        };
        self.home
            .configure(&format!(
                "[[providers.yubihsm]]\nadapter = {{ type = \"http\", addr = \"tcp://{}\" }}\n{auth}\nkeys = [{}]\n{more}\n",
                self.proxy.address,
                keys.join(", ")
            ))
            .unwrap();
    }

    /// A chain with a state, whose key is in the device, and a node that asks for it.
    pub(crate) fn chain(&self, id: &str) -> Validator {
        self.home
            .configure(&format!(
                "[[chain]]\nid = \"{id}\"\nkey_format = {{ type = \"hex\" }}\nstate_file = \"{}\"\n",
                self.home.state_file(id).display()
            ))
            .unwrap();
        let node = Validator::listen_tcp().unwrap();
        self.home.validator(id, &node.addr(), "").unwrap();
        node
    }

    /// Makes the states of all chains.
    pub(crate) fn begin(&self) {
        let (code, printed) = self.ends(&["state", "init"]);
        assert_eq!(code, 0, "{printed}");
    }

    pub(crate) fn start(&self) -> Process {
        self.home.start(BINARY).unwrap()
    }

    /// Runs a command to its end: exit code, and all that it printed.
    pub(crate) fn ends(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.home.run(BINARY, arguments).unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&printed).into_owned(),
        )
    }

    /// Runs a command that must succeed, and gives what it printed.
    #[track_caller]
    pub(crate) fn tmkms(&self, arguments: &[&str]) -> String {
        let (code, printed) = self.ends(arguments);
        assert_eq!(code, 0, "tmkms {arguments:?}: {printed}");
        printed
    }
}

pub(crate) fn block() -> Block {
    Block {
        hash: vec![7; 32],
        total: 1,
        parts_hash: vec![8; 32],
    }
}

#[track_caller]
pub(crate) fn accept(node: &Validator, signer: &mut Process) -> Connection {
    match node.accept(PATIENCE) {
        Ok(link) => link,
        Err(error) => panic!("no signer dialled: {error}\n{}", signer.lines().join("\n")),
    }
}

/// Asks for a prevote, which must be signed by the key.
#[track_caller]
pub(crate) fn signs(link: &mut Connection, chain: &str, key: &[u8; 32], height: i64) {
    let request = VoteRequest::prevote(chain, height, 0).with_block(Some(block()));
    let reply = link.sign_vote(&request).unwrap();
    assert!(
        reply.signs(key, &request.sign_bytes()),
        "at {height}: {:?}",
        reply.accepted()
    );
}

/// Asks for a prevote, which must be refused; says why.
#[track_caller]
pub(crate) fn refuses(link: &mut Connection, chain: &str, height: i64) -> String {
    let request = VoteRequest::prevote(chain, height, 0).with_block(Some(block()));
    refusal(&link.sign_vote(&request).unwrap())
}

#[track_caller]
pub(crate) fn refusal(reply: &Reply) -> String {
    match reply.accepted() {
        Ok(_) => panic!("it was signed"),
        Err(why) => why,
    }
}

/// Asks for the same height until it is signed, as a node does that is in no hurry.
#[track_caller]
pub(crate) fn signs_in_the_end(link: &mut Connection, chain: &str, key: &[u8; 32], height: i64) {
    let request = VoteRequest::prevote(chain, height, 0).with_block(Some(block()));
    let since = std::time::Instant::now();
    loop {
        let reply = link.sign_vote(&request).unwrap();
        match reply.accepted() {
            Ok(_) => {
                assert!(reply.signs(key, &request.sign_bytes()));
                return;
            }
            Err(why) => assert!(since.elapsed() < PATIENCE, "still refused: {why}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
