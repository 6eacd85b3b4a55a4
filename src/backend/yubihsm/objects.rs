//! What a key in the device may do, and whether that is more than signing votes takes.

use yubihsm::{Capability, object};

use super::super::Error;
use super::session::{Cause, Session};
use crate::types::PublicKey;

/// The public key of an asymmetric key that can sign for a chain.
pub(super) fn consensus_key(session: &Session, id: u16) -> Result<Result<PublicKey, Error>, Cause> {
    let public = match session.client().get_public_key(id) {
        Ok(public) => public,
        Err(error) => match session.cause(&error) {
            Cause::Device(yubihsm::device::ErrorKind::ObjectNotFound) => {
                return Ok(Err(Error::new(
                    format!(
                        "the device has no asymmetric key 0x{id:04x} that the authentication key can see"
                    ),
                    "correct `key`, or make it: `tmkms yubihsm keys list` and `keys generate`",
                )));
            }
            cause @ (Cause::Device(_) | Cause::Fault(_) | Cause::Password | Cause::Other(_)) => {
                return Err(cause);
            }
        },
    };
    let bytes: Option<[u8; 32]> = (public.algorithm == yubihsm::asymmetric::Algorithm::Ed25519)
        .then(|| public.bytes.as_slice().try_into().ok())
        .flatten();
    Ok(bytes.map(PublicKey).ok_or_else(|| {
        Error::new(
            format!(
                "key 0x{id:04x} is of the algorithm {:?}, and validators sign with Ed25519",
                public.algorithm
            ),
            "correct `key`: `tmkms yubihsm keys list` shows each key's algorithm",
        )
    }))
}

/// What a consensus key may do besides what it is for.
pub(super) fn cautions_about_key(session: &Session, id: u16) -> Vec<Error> {
    let Ok(info) = session
        .client()
        .get_object_info(id, object::Type::AsymmetricKey)
    else {
        return Vec::new();
    };
    let mut cautions = Vec::new();
    if !info.capabilities.contains(Capability::SIGN_EDDSA) {
        cautions.push(Error::new(
            format!("key 0x{id:04x} lacks the capability sign-eddsa, and cannot sign votes"),
            "make one with `tmkms yubihsm keys generate`, or import it",
        ));
    }
    if info
        .capabilities
        .contains(Capability::EXPORTABLE_UNDER_WRAP)
    {
        cautions.push(Error::new(
            format!("key 0x{id:04x} has the capability exportable-under-wrap: whoever has a wrap key of the device can take it out"),
            "keep wrap keys and the operator's password away from this machine; `keys generate --non-exportable` makes a key that stays",
        ));
    }
    let more = info
        .capabilities
        .difference(Capability::SIGN_EDDSA | Capability::EXPORTABLE_UNDER_WRAP);
    if !more.is_empty() {
        cautions.push(Error::new(
            format!(
                "key 0x{id:04x} may be used for more than votes, by its capabilities {}",
                names(more)
            ),
            "a consensus key needs sign-eddsa alone",
        ));
    }
    cautions
}

/// What the authentication key may do besides signing.
pub(super) fn cautions_about_auth(session: &Session, id: u16) -> Vec<Error> {
    let Ok(info) = session
        .client()
        .get_object_info(id, object::Type::AuthenticationKey)
    else {
        return Vec::new();
    };
    let more = info.capabilities.difference(
        Capability::SIGN_EDDSA
            | Capability::SIGN_ECDSA
            | Capability::SIGN_ATTESTATION_CERTIFICATE
            | Capability::GET_LOG_ENTRIES
            | Capability::GET_OPTION,
    );
    if more.is_empty() {
        return Vec::new();
    }
    vec![Error::new(
        format!(
            "the authentication key 0x{id:04x} may do more than sign, by its capabilities {}",
            names(more)
        ),
        "use the validator's, 4 after `tmkms yubihsm setup`",
    )]
}

