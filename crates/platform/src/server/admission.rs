//! What a request goes through before a handler has it, the cheapest question first.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    auth,
    body::{self, BodyLimits},
    client_address::ClientAddress,
    idempotency,
    listen::Peer,
    policy::RoutePolicy,
    problem::{Problem, ProblemType},
    rate_limit::Standing,
    router::Edge,
};

/// Answers a request within the time of its route.
pub(super) async fn admit(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let policy = edge.policies.find(request.method(), route);
    let answer = answer(&edge, policy, request, next);
    let Some(limit) = policy.time_limit else { return answer.await };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        Problem::new(ProblemType::Unavailable)
            .detail(format!("there was no answer within {} s", limit.as_secs()))
            .retry_after(Duration::from_secs(1))
            .into_response()
    })
}

async fn answer(edge: &Edge, policy: &RoutePolicy, mut request: Request, next: Next) -> Response {
    let mut standing = None;
    let mut response = match enter(edge, policy, &mut request, &mut standing).await {
        Ok(()) => idempotency::answer_once(edge, policy, request, next).await,
        Err(problem) => problem.into_response(),
    };
    if let Some(standing) = standing {
        standing.write(&mut response);
    }
    response
}

/// Fails where the request has no business with a handler. `standing` is that of the last quota it was counted against.
async fn enter(
    edge: &Edge,
    policy: &RoutePolicy,
    request: &mut Request,
    standing: &mut Option<Standing>,
) -> Result<(), Problem> {
    let limiter = edge.limiter.as_ref();
    // By address before anybody is believed to be somebody.
    if let Some(Peer(peer)) = request.extensions().get().copied() {
        let client = ClientAddress::of(peer.ip(), request.headers(), &edge.settings.trusted_proxies);
        request.extensions_mut().insert(client);
        let key = client.network().to_string();
        standing.insert(Standing::after(limiter, &key, policy.cost, edge.address_quota()).await).check()?;
    }
    if let Some(actor) = auth::authenticate(edge, policy, request.method(), request.headers()).await? {
        let key = actor.user_id.to_string();
        request.extensions_mut().insert(actor);
        standing.insert(Standing::after(limiter, &key, policy.cost, edge.user_quota()).await).check()?;
    }
    bound_body(edge, policy, request)
}

fn bound_body(edge: &Edge, policy: &RoutePolicy, request: &mut Request) -> Result<(), Problem> {
    let idle = Duration::from_secs(edge.settings.idle_timeout_s);
    let limits = BodyLimits { max_bytes: policy.max_body_bytes, idle };
    body::check_announced(request.headers(), limits)?;
    // The framework's own bound is two megabytes for everything.
    DefaultBodyLimit::disable().apply(request);
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = body::bounded(body, limits);
    Ok(())
}
