//! The stand-in validator, held to CometBFT's own bytes and to itself.

mod validator;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ct_codecs::{Decoder, Hex};
use tmkms::keys::SigningKey;

use validator::{
    Block, Connection, Home, PRECOMMIT, PREVOTE, Process, ProposalRequest, Proto, Stream,
    Validator, VoteRequest,
};

const PATIENCE: Duration = Duration::from_secs(20);
const CHAIN: &str = "test_chain_id";
const VOTE_TIME: (i64, i32) = (1_514_170_801, 234_000_000);
const PROPOSAL_TIME: (i64, i32) = (1_518_332_962, 765_000_000);

/// The key, block and address of CometBFT's `privval/msgs_test.go`.
const SEED: &str = "9d834d3fcac4ee25536b70e15376febb697861ab573405d8b89290417fd16070";
const BLOCK_HASH: &str = "8b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80";
const PARTS_HASH: &str = "72db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a";
const ADDRESS: &str = "dc52d5cf8dfd1793d71038b342a29b01ad8a5d63";

const VOTE_REQUEST: &str = "1a95010a8301080210b9601802224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0b08b1d381d20510809dca6f3214dc52d5cf8dfd1793d71038b342a29b01ad8a5d6338074a09657874656e73696f6e120d746573745f636861696e5f6964";
const VOTE_REPLY: &str = "228a020a8702080210b9601802224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0b08b1d381d20510809dca6f3214dc52d5cf8dfd1793d71038b342a29b01ad8a5d6338074240e29376a9fbbb9e5fb08444d83bcab84fdd4cefe1dc026bfa7584a31e1c643f358ad0cf596dea430ab98dec7ff3f972f7ec219f285849a599a66e27844904b8004a09657874656e73696f6e5240dc23eefe0a41fa72bbfd8a672bdfe4243debebd4ad1571689171ab09095d7d4f9cd0d9cd2d326d0695c935b686d690e55c2013dace1c50b1a1079a8576f74201";
const NIL_REQUEST: &str = "1a410a30080210b9601802220212002a0b08b1d381d20510809dca6f3214dc52d5cf8dfd1793d71038b342a29b01ad8a5d633807120d746573745f636861696e5f6964";
const NIL_SIGNATURE: &str = "730c1f42a579621f78de706881362b553b045b126d2884ada95eb38d782d7d2b5ab6e883a87164a3c65fb0bab424ece94ce83d4fd8f480300fd0c3bea2d7f002";
const PROPOSAL_REQUEST: &str = "2a7f0a6e082010b96018a0b70120ffffffffffffffffff012a4a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a320c08a2d8ffd30510c0f2e3ec02120d746573745f636861696e5f6964";
const PROPOSAL_SIGNATURE: &str = "c59022ef36d57d9f4918b225ca8af14704a70fca909de82b75c4e50faad9497fb6b8b4091bd8138b545725a0d578cb7ac44e69efae00921f06f666a9c18ab209";
const REFUSAL: &str =
    "222c122a08021226646f75626c65207369676e696e6720726571756573746564206174206865696768743a203130";
const KEY_REPLY: &str =
    "12240a220a20556a436f1218d30942efe798420f51dc9b6a311b929c578257457d05c5fcf230";
const KEY_REPLY_V1: &str =
    "122b1a20556a436f1218d30942efe798420f51dc9b6a311b929c578257457d05c5fcf230220765643235353139";

fn unhex(text: &str) -> Vec<u8> {
    Hex::decode_to_vec(text, None).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&unhex(SEED).try_into().unwrap()).unwrap()
}

fn public_key() -> [u8; 32] {
    key().public_key().0
}

fn block() -> Block {
    Block {
        hash: unhex(BLOCK_HASH),
        total: 1_000_000,
        parts_hash: unhex(PARTS_HASH),
    }
}

