//! How upstreams are found well or ill.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fault, out_of_range};

/// The section `[health]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthSettings {
    /// What every upstream is asked for; any answer of 200 to 299 says that it is well.
    pub path: String,
    /// Milliseconds between two checks of one upstream.
    pub interval_ms: u64,
    /// Milliseconds that an upstream may take to answer a check.
    pub timeout_ms: u64,
    /// Checks in a row that one which was ill must pass before it gets requests again.
    pub passes: u32,
    /// Checks in a row that one which was well must fail before it gets no more requests.
    pub failures: u32,
    /// Requests in a row that must fail before their upstream is taken out, whatever its checks say.
    pub failed_requests: u32,
    /// Seconds that it is taken out for; doubled each time that it fails again at once.
    pub eject_s: u64,
    /// Seconds that it is taken out for at most.
    pub max_eject_s: u64,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            path: "/readyz".to_owned(),
            interval_ms: 2000,
            timeout_ms: 1500,
            passes: 2,
            failures: 3,
            failed_requests: 5,
            eject_s: 5,
            max_eject_s: 60,
        }
    }
}

impl HealthSettings {
    /// Time between two checks.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Time that a check may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long an upstream is taken out that was taken out so many times in a row.
    pub(crate) fn ejection(&self, times_in_a_row: u32) -> Duration {
        let doubled = self.eject_s.saturating_mul(1 << times_in_a_row.saturating_sub(1).min(20));
        Duration::from_secs(doubled.min(self.max_eject_s))
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = [
            out_of_range("health.interval_ms", self.interval_ms, 50..=3_600_000),
            out_of_range("health.timeout_ms", self.timeout_ms, 10..=600_000),
            out_of_range("health.passes", self.passes.into(), 1..=100),
            out_of_range("health.failures", self.failures.into(), 1..=100),
            out_of_range("health.failed_requests", self.failed_requests.into(), 1..=10_000),
            out_of_range("health.eject_s", self.eject_s, 1..=3600),
            out_of_range("health.max_eject_s", self.max_eject_s, self.eject_s.clamp(1, 3600)..=86_400),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !self.path.starts_with('/') || self.path.parse::<hyper::Uri>().is_err() {
            faults.push(("health.path", format!("`{}` is no path; write one such as /readyz", self.path)));
        }
        faults
    }
}
