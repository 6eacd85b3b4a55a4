//! `yubihsm test`: a device that signs, shown without the key that must sign nothing else.

use std::time::{Duration, Instant};

use yubihsm::{Capability, Domain, asymmetric, object};

use super::super::Exit;
use super::super::command::Arguments;
use super::super::report::{complain, say};
use super::{Desk, parse_id};
use crate::keys::verify;
use crate::types::{PublicKey, Signature};

pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let given = match arguments
        .operands
        .first()
        .map(|text| text.to_string_lossy())
    {
        None => None,
        Some(text) => Some(parse_id(&text).ok_or_else(|| format!("{text:?} is no id of a key"))?),
    };
    let count = arguments.parsed::<u32>("count")?.unwrap_or(COUNT);
    Ok(match test(arguments, given, count) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    })
}

fn test(arguments: &Arguments, given: Option<u16>, count: u32) -> Result<(), Exit> {
    let desk = Desk::open(arguments)?;
    if let Some(id) = given {
        let chains = desk.chains_of(id);
        if !chains.is_empty() {
            complain(
                &format_args!(
                    "key 0x{id:04x} signs for {}, and a consensus key is never used for a test",
                    chains.join(", ")
                ),
                "leave KEY_ID out: the test makes a key of its own",
            );
            return Err(Exit::Key);
        }
        return sign(&desk, id, count);
    }
    let id = free_id(&desk)?;
    may_delete(&desk)?;
    let made = desk.session.client().generate_asymmetric_key(
        id,
        "tmkms self-test, may be deleted".into(),
        Domain::DOM1,
        Capability::SIGN_EDDSA,
        asymmetric::Algorithm::Ed25519,
    );
    let _ = desk.done(made, "make a key for the test")?;
    say(&format!("made key 0x{id:04x} for the test\n"));
    let signed = sign(&desk, id, count);
    let deleted = desk
        .session
        .client()
        .delete_object(id, object::Type::AsymmetricKey);
    desk.done(
        deleted,
        &format!("delete key 0x{id:04x}, which was made for the test"),
    )?;
    say(&format!("deleted key 0x{id:04x}\n"));
    signed
}

fn sign(desk: &Desk, id: u16, count: u32) -> Result<(), Exit> {
    let client = desk.session.client();
    let public = desk.done(client.get_public_key(id), &format!("read key 0x{id:04x}"))?;
    let Ok(key) = <[u8; 32]>::try_from(public.bytes.as_slice()).map(PublicKey) else {
        complain(
            &format_args!("key 0x{id:04x} is of the algorithm {:?}", public.algorithm),
            "name an Ed25519 key, or leave KEY_ID out",
        );
        return Err(Exit::Key);
    };
    let mut total = Duration::ZERO;
    for at in 1..=count {
        let since = Instant::now();
        let signed = client.sign_ed25519(id, &MESSAGE[..]);
        let took = since.elapsed();
        let signature = desk.done(signed, &format!("sign with key 0x{id:04x}"))?;
        if !verify(&key, &MESSAGE, &Signature(signature.to_bytes())) {
            complain(
                &format_args!("signature {at} is wrong"),
                "do not sign with this device: have it looked at",
            );
            return Err(Exit::Device);
        }
        total = total.saturating_add(took);
        say(&format!(
            "signature {at}: verified, {:.1} ms\n",
            took.as_secs_f64() * 1000.0
        ));
    }
    if let Some(mean) = total.checked_div(count) {
        say(&format!(
            "{count} signatures, {:.1} ms each\n",
            mean.as_secs_f64() * 1000.0
        ));
    }
    Ok(())
}

/// A number that no key of the device has.
fn free_id(desk: &Desk) -> Result<u16, Exit> {
    let client = desk.session.client();
    let free = (FIRST..=LAST).find(|id| {
        client
            .get_object_info(*id, object::Type::AsymmetricKey)
            .is_err()
    });
    free.ok_or_else(|| {
        complain(
            &format_args!("the device has keys at all numbers from 0x{FIRST:04x} to 0x{LAST:04x}"),
            "delete those of earlier tests with yubihsm-shell",
        );
        Exit::Device
    })
}

/// What cannot be deleted again is not made.
fn may_delete(desk: &Desk) -> Result<(), Exit> {
    let needed = Capability::GENERATE_ASYMMETRIC_KEY
        | Capability::DELETE_ASYMMETRIC_KEY
        | Capability::SIGN_EDDSA;
    let info = desk
        .session
        .client()
        .get_object_info(desk.auth_key, object::Type::AuthenticationKey);
    let info = desk.done(info, "say what the authentication key may do")?;
    let lacking = needed.difference(info.capabilities);
    if lacking.is_empty() {
        return Ok(());
    }
    complain(
        &format_args!(
            "authentication key {} lacks the capabilities {} for a test with a key of its own",
            desk.auth_key,
            crate::backend::yubihsm::names(lacking)
        ),
        "log in as admin: --auth-key 1. Nothing was changed",
    );
    Err(Exit::Device)
}

/// What is signed: no vote, no proposal, no extension.
const MESSAGE: [u8; 128] = [0; 128];
const COUNT: u32 = 10;
/// Numbers for the test, at the end of the range.
const FIRST: u16 = 0xff00;
const LAST: u16 = 0xff0f;
