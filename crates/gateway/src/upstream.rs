//! One server behind the gateway: whether it is meant to get requests, whether it is well, and what it is doing.
//!
//! The two are kept apart. Its [`Role`] is what the operator wants; its [`Health`] is what was found. It gets requests only
//! while it is [`Role::Serving`] and [`Health::Healthy`].

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{connection::IdleConnections, settings::HealthSettings};

/// One part of this many is what a new latency adds to the average.
const LATENCY_SHARE: u64 = 16;

/// Names an upstream for as long as the gateway lives; addresses come back, ids do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct UpstreamId(pub(crate) u64);

impl std::fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where an upstream is, and how much it is meant to take beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub address: SocketAddr,
    /// Its share of the requests, relative to the others; at least 1.
    pub weight: u32,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, weight: 1 }
    }
}

/// Whether an upstream is meant to get requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Role {
    /// It is checked, and waits to take over.
    Standby,
    /// It gets requests while it is well.
    Serving,
    /// It gets nothing new; what is under way goes on.
    Draining,
    /// It is gone from the pool.
    Removed,
}

/// How an upstream was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Health {
    /// No check was passed yet.
    Unchecked,
    /// It takes requests.
    Healthy,
    /// Its checks fail.
    Unhealthy,
    /// Its requests failed, whatever its checks say. After a while one request tries whether it is well again.
    Ejected,
}

/// Why a request failed at an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection to be had.
    Unreachable,
    /// The connection broke, or what came was no HTTP.
    Broken,
    /// No answer came in time.
    TimedOut,
    /// It answered that it or something behind it does not work (502, 503, 504).
    Unavailable,
}

/// What an upstream did since it was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that it was given, tries included.
    pub requests: u64,
    /// Those of them that failed: see [`Failure`].
    pub failures: u64,
    /// Those that it answered with 500 to 599.
    pub server_errors: u64,
}

/// A server behind the gateway.
#[derive(Debug)]
pub struct Upstream {
    id: UpstreamId,
    target: Target,
    /// What a cookie says that leads to it.
    ticket: String,
    rules: Arc<HealthSettings>,
    idle_connections: IdleConnections,
    role: AtomicU8,
    /// The same as in `standing`, for those who only look.
    health: AtomicU8,
    standing: Mutex<Standing>,
    in_flight: AtomicUsize,
    failed_in_a_row: AtomicU32,
    latency_us: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
    server_errors: AtomicU64,
    /// Told when its health changes, and when nothing is under way any more.
    changed: Notify,
}

#[derive(Debug)]
struct Standing {
    health: Health,
    passes_in_a_row: u32,
    failures_in_a_row: u32,
    /// Times that it was taken out without a request answered in between.
    ejections: u32,
    /// While it is taken out: when a request may try it.
    out_until: Instant,
    is_tried: bool,
}

impl Upstream {
    /// `ticket` is what a cookie says that leads to it; nobody may guess another's.
    pub(crate) fn new(id: UpstreamId, target: Target, ticket: String, rules: Arc<HealthSettings>) -> Self {
        let standing = Standing {
            health: Health::Unchecked,
            passes_in_a_row: 0,
            failures_in_a_row: 0,
            ejections: 0,
            out_until: Instant::now(),
            is_tried: false,
        };
        Self {
            id,
            target: Target { weight: target.weight.max(1), ..target },
            ticket,
            rules,
            idle_connections: IdleConnections::default(),
            role: AtomicU8::new(Role::Standby as u8),
            health: AtomicU8::new(Health::Unchecked as u8),
            standing: Mutex::new(standing),
            in_flight: AtomicUsize::new(0),
            failed_in_a_row: AtomicU32::new(0),
            latency_us: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            server_errors: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    pub fn id(&self) -> UpstreamId {
        self.id
    }

    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    pub fn weight(&self) -> u32 {
        self.target.weight
    }

    pub fn role(&self) -> Role {
        match self.role.load(Ordering::SeqCst) {
            0 => Role::Standby,
            1 => Role::Serving,
            2 => Role::Draining,
            _ => Role::Removed,
        }
    }

    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Unchecked,
            1 => Health::Healthy,
            2 => Health::Unhealthy,
            _ => Health::Ejected,
        }
    }

