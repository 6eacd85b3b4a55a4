//! A home with one chain that has signed, and nobody running.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use ct_codecs::{Encoder, Hex};
use nojson::{RawJson, RawJsonOwned};

use crate::scene::{BINARY, Chain, Scene, Socket, World};
use crate::validator::Reply;

/// Upper-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    Hex::encode_to_string(bytes).unwrap().to_uppercase()
}

/// A chain at rest.
pub struct Shelf {
    pub scene: Scene,
    pub chain: Chain,
}

impl Shelf {
    /// A chain that has signed nothing, its state made at `height`.
    pub fn at(name: &str, height: i64) -> Self {
        let scene = Scene::new(name);
        let chain = scene.chain(&format!("{name}-1"), "");
        // Never dialled: nobody starts.
        scene.dial(&chain, "unix:///nobody/listens.sock", "");
        scene.tmkms(&["state", "init", "-H", &height.to_string()]);
        Self { scene, chain }
    }

    /// A chain that has signed a prevote at 5/0, and what the node got for it.
    pub fn signed(name: &str) -> (Self, Reply) {
        let mut world = World::new(name, Socket::Unix);
        let reply = world.sign(&world.chain.prevote(5, 0));
        let World {
            scene,
            chain,
            mut signer,
            ..
        } = world;
        signer.kill().unwrap();
        (Self { scene, chain }, reply)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scene.home.path(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `state COMMAND CHAIN …`, which must succeed.
    pub fn state(&self, command: &str, more: &[&str]) -> String {
        let mut arguments = vec!["state", command, &self.chain.id];
        arguments.extend(more);
        self.scene.tmkms(&arguments)
    }

    /// Runs `state COMMAND CHAIN …` to its end.
    pub fn state_ends(&self, command: &str, more: &[&str]) -> (i32, String) {
        let mut arguments = vec!["state", command, &self.chain.id];
        arguments.extend(more);
        self.scene.ends(&arguments)
    }

    /// `height/round/step status`, as `state show --json` has them.
    pub fn shown(&self) -> String {
        let text = self.scene.tmkms(&["state", "show", "--json"]);
        let json = RawJson::parse(&text).unwrap();
        let row = json.value().to_array().unwrap().next().unwrap();
        let get = |name: &str| {
            let value = row.to_member(name).unwrap().required().unwrap();
            value
                .to_unquoted_string_str()
                .map_or(value.as_raw_str().to_owned(), Cow::into_owned)
        };
        format!(
            "{}/{}/{} {}",
            get("height"),
            get("round"),
            get("step"),
            get("status")
        )
    }

    /// What a command prints on its standard output alone.
    pub fn prints(&self, arguments: &[&str]) -> (i32, RawJsonOwned) {
        let output = self.scene.home.run(BINARY, arguments).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let json = RawJsonOwned::parse(text.clone());
        (
            output.status.code().unwrap(),
            json.unwrap_or_else(|error| panic!("{error}: {text}")),
        )
    }
}
