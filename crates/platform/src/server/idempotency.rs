//! `Idempotency-Key` on every POST: what was done under a key is not done again, and its answer is given again.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use kernel::Actor;
use ring::digest::{Context, SHA256};

use super::{
    body::read_failure,
    client_address::ClientAddress,
    policy::RoutePolicy,
    problem::{Problem, ProblemType},
    router::Edge,
};
use crate::{
    db::DbError,
    idempotency::{Claim, Claiming, Receipt, Reply},
};

/// The header that carries the key.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longer keys are refused.
pub const MAX_KEY_LENGTH: usize = 255;

/// Bodies of routes that take more than this are streams: they are compared by their length only.
const MAX_COMPARED_BYTES: u64 = 8 << 20;

/// Handlers of POST take it as an argument, and give the service a [`Receipt`] made from it.
#[derive(Debug, Clone, Default)]
pub struct Claimed(Option<Arc<Claim>>);

impl Claimed {
    /// The receipt whose answer `render` makes from the result.
    pub fn receipt<T>(self, render: impl Fn(&T) -> Reply + Send + Sync + 'static) -> Receipt<T> {
        Receipt::new(self.0, render)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Claimed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error.retry_after() {
            // What the database says is for the log; the asker learns when to come again.
            Some(wait) => {
                tracing::warn!(error = %error, "the database does not answer");
                Self::new(ProblemType::Unavailable).retry_after(wait)
            }
            None => Self::internal(&error),
        }
    }
}

/// The answer of `next`, or the one that was given before under the same key.
pub(super) async fn answer_once(edge: &Edge, policy: &RoutePolicy, request: Request, next: Next) -> Response {
    if *request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    match claim(edge, policy, request).await {
        Ok((claim, request)) => answer(claim, request, next).await,
        Err(response) => response,
    }
}

/// The request with its claim, or the answer where there is nothing to do.
async fn claim(edge: &Edge, policy: &RoutePolicy, request: Request) -> Result<(Arc<Claim>, Request), Response> {
    let key = key_of(request.headers()).map_err(IntoResponse::into_response)?;
    let owner = owner_of(&request);
    let is_stream = policy.max_body_bytes > MAX_COMPARED_BYTES;
    let (request, fingerprint) = fingerprint(policy, request, is_stream).await.map_err(IntoResponse::into_response)?;
    let claiming = edge.idempotency.claim(&owner, &key, &fingerprint).await;
    match claiming.map_err(|error| Problem::from(error).into_response())? {
        Claiming::Granted(claim) => Ok((claim, request)),
        Claiming::Replay(reply) => {
            let mut response = reply.into_response();
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Err(response)
        }
        Claiming::InFlight => {
            let wait = std::time::Duration::from_secs(1);
            Err(Problem::new(ProblemType::RequestInFlight).retry_after(wait).into_response())
        }
        Claiming::OtherRequest => Err(Problem::new(ProblemType::IdempotencyKeyReused)
            .detail("take a new key for a request that differs in path or body")
            .into_response()),
    }
}

async fn answer(claim: Arc<Claim>, mut request: Request, next: Next) -> Response {
    let guard = ReleaseGuard(Some(claim.clone()));
    request.extensions_mut().insert(Claimed(Some(claim.clone())));
    let response = next.run(request).await;
    guard.disarm();
    if !response.status().is_success() {
        // Nothing was done, so the same key may try again.
        release(&claim).await;
        return response;
    }
    if claim.is_kept() {
        return response;
    }
    keep_afterwards(&claim, response).await
}

/// An act without a transaction of its own changes nothing by being done twice; its answer is stored once it is there.
async fn keep_afterwards(claim: &Claim, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = match axum::body::to_bytes(body, usize::try_from(MAX_COMPARED_BYTES).unwrap_or(usize::MAX)).await {
        Ok(bytes) => bytes,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    let headers = parts.headers.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH).filter_map(text).collect();
    let reply = Reply { status: parts.status.as_u16(), headers, body: bytes.to_vec() };
    if let Err(error) = claim.complete(&reply).await {
        tracing::warn!(error = %error, "an answer could not be stored for whoever asks again");
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Gives a claim up when the request is dropped on its way: its client went away, or it took too long.
struct ReleaseGuard(Option<Arc<Claim>>);

impl ReleaseGuard {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for ReleaseGuard {
    fn drop(&mut self) {
        let Some(claim) = self.0.take() else { return };
        tokio::spawn(async move { release(&claim).await });
    }
}

async fn release(claim: &Claim) {
    if let Err(error) = claim.release().await {
        tracing::warn!(error = %error, "an idempotency key stays claimed until its lease ends");
    }
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let keys: Vec<&HeaderValue> = headers.get_all(HEADER).iter().collect();
    let key = match keys[..] {
        [key] => key.to_str().unwrap_or_default(),
        _ => "",
    };
    let is_valid = (1..=MAX_KEY_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let fault = || Problem::parameter("Idempotency-Key", "send one key of 1 to 255 visible ASCII characters");
    if is_valid { Ok(key.to_owned()) } else { Err(fault()) }
}

/// Keys of one user are nobody else's; those of strangers belong to their address.
fn owner_of(request: &Request) -> String {
    if let Some(actor) = request.extensions().get::<Actor>() {
        return format!("user:{}", actor.user_id);
    }
    let address = request.extensions().get::<ClientAddress>().map(|client| client.network().to_string());
    format!("address:{}", address.unwrap_or_default())
}

/// What tells a request from others: its path, its body, and the headers that are its parameters.
async fn fingerprint(policy: &RoutePolicy, request: Request, is_stream: bool) -> Result<(Request, Vec<u8>), Problem> {
    let (parts, body) = request.into_parts();
    let mut context = Context::new(&SHA256);
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let headers = policy.headers.iter().filter(|name| **name != HEADER).chain([&header::CONTENT_TYPE]);
    let told = headers.map(|name| value_of(&parts.headers, name));
    for part in std::iter::once(target.as_bytes()).chain(told) {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    if is_stream {
        context.update(value_of(&parts.headers, &header::CONTENT_LENGTH));
        return Ok((Request::from_parts(parts, body), context.finish().as_ref().to_vec()));
    }
    // The body has its bounds already.
    let bytes: Bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| read_failure(&error))?;
    context.update(&bytes);
    Ok((Request::from_parts(parts, Body::from(bytes)), context.finish().as_ref().to_vec()))
}

fn value_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a [u8] {
    headers.get(name).map_or(&[], HeaderValue::as_bytes)
}
