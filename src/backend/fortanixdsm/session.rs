//! Who we are to the service, and the one connection that is kept warm.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::connection::{Connection, Route};
use super::fault::{Act, Fault, safe_text};
use super::http::{Broken, Reply};
use super::resolver::Resolver;
use super::service::{self, Credential, is_credential};
use super::{after, tls};
use crate::config::{self, ClientCertificate};

/// The name under which systemd hands the API key over.
const CREDENTIAL: &str = "fortanix-api-key";
/// The variable that holds the API key, if nothing else does.
const VARIABLE: &str = "FORTANIX_API_KEY";

/// How long the end of a session may take: nobody is to wait for it.
const LEAVE_MAX: Duration = Duration::from_millis(300);

/// How often a session that cannot be renewed is spoken of.
const REMINDER: Duration = Duration::from_mins(1);

/// How long before its end a session is not used any more: a request may be on its way so long.
const MARGIN: Duration = Duration::from_secs(3);

/// Where the API key is read, at each opening anew, so that another one can be put there.
pub(super) enum KeySource {
    Text(Zeroizing<String>),
    File(PathBuf),
    Surroundings,
}

/// A session with the service, over a connection that is made when it is needed.
pub(super) struct Session {
    route: Route,
    host: String,
    key: KeySource,
    ca_file: Option<PathBuf>,
    client: Option<ClientCertificate>,
    /// Read at each opening.
    opened: Option<Opened>,
    token: Option<Token>,
    connection: Option<Connection>,
}

struct Opened {
    api_key: Zeroizing<String>,
    config: Arc<ClientConfig>,
}

struct Token {
    text: Zeroizing<String>,
    /// When another one is asked for.
    renew: Instant,
    /// When this one is used no more.
    end: Instant,
    /// When it was last said that it cannot be renewed.
    spoken: Option<Instant>,
}

impl Session {
    pub(super) fn new(config: &config::Fortanixdsm, key: KeySource) -> Self {
        let service = config.api_endpoint.value.clone();
        Self {
            host: service.authority(443),
            route: Route {
                service,
                proxy: config.proxy.as_ref().map(|proxy| proxy.value.clone()),
                resolver: Resolver::default(),
                timeout: config.timeout,
            },
            key,
            ca_file: config.ca_file.as_ref().map(|path| path.value.clone()),
            client: config.client_certificate.clone(),
            opened: None,
            token: None,
            connection: None,
        }
    }

    /// Begins anew: files, connection and session.
    pub(super) fn enter(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.connection = None;
        self.token = None;
        self.opened = None;
        let api_key = self.key.read()?;
        if !is_credential(&api_key) {
            return Err(Fault::wrong(
                "its API key is not one: an API key is one word of base64",
                "copy the app's API key anew from the service's pages",
            ));
        }
        self.opened = Some(Opened {
            api_key,
            config: tls::read(self.ca_file.as_deref(), self.client.as_ref())?,
        });
        self.authenticate(deadline)
    }

    /// Asks something within the session. One that the service no longer knows is begun anew, once.
    pub(super) fn ask(
        &mut self,
        act: Act<'_>,
        body: &str,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let mut is_new = false;
        loop {
            let now = Instant::now();
            let Some(token) = self.token.as_ref().filter(|token| now < token.end) else {
                self.authenticate(deadline)?;
                is_new = true;
                continue;
            };
            let request = service::request(&self.host, act, Credential::Token(&token.text), body);
            let reply = self.send(&request, deadline)?;
            if reply.status == 401 && !is_new {
                self.token = None;
                continue;
            }
            return self.accepted(reply, act);
        }
    }

    /// Sees to it that there is a connection, and a session that lasts.
    pub(super) fn keep(&mut self, deadline: Instant) -> Result<(), Fault> {
        if !self.connection.as_mut().is_some_and(Connection::is_quiet) {
            self.connection = None;
            self.connection = Some(self.connect(deadline)?);
        }
        self.renew(deadline);
        Ok(())
    }

    /// Renews a session that has run most of its time. While it lasts, that may fail.
    pub(super) fn renew(&mut self, deadline: Instant) {
        let now = Instant::now();
        let Some(token) = self.token.as_ref().filter(|token| token.renew <= now) else {
            return;
        };
        let (end, spoken) = (token.end, token.spoken);
        let Err(fault) = self.authenticate(deadline) else {
            return;
        };
        let is_due = spoken.is_none_or(|spoken| now.duration_since(spoken) >= REMINDER);
        if is_due {
            log::warn!(
                target: "tmkms::keyring",
                "[Fortanix DSM {}] the session is not renewed: {}; it lasts for {} s more",
                self.host, fault.error, end.saturating_duration_since(now).as_secs()
            );
        }
        if let Some(token) = &mut self.token {
            token.renew = after(RENEW_AGAIN);
            if is_due {
                token.spoken = Some(now);
            }
        }
    }

