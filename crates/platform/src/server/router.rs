//! Everything around the handlers, in its order: the one place to read which request is stopped where.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use kernel::IdSource;
use tower::ServiceExt as _;
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    auth::{self, Authenticator, SameSite},
    body::{self, BodyLimits},
    client_address::ClientAddress,
    documentation,
    headers::Transport,
    health::Health,
    idempotency,
    listen::Peer,
    metrics::Metrics,
    openapi, outermost,
    policy::{RoutePolicies, RoutePolicy},
    problem::{Problem, ProblemType},
    rate_limit::{self, Quota, RateLimiter},
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
    policies: RoutePolicies,
}

impl Edge {
    /// The bounds of the route that a request goes to.
    pub(crate) fn policy_of(&self, request: &Request) -> RoutePolicy {
        self.policies.find(request.method(), request.extensions().get::<MatchedPath>().map(MatchedPath::as_str))
    }

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
    });
    let document = Arc::new(document);
    let routes = routes
        .merge(documentation::routes(&document))
        .merge(system::metrics_route(parts.metrics, edge.settings.metrics_from.clone()))
        .fallback(|| async { Problem::not_found() });
    Assembled { router: layered(routes, &edge), document }
}

/// The layers, innermost first: a request meets the last of them first.
fn layered(routes: Router, edge: &Arc<Edge>) -> Router {
    let with = || edge.clone();
    let inside = routes
        .layer(middleware::from_fn_with_state(with(), idempotency::layer))
        .layer(middleware::from_fn_with_state(with(), bound_body))
        .layer(middleware::from_fn_with_state(with(), rate_limit::limit_user))
        .layer(middleware::from_fn_with_state(with(), auth::authenticate))
        .layer(middleware::from_fn_with_state(with(), rate_limit::limit_address))
        .layer(middleware::from_fn_with_state(with(), find_client))
        .layer(middleware::from_fn_with_state(with(), limit_time))
        .layer(compression());
    let with_cors = inside.clone().layer(cors(&edge.settings));
    with_cors
        .layer(middleware::from_fn_with_state(inside, pass_plain_options))
        .layer(middleware::from_fn_with_state(with(), outermost::layer))
}

/// The layer of CORS answers every `OPTIONS` by itself; one that no browser sends before a request of another origin is for
/// the handlers.
async fn pass_plain_options(State(inside): State<Router>, request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if *request.method() != Method::OPTIONS || is_preflight {
        return next.run(request).await;
    }
    inside.oneshot(request).await.unwrap_or_else(|never| match never {})
}

async fn find_client(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    if let Some(Peer(peer)) = request.extensions().get().copied() {
        let client = ClientAddress::of(peer.ip(), request.headers(), &edge.settings.trusted_proxies);
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

async fn limit_time(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let Some(limit) = edge.policy_of(&request).time_limit else { return next.run(request).await };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(ProblemType::Unavailable)
            .detail(format!("there was no answer within {} s", limit.as_secs()))
            .retry_after(Duration::from_secs(1))
            .into_response(),
    }
}

async fn bound_body(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let limits = BodyLimits {
        max_bytes: edge.policy_of(&request).max_body_bytes,
        idle: Duration::from_secs(edge.settings.idle_timeout_s),
    };
    if let Err(fault) = body::check_announced(request.headers(), limits) {
        return Problem::from(fault).into_response();
    }
    next.run(request.map(|body| body::bounded(body, limits))).await
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
