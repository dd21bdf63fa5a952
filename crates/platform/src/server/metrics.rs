//! Numbers for Prometheus: how many requests, how many failed, how long they took, by the template of their route.

use std::{
    net::IpAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper ends of the classes of durations, in seconds: from a cached answer to a slow upload.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const IN_FLIGHT: &str = "http_requests_in_flight";

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// What every `metrics::counter!` of the process comes together in.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The recorder of this process, set up at the first call.
    pub fn of_process() -> Self {
        let handle = RECORDER.get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS) {
                Ok(builder) => builder,
                // Only an empty list of classes is refused.
                Err(_) => PrometheusBuilder::new(),
            };
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("numbers go to another recorder that was set up before");
            }
            describe_counter!(REQUESTS, "Requests answered, by method, route and status");
            describe_histogram!(DURATION, "Seconds until the answer began, by method and route");
            describe_gauge!(IN_FLIGHT, "Requests being worked on");
            handle
        });
        Self { handle: handle.clone() }
    }

    /// All numbers in the text form of Prometheus.
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

/// Frees what past measurements take, where there are any: each is kept until somebody asks for the numbers.
pub(super) fn tidy_up() {
    if let Some(handle) = RECORDER.get() {
        handle.run_upkeep();
    }
}

/// A request being measured. A dropped one, whose client went away, counts as well.
#[derive(Debug)]
pub(super) struct Measurement {
    method: &'static str,
    route: String,
    begun: Instant,
    status: u16,
}

/// Stands for a client that did not wait for its answer, as nginx logs it.
const CLIENT_GONE: u16 = 499;

impl Measurement {
    pub(super) fn begin(method: &axum::http::Method, route: Option<&str>) -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        // A route that is none of ours has one name for all, or strangers could make as many series as they like.
        let route = route.unwrap_or("none").to_owned();
        Self { method: method_name(method), route, begun: Instant::now(), status: CLIENT_GONE }
    }

    pub(super) fn end(mut self, status: u16) -> Duration {
        self.status = status;
        self.begun.elapsed()
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
        let route = std::mem::take(&mut self.route);
        histogram!(DURATION, "method" => self.method, "route" => route.clone()).record(self.begun.elapsed());
        let status = self.status.to_string();
        counter!(REQUESTS, "method" => self.method, "route" => route, "status" => status).increment(1);
    }
}

/// Methods by name, with one name for those that somebody made up.
fn method_name(method: &axum::http::Method) -> &'static str {
    const KNOWN: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.iter().find(|known| **known == method.as_str()).copied().unwrap_or("other")
}

/// Whether somebody at `address` may see the numbers.
pub(super) fn may_see(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}
