//! A server for tests: everything around the handlers as in production, called without a network.
#![expect(clippy::missing_panics_doc, reason = "a test that cannot set itself up or read an answer fails")]

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header},
};
use kernel::{Actor, Clock, Credential, IdSource, Plan, Rng, Role, SeededRng, SessionId, TimeOrderedIds, UserId, Uuid};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    db::Db,
    idempotency::Idempotency,
    secrets::{Sealer, SecretKeys},
    server::{
        Authenticator, Problem, ProblemType,
        health::Health,
        listen::Peer,
        metrics::Metrics,
        rate_limit::{MemoryLimiter, RateLimiter},
        router::{Assembled, Parts, assemble},
        settings::ServerSettings,
    },
};

/// What a server for tests is made of: chance that repeats itself, and the clock that the test gives.
#[derive(Debug, Clone)]
pub struct TestParts {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub ids: Arc<dyn IdSource>,
    pub limiter: Arc<dyn RateLimiter>,
    pub secrets: SecretKeys,
    pub settings: ServerSettings,
}

impl TestParts {
    pub fn new(db: &Db, clock: Arc<dyn Clock>) -> Self {
        let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(7));
        let secrets = SecretKeys::new("a secret for tests, long enough to be one".to_owned().into(), Vec::new());
        Self {
            db: db.clone(),
            ids: Arc::new(TimeOrderedIds::new(clock.clone(), rng.clone())),
            limiter: Arc::new(MemoryLimiter::new(clock.clone(), 10_000)),
            clock,
            rng,
            secrets: secrets.unwrap_or_else(|error| panic!("{error}")),
            settings: ServerSettings::default(),
        }
    }

    /// The server of `api`, whose users `authenticator` knows.
    pub fn serve(&self, api: OpenApiRouter, authenticator: Arc<dyn Authenticator>, health: Health) -> TestServer {
        let Assembled { router, document } = assemble(
            api,
            Parts {
                settings: self.settings.clone(),
                ids: self.ids.clone(),
                limiter: self.limiter.clone(),
                authenticator,
                idempotency: self.idempotency(),
                health,
                metrics: Metrics::of_process(),
            },
        );
        TestServer { router, document }
    }

    /// The keys and answers of the server.
    pub fn idempotency(&self) -> Idempotency {
        let sealer = Sealer::new(&self.secrets, self.rng.clone());
        Idempotency::new(self.db.clone(), sealer, self.clock.clone(), self.ids.clone())
    }
}

/// A server that is called without a network.
#[derive(Debug, Clone)]
pub struct TestServer {
    pub router: Router,
    pub document: Arc<utoipa::openapi::OpenApi>,
}

/// A request to be sent.
#[derive(Debug)]
pub struct Call {
    router: Router,
    request: Request<Body>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl TestServer {
    /// A request from 192.0.2.1, which is nobody's address.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        request.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 1], 4711))));
        Call { router: self.router.clone(), request }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }
}

impl Call {
    #[must_use]
    pub fn from(mut self, address: &str) -> Self {
        let address = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        self.request.extensions_mut().insert(Peer(SocketAddr::new(address, 4711)));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).unwrap_or_else(|error| panic!("{value}: {error}"));
        self.request.headers_mut().append(HeaderName::from_static(name), value);
        self
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).unwrap_or_else(|error| panic!("{error}"));
        self.header("content-type", "application/json").body(bytes)
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    pub async fn send(self) -> Answer {
        let response = self.router.oneshot(self.request).await;
        let response = response.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_else(|error| panic!("{error}"));
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// The type of the problem that it is, which has the form that every problem has.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16(), "{body}");
        assert_eq!(body["request_id"].as_str(), Some(self.header("x-request-id")), "{body}");
        body["type"].as_str().unwrap_or_default().to_owned()
    }
}

/// Believes whoever says `Bearer user-N` to be the user N, a creator; `Bearer expired` is refused.
#[derive(Debug, Clone, Copy)]
pub struct Believer;

#[async_trait]
impl Authenticator for Believer {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
        let Some(shown) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
        let number = shown.to_str().ok().and_then(|text| text.strip_prefix("Bearer user-")?.parse().ok());
        let id = Uuid::from_u128(number.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?);
        let credential = Credential::Token(SessionId::from_uuid(id));
        Ok(Some(Actor::new(UserId::from_uuid(id), Role::Creator, Plan::Free, credential)))
    }
}
