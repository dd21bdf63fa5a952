//! How requests are shared out and tried again.

use std::time::Duration;

use hyper::header::HeaderName;
use serde::{Deserialize, Serialize};

use super::{Fault, out_of_range};

/// Which upstream gets a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The one with the fewest requests under way, by its weight.
    #[default]
    LeastLoad,
    /// One after the other, by weight.
    RoundRobin,
}

/// The section `[balance]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BalanceSettings {
    /// Which upstream gets a request: `least_load` or `round_robin`.
    pub strategy: Strategy,
    /// How often a request that failed is tried at another upstream, where that is safe.
    pub retries: u32,
    /// Such tries at most, per hundred requests.
    pub retry_percent: u32,
    /// Bytes of a body that are kept to be sent again.
    pub kept_body_bytes: u32,
    /// The name of a cookie that keeps a client at its upstream; none where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky_cookie: Option<String>,
    /// Connections to each upstream that are kept open while nothing is asked over them.
    pub idle_connections: u32,
    /// Seconds that such a connection is kept; fewer than the upstream itself keeps it.
    pub idle_connection_s: u64,
}

impl Default for BalanceSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            retries: 2,
            retry_percent: 20,
            kept_body_bytes: 64 * 1024,
            sticky_cookie: None,
            idle_connections: 256,
            idle_connection_s: 5,
        }
    }
}

impl BalanceSettings {
    pub(crate) fn idle_connection(&self) -> Duration {
        Duration::from_secs(self.idle_connection_s)
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = [
            out_of_range("balance.retries", self.retries.into(), 0..=3),
            out_of_range("balance.retry_percent", self.retry_percent.into(), 0..=100),
            out_of_range("balance.kept_body_bytes", self.kept_body_bytes.into(), 0..=1 << 20),
            out_of_range("balance.idle_connections", self.idle_connections.into(), 0..=100_000),
            out_of_range("balance.idle_connection_s", self.idle_connection_s, 1..=3600),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(name) = &self.sticky_cookie
            // The names of cookies are tokens (RFC 6265), as those of headers are.
            && name.parse::<HeaderName>().is_err()
        {
            faults.push(("balance.sticky_cookie", format!("`{name}` is no name of a cookie; use letters and `_`")));
        }
        faults
    }
}
