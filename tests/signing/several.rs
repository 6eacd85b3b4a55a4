//! Several nodes on one chain, several chains in one process.

use std::fs;
use std::path::Path;
use std::sync::{Barrier, Mutex};
use std::thread;

use crate::scene::{BOTH, Chain, PATIENCE, Scene, Socket, accept, assert_signs, read_key, refusal};
use crate::validator::{Block, Connection, Process, Reply, Validator, VoteRequest};

const ROUNDS: i64 = 50;
const NODES: u32 = 8;

/// One chain with eight nodes, every other one on a Unix socket.
struct Crowd {
    chain: Chain,
    _nodes: Vec<Validator>,
    links: Vec<Connection>,
    _signer: Process,
}

impl Crowd {
    fn new(name: &str) -> Self {
        let scene = Scene::new(name);
        let chain = scene.chain(&format!("{name}-1"), "");
        let sockets = BOTH.iter().cycle().take(NODES as usize);
        let nodes: Vec<_> = sockets
            .map(|socket| scene.node(&chain, *socket, ""))
            .collect();
        let mut signer = scene.start();
        let links = nodes.iter().map(|node| accept(node, &mut signer));
        Self {
            chain,
            links: links.collect(),
            _nodes: nodes,
            _signer: signer,
        }
    }

    /// From two to all of them, another number at each height.
    fn count(height: i64) -> u32 {
        2 + u32::try_from(height).unwrap() % (NODES - 1)
    }

    /// Every node asks at the same instant, each for its own.
    fn ask(&mut self, requests: &[VoteRequest]) -> Vec<Reply> {
        let start = Barrier::new(requests.len());
        let replies = Mutex::new(vec![None; requests.len()]);
        thread::scope(|scope| {
            for (at, (link, request)) in self.links.iter_mut().zip(requests).enumerate() {
                let (start, replies) = (&start, &replies);
                scope.spawn(move || {
                    start.wait();
                    let reply = link.sign_vote(request).unwrap();
                    replies.lock().unwrap()[at] = Some(reply);
                });
            }
        });
        let replies = replies.into_inner().unwrap();
        replies.into_iter().map(Option::unwrap).collect()
    }
}

#[test]
fn nodes_that_ask_for_the_same_block_at_once_get_one_signature() {
    let mut crowd = Crowd::new("same_block");
    for height in 1..=ROUNDS {
        let count = Crowd::count(height);
        let votes: Vec<_> = (0..count)
            .map(|node| {
                crowd
                    .chain
                    .precommit(height, 0)
                    .at((height, node.cast_signed()))
            })
            .collect();
        let replies = crowd.ask(&votes);
        let winner = votes.iter().find(|vote| vote.time == Some(replies[0].time));
        let winner = winner.expect("a timestamp that somebody asked for");
        for reply in &replies {
            assert_signs(reply, &crowd.chain.key, &winner.sign_bytes());
            assert_eq!(reply.time, replies[0].time);
            assert_eq!(reply.signature, replies[0].signature);
        }
    }
}

#[test]
fn of_nodes_that_ask_for_different_blocks_at_once_one_gets_a_signature() {
    let mut crowd = Crowd::new("own_block");
    for height in 1..=ROUNDS {
        let count = Crowd::count(height);
        let votes: Vec<_> = (0..count)
            .map(|node| {
                let block = (node > 0).then(|| Block::numbered(node.into()));
                crowd.chain.prevote(height, 0).with_block(block)
            })
            .collect();
        let replies = crowd.ask(&votes);
        let (signed, refused): (Vec<_>, Vec<_>) = replies
            .iter()
            .zip(&votes)
            .partition(|(reply, _)| reply.error.is_none());
        assert_eq!(signed.len(), 1, "height {height}: {signed:?}");
        let (reply, vote) = signed[0];
        assert_signs(reply, &crowd.chain.key, &vote.sign_bytes());
        for (reply, _) in refused {
            let text = format!("double signing requested at height: {height}");
            assert_eq!(refusal(reply), (2, text));
        }
    }
}

