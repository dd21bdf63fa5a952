//! What clients and upstreams may take: room, bytes, time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fault, out_of_range};

/// The section `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Connections of clients at a time; more wait.
    pub max_connections: u64,
    /// Connections at a time from one address (of IPv6: one network of 64 bits); more are closed. Trusted proxies are exempt.
    pub max_connections_per_address: u64,
    /// Requests at a time over one connection of HTTP/2.
    pub max_streams: u32,
    /// Requests over one connection before it is closed in good order.
    pub max_requests_per_connection: u64,
    /// Seconds after which a connection is closed in good order.
    pub max_connection_age_s: u64,
    /// Bytes of the head of a request.
    pub max_head_bytes: u32,
    /// Bytes of the body of a request.
    pub max_body_bytes: u64,
    /// Seconds that a client may take for the head of a request, and to agree on encryption.
    pub head_timeout_s: u64,
    /// Seconds that a connection stays open without a request.
    pub idle_timeout_s: u64,
    /// Seconds that a client may pause within the body of a request.
    pub body_pause_s: u64,
    /// Seconds that a client may take nothing of what is there for it.
    pub read_pause_s: u64,
    /// Milliseconds that an upstream may take to accept a connection.
    pub connect_timeout_ms: u64,
    /// Seconds that an upstream may take to begin its answer, counted from the last byte that it was sent.
    pub answer_timeout_s: u64,
    /// Seconds that an answer or a web socket may be silent.
    pub stream_idle_s: u64,
    /// Seconds that requests have to end once the gateway is told to.
    pub shutdown_timeout_s: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 1024,
            max_streams: 128,
            max_requests_per_connection: 100_000,
            max_connection_age_s: 3600,
            max_head_bytes: 64 * 1024,
            max_body_bytes: 8 << 30,
            head_timeout_s: 10,
            idle_timeout_s: 75,
            body_pause_s: 30,
            read_pause_s: 30,
            connect_timeout_ms: 2000,
            answer_timeout_s: 120,
            stream_idle_s: 3600,
            shutdown_timeout_s: 30,
        }
    }
}

impl LimitSettings {
    pub(crate) fn head_timeout(&self) -> Duration {
        Duration::from_secs(self.head_timeout_s)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_s)
    }

    pub(crate) fn body_pause(&self) -> Duration {
        Duration::from_secs(self.body_pause_s)
    }

    pub(crate) fn read_pause(&self) -> Duration {
        Duration::from_secs(self.read_pause_s)
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_secs(self.answer_timeout_s)
    }

    pub(crate) fn stream_idle(&self) -> Duration {
        Duration::from_secs(self.stream_idle_s)
    }

    pub(crate) fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_s)
    }

    pub(crate) fn max_connection_age(&self) -> Duration {
        Duration::from_secs(self.max_connection_age_s)
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        const DAY: u64 = 86_400;
        [
            out_of_range("limits.max_connections", self.max_connections, 1..=1_000_000),
            out_of_range("limits.max_connections_per_address", self.max_connections_per_address, 1..=1_000_000),
            out_of_range("limits.max_streams", self.max_streams.into(), 1..=10_000),
            out_of_range("limits.max_requests_per_connection", self.max_requests_per_connection, 1..=u64::MAX),
            out_of_range("limits.max_connection_age_s", self.max_connection_age_s, 1..=30 * DAY),
            // The least that hyper reads into.
            out_of_range("limits.max_head_bytes", self.max_head_bytes.into(), 8192..=1 << 20),
            out_of_range("limits.max_body_bytes", self.max_body_bytes, 0..=1 << 50),
            out_of_range("limits.head_timeout_s", self.head_timeout_s, 1..=3600),
            out_of_range("limits.idle_timeout_s", self.idle_timeout_s, 1..=DAY),
            out_of_range("limits.body_pause_s", self.body_pause_s, 1..=3600),
            out_of_range("limits.read_pause_s", self.read_pause_s, 1..=3600),
            out_of_range("limits.connect_timeout_ms", self.connect_timeout_ms, 10..=60_000),
            out_of_range("limits.answer_timeout_s", self.answer_timeout_s, 1..=DAY),
            out_of_range("limits.stream_idle_s", self.stream_idle_s, 1..=30 * DAY),
            out_of_range("limits.shutdown_timeout_s", self.shutdown_timeout_s, 1..=3600),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