fn precommit() -> VoteRequest {
    VoteRequest {
        validator_address: unhex(ADDRESS),
        ..VoteRequest::precommit(CHAIN, 12_345, 2)
            .with_block(Some(block()))
            .with_extension(b"extension")
            .at(VOTE_TIME)
    }
}

fn nil_precommit() -> VoteRequest {
    precommit().with_block(None).with_extension(b"")
}

fn proposal() -> ProposalRequest {
    ProposalRequest::new(CHAIN, 12_345, 23_456)
        .with_block(Some(block()))
        .at(PROPOSAL_TIME)
}

/// Dials `addr` as a signer and answers each request with the next of `replies`, then hangs up.
fn signer(addr: String, replies: Vec<Vec<u8>>) -> JoinHandle<io::Result<Vec<Vec<u8>>>> {
    thread::spawn(move || {
        let mut connection = match Stream::dial(&addr)? {
            stream @ Stream::Tcp(_) => Connection::handshake(stream, &key(), PATIENCE)?,
            stream @ Stream::Unix(_) => Connection::plain(stream),
        };
        let mut requests = Vec::new();
        for reply in replies {
            requests.push(connection.receive_up_to(1 << 20)?);
            connection.send(&reply)?;
        }
        Ok(requests)
    })
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("stand_in")
        .join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn asks_in_the_bytes_that_nodes_send() {
    for (name, request, bytes) in [
        ("vote", precommit().body(), VOTE_REQUEST),
        ("nil", nil_precommit().body(), NIL_REQUEST),
        ("proposal", proposal().body(), PROPOSAL_REQUEST),
    ] {
        assert_eq!(request, unhex(bytes), "{name}");
    }
}

/// Rows of CometBFT's `TestVoteSignBytesTestVectors` and of tmkms' `src/privval.rs`, and the requests
/// above.
#[test]
#[rustfmt::skip]
fn makes_the_sign_bytes_that_nodes_verify() {
    let vote = |chain, kind, height, round| VoteRequest { block: None, time: None, ..VoteRequest::new(chain, kind, height, round) };
    let proposal_1 = |pol_round| ProposalRequest { round: 1, pol_round, ..proposal() };
    for (name, made, bytes) in [
        ("all zero", vote("", 0, 0, 0).sign_bytes(), "0d2a0b088092b8c398feffffff01"),
        ("precommit", vote("", PRECOMMIT, 1, 1).sign_bytes(), "2108021101000000000000001901000000000000002a0b088092b8c398feffffff01"),
        ("prevote", vote("", PREVOTE, 1, 1).sign_bytes(), "2108011101000000000000001901000000000000002a0b088092b8c398feffffff01"),
        ("chain", vote(CHAIN, 0, 1, 1).sign_bytes(), "2e1101000000000000001901000000000000002a0b088092b8c398feffffff01320d746573745f636861696e5f6964"),
        ("epoch", vote(CHAIN, PREVOTE, 1, 0).at((0, 0)).sign_bytes(), "1c08011101000000000000002a00320d746573745f636861696e5f6964"),
        ("block", precommit().sign_bytes(), "7c0802113930000000000000190200000000000000224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0b08b1d381d20510809dca6f320d746573745f636861696e5f6964"),
        ("nil", nil_precommit().sign_bytes(), "3008021139300000000000001902000000000000002a0b08b1d381d20510809dca6f320d746573745f636861696e5f6964"),
        ("extension", precommit().extension_sign_bytes(), "2c0a09657874656e73696f6e113930000000000000190200000000000000220d746573745f636861696e5f6964"),
        ("no extension", vote(CHAIN, PRECOMMIT, 1, 0).extension_sign_bytes(), "18110100000000000000220d746573745f636861696e5f6964"),
        ("proposal", proposal().sign_bytes(), "8801082011393000000000000019a05b00000000000020ffffffffffffffffff012a4a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a320c08a2d8ffd30510c0f2e3ec023a0d746573745f636861696e5f6964"),
        ("pol 0", proposal_1(0).sign_bytes(), "7d08201139300000000000001901000000000000002a4a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a320c08a2d8ffd30510c0f2e3ec023a0d746573745f636861696e5f6964"),
        ("nil proposal", ProposalRequest { block: None, ..ProposalRequest::new(CHAIN, 12_345, 1).at((1_696_413_600, 0)) }.sign_bytes(), "36082011393000000000000019010000000000000020ffffffffffffffffff01320608a0eff4a8063a0d746573745f636861696e5f6964"),
    ] {
        assert_eq!(made, unhex(bytes), "{name}");
    }
}

#[test]
fn reads_what_a_signer_answers_on_both_kinds_of_socket() {
    let folder = folder("answers");
    for validator in [
        Validator::listen_tcp().unwrap(),
        Validator::listen_unix(&folder.join("socket")).unwrap(),
    ] {
        let nil_reply = Proto::new()
            .message(5, &Proto::new().int(1, VOTE_TIME.0).int(2, 234_000_000))
            .bytes(8, &unhex(NIL_SIGNATURE));
        let nil_reply = Proto::new().message(4, &Proto::new().message(1, &nil_reply));
        let proposal_reply = Proto::new().bytes(7, &unhex(PROPOSAL_SIGNATURE));
        let proposal_reply = Proto::new().message(6, &Proto::new().message(1, &proposal_reply));
        let signer = signer(
            validator.addr(),
            vec![
                unhex("4200"),
                unhex(KEY_REPLY),
                unhex(KEY_REPLY_V1),
                unhex(VOTE_REPLY),
                nil_reply.into_bytes(),
                unhex(REFUSAL),
                proposal_reply.into_bytes(),
            ],
        );
        let mut node = validator.accept(PATIENCE).unwrap();
        node.ping().unwrap();
        let key = node.pub_key(CHAIN).unwrap();
        assert_eq!(key.ed25519.unwrap(), public_key());
        let key = node.pub_key("").unwrap();
        assert_eq!(key.typed.unwrap(), (public_key().into(), "ed25519".into()));

        let vote = precommit();
        let reply = node.sign_vote(&vote).unwrap();
        assert!(reply.signs(&public_key(), &vote.sign_bytes()));
        assert!(!reply.signs(&public_key(), &nil_precommit().sign_bytes()));
        assert!(reply.signs_extension(&public_key(), &vote.extension_sign_bytes()));
        assert_eq!((reply.time, reply.error), (VOTE_TIME, None));
        assert_eq!(reply.fields.bytes(9), Some(&b"extension"[..]));

        let vote = nil_precommit();
        let reply = node.sign_vote(&vote).unwrap();
        assert!(reply.signs(&public_key(), &vote.sign_bytes()));
        assert!(reply.extension_signature.is_empty());

        let reply = node.sign_vote(&vote).unwrap();
        assert!(!reply.signs(&public_key(), &vote.sign_bytes()));
        let error = "error 2: double signing requested at height: 10";
        assert_eq!(reply.accepted(), Err(error.to_owned()));

        let reply = node.sign_proposal(&proposal()).unwrap();
        assert!(reply.signs(&public_key(), &proposal().sign_bytes()));
        node.expect_close().unwrap();

        let requests = signer.join().unwrap().unwrap();
        assert_eq!(requests[0], [0x3a, 0]);
        assert_eq!(requests[1], unhex("0a0f0a0d746573745f636861696e5f6964"));
        assert_eq!(requests[2], unhex("0a00"));
        assert_eq!(requests[3], unhex(VOTE_REQUEST));
    }
}

#[test]
fn carries_messages_of_many_frames() {
    let validator = Validator::listen_tcp().unwrap();
    let signer = signer(validator.addr(), vec![unhex("4200")]);
    let mut node = validator.accept(PATIENCE).unwrap();
    assert_eq!(node.peer(), Some(key().public_key()));
    let long = vec![0x5a; 100_000];
    node.request(&long).unwrap();
    assert_eq!(signer.join().unwrap().unwrap(), [long]);
}

#[test]
fn knows_a_wrong_answer() {
    let ping = unhex("4200");
    let cases = [
        ("of another type", vec![ping.clone()]),
        ("two responses", vec![[unhex(REFUSAL), ping].concat()]),
        ("nothing", vec![vec![]]),
        ("cut off", vec![unhex(VOTE_REPLY)[..100].to_vec()]),
        ("too long", vec![vec![0x22; 10_241]]),
        ("none at all", vec![]),
    ];
    for (name, replies) in cases {
        let validator = Validator::listen_tcp().unwrap();
        let signer = signer(validator.addr(), replies);
        let mut node = validator.accept(PATIENCE).unwrap();
        assert!(node.sign_vote(&precommit()).is_err(), "{name}");
        let _ = signer.join().unwrap();
    }
}

#[test]
fn gives_up_on_a_silent_signer() {
    let validator = Validator::listen_tcp().unwrap();
    let nobody = validator.accept_stream(Duration::from_millis(1)).err();
    assert_eq!(nobody.unwrap().kind(), io::ErrorKind::TimedOut);

    let silent = Stream::dial(&validator.addr()).unwrap();
    let error = validator.accept(Duration::from_millis(50)).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(silent);
}

#[test]
fn hangs_up_on_bytes_that_were_changed_on_their_way() {
    let validator = Validator::listen_tcp().unwrap();
    let signer = signer(validator.addr(), vec![unhex("4200")]);
    let mut node = validator.accept(PATIENCE).unwrap();
    let mut sealed = node.sealed(&unhex("023a00")).unwrap();
    sealed[500] ^= 1;
    node.stream().write_all(&sealed).unwrap();
    node.expect_close().unwrap();
    assert!(signer.join().unwrap().is_err());
}

#[test]
fn comes_back_at_the_same_port() {
    let validator = Validator::listen_tcp().unwrap();
    let addr = validator.host_and_port();
    drop(validator);
    assert!(Stream::dial(&addr).is_err());
    let validator = Validator::listen_tcp_at(&addr).unwrap();
    assert!(Stream::dial(&validator.addr()).is_ok());
}

#[test]
fn follows_a_process_through_its_lines() {
    let script = "echo one; echo two >&2; echo three; exec sleep 60";
    let mut process = Process::spawn(Command::new("sh").args(["-c", script])).unwrap();
    assert_eq!(process.wait_for("hree", PATIENCE).unwrap(), "three");
    assert!(process.wait_for("one", Duration::ZERO).is_err());
    let status = process.stop(PATIENCE).unwrap().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(15)
    );

    let mut process = Process::spawn(Command::new("sh").args(["-c", "exit 3"])).unwrap();
    assert!(process.wait_for("anything", PATIENCE).is_err());
    assert_eq!(process.wait(PATIENCE).unwrap().unwrap().code(), Some(3));
}

#[test]
fn lays_out_a_home_directory() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::new(&folder("home")).unwrap();
    home.chain(CHAIN, "sign_extensions = true").unwrap();
    home.validator(CHAIN, "tcp://127.0.0.1:1", "").unwrap();
    let config = std::fs::read_to_string(home.config()).unwrap();
    assert_eq!(config.matches("[[").count(), 3);
    let key = home
        .write_key("test_chain_id-consensus.key", &[1; 32])
        .unwrap();
    assert_eq!(key, home.key_file(CHAIN));
    for (name, mode) in [("secrets", 0o700), ("secrets/kms-identity.key", 0o600)] {
        let metadata = std::fs::metadata(home.path(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    let output = home.run("cat", &["tmkms.toml"]).unwrap();
    assert_eq!(output.stdout, config.as_bytes());
}
