//! Where the operator reaches the gateway: `[admin]`.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What an address of a socket file begins with.
const UNIX: &str = "unix:";

/// An address of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    Tcp(SocketAddr),
    /// A socket file, which its owner alone may use.
    Unix(PathBuf),
}

/// The section `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Where the operator reaches the gateway, `ADDRESS:PORT` or `unix:/PATH`.
    pub listen: AdminAddress,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { listen: AdminAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8090))) }
    }
}

/// A text is no address of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a gateway; write ADDRESS:PORT or unix:/PATH")]
pub struct AdminAddressError(String);

impl FromStr for AdminAddress {
    type Err = AdminAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix(UNIX).filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(path.into()));
        }
        let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        bare.parse().map(Self::Tcp).map_err(|_| AdminAddressError(text.to_owned()))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for AdminAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for AdminAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_shown() {
        for text in ["http://127.0.0.1:8090", "http://[::1]:9", "unix:/run/gateway.sock"] {
            assert_eq!(text.parse::<AdminAddress>().unwrap().to_string(), text);
        }
        assert_eq!("127.0.0.1:8090".parse::<AdminAddress>().unwrap(), AdminSettings::default().listen);
        for text in ["", "unix:", "unix:gateway.sock", "localhost", "https://127.0.0.1:1", "127.0.0.1"] {
            assert!(text.parse::<AdminAddress>().is_err(), "{text}");
        }
    }
}
