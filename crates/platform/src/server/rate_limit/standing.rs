//! Spends quotas for requests and says in headers how they stand (draft-ietf-httpapi-ratelimit-headers).

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue},
    response::Response,
};

use super::{Decision, Quota, RateLimiter};
use crate::server::problem::{Problem, ProblemType};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How a quota stood when a request was counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    quota: Quota,
    decision: Decision,
}

impl Standing {
    /// Counts a request of this cost against the quota of `key`.
    pub(crate) async fn after(limiter: &dyn RateLimiter, key: &str, cost: u32, quota: Quota) -> Self {
        Self { quota, decision: limiter.spend(key, cost, &quota).await }
    }

    /// Fails where the quota was not enough.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let Some(wait) = self.decision.refused() else { return Ok(()) };
        Err(Problem::new(ProblemType::RateLimited)
            .detail(format!("wait {} s, then ask less often", seconds(wait)))
            .retry_after(wait))
    }

    pub(crate) fn write(self, response: &mut Response) {
        let Quota { name, units, window } = self.quota;
        let policy = format!("\"{name}\";q={units};w={}", window.as_secs());
        let limit = format!("\"{name}\";r={};t={}", self.decision.remaining, seconds(self.decision.reset));
        for (header, text) in [(POLICY, policy), (LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(header, value);
            }
        }
    }
}

fn seconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}