/// The names of capabilities, the most dangerous first; of many only the first, of unknown ones the bits.
#[must_use]
pub fn names(capabilities: Capability) -> String {
    const SHOWN: usize = 6;
    let known: Vec<String> = KNOWN
        .iter()
        .filter(|(bit, _)| capabilities.contains(*bit))
        .map(|(_, name)| (*name).to_owned())
        .collect();
    if known.len() > SHOWN {
        let shown: Vec<String> = known.iter().take(SHOWN).cloned().collect();
        return format!(
            "{} and {} more",
            shown.join(", "),
            known.len().saturating_sub(SHOWN)
        );
    }
    if known.is_empty() {
        return format!("0x{:x}", capabilities.bits());
    }
    known.join(", ")
}

/// The most dangerous first.
const KNOWN: &[(Capability, &str)] = &[
    (Capability::RESET_DEVICE, "reset-device"),
    (Capability::EXPORT_WRAPPED, "export-wrapped"),
    (Capability::EXPORTABLE_UNDER_WRAP, "exportable-under-wrap"),
    (Capability::DELETE_ASYMMETRIC_KEY, "delete-asymmetric-key"),
    (Capability::PUT_AUTHENTICATION_KEY, "put-authentication-key"),
    (Capability::PUT_WRAP_KEY, "put-wrap-key"),
    (
        Capability::GENERATE_ASYMMETRIC_KEY,
        "generate-asymmetric-key",
    ),
    (Capability::PUT_ASYMMETRIC_KEY, "put-asymmetric-key"),
    (Capability::IMPORT_WRAPPED, "import-wrapped"),
    (
        Capability::CHANGE_AUTHENTICATION_KEY,
        "change-authentication-key",
    ),
    (
        Capability::DELETE_AUTHENTICATION_KEY,
        "delete-authentication-key",
    ),
    (Capability::DELETE_WRAP_KEY, "delete-wrap-key"),
    (Capability::GENERATE_WRAP_KEY, "generate-wrap-key"),
    (Capability::PUT_OPTION, "set-option"),
    (Capability::SIGN_SSH_CERTIFICATE, "sign-ssh-certificate"),
    (
        Capability::SIGN_ATTESTATION_CERTIFICATE,
        "sign-attestation-certificate",
    ),
    (Capability::SIGN_ECDSA, "sign-ecdsa"),
    (Capability::SIGN_EDDSA, "sign-eddsa"),
    (Capability::SIGN_PKCS, "sign-pkcs"),
    (Capability::SIGN_PSS, "sign-pss"),
    (Capability::DERIVE_ECDH, "derive-ecdh"),
    (Capability::DECRYPT_OAEP, "decrypt-oaep"),
    (Capability::DECRYPT_PKCS, "decrypt-pkcs"),
    (Capability::GET_OPAQUE, "get-opaque"),
    (Capability::PUT_OPAQUE, "put-opaque"),
    (Capability::DELETE_OPAQUE, "delete-opaque"),
    (Capability::UNWRAP_DATA, "unwrap-data"),
    (Capability::WRAP_DATA, "wrap-data"),
    (Capability::GET_PSEUDO_RANDOM, "get-pseudo-random"),
    (Capability::GENERATE_HMAC_KEY, "generate-hmac-key"),
    (Capability::PUT_HMAC_KEY, "put-hmac-key"),
    (Capability::GET_OPTION, "get-option"),
    (Capability::GET_LOG_ENTRIES, "get-log-entries"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_named_the_most_dangerous_first() {
        assert_eq!(names(Capability::SIGN_ECDSA), "sign-ecdsa");
        assert_eq!(
            names(Capability::SIGN_PSS | Capability::EXPORT_WRAPPED),
            "export-wrapped, sign-pss"
        );
        assert!(names(Capability::all()).starts_with("reset-device, export-wrapped, "));
        assert!(names(Capability::all()).ends_with(" more"));
        assert_eq!(names(Capability::UNKNOWN_CAPABILITY_48), "0x1000000000000");
    }
}
