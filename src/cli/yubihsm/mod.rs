//! `tmkms yubihsm`: a device set up, looked at, and its keys moved.
//!
//! A signer that runs has the device to itself. Commands reach it through that signer's `connector_server`, or
//! through the connector that both use; else they refuse, and never touch USB.

mod import;
mod keys;
mod prepare;
mod test;

use core::fmt::Write as _;
use core::time::Duration;

use yubihsm::Credentials;
use zeroize::Zeroizing;

use super::command::Arguments;
use super::device::yubihsm::{credentials, host, reach, read_password};
use super::report::{Report, complain, say, with_cause};
use super::setup::read_text;
use super::{Exit, config_path, terminal};
use crate::backend::Error;
use crate::backend::yubihsm::{Reach, Session, devices, greet};
use crate::config::{self, Adapter, Config, Yubihsm};
use crate::{log, store};

/// Runs one of these commands.
pub(super) fn run(words: &[&str], arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    if arguments.has("verbose") {
        log::init(true);
    }
    match words {
        [_, "detect"] => Ok(detect(arguments)),
        [_, "setup"] => prepare::run(arguments),
        [_, "test"] => test::run(arguments),
        [_, _, "list"] => Ok(keys::list(arguments)),
        [_, _, "generate"] => keys::generate(arguments),
        [_, _, "import"] => import::import(arguments),
        _ => keys::export(arguments),
    }
}

/// What a command works with: an open session, and what the configuration says of the device.
struct Desk {
    session: Session,
    config: Config,
    /// Which of `config.yubihsm`.
    provider: usize,
    /// The authentication key that is logged in.
    auth_key: u16,
    /// The signer that runs has the device as well.
    is_shared: bool,
}

impl Desk {
    /// Reads the configuration and logs in. What is in the way has been said.
    fn open(arguments: &Arguments) -> Result<Self, Exit> {
        let file = config_path(arguments);
        let config = read_config(arguments)?;
        let provider = choose(&config, arguments)?;
        let Some(chosen) = config.yubihsm.get(provider) else {
            return Err(Exit::Config);
        };
        let is_running = chosen
            .keys
            .iter()
            .flat_map(|key| &key.chain_ids)
            .filter_map(|id| {
                config
                    .chains
                    .iter()
                    .find(|chain| chain.id.value == id.value)
            })
            .any(|chain| store::is_in_use(&chain.state_file.value).unwrap_or(false));
        let server = chosen.connector_server.as_ref().filter(|_| is_running);
        let serial = chosen
            .serial_number
            .as_ref()
            .map(|serial| serial.value.clone());
        let reach = match (server, &chosen.adapter) {
            (Some(server), _) => Reach::Http {
                host: host(&server.laddr.value)
                    .replace("0.0.0.0:", "127.0.0.1:")
                    .replace("[::]:", "[::1]:"),
            },
            (None, Adapter::Usb { .. }) if is_running => {
                complain(
                    &"a signer that runs has the device",
                    "stop it for this command, or configure a `connector_server` in [[providers.yubihsm]], through which \
                     commands share the device with it",
                );
                return Err(Exit::Device);
            }
            (None, adapter) => reach(adapter, serial.clone()).0,
        };
        let default = server
            .and_then(|server| server.cli_auth_key)
            .unwrap_or(chosen.auth_key);
        let auth_key = match id_flag(arguments, "auth-key") {
            Ok(id) => id.unwrap_or(default),
            Err(error) => {
                complain(&error, "an id is a number such as 1 or 0x0001");
                return Err(Exit::Usage);
            }
        };
        let mut report = Report::new(&file);
        let credentials = if auth_key == chosen.auth_key && !arguments.has("password-file") {
            credentials(auth_key, &chosen.password, &mut report)
        } else {
            ask_password(arguments, auth_key)?
        };
        let Some(credentials) = credentials else {
            return Err(report.finish());
        };
        let session = Session::with(reach, DEADLINE, &credentials).map_err(|cause| {
            fail(&cause.error(&format!("log in with authentication key {auth_key}")))
        })?;
        let desk = Self {
            session,
            config,
            provider,
            auth_key,
            is_shared: is_running,
        };
        if let Some(wanted) = serial {
            let found = desk.serial()?;
            if found != wanted {
                return Err(fail(&Error::new(
                    format!("the device has the serial number {found}, not {wanted}"),
                    "plug the right one in, or correct `serial_number`",
                )));
            }
        }
        Ok(desk)
    }

    fn provider(&self) -> Option<&Yubihsm> {
        self.config.yubihsm.get(self.provider)
    }

    fn serial(&self) -> Result<String, Exit> {
        self.session
            .info()
            .map(|info| info.serial)
            .map_err(|cause| fail(&cause.error("say its serial number")))
    }

    /// What a command of the device gave, or what is said if it failed.
    fn done<T>(&self, result: Result<T, yubihsm::client::Error>, doing: &str) -> Result<T, Exit> {
        result.map_err(|error| fail(&self.session.cause(&error).error(doing)))
    }
}

/// Says what a device answered instead.
fn fail(error: &Error) -> Exit {
    complain(&error.what, &error.cure);
    Exit::Device
}

fn read_config(arguments: &Arguments) -> Result<Config, Exit> {
    let file = config_path(arguments);
    let mut report = Report::new(&file);
    let problems = match read_text(&file) {
        Ok(text) => match config::parse_for_device(&text) {
            Ok(parsed) => return Ok(parsed.config),
            Err(problems) => problems,
        },
        Err(error) => vec![config::Problem {
            position: None,
            message: format!("cannot read the configuration: {error}"),
            cure: "name it with -c FILE, or make one: tmkms init HOME".to_owned(),
        }],
    };
    for problem in problems {
        report.add(Exit::Config, problem);
    }
    Err(report.finish())
}

