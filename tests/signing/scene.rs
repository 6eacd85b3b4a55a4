//! What most tests begin with: a home, a chain, a node, the signer running and connected.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use ct_codecs::{Base64, Decoder};
use tmkms::keys::SigningKey;

use crate::validator::{
    Block, Connection, Home, Process, ProposalRequest, Reply, Validator, VoteRequest,
};

pub const BINARY: &str = env!("CARGO_BIN_EXE_tmkms");

/// Far longer than anything takes that is waited for, on a machine with other things to do.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    Tcp,
    Unix,
}

pub const BOTH: [Socket; 2] = [Socket::Tcp, Socket::Unix];

/// A home of a test's own.
pub struct Scene {
    pub home: Home,
}

/// A chain in the configuration, with a key made by `softsign keygen`.
pub struct Chain {
    pub id: String,
    pub key: [u8; 32],
}

impl Scene {
    /// An empty one. `name` belongs to one test, and is short: the paths of sockets have 108 bytes.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("signing")
            .join(name);
        Self {
            home: Home::new(&folder).unwrap(),
        }
    }

    /// A chain with a new key, `more` in its `[[chain]]`.
    pub fn chain(&self, id: &str, more: &str) -> Chain {
        let key_file = self.home.key_file(id);
        self.tmkms(&["softsign", "keygen", key_file.to_str().unwrap()]);
        self.home.chain(id, more).unwrap();
        Chain {
            id: id.to_owned(),
            key: public_key(&key_file),
        }
    }

    /// A node that listens on a socket of its own, `more` in its `[[validator]]`.
    pub fn node(&self, chain: &Chain, socket: Socket, more: &str) -> Validator {
        let node = match socket {
            Socket::Tcp => Validator::listen_tcp(),
            Socket::Unix => {
                let free = (0..).map(|number| self.home.path(&format!("{number}.sock")));
                let path = free.into_iter().find(|path| !path.exists()).unwrap();
                Validator::listen_unix(&path)
            }
        }
        .unwrap();
        self.dial(chain, &node.addr(), more);
        node
    }

    /// A `[[validator]]` whose node is made, or not, by the test.
    pub fn dial(&self, chain: &Chain, addr: &str, more: &str) {
        self.home.validator(&chain.id, addr, more).unwrap();
    }

    pub fn start(&self) -> Process {
        self.home.start(BINARY).unwrap()
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub fn tmkms(&self, arguments: &[&str]) -> String {
        let (code, printed) = self.ends(arguments);
        assert_eq!(code, 0, "tmkms {arguments:?}: {printed}");
        printed
    }

    /// Runs a command to its end: exit code, and all that it printed.
    pub fn ends(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.home.run(BINARY, arguments).unwrap();
        let Output {
            status,
            mut stdout,
            stderr,
        } = output;
        stdout.extend(stderr);
        (
            status.code().unwrap(),
            String::from_utf8_lossy(&stdout).into_owned(),
        )
    }

    /// Runs a `start` that must refuse.
    pub fn start_ends(&self) -> (i32, String) {
        self.ends(&["start", "-c", "tmkms.toml"])
    }
}

impl Chain {
    pub fn prevote(&self, height: i64, round: i32) -> VoteRequest {
        VoteRequest::prevote(&self.id, height, round)
    }

    pub fn precommit(&self, height: i64, round: i32) -> VoteRequest {
        VoteRequest::precommit(&self.id, height, round)
    }

    pub fn proposal(&self, height: i64, round: i32) -> ProposalRequest {
        ProposalRequest::new(&self.id, height, round)
    }
}

/// One chain and one node, the signer running and connected.
pub struct World {
    pub scene: Scene,
    pub chain: Chain,
    pub node: Validator,
    pub signer: Process,
    pub link: Connection,
}

impl World {
    pub fn new(name: &str, socket: Socket) -> Self {
        Self::with(name, socket, "", "")
    }

    /// With more lines in `[[chain]]` and `[[validator]]`.
    pub fn with(name: &str, socket: Socket, in_chain: &str, in_validator: &str) -> Self {
        let scene = Scene::new(&format!("{name}_{socket:?}"));
        let chain = scene.chain(&format!("{name}-1"), in_chain);
        let node = scene.node(&chain, socket, in_validator);
        let mut signer = scene.start();
        let link = accept(&node, &mut signer);
        Self {
            scene,
            chain,
            node,
            signer,
            link,
        }
    }

    /// `kill -9`, and another start.
    pub fn restart(&mut self) {
        self.signer.kill().unwrap();
        self.signer = self.scene.start();
        self.link = accept(&self.node, &mut self.signer);
    }

    /// Asks, and verifies what comes back.
    pub fn sign(&mut self, vote: &VoteRequest) -> Reply {
        let reply = self.link.sign_vote(vote).unwrap();
        assert_signs(&reply, &self.chain.key, &vote.sign_bytes());
        reply
    }

    /// Asks, and verifies what comes back.
    pub fn sign_proposal(&mut self, proposal: &ProposalRequest) -> Reply {
        let reply = self.link.sign_proposal(proposal).unwrap();
        assert_signs(&reply, &self.chain.key, &proposal.sign_bytes());
        reply
    }

    /// Asks for what must be refused in-band, and pings: the link is kept.
    pub fn refused(&mut self, vote: &VoteRequest) -> (i64, String) {
        let reply = self.link.sign_vote(vote).unwrap();
        self.link.ping().unwrap();
        refusal(&reply)
    }

    /// Asks for what must be refused in-band, and pings: the link is kept.
    pub fn refused_proposal(&mut self, proposal: &ProposalRequest) -> (i64, String) {
        let reply = self.link.sign_proposal(proposal).unwrap();
        self.link.ping().unwrap();
        refusal(&reply)
    }
}

/// Waits for the signer's call; if none comes, fails with the signer's log.
pub fn accept(node: &Validator, signer: &mut Process) -> Connection {
    match node.accept(PATIENCE) {
        Ok(link) => link,
        Err(error) => panic!("no call: {error}\n{}", signer.lines().join("\n")),
    }
}

#[track_caller]
pub fn assert_signs(reply: &Reply, key: &[u8; 32], sign_bytes: &[u8]) {
    assert_eq!(reply.error, None);
    assert!(reply.signs(key, sign_bytes), "another signature");
}

/// Code and text of a refusal, which carries no signature of any kind.
#[track_caller]
pub fn refusal(reply: &Reply) -> (i64, String) {
    assert_eq!(
        (&reply.signature, &reply.extension_signature),
        (&vec![], &vec![])
    );
    reply.error.clone().expect("a refusal")
}

/// The public half of a key file as `softsign` keeps them.
pub fn public_key(key_file: &Path) -> [u8; 32] {
    let text = fs::read_to_string(key_file).unwrap();
    let seed = Base64::decode_to_vec(text.trim(), None).unwrap();
    let key = SigningKey::from_seed(&seed.try_into().unwrap()).unwrap();
    key.public_key().0
}

/// Some block but number 1, which requests are for if nothing else is said.
pub fn other_block() -> Option<Block> {
    Some(Block::numbered(2))
}
