//! Numbers for Prometheus: how many requests, how many failed, how long they took, by the template of their route.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::{extract::MatchedPath, http::Method};
use ipnet::IpNet;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper ends of the classes of durations, in seconds: from a cached answer to a slow upload.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The same of work that takes minutes.
const SECONDS_OF_WORK: &[f64] = &[0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];

/// What takes as long as that.
const WORK: &[&str] = &["job_attempt_duration_seconds", "stage_duration_seconds"];

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const IN_FLIGHT: &str = "http_requests_in_flight";

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// What every `metrics::counter!` of the process comes together in.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    requests: Arc<Requests>,
}

/// The numbers of requests, found once: to look one up takes longer than to change it.
struct Requests {
    in_flight: Gauge,
    by_route: RwLock<HashMap<String, Vec<Series>>>,
}

/// The numbers of requests that ended alike.
struct Series {
    method: &'static str,
    status: u16,
    duration: Histogram,
    count: Counter,
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
            // Only an empty list of classes is refused.
            let recorder = with_classes().unwrap_or_default().build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("numbers go to another recorder that was set up before");
            }
            describe_counter!(REQUESTS, "Requests answered, by method, route and status");
            describe_histogram!(DURATION, "Seconds until the answer began, by method and route");
            describe_gauge!(IN_FLIGHT, "Requests being worked on");
            handle
        });
        let requests = Requests { in_flight: gauge!(IN_FLIGHT), by_route: RwLock::default() };
        Self { handle: handle.clone(), requests: Arc::new(requests) }
    }

    /// Measures a request from now on.
    pub(super) fn begin(&self, method: &Method, route: Option<MatchedPath>) -> Measurement {
        self.requests.in_flight.increment(1.0);
        let (requests, method) = (self.requests.clone(), method_name(method));
        Measurement { requests, method, route, begun: Instant::now(), status: CLIENT_GONE }
    }

    /// All numbers in the text form of Prometheus.
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

fn with_classes() -> Result<PrometheusBuilder, BuildError> {
    let all = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(all, SECONDS)?;
    WORK.iter().try_fold(builder, |builder, name| {
        builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), SECONDS_OF_WORK)
    })
}

/// Frees what past measurements take, where there are any: each is kept until somebody asks for the numbers.
pub(super) fn tidy_up() {
    if let Some(handle) = RECORDER.get() {
        handle.run_upkeep();
    }
}

/// A request being measured. A dropped one, whose client went away, counts as well.
pub(super) struct Measurement {
    requests: Arc<Requests>,
    method: &'static str,
    route: Option<MatchedPath>,
    begun: Instant,
    status: u16,
}

/// Stands for a client that did not wait for its answer, as nginx logs it.
const CLIENT_GONE: u16 = 499;

/// The name of what is none of our routes: one for all, or strangers could make as many series as they like.
pub(super) const NO_ROUTE: &str = "none";

impl Measurement {
    pub(super) fn end(mut self, status: u16) -> Duration {
        self.status = status;
        self.begun.elapsed()
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.requests.in_flight.decrement(1.0);
        let route = self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        self.requests.note(route, self.method, self.status, self.begun.elapsed());
    }
}

impl Requests {
    fn note(&self, route: &str, method: &'static str, status: u16, elapsed: Duration) {
        let is_it = |series: &&Series| series.status == status && series.method == method;
        let known = self.by_route.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(route).and_then(|all| all.iter().find(is_it)) {
            series.note(elapsed);
            return;
        }
        drop(known);
        let series = Series::new(route, method, status);
        series.note(elapsed);
        // Two who find it missing at once both add it, to the same numbers.
        let mut known = self.by_route.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(route.to_owned()).or_default().push(series);
    }
}

impl Series {
    fn new(route: &str, method: &'static str, status: u16) -> Self {
        let route = route.to_owned();
        let duration = histogram!(DURATION, "method" => method, "route" => route.clone());
        let count = counter!(REQUESTS, "method" => method, "route" => route, "status" => status.to_string());
        Self { method, status, duration, count }
    }

    fn note(&self, elapsed: Duration) {
        self.duration.record(elapsed);
        self.count.increment(1);
    }
}

/// Methods by name, with one name for those that somebody made up.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.iter().find(|known| **known == method.as_str()).copied().unwrap_or("other")
}

/// Whether somebody at `address` may see the numbers.
pub(super) fn may_see(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}
