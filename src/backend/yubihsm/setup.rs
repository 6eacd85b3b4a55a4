//! What `yubihsm setup` puts into an empty device: four roles and a wrap key, as iqlusion's tmkms does.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use yubihsm::setup::{Report, Role};
use yubihsm::{Capability, Credentials, Domain, authentication, device, object, wrap};

use super::super::Error;
use super::phrase::Phrase;
use super::session::{Cause, Session};

/// The number of an authentication key that is there only while a device is set up, and of the report after.
const SCRATCH: u16 = 0xfffe;

/// The admin's number, and that of a new device's only authentication key.
const ADMIN: u16 = 1;

/// Erases a device and sets it up for the phrase. Gives the report in JSON.
///
/// # Errors
///
/// What went wrong, and how far it came. An interrupted set-up leaves a device that can be set up again.
pub fn erase_and_set_up(session: &Session, phrase: &Phrase, now: &str) -> Result<String, Error> {
    // Made before anything is erased: deriving a password takes a while.
    let roles = roles(phrase, now);
    let wrap_key = wrap::Key::from_bytes(1, &*phrase.wrap_key())
        .map_err(|error| Error::new(error.to_string(), "this is a fault of this program"))?
        .label(label("primary", now))
        .domains(Domain::all())
        .capabilities(
            Capability::EXPORT_WRAPPED
                | Capability::IMPORT_WRAPPED
                | Capability::WRAP_DATA
                | Capability::UNWRAP_DATA,
        )
        .delegated_capabilities(Capability::all());
    let session = erase(session)?;
    let scratch = authentication::Key::random();
    let session = install(&session, &scratch)?;
    let client = session.client();
    for role in &roles {
        role.create(client)
            .map_err(|error| half_done(&format!("a role could not be made: {error}")))?;
    }
    wrap_key
        .create(client)
        .map_err(|error| half_done(&session.cause(&error).error("make the wrap key").what))?;
    let info = session
        .info()
        .map_err(|cause| half_done(&cause.error("say its number").what))?;
    let serial = info
        .serial
        .parse()
        .map_err(|_| half_done("its serial number is none"))?;
    let report = Report::new(serial);
    report
        .store(client, SCRATCH)
        .map_err(|error| half_done(&format!("the report could not be stored: {error}")))?;
    client
        .delete_object(SCRATCH, object::Type::AuthenticationKey)
        .map_err(|error| {
            half_done(
                &session
                    .cause(&error)
                    .error("delete the key of the set-up")
                    .what,
            )
        })?;
    // Whoever locks themselves out should know before the words are put away.
    for (id, password) in [
        (ADMIN, phrase.words().as_bytes()),
        (4, phrase.role("validator").as_bytes()),
    ] {
        let _ = session
            .another(&Credentials::from_password(id, password))
            .map_err(|cause| half_done(&cause.error(&format!("log in with key {id}")).what))?;
    }
    Ok(report.to_json())
}

fn half_done(what: &str) -> Error {
    Error::new(
        format!("the device is erased and half set up: {what}"),
        "run `tmkms yubihsm setup --restore` with the same words again; if no password opens the device, hold its edge \
         for ten seconds while it is plugged in, which resets it",
    )
}

/// Resets the device to how it was sold, and waits for it to come back.
fn erase(session: &Session) -> Result<Session, Error> {
    let before = session
        .info()
        .map_err(|cause| cause.error("say its number"))?;
    // It restarts instead of answering.
    let reset = session.client().reset_device();
    drop(reset);
    let since = Instant::now();
    loop {
        thread::sleep(POLL);
        match session.another(&Credentials::default()) {
            Ok(fresh) => {
                let is_same = fresh.info().is_ok_and(|info| info.serial == before.serial);
                if is_same {
                    return Ok(fresh);
                }
            }
            // As the authentication key may not reset it, the old passwords are there still.
            Err(cause) if since.elapsed() > RESET_PATIENCE => {
                return Err(Error::new(
                    format!(
                        "the device did not come back erased within {} s: {}",
                        RESET_PATIENCE.as_secs(),
                        cause.error("open it").what
                    ),
                    "an authentication key needs the capability reset-device for this: use the admin's, 1, with `--auth-key 1`",
                ));
            }
            Err(_) => {}
        }
    }
}

