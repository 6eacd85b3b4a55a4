//! What can go wrong between here and the service, each with what to do about it.

use core::fmt::Write as _;
use core::time::Duration;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::http::Broken;
use crate::backend::Error;
use crate::backend::device::{OpenError, Trouble};

/// Why the service did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) error: Error,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The network's, or the service's: it may pass by itself.
    Away,
    /// The service asks for a pause.
    Pause(Duration),
    /// The operator's: waiting does not help.
    Wrong,
    /// The service does not know us, or no longer.
    Denied,
    /// The service knows us, and says no to this.
    Refused,
}

/// What was asked, for the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act<'a> {
    /// A session.
    Enter,
    /// What is known of a key.
    Look(&'a str),
    /// A signature with a key.
    Sign(&'a str),
    /// The end of a session.
    Leave,
}

impl Fault {
    pub(super) fn away(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Kind::Away, what.into(), cure.into())
    }

    pub(super) fn wrong(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Kind::Wrong, what.into(), cure.into())
    }

    pub(super) fn refused(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Kind::Refused, what.into(), cure.into())
    }

    fn new(kind: Kind, what: String, cure: String) -> Self {
        let error = Error::new(what, cure);
        Self { kind, error }
    }

    /// A reply that is none of this service's.
    pub(super) fn odd(what: &str) -> Self {
        Self::away(
            format!("its answer is not that of a Fortanix DSM: {what}"),
            "is `api_endpoint` the service itself, and not the page of a proxy or a portal?",
        )
    }

    /// A deadline that is over.
    pub(super) fn late(timeout: Duration) -> Self {
        Self::away(
            format!("it did not answer within {} ms", timeout.as_millis()),
            "look at the network, and at the service's own state; `timeout_ms` says how long it is waited for",
        )
    }

    /// What a connection broke with.
    pub(super) fn broken(broken: Broken, timeout: Duration) -> Self {
        match broken {
            Broken::Io(error) => Self::of_io(&error, timeout),
            Broken::Cut(is_silent) => Self::away(
                if is_silent {
                    "it closed the connection without an answer"
                } else {
                    "it closed the connection in the middle of its answer"
                },
                "look at the network, and at whatever stands between here and the service",
            ),
            Broken::Malformed(what) => Self::odd(what),
        }
    }

    /// What a socket, or TLS above it, failed with.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else the system may say is shown as it is"
    )]
    pub(super) fn of_io(error: &io::Error, timeout: Duration) -> Self {
        let inner = error.get_ref();
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(tls);
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::late(timeout),
            io::ErrorKind::UnexpectedEof => Self::away(
                "it closed the connection before TLS was agreed",
                "is `api_endpoint` the service itself? look at whatever stands between here and there",
            ),
            _ => Self::away(
                format!("the connection failed: {error}"),
                "look at the network, and at whatever stands between here and the service",
            ),
        }
    }

    /// What TLS failed with. A certificate out of its time may be mended at the other end, and a clock here;
    /// one of another name or authority is not.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else TLS may say is shown as it is"
    )]
    pub(super) fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(certificate) => Self::of_certificate(certificate),
            rustls::Error::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::CertificateRequired),
            ) => Self::wrong(
                format!("it does not accept our client certificate ({alert:?})"),
                "see what it asks for, and name that with `client_cert_file` and `client_key_file`",
            ),
            rustls::Error::InvalidMessage(_) => Self::wrong(
                "what answers there does not speak TLS",
                "write the host and the port of the service itself as `api_endpoint`",
            ),
            other => Self::away(
                format!("TLS failed: {other}"),
                "look at whatever stands between here and the service",
            ),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else may be wrong with a certificate is shown as it is"
    )]
    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::away(
                "its certificate has expired",
                "have it renewed, or correct the clock of this machine: it is tried again until then",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::away(
                    "its certificate is not valid yet",
                    "correct the clock of this machine: it is tried again until then",
                )
            }
            CertificateError::UnknownIssuer => Self::wrong(
                "its certificate is from an authority that is not trusted here",
                "does anybody stand in between? of a service of your own, name its authority with `ca_file`",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::wrong(
                    "its certificate is for another name",
                    "write a name that the certificate has as `api_endpoint`",
                )
            }
            other => Self::wrong(
                format!("its certificate cannot be trusted: {other}"),
                "have the service's certificate looked at",
            ),
        }
    }

    /// What a status other than 200 means. `said` is the service's own text, made safe to show.
    pub(super) fn of_status(
        status: u16,
        pause: Option<Duration>,
        act: Act<'_>,
        said: &str,
    ) -> Self {
        let mut what = what(status, pause, act);
        let (kind, cure) = kind_and_cure(status, pause, act);
        let _ = write!(what, " ({status})");
        if !said.is_empty() {
            let _ = write!(what, ": {said}");
        }
        Self::new(kind, what, cure.to_owned())
    }

    /// For [`crate::backend::Device::open`].
    pub(super) fn into_open(self) -> OpenError {
        match self.kind {
            Kind::Away | Kind::Pause(_) => OpenError::Away(self.error),
            Kind::Wrong | Kind::Denied | Kind::Refused => OpenError::Wrong(self.error),
        }
    }

    /// For [`crate::backend::Device::sign`].
    pub(super) fn into_trouble(self) -> Trouble {
        match self.kind {
            Kind::Refused | Kind::Pause(_) => Trouble::Refused(self.error),
            Kind::Away | Kind::Wrong | Kind::Denied => Trouble::Lost(self.error),
        }
    }
}

