//! Whom we trust, and how we show who we are, before a word of HTTP.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::fault::Fault;
use crate::config::ClientCertificate;
use crate::files;

/// Reads the files that TLS needs.
///
/// # Errors
///
/// [`Fault`] of the kind `Wrong`, which names the file.
pub(super) fn read(
    ca_file: Option<&Path>,
    client: Option<&ClientCertificate>,
) -> Result<Arc<ClientConfig>, Fault> {
    let roots = match ca_file {
        // Whoever runs a service of his own wants no other to be able to pass for it.
        Some(path) => authorities(path)?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::of_tls(&error))?
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let (chain, key) = certificate(client)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                Fault::wrong(
                    format!(
                        "{} and {} do not fit: {error}",
                        client.cert_file.value.display(),
                        client.key_file.value.display()
                    ),
                    "name a certificate and the key that it was made for",
                )
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| {
            Fault::wrong(
                format!("{} has a certificate that is none: {error}", path.display()),
                PEM_CURE,
            )
        })?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let (text, _) = files::read_foreign(path).map_err(|error| unreadable(&error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(Fault::wrong(
            format!("{} has no certificate in PEM", path.display()),
            PEM_CURE,
        )),
    }
}

fn certificate(
    client: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Fault> {
    let chain = certificates(&client.cert_file.value)?;
    let path = &client.key_file.value;
    let text = files::read_secret(path).map_err(|error| unreadable(&error))?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        Fault::wrong(
            format!("{} has no private key in PEM", path.display()),
            "it begins with -----BEGIN PRIVATE KEY-----, and is not encrypted",
        )
    })?;
    Ok((chain, key))
}

const PEM_CURE: &str = "it begins with -----BEGIN CERTIFICATE-----";

/// Reads the API key from a file: what stands in its only line.
pub(super) fn api_key(path: &Path) -> Result<Zeroizing<String>, Fault> {
    let bytes = files::read_secret(path).map_err(|error| unreadable(&error))?;
    match core::str::from_utf8(bytes.trim_ascii()) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Fault::wrong(
            format!("{} is no text", path.display()),
            "put the app's API key into it",
        )),
    }
}

fn unreadable(error: &files::Error) -> Fault {
    use core::error::Error as _;
    let cause = error.source().map(|cause| format!(": {cause}"));
    Fault::wrong(
        format!("{error}{}", cause.unwrap_or_default()),
        "is the path right, and may this user read it?",
    )
}
