//! What stands in `gateway.toml`.

mod balance;
mod health;
mod limits;
mod listen;
mod tls;
mod upstreams;

use std::{collections::BTreeSet, fmt::Write as _};

use serde::{Deserialize, Serialize};

pub use balance::{BalanceSettings, Strategy};
pub use health::HealthSettings;
pub use limits::LimitSettings;
pub use listen::ListenSettings;
pub use tls::{AcmeSettings, TlsSettings};
pub use upstreams::UpstreamSettings;

/// What is wrong with a setting: its key, and what to write instead.
pub type Fault = (&'static str, String);

/// The whole of it. Every section may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Where clients come in.
    pub listen: ListenSettings,
    /// The certificate; without it, connections are in the open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// What clients and upstreams may take.
    pub limits: LimitSettings,
    /// How requests are shared out and tried again.
    pub balance: BalanceSettings,
    /// How upstreams are found well or ill.
    pub health: HealthSettings,
    /// Servers that are always there.
    pub upstreams: Vec<UpstreamSettings>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("the settings cannot be used:{}", lines(.0))]
    Faults(Vec<Fault>),
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().fold(String::new(), |mut text, (key, fault)| {
        // Text takes every line.
        let _ = write!(text, "\n  {key}: {fault}");
        text
    })
}

impl GatewaySettings {
    /// The settings in the text of a file, if nothing is wrong with them.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text)?;
        let faults = settings.faults();
        if faults.is_empty() { Ok(settings) } else { Err(SettingsError::Faults(faults)) }
    }

    /// All that is wrong with them.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.listen.faults();
        faults.extend(self.tls.iter().flat_map(TlsSettings::faults));
        faults.extend(self.limits.faults());
        faults.extend(self.balance.faults());
        faults.extend(self.health.faults());
        faults.extend(self.upstreams.iter().flat_map(UpstreamSettings::faults));
        let addresses: BTreeSet<_> = self.upstreams.iter().map(|upstream| upstream.address).collect();
        if addresses.len() < self.upstreams.len() {
            faults.push(("upstreams", "an address stands there twice; give it more weight instead".to_owned()));
        }
        let needs_redirect = self.tls.as_ref().is_some_and(|tls| tls.acme.is_some());
        match (&self.tls, self.listen.redirect) {
            (None, Some(_)) => {
                faults.push(("listen.redirect", "leads to https, which needs a certificate; set `tls`".to_owned()));
            }
            (Some(_), None) if needs_redirect => {
                let remedy = "certificates by ACME are proven over plain HTTP; set it to port 80 of this machine";
                faults.push(("listen.redirect", remedy.to_owned()));
            }
            _ => {}
        }
        faults
    }
}

/// The fault of a number that is not within its range.
fn out_of_range(key: &'static str, value: u64, range: std::ops::RangeInclusive<u64>) -> Option<Fault> {
    let is_within = range.contains(&value);
    (!is_within).then(|| (key, format!("{value} is not between {} and {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_has_no_fault() {
        assert_eq!(GatewaySettings::parse("").unwrap(), GatewaySettings::default());
    }

    #[test]
    fn every_section_is_read() {
        let settings = GatewaySettings::parse(
            r#"
            [listen]
            address = "0.0.0.0:443"
            redirect = "0.0.0.0:80"
            trusted_proxies = ["10.0.0.0/8"]
            [tls]
            certificate = "/etc/press/cert.pem"
            key = "/etc/press/key.pem"
            [limits]
            max_body_bytes = 1024
            [balance]
            strategy = "round_robin"
            sticky_cookie = "press_at"
            [health]
            path = "/ready"
            [[upstreams]]
            address = "127.0.0.1:8081"
            weight = 3
            "#,
        );
        let settings = settings.unwrap();
        assert_eq!(settings.balance.strategy, Strategy::RoundRobin);
        assert_eq!(settings.upstreams[0].weight, 3);
        assert_eq!(settings.limits.max_body_bytes, 1024);
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let text = r#"
            [listen]
            redirect = "127.0.0.1:80"
            [limits]
            head_timeout_s = 0
            [balance]
            retries = 9
            sticky_cookie = "a b"
            [health]
            path = "readyz"
            [[upstreams]]
            address = "127.0.0.1:1"
            weight = 0
            [[upstreams]]
            address = "127.0.0.1:1"
        "#;
        let error = GatewaySettings::parse(text).unwrap_err();
        let SettingsError::Faults(faults) = &error else { panic!("{error}") };
        let keys: Vec<_> = faults.iter().map(|(key, _)| *key).collect();
        let expected = [
            "limits.head_timeout_s",
            "balance.retries",
            "balance.sticky_cookie",
            "health.path",
            "upstreams.weight",
            "upstreams",
            "listen.redirect",
        ];
        assert_eq!(keys, expected);
        assert!(error.to_string().contains("\n  balance.retries: 9 is not between 0 and 3"), "{error}");
    }

    #[test]
    fn a_key_that_is_unknown_is_refused_by_name() {
        let error = GatewaySettings::parse("[limits]\nmax_bodies = 1").unwrap_err().to_string();
        assert!(error.contains("max_bodies"), "{error}");
    }
}
