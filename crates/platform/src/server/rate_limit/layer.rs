//! Spends quotas for requests and says in headers how they stand (draft-ietf-httpapi-ratelimit-headers).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse, Response},
};
use kernel::Actor;

use super::{Decision, Quota};
use crate::server::{
    client_address::ClientAddress,
    problem::{Problem, ProblemType},
    router::Edge,
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How a quota stood for this request; the last one told stands in the answer's headers.
#[derive(Debug, Clone, Copy)]
struct Standing {
    quota: Quota,
    decision: Decision,
}

impl Standing {
    fn write(self, response: &mut Response) {
        let Quota { name, units, window } = self.quota;
        let policy = format!("\"{name}\";q={units};w={}", window.as_secs());
        let limit = format!("\"{name}\";r={};t={}", self.decision.remaining, seconds(self.decision.reset));
        for (header, text) in [(POLICY, policy), (LIMIT, limit)] {
            if let (Ok(value), false) = (HeaderValue::from_str(&text), response.headers().contains_key(&header)) {
                response.headers_mut().insert(header, value);
            }
        }
    }

    fn refusal(self, wait: Duration) -> Response {
        let problem = Problem::new(ProblemType::RateLimited)
            .detail(format!("wait {} s, then ask less often", seconds(wait)))
            .retry_after(wait);
        let mut response = problem.into_response();
        self.write(&mut response);
        response
    }
}

/// Counts the request against the address that it comes from; before anybody is believed to be somebody.
pub(crate) async fn limit_address(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let Some(address) = request.extensions().get::<ClientAddress>().copied() else { return next.run(request).await };
    limit(&edge, edge.address_quota(), address.network().to_string(), request, next).await
}

/// Counts the request against its user.
pub(crate) async fn limit_user(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let Some(actor) = request.extensions().get::<Actor>() else { return next.run(request).await };
    let key = actor.user_id.to_string();
    limit(&edge, edge.user_quota(), key, request, next).await
}

async fn limit(edge: &Edge, quota: Quota, key: String, request: Request, next: Next) -> Response {
    let cost = edge.policy_of(&request).cost;
    let decision = edge.limiter.spend(&key, cost, &quota).await;
    let standing = Standing { quota, decision };
    if let Some(wait) = decision.refused() {
        return standing.refusal(wait);
    }
    let mut response = next.run(request).await;
    standing.write(&mut response);
    response
}

fn seconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}
