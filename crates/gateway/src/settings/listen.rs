//! Where clients come in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Fault;

/// The section `[listen]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// Where clients connect, encrypted where there is a section `[tls]`.
    pub address: SocketAddr,
    /// Where plain HTTP is led to https, and certificates by ACME are proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<SocketAddr>,
    /// The port of https that redirects lead to, where it is not that of `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_port: Option<u16>,
    /// Networks of proxies in front of the gateway, whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        Self { address, redirect: None, public_port: None, trusted_proxies: Vec::new() }
    }
}

impl ListenSettings {
    /// Whether what a client at `address` says of others is believed.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let is_same = self.redirect == Some(self.address) && self.address.port() != 0;
        let same = is_same.then(|| ("listen.redirect", format!("`{}` is `listen.address` as well", self.address)));
        same.into_iter().collect()
    }
}
