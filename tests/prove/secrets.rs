//! Secrets in memory: the whole memory of the real program is read from outside and searched for its keys,
//! as they are and in every encoding they come in.

use std::error::Error;
use std::fs;
use std::os::unix::fs::FileExt;

use ct_codecs::{Base64, Encoder, Hex};

use super::ground::{Ground, Node, Outcome, SEED, key};
use super::validator::{Validator, VoteRequest};

const CHAIN: &str = "secrets-1";
const IDENTITY: [u8; 32] = super::validator::IDENTITY_SEED;

pub fn run(ground: &Ground) -> Outcome {
    running(ground)
}

/// A signer that has read its keys, shaken hands and signed holds each key once, and nothing else of them.
fn running(ground: &Ground) -> Outcome {
    let node = Node::new(&ground.on_disk("secrets")?, CHAIN)?;
    let tcp = Validator::listen_tcp()?;
    node.home.validator(CHAIN, &tcp.addr(), "")?;
    node.init(ground)?;
    let (process, mut unix) = node.start(ground)?;
    let mut sealed = tcp.accept(super::ground::PATIENCE)?;
    for height in 1..20 {
        let vote = VoteRequest::precommit(CHAIN, height, 0).with_extension(b"extension");
        let connection = if height % 2 == 0 {
            &mut unix
        } else {
            &mut sealed
        };
        let _ = connection.sign_vote(&vote)?.accepted()?;
    }
    let memory = Memory::of(process.id())?;
    // The search works: what is in memory for certain is found.
    if memory.count(&key().public_key().0) == 0 {
        return Err("the public key is not found, so the search finds nothing".into());
    }
    let (mut wrong, mut total) = (Vec::new(), 0);
    for (name, seed) in [("consensus", &SEED), ("identity", &IDENTITY)] {
        for (form, bytes, allowed) in forms(seed)? {
            let found = memory.count(&bytes);
            total += found;
            if found > allowed {
                wrong.push(format!(
                    "{name} key as {form}: {found} times, not {allowed}"
                ));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("; ").into());
    }
    ground.say(&format!(
        "while it signs: {} KiB of memory searched for two keys in seven forms: found {total} times",
        memory.len() / 1024
    ));
    Ok(())
}

type Form = (&'static str, Vec<u8>, usize);

/// How a key could lie in memory, and how often it may in a signer that needs it.
fn forms(seed: &[u8; 32]) -> Result<Vec<Form>, Box<dyn Error>> {
    use sha2::{Digest, Sha512};
    let base64 = Base64::encode_to_string(seed)?;
    let hex = Hex::encode_to_string(seed)?;
    // What Ed25519 makes of a seed: the scalar and the prefix.
    let expanded = Sha512::digest(seed);
    let mut scalar = expanded[..32].to_vec();
    scalar[0] &= 0xf8;
    scalar[31] = scalar[31] & 0x3f | 0x40;
    Ok(vec![
        ("its seed", seed.to_vec(), 1),
        (
            "base64",
            base64.trim_end_matches('=').as_bytes()[..40].to_vec(),
            0,
        ),
        ("hexadecimal digits", hex.clone().into_bytes(), 0),
        ("upper-case digits", hex.to_uppercase().into_bytes(), 0),
        ("its scalar", scalar, 0),
        ("its hash", expanded.to_vec(), 0),
        ("its prefix", expanded[32..].to_vec(), 0),
    ])
}

struct Memory(Vec<Vec<u8>>);

impl Memory {
    /// Everything of a process that can be written to.
    fn of(pid: u32) -> Result<Self, Box<dyn Error>> {
        let file = fs::File::open(format!("/proc/{pid}/mem"))?;
        let mut regions = Vec::new();
        for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
            let mut words = line.split(' ');
            let (range, mode) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            if !mode.starts_with("rw") {
                continue;
            }
            let (from, to) = range.split_once('-').ok_or("a range")?;
            let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
            let mut bytes = vec![0; (to - from) as usize];
            if file.read_exact_at(&mut bytes, from).is_ok() {
                regions.push(bytes);
            }
        }
        Ok(Self(regions))
    }

    fn count(&self, needle: &[u8]) -> usize {
        self.0
            .iter()
            .map(|region| {
                region
                    .windows(needle.len())
                    .filter(|window| *window == needle)
                    .count()
            })
            .sum()
    }

    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}