/// Two chains with a key each, each with a node.
struct Pair {
    scene: Scene,
    chains: [Chain; 2],
    signer: Process,
    links: [Connection; 2],
    _nodes: [Validator; 2],
}

impl Pair {
    fn new(name: &str) -> Self {
        let scene = Scene::new(name);
        let chains = [1, 2].map(|number| scene.chain(&format!("{name}-{number}"), ""));
        let nodes = [
            scene.node(&chains[0], Socket::Tcp, ""),
            scene.node(&chains[1], Socket::Unix, ""),
        ];
        let mut signer = scene.start();
        let links = [0, 1].map(|at: usize| accept(&nodes[at], &mut signer));
        Self {
            scene,
            chains,
            signer,
            links,
            _nodes: nodes,
        }
    }

    fn sign(&mut self, at: usize, height: i64) {
        let vote = self.chains[at].prevote(height, 0);
        let reply = self.links[at].sign_vote(&vote).unwrap();
        assert_signs(&reply, &self.chains[at].key, &vote.sign_bytes());
    }

    fn refused(&mut self, at: usize, height: i64) -> (i64, String) {
        let vote = self.chains[at].prevote(height, 0);
        let reply = self.links[at].sign_vote(&vote).unwrap();
        refusal(&reply)
    }
}

#[test]
fn each_chain_has_its_own_key_and_its_own_height() {
    let mut pair = Pair::new("chains");
    assert_ne!(pair.chains[0].key, pair.chains[1].key);
    for (at, chain) in pair.chains.iter().enumerate() {
        let reply = pair.links[at].pub_key(&chain.id).unwrap();
        assert_eq!(reply.ed25519.unwrap(), chain.key);
        let other = pair.links[1 - at].pub_key(&chain.id).unwrap();
        assert_eq!(other.ed25519, None);
    }
    pair.sign(0, 1_000);
    pair.sign(1, 1);
    pair.sign(0, 1_001);
    pair.sign(1, 2);
    assert_eq!(pair.refused(0, 3).0, 0);
}

#[test]
fn a_chain_whose_state_is_lost_signs_no_more_and_leaves_the_others_alone() {
    let deleted = |path: &Path| fs::remove_file(path).unwrap();
    let replaced = |path: &Path| {
        let copy = path.with_extension("copy");
        fs::copy(path, &copy).unwrap();
        fs::rename(copy, path).unwrap();
    };
    let cut = |path: &Path| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(512).unwrap();
    };
    let harms: [fn(&Path); 3] = [deleted, replaced, cut];
    for (name, harm) in ["deleted", "replaced", "cut"].into_iter().zip(harms) {
        let mut pair = Pair::new(name);
        pair.sign(0, 1);
        pair.sign(1, 1);
        harm(&pair.scene.home.state_file(&pair.chains[0].id));

        let (code, text) = pair.refused(0, 2);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("deleted, replaced or cut short"), "{text}");
        let chain = format!("[{}@", pair.chains[0].id);
        let loud = ["ERROR", &chain, "SIGNS NO MORE"];
        pair.signer.find(&loud, PATIENCE).unwrap();
        let unserved = format!("CHAIN {} IS NO LONGER SERVED", pair.chains[0].id);
        pair.signer.find(&[&unserved], PATIENCE).unwrap();
        // What it did sign before, it does not sign again either.
        assert!(pair.refused(0, 1).1.contains("restart"));
        pair.links[0].ping().unwrap();

        pair.sign(1, 2);
        harm(&pair.scene.home.state_file(&pair.chains[1].id));
        assert_eq!(pair.refused(1, 3).0, 0);
        let status = pair.signer.wait(PATIENCE).unwrap();
        assert_eq!(status.expect("an end").code(), Some(5), "{name}");
    }
}

#[test]
fn a_lost_state_is_told_even_if_the_node_hangs_up_before_the_refusal() {
    let scene = Scene::new("hung_up");
    let chain = scene.chain("hung_up-1", "");
    let node = scene.node(&chain, Socket::Unix, "");
    let mut signer = scene.start();
    let mut link = accept(&node, &mut signer);
    fs::remove_file(scene.home.state_file(&chain.id)).unwrap();
    link.send(&chain.prevote(1, 0).body()).unwrap();
    drop(link);
    signer.find(&["ERROR", "SIGNS NO MORE"], PATIENCE).unwrap();
    let status = signer.wait(PATIENCE).unwrap();
    assert_eq!(status.expect("an end").code(), Some(5));
}