    /// Begins a session with the API key; the one before stays if that fails.
    fn authenticate(&mut self, deadline: Instant) -> Result<(), Fault> {
        let Some(opened) = &self.opened else {
            return Err(not_opened());
        };
        let credential = Credential::ApiKey(&opened.api_key);
        let request = service::request(&self.host, Act::Enter, credential, "");
        let began = Instant::now();
        let reply = self.send(&request, deadline)?;
        let reply = self.accepted(reply, Act::Enter)?;
        let session = service::Session::read(reply.body())?;
        self.token = Some(Token::new(session, began));
        Ok(())
    }

    /// Sends a request over the warm connection, or over a new one if there is none or it has gone cold. All
    /// that is asked may be asked twice: a signature over the same bytes is the same one.
    fn send(&mut self, request: &[u8], deadline: Instant) -> Result<Reply, Fault> {
        if let Some(connection) = self.connection.take() {
            match self.exchange(connection, request, deadline) {
                Ok(reply) => return Ok(reply),
                Err(broken @ Broken::Malformed(_)) => {
                    return Err(Fault::broken(broken, self.route.timeout));
                }
                Err(Broken::Io(_) | Broken::Cut(_)) if Instant::now() < deadline => {}
                Err(Broken::Io(_) | Broken::Cut(_)) => {
                    return Err(Fault::late(self.route.timeout));
                }
            }
        }
        let connection = self.connect(deadline)?;
        self.exchange(connection, request, deadline)
            .map_err(|broken| Fault::broken(broken, self.route.timeout))
    }

    /// Asks over a connection, and keeps it if that went well.
    fn exchange(
        &mut self,
        mut connection: Connection,
        request: &[u8],
        deadline: Instant,
    ) -> Result<Reply, Broken> {
        let reply = connection.exchange(request, deadline)?;
        if !reply.is_last {
            self.connection = Some(connection);
        }
        Ok(reply)
    }

    fn connect(&mut self, deadline: Instant) -> Result<Connection, Fault> {
        match &self.opened {
            Some(opened) => Connection::open(&mut self.route, &opened.config, deadline),
            None => Err(not_opened()),
        }
    }

    /// A reply that says yes.
    fn accepted(&self, reply: Reply, act: Act<'_>) -> Result<Reply, Fault> {
        if reply.status == 200 {
            return Ok(reply);
        }
        let secrets = [
            self.opened.as_ref().map_or("", |opened| &opened.api_key),
            self.token.as_ref().map_or("", |token| &token.text),
        ];
        let said = safe_text(reply.body(), &secrets);
        Err(Fault::of_status(reply.status, reply.pause, act, &said))
    }
}

impl Drop for Session {
    /// Ends the session, if that takes no time.
    fn drop(&mut self) {
        if let (Some(token), Some(connection)) = (self.token.take(), &mut self.connection) {
            let credential = Credential::Token(&token.text);
            let request = service::request(&self.host, Act::Leave, credential, "");
            let _ = connection.exchange(&request, after(LEAVE_MAX));
        }
    }
}

/// How soon a renewal that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

impl Token {
    fn new(session: service::Session, began: Instant) -> Self {
        let lasts = session.lasts;
        // Three quarters: time enough to try again.
        let until_renewal = lasts.saturating_sub(part(lasts, 4));
        let until_end = lasts.saturating_sub(MARGIN.min(part(lasts, 8)));
        Self {
            text: session.token,
            renew: began.checked_add(until_renewal).unwrap_or(began),
            end: began.checked_add(until_end).unwrap_or(began),
            spoken: None,
        }
    }
}

fn part(time: Duration, of: u32) -> Duration {
    time.checked_div(of).unwrap_or_default()
}

impl KeySource {
    pub(super) fn text(key: &str) -> Self {
        Self::Text(Zeroizing::new(key.trim().to_owned()))
    }

    fn read(&self) -> Result<Zeroizing<String>, Fault> {
        match self {
            Self::Text(key) => Ok(key.clone()),
            Self::File(path) => tls::api_key(path),
            Self::Surroundings => of_surroundings(),
        }
    }
}

/// The service manager's credential, else the variable.
fn of_surroundings() -> Result<Zeroizing<String>, Fault> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(directory) = set("CREDENTIALS_DIRECTORY") {
        let path = Path::new(&directory).join(CREDENTIAL);
        if path.symlink_metadata().is_ok() {
            return tls::api_key(&path);
        }
    }
    let value = set(VARIABLE).map(|value| Zeroizing::new(value.into_encoded_bytes()));
    match value
        .as_ref()
        .map(|value| core::str::from_utf8(value.trim_ascii()))
    {
        Some(Ok(key)) => Ok(Zeroizing::new(key.to_owned())),
        Some(Err(_)) => Err(Fault::wrong(
            format!("${VARIABLE} is no text"),
            "put the app's API key into it",
        )),
        None => Err(Fault::wrong(
            "there is no API key",
            format!(
                "name a file with `api_key_file`, or give it as the credential {CREDENTIAL} (systemd's LoadCredentialEncrypted), or in ${VARIABLE}"
            ),
        )),
    }
}

fn not_opened() -> Fault {
    Fault::away("it is not open", "it is opened again")
}