/// Replaces the password that every new device has by one that nobody knows.
fn install(session: &Session, scratch: &authentication::Key) -> Result<Session, Error> {
    session
        .client()
        .put_authentication_key(
            SCRATCH,
            "set-up".into(),
            Domain::all(),
            Capability::all(),
            Capability::all(),
            authentication::Algorithm::YubicoAes,
            scratch.clone(),
        )
        .map_err(|error| {
            half_done(
                &session
                    .cause(&error)
                    .error("make a key for the set-up")
                    .what,
            )
        })?;
    let session = session
        .another(&Credentials::new(SCRATCH, scratch.clone()))
        .map_err(|cause| half_done(&cause.error("log in for the set-up").what))?;
    session
        .client()
        .delete_object(ADMIN, object::Type::AuthenticationKey)
        .map_err(|error| {
            half_done(
                &session
                    .cause(&error)
                    .error("delete the first password")
                    .what,
            )
        })?;
    Ok(session)
}

/// The roles, with the numbers and capabilities that a device set up by tmkms has.
fn roles(phrase: &Phrase, now: &str) -> Vec<Role> {
    let role = |id: u16, name: &str, password: &[u8]| {
        Role::new(Credentials::from_password(id, password))
            .authentication_key_label(label(name, now))
    };
    vec![
        role(ADMIN, "admin", phrase.words().as_bytes())
            .capabilities(Capability::all())
            .delegated_capabilities(Capability::all())
            .domains(Domain::all()),
        role(2, "operator", phrase.role("operator").as_bytes())
            .capabilities(
                Capability::GENERATE_ASYMMETRIC_KEY
                    | Capability::PUT_ASYMMETRIC_KEY
                    | Capability::GENERATE_HMAC_KEY
                    | Capability::PUT_HMAC_KEY
                    | Capability::IMPORT_WRAPPED
                    | Capability::EXPORT_WRAPPED
                    | Capability::GET_OPAQUE
                    | Capability::GET_OPTION
                    | Capability::GET_LOG_ENTRIES
                    | Capability::SIGN_ATTESTATION_CERTIFICATE,
            )
            .delegated_capabilities(Capability::all())
            .domains(Domain::all()),
        role(3, "auditor", phrase.role("auditor").as_bytes())
            .capabilities(
                Capability::GET_LOG_ENTRIES
                    | Capability::GET_OPTION
                    | Capability::PUT_OPTION
                    | Capability::GET_OPAQUE,
            )
            .domains(Domain::all()),
        role(4, "validator", phrase.role("validator").as_bytes())
            .capabilities(
                Capability::SIGN_ECDSA
                    | Capability::SIGN_EDDSA
                    | Capability::SIGN_ATTESTATION_CERTIFICATE
                    | Capability::GET_LOG_ENTRIES,
            )
            .domains(Domain::DOM1),
    ]
}

/// `validator:2026-11-25T03:30:00Z`.
fn label(name: &str, now: &str) -> object::Label {
    object::Label::from_bytes(format!("{name}:{now}").as_bytes()).unwrap_or_default()
}

/// What the device itself makes up.
///
/// # Errors
///
/// [`Cause`]; the device answered with another number of bytes.
pub fn random(session: &Session) -> Result<[u8; 32], Cause> {
    let bytes = session
        .client()
        .get_pseudo_random(32)
        .map_err(|error| session.cause(&error))?;
    bytes
        .try_into()
        .map_err(|_| Cause::Device(device::ErrorKind::WrongLength))
}

const POLL: Duration = Duration::from_millis(500);
const RESET_PATIENCE: Duration = Duration::from_secs(15);
