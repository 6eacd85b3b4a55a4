//! Messages of a node: the length before them, the message, and the values in it. What is accepted is
//! signed as bytes that parse, and refused in a reply that a node reads.

#![cfg_attr(fuzzing, no_main)]

use tmkms::canon::SignBytes;
use tmkms::types::{ChainId, Proposal, Vote};
use tmkms::wire::{self, MAX_REQUEST_LEN, Refusal, Request};

pub fn check(bytes: &[u8]) {
    let Ok(Some(prefix)) = wire::frame_len(bytes) else {
        return;
    };
    assert!(prefix.body_len <= MAX_REQUEST_LEN && prefix.prefix_len <= bytes.len());
    let Some(body) = bytes.get(prefix.prefix_len..) else {
        return;
    };
    let Ok(request) = wire::decode(body) else {
        return;
    };
    let chain = ChainId::new("fuzz-1").unwrap();
    let sign_bytes = match &request {
        Request::SignVote { vote, .. } => Vote::try_from(vote)
            .ok()
            .map(|vote| SignBytes::vote(&chain, &vote)),
        Request::SignProposal { proposal, .. } => Proposal::try_from(proposal)
            .ok()
            .map(|proposal| SignBytes::proposal(&chain, &proposal)),
        _ => None,
    };
    if let Some(sign_bytes) = sign_bytes {
        assert_eq!(SignBytes::parse(sign_bytes.as_bytes()).unwrap(), sign_bytes);
    }
    let mut reply = Vec::new();
    let description = String::from_utf8_lossy(body);
    let refused = request.refuse(Refusal {
        code: 2,
        description: &description,
    });
    wire::encode(&refused, &mut reply);
    assert!(reply.len() <= 10_240, "a reply of {} bytes", reply.len());
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));
