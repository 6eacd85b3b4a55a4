//! A key begins once: where the first state comes from, and where none comes from.

use std::fs;

use crate::node_files::NodeHome;
use crate::scene::{Chain, PATIENCE, Running, Scene, Socket, assert_signs, other_block, refusal};
use crate::validator::Validator;

/// A chain that was configured, and its node.
struct Begin {
    scene: Scene,
    chain: Chain,
    node: Validator,
}

impl Begin {
    /// With a key made by `softsign keygen`.
    fn with_new_key(name: &str) -> Self {
        let scene = Scene::new(name);
        let chain = scene.chain(&format!("{name}-1"), "");
        let node = scene.node(&chain, Socket::Unix, "");
        Self { scene, chain, node }
    }

    /// With a node's key, imported when the node had got where `prepare` brings it.
    fn with_import(name: &str, prepare: impl FnOnce(&NodeHome, &Chain)) -> (Self, NodeHome) {
        let scene = Scene::new(name);
        let home = NodeHome::new(&scene, 1);
        let chain = scene.chain_with_key(&format!("{name}-1"), &home.key);
        prepare(&home, &chain);
        let target = scene.key_file(&chain.id);
        scene.tmkms(&["softsign", "import", &home.key_file(), &target]);
        let node = scene.node(&chain, Socket::Unix, "");
        (Self { scene, chain, node }, home)
    }

    fn start(&self) -> Running {
        Running::new(&self.scene, &self.node)
    }

    fn mark(&self) -> std::path::PathBuf {
        let name = format!("secrets/{}-consensus.key.begin-once", self.chain.id);
        self.scene.home.path(&name)
    }

    /// `start` refuses with the code for state, and names both commands that make one.
    fn assert_refuses_to_begin(&self) -> String {
        let (code, printed) = self.scene.start_ends();
        assert_eq!(code, 5, "{printed}");
        let id = &self.chain.id;
        let import = format!("tmkms state import -c tmkms.toml {id}");
        let init = format!("tmkms state init -c tmkms.toml {id}");
        assert!(
            printed.contains(&import) && printed.contains(&init),
            "{printed}"
        );
        assert!(!self.scene.home.state_file(id).exists());
        printed
    }
}

#[test]
fn a_new_key_begins_and_uses_its_mark_up() {
    let begin = Begin::with_new_key("new_key");
    assert!(begin.mark().exists());
    let mut running = begin.start();
    let link = &mut running.link;
    assert!(!begin.mark().exists());
    let vote = begin.chain.prevote(1, 0);
    let reply = link.sign_vote(&vote).unwrap();
    assert_signs(&reply, &begin.chain.key, &vote.sign_bytes());
}

#[test]
fn a_state_that_is_gone_stops_the_start_and_the_commands_it_names_mend_it() {
    let begin = Begin::with_new_key("gone");
    let id = &begin.chain.id;
    for height in [None, Some("7")] {
        drop(begin.start());
        fs::remove_file(begin.scene.home.state_file(id)).unwrap();
        let printed = begin.assert_refuses_to_begin();
        assert!(printed.contains("is missing"), "{printed}");
        // It goes on being refused until somebody decides.
        begin.assert_refuses_to_begin();
        let mut init = vec!["state", "init", "-c", "tmkms.toml"];
        if let Some(height) = height {
            init.extend(["--height", height]);
        }
        init.push(id);
        begin.scene.tmkms(&init);
        let mut running = begin.start();
        let link = &mut running.link;
        let reply = link.sign_vote(&begin.chain.prevote(6, 0)).unwrap();
        assert_eq!(reply.error.is_some(), height.is_some());
    }
}

