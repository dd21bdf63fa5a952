//! What can be set of the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

use super::headers::Transport;

/// How the server is reached, and how much anybody may ask of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How users reach it, `https` where a proxy in front encrypts; absent for this machine alone.
    pub public_url: Option<Url>,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "comma_list")]
    pub trusted_proxies: Vec<IpNet>,
    /// Other origins whose pages may use the API.
    #[serde(deserialize_with = "comma_list")]
    pub cors_origins: Vec<String>,
    /// Networks that may read `/metrics`.
    #[serde(deserialize_with = "comma_list")]
    pub metrics_from: Vec<IpNet>,
    /// Connections at a time; more wait.
    pub max_connections: usize,
    /// Bytes of a body, where a route does not say otherwise.
    pub max_body_bytes: u64,
    /// Seconds that a request may take, where its route does not say otherwise.
    pub request_timeout_s: u64,
    /// Seconds that a client may take to send the head of a request, and to pause within a body.
    pub idle_timeout_s: u64,
    /// Seconds that requests have to end once the server is told to.
    pub shutdown_timeout_s: u64,
    /// Units of requests that a user may spend in a minute.
    pub user_units_per_minute: u32,
    /// Units of requests that an address may spend in a minute.
    pub address_units_per_minute: u32,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            metrics_from: [IpAddr::from(Ipv4Addr::LOCALHOST), std::net::Ipv6Addr::LOCALHOST.into()]
                .map(IpNet::from)
                .to_vec(),
            max_connections: 4096,
            max_body_bytes: 1 << 20,
            request_timeout_s: 30,
            idle_timeout_s: 10,
            shutdown_timeout_s: 25,
            user_units_per_minute: 600,
            address_units_per_minute: 1200,
        }
    }
}

impl ServerSettings {
    /// Whether users reach the server encrypted.
    pub fn transport(&self) -> Transport {
        let is_encrypted = self.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        if is_encrypted { Transport::Tls } else { Transport::Plain }
    }

    /// The origin under which users reach the server, such as `https://press.example.org`.
    pub fn public_origin(&self) -> String {
        match &self.public_url {
            Some(url) => url.origin().ascii_serialization(),
            None => format!("http://localhost:{}", self.listen.port()),
        }
    }

    /// The origins whose pages may change something with cookies.
    pub fn origins(&self) -> Vec<String> {
        std::iter::once(self.public_origin()).chain(self.cors_origins.clone()).collect()
    }

    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Some(url) = self.public_url.as_ref().filter(|url| !matches!(url.scheme(), "http" | "https")) {
            faults.push(("server.public_url", format!("`{url}` is no web address")));
        }
        for origin in &self.cors_origins {
            let parsed = Url::parse(origin).map(|url| url.origin().ascii_serialization());
            if parsed.as_deref() != Ok(origin.as_str()) || origin == "null" {
                faults.push(("server.cors_origins", format!("`{origin}` is no origin; write https://host")));
            }
        }
        let ranges = [
            ("server.max_connections", self.max_connections as u64, 1..=1_000_000),
            ("server.max_body_bytes", self.max_body_bytes, 1024..=1 << 40),
            ("server.request_timeout_s", self.request_timeout_s, 1..=3600),
            ("server.idle_timeout_s", self.idle_timeout_s, 1..=3600),
            ("server.shutdown_timeout_s", self.shutdown_timeout_s, 1..=3600),
            ("server.user_units_per_minute", self.user_units_per_minute.into(), 1..=u32::MAX.into()),
            ("server.address_units_per_minute", self.address_units_per_minute.into(), 1..=u32::MAX.into()),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                faults.push((key, format!("{value} is not between {} and {}", range.start(), range.end())));
            }
        }
        faults
    }
}

/// A list, or a text with commas, which is all that the environment can hold.
fn comma_list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: std::str::FromStr + Deserialize<'de>,
    T::Err: std::fmt::Display,
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    let entries = match Written::deserialize(deserializer)? {
        Written::List(entries) => entries,
        Written::Text(text) => text.split(',').map(str::to_owned).collect(),
    };
    let entries = entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty());
    entries.map(|entry| entry.parse().map_err(|error| de::Error::custom(format!("`{entry}`: {error}")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_from_lists_and_from_text_with_commas() {
        let read = |json: &str| serde_json::from_str::<ServerSettings>(json).map(|settings| settings.trusted_proxies);
        let expected: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        assert_eq!(read(r#"{"trusted_proxies": "10.0.0.0/8, fd00::/8"}"#).unwrap(), expected);
        assert_eq!(read(r#"{"trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}"#).unwrap(), expected);
        assert_eq!(read(r#"{"trusted_proxies": ""}"#).unwrap(), []);
        assert!(read(r#"{"trusted_proxies": "10.0.0.0/99"}"#).unwrap_err().to_string().contains("10.0.0.0/99"));
    }

    #[test]
    fn the_defaults_have_no_fault_and_impossible_values_all_have_one() {
        assert_eq!(ServerSettings::default().faults(), []);
        let wrong = ServerSettings {
            public_url: Some(Url::parse("file:///srv").unwrap()),
            cors_origins: vec!["https://a.example/path".to_owned(), "*".to_owned(), "null".to_owned()],
            max_connections: 0,
            ..ServerSettings::default()
        };
        let keys: Vec<_> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        let cors = "server.cors_origins";
        assert_eq!(keys, ["server.public_url", cors, cors, cors, "server.max_connections"]);
    }
}
