//! The first and last thing that happens to every request: its name, its line in the log, its numbers, the net under
//! handlers that panic, and one form for every error.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tracing::{Instrument, field};

use super::{
    headers,
    metrics::NO_ROUTE,
    problem::{MEDIA_TYPE, Problem, ProblemType},
    request_id::{self, RequestId},
    router::Edge,
};

pub(super) async fn layer(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), edge.ids.as_ref());
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The template, not the address: addresses hold tokens and names, and whatever a stranger likes to write into a log.
    // At the level of errors, so that the id stands in every line that is written, however few those are.
    let span = tracing::error_span!("request", request_id = %id, user_id = field::Empty);
    let method = request.method().clone();
    let measurement = edge.metrics.begin(&method, route.clone());
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let answer = async {
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let mut response = in_one_form(answer.unwrap_or_else(|panic| recover(panic.as_ref())));
        headers::secure(&mut response, edge.transport);
        let elapsed = measurement.end(response.status().as_u16());
        let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            method = %method, route, status = response.status().as_u16(), duration_ms, "answered"
        );
        response
    };
    let mut response = id.clone().scope(answer.instrument(span)).await;
    response.headers_mut().insert(request_id::HEADER, id.into_header());
    response
}

/// What a handler that panicked answers. Where it happened is told by the panic hook, what it said stays in the log.
fn recover(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something that is no text");
    tracing::error!(panic = text, "a handler panicked");
    Problem::new(ProblemType::Internal).into_response()
}

/// Errors that axum and its layers answer are turned into problems; what their headers say (`Allow`) stays. What is JSON a
/// handler wrote, as that of health, which names the parts that do not work.
fn in_one_form(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_written = content_type.is_some_and(|value| value == MEDIA_TYPE || value == "application/json");
    if !is_error || is_written {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let mut problem = Problem::of_status(status).into_response();
    *problem.status_mut() = status;
    problem.headers_mut().extend(parts.headers);
    // A status that is none of ours (418) keeps its number in the body as well as it can: the type says what it is like.
    problem.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    problem
}
