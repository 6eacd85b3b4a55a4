//! Where a node listens for its signer.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::types::NodeId;

/// The longest path of a Unix socket in bytes: Linux' `sun_path` less the terminating zero.
pub const UNIX_PATH_MAX_LEN: usize = 107;

/// The longest host name in bytes: RFC 1035 §2.3.4, written with dots.
const HOST_MAX_LEN: usize = 253;

/// An address that can be dialled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `tcp://[peer id@]host:port`; the scheme may be left out.
    Tcp {
        /// The only identity that the node may prove, if one is pinned.
        peer_id: Option<NodeId>,
        /// A name, or an IPv4 or IPv6 literal, without brackets.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// `unix://path`.
    Unix(PathBuf),
}

/// Why a text is no [`Address`], and what to write.
pub(super) struct Malformed {
    pub(super) message: &'static str,
    pub(super) cure: &'static str,
}

impl Address {
    /// Whether a SecretConnection is spoken there.
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        if text.contains(char::is_control) {
            return refuse("it contains control characters", "remove them");
        }
        if let Some(path) = text.strip_prefix("unix://") {
            return match path.len() {
                0 => refuse("the path is missing", UNIX_CURE),
                1..=UNIX_PATH_MAX_LEN => Ok(Self::Unix(PathBuf::from(path))),
                _ => refuse(
                    "the path of a socket has at most 107 bytes",
                    "move the socket to a shorter path, here and in the node's configuration",
                ),
            };
        }
        let rest = match text.split_once("://") {
            Some(("tcp", rest)) => rest,
            Some(_) => return refuse("the scheme is neither tcp nor unix", CURE),
            None if text.starts_with('/') || text.starts_with("unix:") => {
                return refuse("a path to a socket needs the scheme unix", UNIX_CURE);
            }
            None => text,
        };
        let (peer_id, rest) = match rest.split_once('@') {
            Some((id, rest)) => match NodeId::from_hex(id) {
                Some(id) => (Some(id), rest),
                None => {
                    return refuse(
                        "what stands before the `@` is no peer id",
                        "write the 40 hexadecimal digits of the node's id, or remove them with the `@`",
                    );
                }
            },
            None => (None, rest),
        };
        let Some((host, port)) = rest.rsplit_once(':') else {
            return refuse("the port is missing", CURE);
        };
        Ok(Self::Tcp {
            peer_id,
            host: parse_host(host)?,
            port: parse_port(port)?,
        })
    }

    /// Whether this is an address to listen on: every interface of a machine.
    pub(super) fn is_unspecified(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => {
                host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_unspecified())
                    || host.parse().is_ok_and(|ip: Ipv6Addr| ip.is_unspecified())
            }
            Self::Unix(_) => false,
        }
    }

    /// The address as far as it decides which node is reached: equal for equal nodes.
    pub(super) fn target(&self) -> String {
        match self {
            Self::Tcp { host, port, .. } => match host.parse::<Ipv6Addr>() {
                Ok(ip) => format!("tcp://[{ip}]:{port}"),
                Err(_) => format!("tcp://{}:{port}", host.to_ascii_lowercase()),
            },
            Self::Unix(path) => format!("unix://{}", path.display()),
        }
    }
}

impl fmt::Display for Address {
    /// As written in the file, with the scheme and without the peer id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}")
            }
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

const CURE: &str = "write it like `tcp://127.0.0.1:26658` or `unix:///run/node/privval.sock`";
const UNIX_CURE: &str = "write it like `unix:///run/node/privval.sock`";

fn refuse<T>(message: &'static str, cure: &'static str) -> Result<T, Malformed> {
    Err(Malformed { message, cure })
}

pub(super) fn parse_host(text: &str) -> Result<String, Malformed> {
    if let Some(literal) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return match literal.parse::<Ipv6Addr>() {
            Ok(_) => Ok(literal.to_owned()),
            Err(_) => refuse(
                "what stands in the brackets is no IPv6 address",
                "write it like `tcp://[::1]:26658`",
            ),
        };
    }
    if text.contains(':') {
        return refuse(
            "an IPv6 address needs brackets",
            "write it like `tcp://[::1]:26658`",
        );
    }
    if text.is_empty() {
        return refuse("the host is missing", CURE);
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if text.len() > HOST_MAX_LEN || !text.bytes().all(known) {
        return refuse("the host is neither a name nor an IP address", CURE);
    }
    let numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numeric && text.parse::<Ipv4Addr>().is_err() {
        return refuse(
            "the host is no IPv4 address",
            "write four numbers from 0 to 255 with dots between them, without leading zeros",
        );
    }
    Ok(text.to_owned())
}

pub(super) fn parse_port(text: &str) -> Result<u16, Malformed> {
    // `parse` alone would take a leading plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        Ok(_) | Err(_) => refuse(
            "the port is no number from 1 to 65535",
            "write the port of `priv_validator_laddr` in the node's config.toml",
        ),
    }
}
