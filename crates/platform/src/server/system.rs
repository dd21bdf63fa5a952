//! Routes of the server itself: whether it lives, whether it is ready, how its parts are, its numbers.

use axum::{
    Router,
    extract::{Extension, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use ipnet::IpNet;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    client_address::ClientAddress,
    extract::{Json, Path},
    health::{self, ComponentReport, Health, HealthReport},
    metrics::{Metrics, may_see},
    problem::Problem,
};

/// The media type of Prometheus' text form.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes(health: Health) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(report))
        .routes(routes!(report_component))
        .with_state(health)
}

/// The numbers; to others than those of `networks` there is no such page.
pub(super) fn metrics_route(metrics: Metrics, networks: Vec<IpNet>) -> Router {
    let show = move |client: Option<Extension<ClientAddress>>| async move {
        match client {
            Some(Extension(client)) if may_see(client.0, &networks) => {
                ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics.render()).into_response()
            }
            _ => Problem::not_found().into_response(),
        }
    };
    Router::new().route("/metrics", get(show))
}

/// Whether the server lives
///
/// Says nothing of its parts: a server that fails here is to be started anew.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 204, description = "It lives")))]
async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Whether requests should come here
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "It is ready", body = HealthReport),
        (status = 503, description = "It is not: a part that it cannot do without fails, or it is about to end", body = HealthReport),
    )
)]
async fn ready(State(health): State<Health>) -> Response {
    answer(&health.readiness().await)
}

/// How the parts of the server are
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses(
        (status = 200, description = "All parts work", body = HealthReport),
        (status = 503, description = "Parts that do not work are named", body = HealthReport),
    )
)]
async fn report(State(health): State<Health>) -> Response {
    answer(&health.report().await)
}

/// How one part of the server is
#[utoipa::path(
    get,
    path = "/health/{component}",
    tag = "health",
    params(("component" = String, Path, description = "The name of the part, such as `db`")),
    responses(
        (status = 200, description = "It works", body = ComponentReport),
        (status = 503, description = "It does not", body = ComponentReport),
    )
)]
async fn report_component(State(health): State<Health>, Path(name): Path<String>) -> Result<Response, Problem> {
    let report = health.report_of(&name).await.ok_or_else(Problem::not_found)?;
    Ok((status_of(report.state), Json(report)).into_response())
}

fn answer(report: &HealthReport) -> Response {
    (status_of(report.state), Json(report)).into_response()
}

fn status_of(state: health::State) -> StatusCode {
    match state {
        health::State::Healthy => StatusCode::OK,
        health::State::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    }
}
