//! The files of a node and of other signers, as those write them.

use std::fs;
use std::path::PathBuf;

use ct_codecs::{Base64, Encoder, Hex};
use tmkms::keys::SigningKey;

use crate::scene::Scene;
use crate::validator::VoteRequest;

/// `~/.node` with a key of its own: what `softsign import` reads.
pub(crate) struct NodeHome {
    pub(crate) key: SigningKey,
    folder: PathBuf,
}

impl NodeHome {
    /// Beside the signer's home, which one test has to itself.
    pub(crate) fn new(scene: &Scene, seed: u8) -> Self {
        let folder = scene.home.path("node");
        for name in ["config", "data"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        // The process id keeps the keys of two runs on one host apart.
        let mut bytes = [seed; 32];
        bytes[..4].copy_from_slice(&std::process::id().to_le_bytes());
        let key = SigningKey::from_seed(&bytes).unwrap();
        let public = key.public_key().0;
        let (address, public_text) = (key.public_key().address_hex(), base64(&public));
        let private = base64(&[&bytes[..], &public].concat());
        let node = Self { key, folder };
        let text = format!(
            r#"{{
  "address": "{address}",
  "pub_key": {{
    "type": "tendermint/PubKeyEd25519",
    "value": "{public_text}"
  }},
  "priv_key": {{
    "type": "tendermint/PrivKeyEd25519",
    "value": "{private}"
  }}
}}"#
        );
        fs::write(node.folder.join("config/priv_validator_key.json"), text).unwrap();
        node
    }

    pub(crate) fn key_file(&self) -> String {
        self.path("config/priv_validator_key.json")
    }

    pub(crate) fn state_file(&self) -> String {
        self.path("data/priv_validator_state.json")
    }

    /// The node signs a vote by itself, and its state says so.
    pub(crate) fn signed(&self, vote: &VoteRequest) {
        fs::write(self.state_file(), file_pv_state(&self.key, vote)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }
}

/// `priv_validator_state.json` after `vote`.
pub(crate) fn file_pv_state(key: &SigningKey, vote: &VoteRequest) -> String {
    let sign_bytes = vote.sign_bytes();
    format!(
        r#"{{
  "height": "{}",
  "round": {},
  "step": {},
  "signature": "{}",
  "signbytes": "{}"
}}"#,
        vote.height,
        vote.round,
        vote.kind + 1,
        base64(&key.sign(&sign_bytes).0),
        Hex::encode_to_string(&sign_bytes).unwrap().to_uppercase(),
    )
}

/// tmkms' state after a vote for some block; its steps are 0, 1 and 2.
pub(crate) fn tmkms_state(height: i64, round: i32, step: u8) -> String {
    let hash = "AB".repeat(32);
    format!(
        r#"{{"height":"{height}","round":"{round}","step":{step},"block_id":{{"hash":"{hash}","parts":{{"total":1,"hash":"{hash}"}}}}}}"#
    )
}

fn base64(bytes: &[u8]) -> String {
    Base64::encode_to_string(bytes).unwrap()
}
