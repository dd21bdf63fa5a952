//! The operator's requests. Everybody may ask whether the gateway lives and how it is; everything else needs [`Access`].

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use platform::server::{
    Json, Problem, ProblemType,
    health::{self, Component, Health},
    metrics::Metrics,
};
use serde::Deserialize;

use super::{
    access::Access,
    status::{FleetHealth, GatewayStatus},
};
use crate::{
    Pool,
    fleet::{DeploymentReport, Fleet, FleetError, Scale},
};

/// Bytes of a request's body.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long a request may take, its body included.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The media type of Prometheus' text form.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked about, and told what to do.
#[derive(Clone)]
pub struct AdminParts {
    pub access: Access,
    pub pool: Pool,
    /// The instances, where the gateway starts any.
    pub fleet: Option<Fleet>,
    pub metrics: Metrics,
    /// Parts of the gateway that can be asked how they are, without its instances.
    pub components: Vec<Arc<dyn Component>>,
}

impl std::fmt::Debug for AdminParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminParts").field("access", &self.access).field("fleet", &self.fleet).finish_non_exhaustive()
    }
}

/// How many instances there are to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleBody {
    instances: Count,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(usize),
    Word(Word),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Auto,
}

/// The program that is to serve.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeployBody {
    program: PathBuf,
}

pub(super) fn router(parts: AdminParts) -> Router {
    let of_operator = Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/scale", post(scale))
        .route("/deploy", get(show_deploy).post(deploy))
        .route("/rollback", post(rollback))
        .route_layer(middleware::from_fn_with_state(parts.clone(), admit));
    Router::new()
        .route("/livez", get(|| async { StatusCode::NO_CONTENT }))
        .route("/health", get(show_health))
        .merge(of_operator)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::new(ProblemType::MethodNotAllowed) })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(within_size))
        .layer(middleware::from_fn(within_time))
        .with_state(parts)
}

async fn admit(State(parts): State<AdminParts>, request: Request, next: Next) -> Response {
    if parts.access.admits(request.headers()) {
        return next.run(request).await;
    }
    let detail = "send the gateway's token as `Authorization: Bearer TOKEN`";
    Problem::new(ProblemType::Unauthenticated).detail(detail).into_response()
}

/// Says at once that a body is too large. One whose length is not told breaks off there.
async fn within_size(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|bytes: usize| bytes > MAX_BODY_BYTES) {
        let detail = format!("at most {MAX_BODY_BYTES} bytes are read");
        return Problem::new(ProblemType::PayloadTooLarge).detail(detail).into_response();
    }
    next.run(request).await
}

async fn within_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(ProblemType::Timeout).into_response(),
    }
}

async fn show_health(State(parts): State<AdminParts>) -> Response {
    let fleet = parts.fleet.clone().map(|fleet| Arc::new(FleetHealth(fleet)) as Arc<dyn Component>);
    let report = Health::new(parts.components.into_iter().chain(fleet).collect()).report().await;
    let is_well = report.state == health::State::Healthy;
    (if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(report)).into_response()
}

async fn status(State(parts): State<AdminParts>) -> Json<GatewayStatus> {
    Json(parts.status().await)
}

async fn metrics(State(parts): State<AdminParts>) -> Response {
    let text = parts.metrics.render() + &parts.status().await.metrics();
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

async fn scale(State(parts): State<AdminParts>, Json(body): Json<ScaleBody>) -> Result<Json<GatewayStatus>, Problem> {
    let scale = match body.instances {
        Count::Number(count) => Scale::Fixed(count),
        Count::Word(Word::Auto) => Scale::Auto,
    };
    parts.fleet()?.scale(scale).await.map_err(|error| problem(&error))?;
    Ok(Json(parts.status().await))
}

async fn show_deploy(State(parts): State<AdminParts>) -> Result<Json<DeploymentReport>, Problem> {
    parts.fleet()?.deployment().map(Json).ok_or_else(Problem::not_found)
}

async fn deploy(State(parts): State<AdminParts>, Json(body): Json<DeployBody>) -> Result<Response, Problem> {
    let begun = parts.fleet()?.deploy(&body.program).map_err(|error| problem(&error))?;
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}

async fn rollback(State(parts): State<AdminParts>) -> Result<Response, Problem> {
    let begun = parts.fleet()?.rollback().map_err(|error| problem(&error))?;
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}

impl AdminParts {
    async fn status(&self) -> GatewayStatus {
        GatewayStatus::of(&self.pool, self.fleet.as_ref(), &self.components).await
    }

    fn fleet(&self) -> Result<&Fleet, Problem> {
        let missing = || {
            let detail = "this gateway starts no instances; give it a section `[instances]`";
            Problem::new(ProblemType::Missing).detail(detail)
        };
        self.fleet.as_ref().ok_or_else(missing)
    }
}

fn problem(error: &FleetError) -> Problem {
    Problem::of(error.kind(), error)
}
