//! Everything around the handlers, in its order: the one place to read which request is stopped where.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
};
use kernel::IdSource;
use tower::{Layer as _, ServiceExt as _};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    admission,
    auth::{Authenticator, SameSite},
    documentation,
    headers::Transport,
    health::Health,
    idempotency,
    metrics::Metrics,
    openapi, outermost,
    policy::{RoutePolicies, RoutePolicy},
    problem::Problem,
    rate_limit::{Quota, RateLimiter},
    request_id,
    settings::ServerSettings,
    system,
};
use crate::{idempotency::Idempotency, storage::http::tus};

/// Answers smaller than this are not made smaller by compression.
const MIN_COMPRESSED_BYTES: u64 = 1024;

/// What the server is made of, beside the routes.
#[derive(Debug, Clone)]
pub struct Parts {
    pub settings: ServerSettings,
    pub ids: Arc<dyn IdSource>,
    pub limiter: Arc<dyn RateLimiter>,
    pub authenticator: Arc<dyn Authenticator>,
    pub idempotency: Idempotency,
    pub health: Health,
    pub metrics: Metrics,
}

/// What the layers share.
#[derive(Debug)]
pub(crate) struct Edge {
    pub settings: ServerSettings,
    pub ids: Arc<dyn IdSource>,
    pub limiter: Arc<dyn RateLimiter>,
    pub authenticator: Arc<dyn Authenticator>,
    pub idempotency: Idempotency,
    pub same_site: SameSite,
    pub transport: Transport,
    pub policies: RoutePolicies,
    pub metrics: Metrics,
}

impl Edge {
    pub(crate) fn address_quota(&self) -> Quota {
        Quota { name: "address", units: self.settings.address_units_per_minute, window: Duration::from_mins(1) }
    }

    pub(crate) fn user_quota(&self) -> Quota {
        Quota { name: "user", units: self.settings.user_units_per_minute, window: Duration::from_mins(1) }
    }
}

/// A server that is put together.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// Answers requests.
    pub router: Router,
    /// The document of all its routes, as it is served.
    pub document: Arc<utoipa::openapi::OpenApi>,
}

/// Puts everything that a request goes through around the handlers of `api`.
pub fn assemble(api: OpenApiRouter, parts: Parts) -> Assembled {
    let (routes, mut document) = api.merge(system::routes(parts.health.clone())).split_for_parts();
    openapi::complete(&mut document);
    let default = RoutePolicy {
        cost: 1,
        max_body_bytes: parts.settings.max_body_bytes,
        time_limit: Some(Duration::from_secs(parts.settings.request_timeout_s)),
        is_open: false,
        headers: Vec::new(),
    };
    let edge = Arc::new(Edge {
        policies: RoutePolicies::of(&document, default),
        same_site: SameSite { origins: parts.settings.origins() },
        transport: parts.settings.transport(),
        settings: parts.settings,
        ids: parts.ids,
        limiter: parts.limiter,
        authenticator: parts.authenticator,
        idempotency: parts.idempotency,
        metrics: parts.metrics.clone(),
    });
    let document = Arc::new(document);
    let routes = routes
        .merge(documentation::routes(&document))
        .merge(system::metrics_route(parts.metrics, edge.settings.metrics_from.clone()))
        .fallback(|| async { Problem::not_found() });
    Assembled { router: layered(routes, &edge), document }
}

/// The layers, outermost first.
fn layered(routes: Router, edge: &Arc<Edge>) -> Router {
    let outermost = middleware::from_fn_with_state(edge.clone(), outermost::layer);
    let admission = middleware::from_fn_with_state(edge.clone(), admission::admit);
    if edge.settings.cors_origins.is_empty() {
        return routes.layer((outermost, compression(), admission));
    }
    let cors = middleware::from_fn_with_state(cors(&edge.settings), share);
    routes.layer((outermost, cors, compression(), admission))
}

/// Lets pages of other origins use the answers. The layer of CORS answers every `OPTIONS` by itself; one that no browser sends
/// before a request of another origin is for the handlers.
async fn share(State(cors): State<CorsLayer>, request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if *request.method() == Method::OPTIONS && !is_preflight {
        return next.run(request).await;
    }
    let inside = tower::service_fn(|request| async { Ok::<_, Infallible>(next.clone().run(request).await) });
    cors.layer(inside).oneshot(request).await.unwrap_or_else(|never| match never {})
}

fn compression() -> CompressionLayer<impl Predicate> {
    // Streams are flushed piece by piece; pictures, sound and films are small already.
    let predicate = SizeAbove::new(MIN_COMPRESSED_BYTES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::const_new("video/"))
        .and(NotForContentType::const_new("audio/"));
    CompressionLayer::new().compress_when(predicate)
}

fn cors(settings: &ServerSettings) -> CorsLayer {
    let origins = settings.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(
            [
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_MATCH,
                header::IF_NONE_MATCH,
                header::RANGE,
                idempotency::HEADER,
                request_id::HEADER,
            ]
            .into_iter()
            .chain(tus::REQUEST_HEADERS)
            .collect::<Vec<_>>(),
        )
        .expose_headers(
            [
                header::CONTENT_LOCATION,
                header::CONTENT_RANGE,
                header::ETAG,
                header::LOCATION,
                header::RETRY_AFTER,
                request_id::HEADER,
            ]
            .into_iter()
            .chain(tus::RESPONSE_HEADERS)
            .collect::<Vec<_>>(),
        )
        .max_age(Duration::from_mins(10))
}
