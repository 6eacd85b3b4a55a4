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

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tmkms");

/// Far longer than anything takes that is waited for, on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    Tcp,
    Unix,
}

pub(crate) const BOTH: [Socket; 2] = [Socket::Tcp, Socket::Unix];

/// A home of a test's own.
pub(crate) struct Scene {
    pub(crate) home: Home,
}

/// A chain in the configuration, with a key made by `softsign keygen`.
pub(crate) struct Chain {
    pub(crate) id: String,
    pub(crate) key: [u8; 32],
}

impl Scene {
    /// An empty one. `name` belongs to one test, and is short: the paths of sockets have 108 bytes.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("signing")
            .join(name);
        Self {
            home: Home::new(&folder).unwrap(),
        }
    }

    /// A chain with a new key, `more` in its `[[chain]]`.
    pub(crate) fn chain(&self, id: &str, more: &str) -> Chain {
        let key_file = self.home.key_file(id);
        self.tmkms(&["softsign", "keygen", &self.key_file(id)]);
        self.home.chain(id, more).unwrap();
        Chain {
            id: id.to_owned(),
            key: read_key(&key_file).public_key().0,
        }
    }

    /// The path of a chain's key, as an argument.
    pub(crate) fn key_file(&self, id: &str) -> String {
        self.home.key_file(id).to_str().unwrap().to_owned()
    }

    /// A chain whose key file the test puts there itself.
    pub(crate) fn chain_with_key(&self, id: &str, key: &SigningKey) -> Chain {
        self.home.chain(id, "").unwrap();
        Chain {
            id: id.to_owned(),
            key: key.public_key().0,
        }
    }

    /// A node that listens on a socket of its own, `more` in its `[[validator]]`.
    pub(crate) fn node(&self, chain: &Chain, socket: Socket, more: &str) -> Validator {
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
    pub(crate) fn dial(&self, chain: &Chain, addr: &str, more: &str) {
        self.home.validator(&chain.id, addr, more).unwrap();
    }

    pub(crate) fn start(&self) -> Process {
        self.home.start(BINARY).unwrap()
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn tmkms(&self, arguments: &[&str]) -> String {
        let (code, printed) = self.ends(arguments);
        assert_eq!(code, 0, "tmkms {arguments:?}: {printed}");
        printed
    }

    /// Runs a command to its end: exit code, and all that it printed.
    pub(crate) fn ends(&self, arguments: &[&str]) -> (i32, String) {
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
    pub(crate) fn start_ends(&self) -> (i32, String) {
        self.ends(&["start", "-c", "tmkms.toml"])
    }
}

/// A started signer and its link. The signer goes first: it would redial.
pub(crate) struct Running {
    pub(crate) signer: Process,
    pub(crate) link: Connection,
}

impl Running {
    pub(crate) fn new(scene: &Scene, node: &Validator) -> Self {
        let mut signer = scene.start();
        let link = accept(node, &mut signer);
        Self { signer, link }
    }
}

impl Chain {
    pub(crate) fn prevote(&self, height: i64, round: i32) -> VoteRequest {
        VoteRequest::prevote(&self.id, height, round)
    }

    pub(crate) fn precommit(&self, height: i64, round: i32) -> VoteRequest {
        VoteRequest::precommit(&self.id, height, round)
    }

    pub(crate) fn proposal(&self, height: i64, round: i32) -> ProposalRequest {
        ProposalRequest::new(&self.id, height, round)
    }
}

/// One chain and one node, the signer running and connected.
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) chain: Chain,
    pub(crate) node: Validator,
    pub(crate) signer: Process,
    pub(crate) link: Connection,
}

impl World {
    pub(crate) fn new(name: &str, socket: Socket) -> Self {
        Self::with(name, socket, "", "")
    }

    /// With more lines in `[[chain]]` and `[[validator]]`.
    pub(crate) fn with(name: &str, socket: Socket, in_chain: &str, in_validator: &str) -> Self {
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
    pub(crate) fn restart(&mut self) {
        self.signer.kill().unwrap();
        self.signer = self.scene.start();
        self.link = accept(&self.node, &mut self.signer);
    }

    /// Asks, and verifies what comes back.
    pub(crate) fn sign(&mut self, vote: &VoteRequest) -> Reply {
        let reply = self.link.sign_vote(vote).unwrap();
        assert_signs(&reply, &self.chain.key, &vote.sign_bytes());
        reply
    }

    /// Asks, and verifies what comes back.
    pub(crate) fn sign_proposal(&mut self, proposal: &ProposalRequest) -> Reply {
        let reply = self.link.sign_proposal(proposal).unwrap();
        assert_signs(&reply, &self.chain.key, &proposal.sign_bytes());
        reply
    }

    /// Asks for what must be refused in-band, and pings: the link is kept.
    pub(crate) fn refused(&mut self, vote: &VoteRequest) -> (i64, String) {
        let reply = self.link.sign_vote(vote).unwrap();
        self.link.ping().unwrap();
        refusal(&reply)
    }

    /// Asks for what must be refused in-band, and pings: the link is kept.
    pub(crate) fn refused_proposal(&mut self, proposal: &ProposalRequest) -> (i64, String) {
        let reply = self.link.sign_proposal(proposal).unwrap();
        self.link.ping().unwrap();
        refusal(&reply)
    }
}

/// Waits for the signer's call; if none comes, fails with the signer's log.
pub(crate) fn accept(node: &Validator, signer: &mut Process) -> Connection {
    match node.accept(PATIENCE) {
        Ok(link) => link,
        Err(error) => panic!("no call: {error}\n{}", signer.lines().join("\n")),
    }
}

#[track_caller]
pub(crate) fn assert_signs(reply: &Reply, key: &[u8; 32], sign_bytes: &[u8]) {
    assert_eq!(reply.error, None);
    assert!(reply.signs(key, sign_bytes), "another signature");
}

/// Code and text of a refusal, which carries no signature of any kind.
#[track_caller]
pub(crate) fn refusal(reply: &Reply) -> (i64, String) {
    assert_eq!(
        (&reply.signature, &reply.extension_signature),
        (&vec![], &vec![])
    );
    reply.error.clone().expect("a refusal")
}

/// A key file as `softsign` keeps them.
pub(crate) fn read_key(key_file: &Path) -> SigningKey {
    let text = fs::read_to_string(key_file).unwrap();
    let seed = Base64::decode_to_vec(text.trim(), None).unwrap();
    SigningKey::from_seed(&seed.try_into().unwrap()).unwrap()
}

/// Some block but number 1, which requests are for if nothing else is said.
pub(crate) fn other_block() -> Block {
    Block::numbered(2)
}
