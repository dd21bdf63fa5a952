//! Numbers for Prometheus, found once and kept: to look one up takes longer than to change it.
//!
//! Requests are not told apart by upstream: instances come and go under new addresses, and each would stay a series for
//! ever. What each does now is told by the pool.

use std::{sync::OnceLock, time::Duration};

use hyper::{Method, StatusCode};
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::{
    pool::Pool,
    upstream::{Health, Role},
};

const REQUESTS: &str = "gateway_requests_total";
const DURATION: &str = "gateway_request_duration_seconds";
const IN_FLIGHT: &str = "gateway_in_flight";
const RETRIES: &str = "gateway_retries_total";
const UPSTREAMS: &str = "gateway_upstreams";
const CERTIFICATE: &str = "gateway_certificate_expires_seconds";

/// Methods by name, with one name for those that somebody made up.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
/// Statuses from 100 to 599.
const STATUSES: usize = 500;

/// The numbers of requests.
pub(crate) struct RequestMetrics {
    durations: [Histogram; METHODS.len()],
    counts: Vec<OnceLock<Counter>>,
}

impl std::fmt::Debug for RequestMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestMetrics").finish_non_exhaustive()
    }
}

impl RequestMetrics {
    pub(crate) fn new() -> Self {
        describe_counter!(REQUESTS, "Requests that the gateway answered, by method and status");
        describe_histogram!(DURATION, "Seconds until the answer of the gateway began, by method");
        describe_gauge!(IN_FLIGHT, "Requests and web sockets under way through the gateway");
        describe_counter!(RETRIES, "Requests that were tried again at another upstream");
        describe_gauge!(UPSTREAMS, "Upstreams of the gateway, by how they are");
        describe_gauge!(CERTIFICATE, "Seconds until the gateway's certificate expires");
        Self {
            durations: METHODS.map(|method| histogram!(DURATION, "method" => method)),
            counts: std::iter::repeat_with(OnceLock::new).take(METHODS.len() * STATUSES).collect(),
        }
    }

    /// A request was answered, or its client went away (499, as nginx counts it).
    pub(crate) fn note(&self, method: usize, status: u16, elapsed: Duration) {
        let (Some(histogram), Some(name)) = (self.durations.get(method), METHODS.get(method)) else { return };
        histogram.record(elapsed);
        let place = usize::from(status).saturating_sub(100).min(STATUSES - 1);
        if let Some(count) = self.counts.get(method * STATUSES + place) {
            let status = || StatusCode::from_u16(status).map_or_else(|_| "other".to_owned(), |s| s.as_str().to_owned());
            count.get_or_init(|| counter!(REQUESTS, "method" => *name, "status" => status())).increment(1);
        }
    }
}

/// The place of a method among those that are told apart.
pub(crate) fn method_place(method: &Method) -> usize {
    METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len() - 1)
}

/// Counts what is under way.
pub(crate) fn in_flight() -> Gauge {
    gauge!(IN_FLIGHT)
}

/// Counts requests that were tried again.
pub(crate) fn retries() -> Counter {
    counter!(RETRIES)
}

/// Says how many upstreams are how.
pub(crate) fn note_upstreams(pool: &Pool) {
    const STATES: [&str; 6] = ["unchecked", "healthy", "unhealthy", "ejected", "standby", "draining"];
    let mut counts = [0_u32; STATES.len()];
    for upstream in pool.upstreams().iter() {
        let state = match (upstream.role(), upstream.health()) {
            (Role::Standby, _) => 4,
            (Role::Draining | Role::Removed, _) => 5,
            (Role::Serving, Health::Unchecked) => 0,
            (Role::Serving, Health::Healthy) => 1,
            (Role::Serving, Health::Unhealthy) => 2,
            (Role::Serving, Health::Ejected) => 3,
        };
        counts[state] += 1;
    }
    for (state, count) in STATES.into_iter().zip(counts) {
        gauge!(UPSTREAMS, "state" => state).set(count);
    }
}

/// Says when the certificate expires.
pub(crate) fn note_certificate(seconds_left: f64) {
    gauge!(CERTIFICATE).set(seconds_left);
}
