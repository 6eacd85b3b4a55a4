//! Where a service on the network is reached.

use super::address::{parse_host, parse_port};

/// A host and a port, from a URL with nothing behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name, or an IPv4 or IPv6 literal, without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl Endpoint {
    /// Reads `SCHEME://host[:port]`, a slash at its end included.
    pub(super) fn parse(text: &str, scheme: &str, default_port: u16) -> Option<Self> {
        let rest = text.strip_prefix(scheme)?.strip_prefix("://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // The colon may be one of an address in brackets.
            Some((host, port)) if !port.contains(']') => (host, parse_port(port).ok()?),
            Some(_) | None => (rest, default_port),
        };
        Some(Self {
            host: parse_host(host).ok()?,
            port,
        })
    }

    /// As a URL has it; the port only if it is not `default_port`.
    #[must_use]
    pub fn authority(&self, default_port: u16) -> String {
        let Self { host, port } = self;
        match (host.contains(':'), *port == default_port) {
            (true, true) => format!("[{host}]"),
            (true, false) => format!("[{host}]:{port}"),
            (false, true) => host.clone(),
            (false, false) => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for (text, host, port, shown) in [
            ("https://dsm.example", "dsm.example", 443, "dsm.example"),
            ("https://dsm.example/", "dsm.example", 443, "dsm.example"),
            ("https://dsm:8443", "dsm", 8443, "dsm:8443"),
            ("https://10.0.0.1:443/", "10.0.0.1", 443, "10.0.0.1"),
            ("https://[::1]", "::1", 443, "[::1]"),
            ("https://[::1]:8443", "::1", 8443, "[::1]:8443"),
        ] {
            let endpoint = Endpoint::parse(text, "https", 443).unwrap();
            assert_eq!((&*endpoint.host, endpoint.port), (host, port), "{text}");
            assert_eq!(endpoint.authority(443), shown, "{text}");
        }
    }

    #[test]
    fn reads_nothing_else() {
        for text in [
            "",
            "https://",
            "http://dsm.example",
            "https:/dsm.example",
            "dsm.example",
            "https://dsm.example/sys/v1",
            "https://dsm.example//",
            "https://dsm.example?a",
            "https://user@dsm.example",
            "https://dsm.example:",
            "https://dsm.example:0",
            "https://dsm.example:+1",
            "https://dsm.example:65536",
            "https://::1",
            "https://[::1",
            "https://[dsm.example]",
        ] {
            assert_eq!(Endpoint::parse(text, "https", 443), None, "{text}");
        }
    }
}