#[test]
fn a_copy_of_key_and_mark_does_not_begin() {
    let begin = Begin::with_new_key("copied");
    let key = begin.scene.home.key_file(&begin.chain.id);
    for path in [key, begin.mark()] {
        let copy = path.with_extension("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(copy, path).unwrap();
    }
    let printed = begin.assert_refuses_to_begin();
    assert!(
        printed.contains("this key is a copy or came from a backup"),
        "{printed}"
    );
}

#[test]
fn a_mark_that_is_put_back_does_not_begin_again() {
    let begin = Begin::with_new_key("put_back");
    let mark = fs::read(begin.mark()).unwrap();
    drop(begin.start());
    fs::remove_file(begin.scene.home.state_file(&begin.chain.id)).unwrap();
    fs::write(begin.mark(), mark).unwrap();
    begin.assert_refuses_to_begin();
}

#[test]
fn a_mark_beside_a_state_is_removed() {
    let begin = Begin::with_new_key("both");
    drop(begin.start());
    fs::write(begin.mark(), "anything").unwrap();
    drop(begin.start());
    assert!(!begin.mark().exists());
}

#[test]
fn the_same_key_again_does_not_begin_again() {
    let (begin, home) = Begin::with_import("again", |home, chain| {
        home.signed(&chain.prevote(1, 0));
    });
    drop(begin.start());
    fs::remove_file(begin.scene.home.state_file(&begin.chain.id)).unwrap();
    let target = begin.scene.key_file(&begin.chain.id);
    let import = ["softsign", "import", &home.key_file(), &target];
    begin.scene.tmkms(&import);
    begin.assert_refuses_to_begin();
    // Not even by way of another key, which then lies beside it.
    begin.scene.tmkms(&["softsign", "keygen", &target]);
    begin.scene.tmkms(&import);
    begin.assert_refuses_to_begin();
}

#[test]
fn an_imported_key_goes_on_where_the_node_stopped() {
    let (begin, home) = Begin::with_import("import", |home, chain| {
        home.signed(&chain.precommit(12, 3).at((5, 6)));
    });
    let mut running = begin.start();
    let link = &mut running.link;
    let stored = begin.chain.precommit(12, 3).at((5, 6));
    for time in [(5, 6), (7, 8)] {
        let reply = link.sign_vote(&stored.clone().at(time)).unwrap();
        assert_eq!(reply.time, (5, 6));
        assert_eq!(reply.signature, home.key.sign(&stored.sign_bytes()).0);
    }
    let other = stored.clone().with_block(Some(other_block()));
    assert_eq!(refusal(&link.sign_vote(&other).unwrap()).0, 2);
    let below = begin.chain.prevote(12, 3);
    assert_eq!(refusal(&link.sign_vote(&below).unwrap()).0, 0);
    let next = begin.chain.prevote(13, 0);
    let reply = link.sign_vote(&next).unwrap();
    assert_signs(&reply, &begin.chain.key, &next.sign_bytes());
}

#[test]
fn what_the_node_signs_after_the_import_is_seen_before_the_first_signature() {
    let (begin, home) = Begin::with_import("raised", |home, chain| {
        home.signed(&chain.prevote(12, 0));
    });
    // Between import and start, between starts, and while the signer is connected.
    home.signed(&begin.chain.prevote(13, 0));
    let Running {
        mut signer,
        mut link,
    } = begin.start();
    signer
        .find(&["following its state file"], PATIENCE)
        .unwrap();
    link.ping().unwrap();
    home.signed(&begin.chain.prevote(20, 0));
    let vote = begin.chain.prevote(19, 0);
    let (code, text) = refusal(&link.sign_vote(&vote).unwrap());
    assert_eq!(code, 0);
    assert!(text.contains("20/0/1"), "{text}");
    let other = begin.chain.prevote(20, 0).with_block(Some(other_block()));
    assert_eq!(refusal(&link.sign_vote(&other).unwrap()).0, 2);

    // The first signature of ours ends it: the node's file is no longer asked.
    let vote = begin.chain.prevote(21, 0);
    let reply = link.sign_vote(&vote).unwrap();
    assert_signs(&reply, &begin.chain.key, &vote.sign_bytes());
    home.signed(&begin.chain.prevote(1_000, 0));
    let vote = begin.chain.prevote(22, 0);
    assert!(link.sign_vote(&vote).unwrap().error.is_none());
}

#[test]
fn a_node_state_that_cannot_be_read_any_more_delays_the_first_signature() {
    let (begin, home) = Begin::with_import("unreadable", |home, chain| {
        home.signed(&chain.prevote(12, 0));
    });
    let mut running = begin.start();
    let link = &mut running.link;
    fs::write(home.state_file(), "").unwrap();
    let vote = begin.chain.prevote(13, 0);
    let (code, text) = refusal(&link.sign_vote(&vote).unwrap());
    assert_eq!(code, 0);
    assert!(text.contains("the node's own state"), "{text}");
    // A node that is gone with its files says no more than it said.
    fs::remove_file(home.state_file()).unwrap();
    let reply = link.sign_vote(&vote).unwrap();
    assert_signs(&reply, &begin.chain.key, &vote.sign_bytes());
}

#[test]
fn an_import_without_the_nodes_state_begins_by_a_command_only() {
    let (begin, home) = Begin::with_import("no_state", |_, _| {});
    assert!(!begin.mark().exists());
    begin.assert_refuses_to_begin();
    let vote = begin.chain.precommit(40, 0);
    home.signed(&vote);
    let (id, state) = (&begin.chain.id, home.state_file());
    begin
        .scene
        .tmkms(&["state", "import", "-c", "tmkms.toml", id, &state]);
    let mut running = begin.start();
    let link = &mut running.link;
    let reply = link.sign_vote(&vote).unwrap();
    assert_signs(&reply, &begin.chain.key, &vote.sign_bytes());
    let below = begin.chain.prevote(40, 0);
    assert_eq!(refusal(&link.sign_vote(&below).unwrap()).0, 0);
}

#[test]
fn a_key_that_signed_on_another_chain_does_not_begin_on_this_one() {
    let (begin, _home) = Begin::with_import("other_chain", |home, _| {
        home.signed(&crate::validator::VoteRequest::prevote("elsewhere-1", 3, 0));
    });
    begin.assert_refuses_to_begin();
    assert!(begin.mark().exists());
}
