//! Servers that are always there, beside those that the gateway starts itself.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Fault, out_of_range};
use crate::upstream::Target;

/// One `[[upstreams]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSettings {
    /// Where it listens, in plain HTTP/1.1.
    pub address: SocketAddr,
    /// Its share of the requests, relative to the others.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

fn default_weight() -> u32 {
    1
}

impl UpstreamSettings {
    pub(super) fn faults(&self) -> Vec<Fault> {
        out_of_range("upstreams.weight", self.weight.into(), 1..=1000).into_iter().collect()
    }
}

impl From<UpstreamSettings> for Target {
    fn from(settings: UpstreamSettings) -> Self {
        Self { address: settings.address, weight: settings.weight }
    }
}
