//! An authority, and servers' certificates right and wrong, made once for a directory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use time::{Duration, OffsetDateTime};

use crate::Result;

/// The certificates that the server can show.
pub const KINDS: [&str; 5] = ["good", "other-name", "other-ca", "expired", "future"];

pub struct Certificates {
    /// In the order of `KINDS`, each without and with a client certificate asked for.
    configs: Vec<[Arc<ServerConfig>; 2]>,
}

impl Certificates {
    pub fn open(dir: &Path) -> Result<Self> {
        if !dir.join("ca.pem").exists() {
            make(dir)?;
        }
        let configs: Result<Vec<_>> = KINDS
            .iter()
            .map(|kind| Ok([config(dir, kind, false)?, config(dir, kind, true)?]))
            .collect();
        Ok(Self { configs: configs? })
    }

    pub fn config(&self, kind: &str, asks_client: bool) -> Option<Arc<ServerConfig>> {
        let index = KINDS.iter().position(|known| *known == kind)?;
        let configs = self.configs.get(index)?;
        configs.get(usize::from(asks_client)).cloned()
    }
}

fn config(dir: &Path, kind: &str, asks_client: bool) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = if asks_client {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(dir.join("ca.pem"))? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build()?)
    } else {
        builder.with_no_client_auth()
    };
    let chain: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(dir.join(format!("{kind}.pem")))?.collect();
    let key = PrivateKeyDer::from_pem_file(dir.join(format!("{kind}.key")))?;
    let mut config = builder.with_single_cert(chain?, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn make(dir: &Path) -> Result<()> {
    let ca = authority("An authority")?;
    let other = authority("Another authority")?;
    let now = OffsetDateTime::now_utc();
    for kind in KINDS {
        let names = match kind {
            "other-name" => vec!["elsewhere.example".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match kind {
            "expired" => {
                params.not_before = now - Duration::days(30);
                params.not_after = now - Duration::days(1);
            }
            "future" => params.not_before = now + Duration::days(1),
            _ => {}
        }
        let key = KeyPair::generate()?;
        let issuer = if kind == "other-ca" { &other } else { &ca };
        let certificate = params.signed_by(&key, issuer)?;
        fs::write(dir.join(format!("{kind}.pem")), certificate.pem())?;
        write_secret(&dir.join(format!("{kind}.key")), &key.serialize_pem())?;
    }
    for (name, issuer) in [("client", &ca), ("other-client", &other)] {
        let mut params = CertificateParams::new(Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        fs::write(dir.join(format!("{name}.pem")), certificate.pem())?;
        write_secret(&dir.join(format!("{name}.key")), &key.serialize_pem())?;
    }
    // Last: it says that all the others are there.
    fs::write(dir.join("ca.pem"), ca.pem())?;
    Ok(())
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A file for its owner alone.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())?;
    Ok(())
}