#[test]
fn max_height_holds_for_its_own_validator_only() {
    let scene = Scene::new("max_height");
    let chain = scene.chain("max_height-1", "");
    let low = scene.node(&chain, Socket::Tcp, r#"max_height = "5""#);
    let free = scene.node(&chain, Socket::Tcp, "");
    let mut signer = scene.start();
    let (mut low, mut free) = (accept(&low, &mut signer), accept(&free, &mut signer));

    let vote = chain.prevote(5, 0);
    let reply = low.sign_vote(&vote).unwrap();
    assert_signs(&reply, &chain.key, &vote.sign_bytes());

    let vote = chain.prevote(6, 0);
    let (code, text) = refusal(&low.sign_vote(&vote).unwrap());
    assert_eq!(code, 0);
    assert!(text.contains("max_height of 5"), "{text}");
    let proposal = chain.proposal(6, 0);
    assert_eq!(refusal(&low.sign_proposal(&proposal).unwrap()).0, 0);
    low.ping().unwrap();

    let reply = free.sign_vote(&vote).unwrap();
    assert_signs(&reply, &chain.key, &vote.sign_bytes());
}

#[test]
fn two_nodes_at_one_chain_get_the_same_signature_one_after_the_other() {
    let scene = Scene::new("two_nodes");
    let chain = scene.chain("two_nodes-1", "");
    let nodes = BOTH.map(|socket| scene.node(&chain, socket, ""));
    let mut signer = scene.start();
    let [mut one, mut two] = [0, 1].map(|at: usize| accept(&nodes[at], &mut signer));
    for height in 1..10 {
        let vote = chain.prevote(height, 0).at((height, 1));
        let first = one.sign_vote(&vote).unwrap();
        let second = two.sign_vote(&vote.clone().at((height, 2))).unwrap();
        assert_signs(&first, &chain.key, &vote.sign_bytes());
        assert_eq!(
            (second.signature, second.time),
            (first.signature, first.time)
        );
        let other = vote.with_block(None);
        assert_eq!(refusal(&two.sign_vote(&other).unwrap()).0, 2);
    }
}

#[test]
fn one_key_may_serve_two_chains_but_begins_only_one_by_itself() {
    let scene = Scene::new("one_key");
    let one = scene.chain("one_key-1", "");
    let two = "one_key-2";
    let key_file = scene.key_file(&one.id);
    let config = fs::read_to_string(scene.home.config()).unwrap();
    let both = format!(r#"chain_ids = ["{}", "{two}"]"#, one.id);
    let config = config.replace(&format!(r#"chain_ids = ["{}"]"#, one.id), &both);
    fs::write(scene.home.config(), config).unwrap();
    let state = scene.home.state_file(two);
    let lines = format!(
        "[[chain]]\nid = \"{two}\"\nkey_format = {{ type = \"hex\" }}\nstate_file = \"{}\"",
        state.display()
    );
    scene.home.configure(&lines).unwrap();
    let two = Chain {
        id: two.to_owned(),
        key: read_key(Path::new(&key_file)).public_key().0,
    };
    let nodes = [&one, &two].map(|chain| scene.node(chain, Socket::Unix, ""));

    let (code, printed) = scene.start_ends();
    assert_eq!(code, 5, "{printed}");
    let init = ["state", "init", "-c", "tmkms.toml", &one.id, &two.id];
    assert!(printed.contains(&init.join(" ")), "{printed}");
    scene.tmkms(&init);

    let mut signer = scene.start();
    for (node, chain) in nodes.iter().zip([&one, &two]) {
        let mut link = accept(node, &mut signer);
        let vote = chain.prevote(1, 0);
        let reply = link.sign_vote(&vote).unwrap();
        assert_signs(&reply, &one.key, &vote.sign_bytes());
    }
}
