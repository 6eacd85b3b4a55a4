//! A home whose chain's key is in a device, the device, a node, and the signer.

use std::path::Path;
use std::time::{Duration, Instant};

use sha2::Digest as _;

use crate::app::{App, RELEASE, Slot, Version};
use crate::validator::{Connection, Home, Process, ProposalRequest, Reply, Validator, VoteRequest};

const BINARY: &str = env!("CARGO_BIN_EXE_tmkms");

/// Far longer than anything takes that is waited for, on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A chain with its device, before anything runs.
pub(crate) struct Scene {
    pub(crate) home: Home,
    pub(crate) app: App,
    pub(crate) node: Validator,
    pub(crate) chain: String,
}

/// A signer that is connected to its node.
pub(crate) struct Running {
    pub(crate) scene: Scene,
    pub(crate) signer: Process,
    pub(crate) link: Connection,
}

impl Scene {
    /// A device that a person has initialised at height 0, and a state that is made.
    pub(crate) fn new(name: &str) -> Self {
        let scene = Self::with(name, "led-1", "", RELEASE);
        scene.app.set_watermark(Slot {
            kind: 2,
            height: 0,
            round: 0,
        });
        scene
    }

    /// A device that is fresh, `more` in `[[chain]]`. `name` belongs to one test.
    pub(crate) fn with(name: &str, chain: &str, more: &str, version: Version) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("ledger")
            .join(name);
        let home = Home::new(&folder).unwrap();
        let app = App::start(seed(name), version, 0).unwrap();
        let node = Validator::listen_tcp().unwrap();
        let scene = Self {
            home,
            app,
            node,
            chain: chain.to_owned(),
        };
        scene
            .home
            .configure(&format!(
                r#"
[[chain]]
id = "{chain}"
key_format = {{ type = "hex" }}
state_file = "{}"
{more}

[[providers.ledgertm]]
chain_ids = ["{chain}"]
emulator = "tcp://{}""#,
                scene.home.state_file(chain).display(),
                scene.app.addr
            ))
            .unwrap();
        scene.home.validator(chain, &scene.node.addr(), "").unwrap();
        scene
    }

    /// Runs a command to its end: exit code, and all that it printed.
    pub(crate) fn ends(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.home.run(BINARY, arguments).unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// Runs a command that must succeed, and gives what it printed.
    #[track_caller]
    pub(crate) fn tmkms(&self, arguments: &[&str]) -> String {
        let (code, printed) = self.ends(arguments);
        assert_eq!(code, 0, "tmkms {arguments:?}: {printed}");
        printed
    }

    /// Starts a command that goes on.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        let mut command = std::process::Command::new(BINARY);
        command.args(arguments).current_dir(self.home.path("."));
        Process::spawn(&mut command).unwrap()
    }

    pub(crate) fn run(self) -> Running {
        if !self.home.state_file(&self.chain).exists() {
            self.tmkms(&["state", "init", "-c", "tmkms.toml"]);
        }
        let mut signer = self.home.start(BINARY).unwrap();
        let link = accept(&self.node, &mut signer);
        Running {
            scene: self,
            signer,
            link,
        }
    }

    pub(crate) fn prevote(&self, height: i64) -> VoteRequest {
        VoteRequest::prevote(&self.chain, height, 0)
    }

    pub(crate) fn precommit(&self, height: i64) -> VoteRequest {
        VoteRequest::precommit(&self.chain, height, 0)
    }

    pub(crate) fn proposal(&self, height: i64, round: i32) -> ProposalRequest {
        ProposalRequest::new(&self.chain, height, round)
    }
}

/// A key of its own for each test: two signers of one key and chain do not run on one host.
pub(crate) fn seed(name: &str) -> [u8; 32] {
    sha2::Sha256::digest(name).into()
}

impl Running {
    /// Asks, and verifies what comes back.
    #[track_caller]
    pub(crate) fn signs(&mut self, vote: &VoteRequest) -> Reply {
        let reply = self.link.sign_vote(vote).unwrap();
        self.is_signed(&reply, &vote.sign_bytes());
        reply
    }

    /// Asks, and verifies what comes back.
    #[track_caller]
    pub(crate) fn proposes(&mut self, proposal: &ProposalRequest) {
        let reply = self.link.sign_proposal(proposal).unwrap();
        self.is_signed(&reply, &proposal.sign_bytes());
    }

    #[track_caller]
    fn is_signed(&self, reply: &Reply, sign_bytes: &[u8]) {
        assert_eq!(reply.error, None);
        assert!(
            reply.signs(&self.scene.app.public_key(), sign_bytes),
            "another signature"
        );
    }

    /// Asks for what must be refused in-band, on a link that is kept.
    #[track_caller]
    pub(crate) fn refused(&mut self, vote: &VoteRequest) -> String {
        let reply = self.link.sign_vote(vote).unwrap();
        self.link.ping().unwrap();
        refusal(&reply)
    }

    /// Asks for one height after another until one is signed, and gives all refusals before it.
    #[track_caller]
    pub(crate) fn signs_again(&mut self, from: i64) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut refusals = Vec::new();
        for height in from.. {
            let vote = self.scene.prevote(height);
            let reply = self.link.sign_vote(&vote).unwrap();
            if reply.error.is_none() {
                self.is_signed(&reply, &vote.sign_bytes());
                break;
            }
            refusals.push(refusal(&reply));
            assert!(Instant::now() < deadline, "{:?}", refusals.last());
            std::thread::sleep(Duration::from_millis(50));
        }
        refusals
    }

    /// Stops the signer, and gives all that it said.
    pub(crate) fn ends(mut self) -> (Scene, Vec<String>) {
        let status = self.signer.stop(PATIENCE).unwrap().unwrap();
        assert_eq!(status.code(), Some(0));
        let lines = self.signer.lines().to_vec();
        (self.scene, lines)
    }
}

/// Waits for the signer's call; if none comes, fails with the signer's log.
pub(crate) fn accept(node: &Validator, signer: &mut Process) -> Connection {
    match node.accept(PATIENCE) {
        Ok(link) => link,
        Err(error) => panic!("no call: {error}\n{}", signer.lines().join("\n")),
    }
}

/// The text of a refusal, which carries no signature of any kind.
#[track_caller]
pub(crate) fn refusal(reply: &Reply) -> String {
    assert_eq!(
        (&reply.signature, &reply.extension_signature),
        (&vec![], &vec![])
    );
    let (code, text) = reply.error.clone().expect("a refusal");
    assert_eq!(code, 0, "{text}");
    text
}