/// The only device of the configuration, or the one that is named.
fn choose(config: &Config, arguments: &Arguments) -> Result<usize, Exit> {
    let wanted = arguments
        .value("serial")
        .map(|serial| serial.to_string_lossy());
    let fits = |provider: &Yubihsm| {
        wanted.as_ref().is_none_or(|wanted| {
            provider
                .serial_number
                .as_ref()
                .is_some_and(|serial| serial.value == wanted.as_ref())
        })
    };
    let found: Vec<usize> = config
        .yubihsm
        .iter()
        .enumerate()
        .filter(|(_, provider)| fits(provider))
        .map(|(index, _)| index)
        .collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            complain(
                &"the configuration has no such [[providers.yubihsm]]",
                "add it: config/tmkms.toml of the source shows one; or correct --serial",
            );
            Err(Exit::Config)
        }
        _ => {
            complain(
                &"the configuration has several [[providers.yubihsm]]",
                "say which one with --serial NUMBER, which is its `serial_number`",
            );
            Err(Exit::Config)
        }
    }
}

fn ask_password(arguments: &Arguments, auth_key: u16) -> Result<Option<Credentials>, Exit> {
    let password = match arguments.value("password-file") {
        Some(file) => read_password(file.as_ref()),
        None => terminal::ask(&format!("password of authentication key {auth_key}: ")).map_err(
            |error| {
                format!(
                    "no terminal to ask for the password at: {}",
                    with_cause(&error)
                )
            },
        ),
    };
    match password {
        Ok(password) => Ok(Some(Credentials::from_password(auth_key, &password))),
        Err(message) => {
            complain(
                &message,
                "--password-file FILE names a file with the password",
            );
            Err(Exit::Key)
        }
    }
}

/// `1` or `0x0001`; 0 and 0xffff are the device's own.
fn parse_id(text: &str) -> Option<u16> {
    let id = match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    id.filter(|id| (1..u16::MAX).contains(id))
}

fn id_flag(arguments: &Arguments, flag: &str) -> Result<Option<u16>, lexopt::Error> {
    let Some(text) = arguments.value(flag) else {
        return Ok(None);
    };
    let text = text.to_string_lossy();
    match parse_id(&text) {
        Some(id) => Ok(Some(id)),
        None => Err(format!("{text:?} is no id: write 1 to 65534, or 0x0001 to 0xfffe").into()),
    }
}

/// `yubihsm detect`.
fn detect(arguments: &Arguments) -> Exit {
    let found = devices();
    let mut text = String::new();
    if !found.is_empty() {
        text.push_str("Detected USB YubiHSM devices:\n");
    }
    for device in &found {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "- Serial #{} (bus {}, {})",
            device.serial,
            device.bus,
            device.node()
        );
    }
    let connectors = match config_path(arguments) {
        file if file.exists() || arguments.has("config") => match read_config(arguments) {
            Ok(config) => config
                .yubihsm
                .iter()
                .filter_map(|provider| match &provider.adapter {
                    Adapter::Http { addr } => Some(host(&addr.value)),
                    Adapter::Usb { .. } => None,
                })
                .collect(),
            Err(exit) => return exit,
        },
        _ => Vec::new(),
    };
    let mut failed = false;
    for host in connectors {
        let reach = Reach::Http { host: host.clone() };
        match greet(reach, DEADLINE) {
            Ok(info) => {
                let _ = writeln!(
                    text,
                    "Detected behind the connector at {host}:\n- Serial #{} (firmware {})",
                    info.serial, info.version
                );
            }
            Err(fault) => {
                let error = fault.error();
                complain(&format_args!("{host}: {}", error.what), &error.cure);
                failed = true;
            }
        }
    }
    say(&text);
    if text.is_empty() && !failed {
        complain(
            &"no YubiHSM 2 is plugged in",
            "plug one in; behind a connector, name that in `adapter` of [[providers.yubihsm]]",
        );
    }
    if text.is_empty() {
        Exit::Device
    } else {
        Exit::Done
    }
}

/// Reads a line that may be a secret: past the buffer of the standard library, which nobody wipes.
fn read_line() -> Zeroizing<String> {
    // Room for all of it at once: what grows leaves copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_ROOM));
    let mut byte = Zeroizing::new([0]);
    while line.len() < LINE_ROOM {
        match rustix::io::read(std::io::stdin(), &mut *byte) {
            Ok(1) if *byte != [b'\n'] => line.extend_from_slice(&*byte),
            Err(rustix::io::Errno::INTR) => {}
            // What cannot be read is the end.
            Ok(_) | Err(_) => break,
        }
    }
    Zeroizing::new(String::from_utf8_lossy(&line).into_owned())
}

const LINE_ROOM: usize = 1024;

/// For one command of a command: nobody's vote waits for it.
const DEADLINE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::parse_id;

    #[test]
    fn ids_are_decimal_or_hexadecimal_and_not_the_devices_own() {
        for (text, id) in [
            ("1", Some(1)),
            ("0x0001", Some(1)),
            ("0x1A", Some(26)),
            ("65534", Some(0xfffe)),
            ("0", None),
            ("65535", None),
            ("0xffff", None),
            ("65536", None),
            ("-1", None),
            ("x", None),
            ("", None),
            ("0x", None),
        ] {
            assert_eq!(parse_id(text), id, "{text}");
        }
    }
}
