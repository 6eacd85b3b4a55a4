//! `[[providers.yubihsm]]` as a device.

use core::time::Duration;

use yubihsm::Credentials;
use zeroize::Zeroizing;

use super::super::Exit;
use super::super::holder::ChainKey;
use super::super::report::{Report, with_cause};
use super::Ask;
use super::hold::{Provider, Slot, hold};
use crate::backend::yubihsm::{Reach, Settings, Yubihsm};
use crate::config::{Adapter, Address, Config, KeyType, Password, Problem, Spanned};
use crate::files;

/// The keys of all chains whose provider this is. What is wrong goes into the report.
pub(super) fn chain_keys(config: &Config, ask: Ask, report: &mut Report) -> Vec<ChainKey> {
    let mut found = Vec::new();
    for provider in &config.yubihsm {
        let keys: Vec<_> = provider
            .keys
            .iter()
            .filter(|key| key.key_type == KeyType::Consensus)
            .collect();
        if keys.is_empty() {
            continue;
        }
        let position = provider.position;
        let Some(credentials) = credentials(provider.auth_key, &provider.password, report) else {
            continue;
        };
        let (reach, deadline) = reach(
            &provider.adapter,
            provider
                .serial_number
                .as_ref()
                .map(|serial| serial.value.clone()),
        );
        let device = Yubihsm::new(Settings {
            reach,
            deadline,
            serial: provider
                .serial_number
                .as_ref()
                .map(|serial| serial.value.clone()),
            credentials,
            keys: keys.iter().map(|key| key.id.value).collect(),
            audit_log: provider.audit_log.as_ref().map(|path| path.value.clone()),
        });
        let slots = keys
            .iter()
            .map(|key| Slot {
                chain_ids: key.chain_ids.clone(),
                position: key.id.position,
            })
            .collect();
        if let Some(server) = provider
            .connector_server
            .as_ref()
            .filter(|_| ask == Ask::Always)
        {
            share(&device, &server.laddr, report);
        }
        let cautions = device.cautions();
        let provider = Provider {
            name: "yubihsm",
            is_shared: matches!(provider.adapter, Adapter::Http { .. }),
            position,
            slots,
        };
        found.extend(hold(device, &provider, &config.chains, ask, report));
        for caution in cautions.take() {
            report.warning(Problem {
                position: Some(position),
                message: caution.what.into_owned(),
                cure: caution.cure.into_owned(),
            });
        }
    }
    found
}

/// The way to a device, and how long a command may take on it.
pub(in crate::cli) fn reach(adapter: &Adapter, serial: Option<String>) -> (Reach, Duration) {
    match adapter {
        Adapter::Usb { timeout } => (Reach::Usb { serial }, *timeout),
        Adapter::Http { addr } => (
            Reach::Http {
                host: host(&addr.value),
            },
            HTTP_DEADLINE,
        ),
    }
}

/// `host:port`, with the brackets that an IPv6 literal needs.
pub(in crate::cli) fn host(address: &Address) -> String {
    match address {
        Address::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Tcp { host, port, .. } => format!("{host}:{port}"),
        Address::Unix(path) => path.display().to_string(),
    }
}

/// An authentication key with what its password, wherever that is, makes of it.
pub(in crate::cli) fn credentials(
    key: u16,
    password: &Password,
    report: &mut Report,
) -> Option<Credentials> {
    let file = match password {
        Password::Text(text) => {
            return Some(Credentials::from_password(key, text.expose().as_bytes()));
        }
        Password::File(file) => file,
    };
    match read_password(&file.value) {
        Ok(password) => Some(Credentials::from_password(key, &password)),
        Err(message) => {
            report.problem(
                Exit::Key,
                file.position,
                message,
                "`password_file` holds the password of the authentication key in one line"
                    .to_owned(),
            );
            None
        }
    }
}

/// The password in a file, without the end of its line.
pub(in crate::cli) fn read_password(path: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = files::read_secret(path).map_err(|error| with_cause(&error))?;
    let password = text.trim_ascii();
    if password.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(Zeroizing::new(password.to_vec()))
}

/// Lets other programs use the device while the signer has it.
fn share(device: &Yubihsm, laddr: &Spanned<Address>, report: &mut Report) {
    let host = host(&laddr.value);
    let served = device.serve(&host).and_then(|server| {
        let address = server.address()?;
        server.start()?;
        Ok(address)
    });
    match served {
        Ok(address) if address.ip().is_loopback() => {}
        Ok(address) => report.warning(Problem {
            position: Some(laddr.position),
            message: format!(
                "the device is offered to whoever reaches {address}: only its passwords protect it"
            ),
            cure: "listen on 127.0.0.1, unless a firewall stands before it".to_owned(),
        }),
        Err(error) => report.problem(
            Exit::Device,
            laddr.position,
            format!("cannot listen on {host}: {error}"),
            "correct `laddr`, or stop what listens there, such as yubihsm-connector".to_owned(),
        ),
    }
}

/// For one command through a connector.
const HTTP_DEADLINE: Duration = Duration::from_secs(2);
