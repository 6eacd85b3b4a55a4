//! What most tests begin with: a service, a home whose chain has its key in it, a node, the signer.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tmkms::keys::SigningKey;

use super::service::Service;
use super::validator::{Connection, Home, Process, Reply, Validator, VoteRequest};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tmkms");

/// Far longer than anything takes that is waited for, on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A service and a home; `name` belongs to one test.
pub(crate) struct Stage {
    /// Of the chain that most tests have; no other test may sign for it with the same key.
    pub(crate) id: String,
    pub(crate) service: Service,
    pub(crate) home: Home,
}

/// What a provider says if nothing else is to be tried.
pub(crate) const VALIDATOR: &str = r#"key_name = "validator""#;

impl Stage {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("fortanixdsm")
            .join(name);
        let home = Home::new(&folder).unwrap();
        let service = Service::start(&home.path("dsm"), 0);
        Self {
            id: format!("{name}-1"),
            service,
            home,
        }
    }

    /// The chain `NAME-1`, with `key` of the service.
    pub(crate) fn chain(&self, key: &str, more: &str) -> &Self {
        self.chain_named(&self.id, key, more)
    }

    /// A chain with a key of the service; `more` stands in the provider, and takes the place of what it names.
    pub(crate) fn chain_named(&self, id: &str, key: &str, more: &str) -> &Self {
        let endpoint = format!("api_endpoint = \"https://localhost:{}\"", self.service.port);
        let ca_file = format!("ca_file = {:?}", self.service.file("ca.pem"));
        let api_key = format!("api_key_file = {:?}", self.service.file("api-key"));
        let timeout = "timeout_ms = 2300".to_owned();
        let lines = [endpoint, ca_file, api_key, timeout];
        let lines = lines.iter().filter(|line| {
            let name = line.split(' ').next().unwrap();
            let is_replaced = more.lines().any(|other| other.starts_with(name));
            let is_left_out = name == "api_key_file" && more.contains("# no key");
            !is_replaced && !is_left_out
        });
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        let text = format!(
            "[[chain]]\nid = \"{id}\"\nstate_file = {:?}\n\n[[providers.fortanixdsm]]\n{lines}{more}\nsigning_keys = [{{ chain_ids = [\"{id}\"], {key} }}]\n",
            self.home.state_file(id)
        );
        self.home.configure(&text).unwrap();
        self
    }

    /// The chain's node.
    pub(crate) fn node(&self) -> Validator {
        self.node_of(&self.id)
    }

    /// A node for a chain on a Unix socket, whose path has to be short.
    pub(crate) fn node_of(&self, id: &str) -> Validator {
        let name = if id == self.id { "node" } else { id };
        let node = Validator::listen_unix(&self.home.path(name)).unwrap();
        self.home.validator(id, &node.addr(), "").unwrap();
        node
    }

    /// A prevote for its chain.
    pub(crate) fn vote(&self, height: i64) -> VoteRequest {
        VoteRequest::prevote(&self.id, height, 0)
    }

    /// Runs a command to its end: exit code, and all that it printed.
    pub(crate) fn ends(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.home.run(BINARY, arguments).unwrap();
        let mut text = output.stdout;
        text.extend(output.stderr);
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// The first state of a chain: a key in a service has no mark that it is new.
    pub(crate) fn begin(&self) {
        self.begin_chain(&self.id);
    }

    pub(crate) fn begin_chain(&self, id: &str) {
        let (code, printed) = self.ends(&["state", "init", "-c", "tmkms.toml", id]);
        assert_eq!(code, 0, "{printed}");
    }

    /// A start that is refused, and what it says.
    pub(crate) fn refused(&self) -> (i32, String) {
        self.ends(&["start", "-c", "tmkms.toml"])
    }

    /// Starts the signer, verbosely.
    pub(crate) fn start(&self) -> Process {
        let mut command = std::process::Command::new(BINARY);
        command.args(["start", "-v", "-c"]).arg(self.home.config());
        command.env_remove("FORTANIX_API_KEY");
        Process::spawn(&mut command).unwrap()
    }

    /// The usual chain from its beginning to a connected signer.
    pub(crate) fn run(self) -> Running {
        let node = self.node();
        self.begin();
        let mut signer = self.start();
        let link = accept(&node, &mut signer);
        Running {
            stage: self,
            node,
            signer,
            link,
            height: 0,
        }
    }
}

/// A signer with its node and its service.
pub(crate) struct Running {
    pub(crate) signer: Process,
    pub(crate) link: Connection,
    pub(crate) node: Validator,
    pub(crate) stage: Stage,
    height: i64,
}

impl Running {
    /// With the key `validator`, and `more` in the provider.
    pub(crate) fn new(name: &str, more: &str) -> Self {
        let stage = Stage::new(name);
        stage.chain(VALIDATOR, more);
        stage.run()
    }

    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.stage.service
    }

    /// A prevote at the next height.
    pub(crate) fn next(&mut self) -> VoteRequest {
        self.height += 1;
        VoteRequest::prevote(&self.stage.id, self.height, 0)
    }

    /// Has the next vote signed.
    pub(crate) fn signs(&mut self) {
        let vote = self.next();
        self.signs_this(&vote);
    }

    pub(crate) fn signs_this(&mut self, vote: &VoteRequest) {
        let reply = self.link.sign_vote(vote).unwrap();
        assert_signs(&reply, vote, 1, &mut self.signer);
    }

    /// Has the next vote refused, on a link that stays.
    pub(crate) fn refuses(&mut self) -> (VoteRequest, String) {
        let vote = self.next();
        let text = self.refuses_this(&vote);
        (vote, text)
    }

    pub(crate) fn refuses_this(&mut self, vote: &VoteRequest) -> String {
        let reply = self.link.sign_vote(vote).unwrap();
        self.link.ping().unwrap();
        assert!(reply.signature.is_empty());
        reply.error.expect("a refusal").1
    }

    /// Asks for a vote until it is signed.
    pub(crate) fn signs_in_the_end(&mut self, vote: &VoteRequest) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.link.sign_vote(vote).unwrap();
            if reply.error.is_none() || Instant::now() >= deadline {
                return assert_signs(&reply, vote, 1, &mut self.signer);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Waits for the signer's call.
pub(crate) fn accept(node: &Validator, signer: &mut Process) -> Connection {
    match node.accept(PATIENCE) {
        Ok(link) => link,
        Err(error) => panic!("no call: {error}\n{}", signer.lines().join("\n")),
    }
}

/// Verifies a reply under the service's key with a number.
#[track_caller]
pub(crate) fn assert_signs(reply: &Reply, vote: &VoteRequest, key: u8, signer: &mut Process) {
    let key = SigningKey::from_seed(&[key; 32]).unwrap().public_key().0;
    if reply.error.is_some() || !reply.signs(&key, &vote.sign_bytes()) {
        panic!("{:?}\n{}", reply.error, signer.lines().join("\n"));
    }
}