fn what(status: u16, pause: Option<Duration>, act: Act<'_>) -> String {
    match (status, act) {
        (401, _) => "it does not accept the API key".to_owned(),
        (403, Act::Look(key)) => format!("this app may not see the key {key}"),
        (403, Act::Sign(key)) => format!("this app may not sign with the key {key}"),
        (403, Act::Enter | Act::Leave) => "it does not let this app in".to_owned(),
        (404, Act::Look(key) | Act::Sign(key)) => format!("it has no key {key} for this app"),
        (404, Act::Enter | Act::Leave) => "there is no Fortanix DSM".to_owned(),
        (409, Act::Look(key) | Act::Sign(key)) => {
            format!("the state of the key {key} does not allow it")
        }
        (423, _) => "the key, the app or the account is locked".to_owned(),
        (429, _) => format!(
            "it asks for a pause of {} s",
            pause.unwrap_or_default().as_secs()
        ),
        (300..=399, _) => "it sends us elsewhere".to_owned(),
        (500.., _) => "it has trouble of its own".to_owned(),
        _ => "it takes our request for wrong".to_owned(),
    }
}

fn kind_and_cure(status: u16, pause: Option<Duration>, act: Act<'_>) -> (Kind, &'static str) {
    match (status, act) {
        (401, _) => (
            Kind::Denied,
            "is the app enabled? copy its API key anew from the service's pages",
        ),
        (403, Act::Enter | Act::Leave) => (
            Kind::Refused,
            "is the app enabled, and this machine's address among those that it may come from?",
        ),
        (403, _) => (
            Kind::Refused,
            "let the app's group use the key, with the operation Sign, and without an approval policy",
        ),
        (409, _) => (
            Kind::Refused,
            "look at the key in the service's pages: is it active, and not rotated?",
        ),
        (423, _) => (
            Kind::Refused,
            "have an administrator of the account unlock it",
        ),
        (429, _) => (
            Kind::Pause(pause.unwrap_or_default()),
            "more is asked than the account may: raise its limit, or give the signer an account of its own",
        ),
        (300..=399, _) | (404, Act::Enter | Act::Leave) => (
            Kind::Wrong,
            "write the host and the port of the service itself as `api_endpoint`",
        ),
        (404, _) => (
            Kind::Refused,
            "compare `key_id` or `key_name` with the service's pages; an app sees the keys of its groups alone",
        ),
        (500.., _) => (
            Kind::Away,
            "ask whoever runs the service; it is tried again until then",
        ),
        _ => (
            Kind::Refused,
            "is `api_endpoint` a Fortanix DSM? if so this is a fault of this program",
        ),
    }
}

/// The service's own words as a log line and a refusal can hold them: one line of plain characters, cut
/// short, and nothing at all if a secret is among them.
pub(super) fn safe_text(body: &[u8], secrets: &[&str]) -> String {
    const MAX_LEN: usize = 120;
    let text = String::from_utf8_lossy(body);
    let holds = |secret: &&str| !secret.is_empty() && text.contains(*secret);
    // A page of HTML is no help.
    if secrets.iter().any(holds) || text.trim_start().starts_with('<') {
        return String::new();
    }
    let mut safe = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        for part in word.chars().filter(char::is_ascii_graphic) {
            if safe.len() >= MAX_LEN {
                safe.push_str("...");
                return safe;
            }
            safe.push(part);
        }
        if !safe.is_empty() && !safe.ends_with(' ') {
            safe.push(' ');
        }
    }
    safe.truncate(safe.trim_end().len());
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_words_are_safe_to_show() {
        let long = "x".repeat(200);
        for (body, shown) in [
            ("Invalid credentials", "Invalid credentials"),
            ("  two\r\n\tlines\u{1b}[31m \n", "two lines [31m"),
            ("<html><body>Portal", ""),
            ("your key is c2VjcmV0!", ""),
            ("caf\u{e9}", "caf"),
            ("", ""),
            (&*long, &*format!("{}...", &long[..120])),
        ] {
            let found = safe_text(body.as_bytes(), &["c2VjcmV0", ""]);
            assert_eq!(found, shown);
        }
        assert_eq!(safe_text(&[0xff, 0xfe, b'a'], &[]), "a");
    }

    #[test]
    fn every_status_has_a_sentence_and_a_cure() {
        let key = "k";
        let acts = [Act::Enter, Act::Look(key), Act::Sign(key), Act::Leave];
        for status in [
            201, 301, 400, 401, 403, 404, 409, 418, 423, 429, 500, 503, 999,
        ] {
            for act in acts {
                let pause = (status == 429).then_some(Duration::from_secs(7));
                let fault = Fault::of_status(status, pause, act, "words");
                let text = fault.error.to_string();
                assert!(text.contains(&format!(" ({status}): words; ")), "{text}");
                assert!(
                    !text.ends_with('.') && !fault.error.cure.is_empty(),
                    "{text}"
                );
                let kind = match status {
                    401 => Kind::Denied,
                    429 => Kind::Pause(Duration::from_secs(7)),
                    500.. => Kind::Away,
                    301 => Kind::Wrong,
                    404 if matches!(act, Act::Enter | Act::Leave) => Kind::Wrong,
                    _ => Kind::Refused,
                };
                assert_eq!(fault.kind, kind, "{text}");
            }
        }
    }

    #[test]
    fn only_a_certificate_out_of_its_time_mends_itself() {
        use CertificateError as E;
        for (error, mends) in [
            (E::Expired, true),
            (E::NotValidYet, true),
            (E::UnknownIssuer, false),
            (E::NotValidForName, false),
            (E::Revoked, false),
            (E::BadSignature, false),
        ] {
            let text = format!("{error:?}");
            let fault = Fault::of_tls(&rustls::Error::InvalidCertificate(error));
            let is_away = matches!(fault.into_open(), OpenError::Away(_));
            assert_eq!(is_away, mends, "{text}");
        }
    }
}