    /// Requests and upgraded connections that are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// How long it took lately until an answer began, on average; 0 before the first.
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_us.load(Ordering::Relaxed))
    }

    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            server_errors: self.server_errors.load(Ordering::Relaxed),
        }
    }

    /// Waits until nothing is under way, for `limit` at most. How much still is: 0 where it is drained.
    ///
    /// Whoever waits has taken it out of service before ([`Pool::drain`](crate::Pool::drain),
    /// [`Pool::replace`](crate::Pool::replace)), or new requests come in the meantime.
    pub async fn drained(&self, limit: Duration) -> usize {
        // What is left when the time is over is the answer, so that it is over is none.
        let _ = timeout(limit, self.until(|upstream| upstream.in_flight() == 0)).await;
        self.in_flight()
    }

    /// Waits until it is found well, for `limit` at most. Whether it was.
    pub async fn became_healthy(&self, limit: Duration) -> bool {
        timeout(limit, self.until(|upstream| upstream.health() == Health::Healthy)).await.is_ok()
    }

    async fn until(&self, is_reached: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_reached(self) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn rules(&self) -> &HealthSettings {
        &self.rules
    }

    pub(crate) fn ticket(&self) -> &str {
        &self.ticket
    }

    pub(crate) fn idle_connections(&self) -> &IdleConnections {
        &self.idle_connections
    }

    pub(crate) fn set_role(&self, role: Role) {
        self.role.store(role as u8, Ordering::SeqCst);
        if role != Role::Serving {
            self.idle_connections.close();
        }
        self.changed.notify_waiters();
    }

    /// Lets a request through to it, if it is serving and well.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Admission> {
        if self.health() == Health::Healthy { self.enter(Attempt::Usual) } else { None }
    }

    /// Lets one request through to find out whether it is well again, once it was out for long enough.
    pub(crate) fn admit_trial(self: &Arc<Self>) -> Option<Admission> {
        if self.health() != Health::Ejected {
            return None;
        }
        let mut standing = self.standing();
        if standing.health != Health::Ejected || standing.is_tried || Instant::now() < standing.out_until {
            return None;
        }
        let admission = self.enter(Attempt::Trial)?;
        standing.is_tried = true;
        Some(admission)
    }

    fn enter(self: &Arc<Self>, attempt: Attempt) -> Option<Admission> {
        // First counted, then looked: whoever drains sets the role first and counts then. One of both sees the other.
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.role() != Role::Serving {
            self.leave();
            return None;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        Some(Admission { upstream: self.clone(), attempt })
    }

    fn leave(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && self.role() != Role::Serving {
            self.changed.notify_waiters();
        }
    }

    /// A check found it well.
    pub(crate) fn pass_check(&self) {
        let mut standing = self.standing();
        standing.failures_in_a_row = 0;
        standing.passes_in_a_row = standing.passes_in_a_row.saturating_add(1);
        let is_enough = match standing.health {
            Health::Unchecked => true,
            Health::Unhealthy => standing.passes_in_a_row >= self.rules.passes,
            // Only a request can tell that requests are answered again.
            Health::Healthy | Health::Ejected => false,
        };
        if is_enough {
            self.become_healthy(&mut standing);
        }
    }

    /// A check found it ill, or did not reach it.
    pub(crate) fn fail_check(&self) {
        let mut standing = self.standing();
        standing.passes_in_a_row = 0;
        standing.failures_in_a_row = standing.failures_in_a_row.saturating_add(1);
        let is_up = matches!(standing.health, Health::Healthy | Health::Ejected);
        if is_up && standing.failures_in_a_row >= self.rules.failures {
            self.move_to(&mut standing, Health::Unhealthy);
        }
    }

    fn become_healthy(&self, standing: &mut Standing) {
        standing.ejections = 0;
        self.failed_in_a_row.store(0, Ordering::Relaxed);
        self.move_to(standing, Health::Healthy);
    }

    fn move_to(&self, standing: &mut Standing, health: Health) {
        tracing::info!(upstream = %self.address(), from = ?standing.health, to = ?health, "the health of an upstream changes");
        standing.health = health;
        standing.is_tried = false;
        self.health.store(health as u8, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    fn eject(&self) {
        let mut standing = self.standing();
        if !matches!(standing.health, Health::Healthy | Health::Ejected) {
            return;
        }
        standing.ejections = standing.ejections.saturating_add(1);
        standing.out_until = Instant::now() + self.rules.ejection(standing.ejections);
        self.move_to(&mut standing, Health::Ejected);
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request was let through to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Usual,
    /// It tells whether an upstream that was taken out is well again.
    Trial,
}

/// A request, or an upgraded connection, that is under way at an upstream until this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    upstream: Arc<Upstream>,
    attempt: Attempt,
}

impl Admission {
    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// An answer began `latency` after the request was given over.
    pub(crate) fn answered(&mut self, status: hyper::StatusCode, latency: Duration) {
        let upstream = &self.upstream;
        if status.is_server_error() {
            upstream.server_errors.fetch_add(1, Ordering::Relaxed);
        }
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // Two who do this at once lose one of their numbers, which an average bears.
        let average = match upstream.latency_us.load(Ordering::Relaxed) {
            0 => latency_us,
            known => known - known / LATENCY_SHARE + latency_us / LATENCY_SHARE,
        };
        upstream.latency_us.store(average, Ordering::Relaxed);
        if upstream.failed_in_a_row.load(Ordering::Relaxed) != 0 {
            upstream.failed_in_a_row.store(0, Ordering::Relaxed);
        }
        if self.attempt == Attempt::Trial {
            self.attempt = Attempt::Usual;
            let mut standing = upstream.standing();
            if standing.health == Health::Ejected {
                upstream.become_healthy(&mut standing);
            }
        }
    }

    /// The request failed. `others` says whether other upstreams are well: the last one is not taken out for what it
    /// answers, since without it everything would be refused.
    pub(crate) fn failed(&mut self, failure: Failure, others: Others) {
        let upstream = &self.upstream;
        upstream.failures.fetch_add(1, Ordering::Relaxed);
        if failure == Failure::Unavailable {
            upstream.server_errors.fetch_add(1, Ordering::Relaxed);
        }
        let in_a_row = upstream.failed_in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if self.attempt == Attempt::Trial {
            self.attempt = Attempt::Usual;
            upstream.eject();
            return;
        }
        let is_spared = failure == Failure::Unavailable && others == Others::Ill;
        if in_a_row >= upstream.rules.failed_requests && !is_spared && upstream.health() == Health::Healthy {
            upstream.eject();
        }
    }
}

/// Whether there are upstreams beside one that are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Well,
    Ill,
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.attempt == Attempt::Trial {
            // Nobody knows how it ended: the next one may try.
            self.upstream.standing().is_tried = false;
        }
        self.upstream.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream() -> Arc<Upstream> {
        let rules = HealthSettings { failed_requests: 2, eject_s: 5, max_eject_s: 15, ..HealthSettings::default() };
        let target = Target::from(SocketAddr::from(([127, 0, 0, 1], 1)));
        let upstream = Arc::new(Upstream::new(UpstreamId(1), target, String::new(), Arc::new(rules)));
        upstream.set_role(Role::Serving);
        upstream.pass_check();
        upstream
    }

    fn fail(upstream: &Arc<Upstream>, failure: Failure, others: Others) {
        upstream.admit().unwrap().failed(failure, others);
    }

    const FINE: hyper::StatusCode = hyper::StatusCode::OK;

    #[tokio::test]
    async fn checks_take_out_and_bring_back_after_so_many_in_a_row() {
        let upstream = upstream();
        for _ in 0..2 {
            upstream.fail_check();
        }
        upstream.pass_check();
        for _ in 0..2 {
            upstream.fail_check();
        }
        assert_eq!(upstream.health(), Health::Healthy, "never three in a row");
        upstream.fail_check();
        assert_eq!(upstream.health(), Health::Unhealthy);
        upstream.pass_check();
        assert_eq!(upstream.health(), Health::Unhealthy);
        upstream.pass_check();
        assert_eq!(upstream.health(), Health::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn failed_requests_take_out_for_a_while_and_one_that_is_answered_brings_back() {
        let upstream = upstream();
        fail(&upstream, Failure::Broken, Others::Ill);
        upstream.admit().unwrap().answered(FINE, Duration::from_millis(1));
        fail(&upstream, Failure::Broken, Others::Ill);
        assert_eq!(upstream.health(), Health::Healthy, "never two in a row");
        fail(&upstream, Failure::Broken, Others::Ill);
        assert_eq!(upstream.health(), Health::Ejected);
        assert!(upstream.admit().is_none() && upstream.admit_trial().is_none(), "too early");
        upstream.pass_check();
        assert_eq!(upstream.health(), Health::Ejected, "its checks never failed");
        tokio::time::advance(Duration::from_secs(5)).await;
        let mut trial = upstream.admit_trial().unwrap();
        assert!(upstream.admit_trial().is_none(), "one at a time");
        trial.answered(FINE, Duration::from_millis(1));
        assert_eq!(upstream.health(), Health::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn each_failed_trial_takes_out_for_longer() {
        let upstream = upstream();
        fail(&upstream, Failure::Unreachable, Others::Ill);
        fail(&upstream, Failure::Unreachable, Others::Ill);
        for seconds in [5, 10, 15, 15] {
            tokio::time::advance(Duration::from_millis(seconds * 1000 - 1)).await;
            assert!(upstream.admit_trial().is_none(), "{seconds}");
            tokio::time::advance(Duration::from_millis(1)).await;
            upstream.admit_trial().unwrap().failed(Failure::TimedOut, Others::Ill);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_whose_end_nobody_saw_is_followed_by_another() {
        let upstream = upstream();
        fail(&upstream, Failure::Broken, Others::Ill);
        fail(&upstream, Failure::Broken, Others::Ill);
        tokio::time::advance(Duration::from_secs(5)).await;
        drop(upstream.admit_trial().unwrap());
        assert!(upstream.admit_trial().is_some());
    }

    #[tokio::test]
    async fn the_last_one_that_is_well_is_not_taken_out_for_what_it_answers() {
        let upstream = upstream();
        for _ in 0..10 {
            fail(&upstream, Failure::Unavailable, Others::Ill);
        }
        assert_eq!(upstream.health(), Health::Healthy);
        fail(&upstream, Failure::Unavailable, Others::Well);
        assert_eq!(upstream.health(), Health::Ejected);
    }

    #[tokio::test]
    async fn the_latency_follows_what_it_lately_was() {
        let upstream = upstream();
        let answer = |ms| upstream.admit().unwrap().answered(FINE, Duration::from_millis(ms));
        answer(10);
        assert_eq!(upstream.latency(), Duration::from_millis(10));
        (0..100).for_each(|_| answer(50));
        assert!((45..=50).contains(&upstream.latency().as_millis()), "{:?}", upstream.latency());
    }
}
