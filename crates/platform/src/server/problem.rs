//! The one form of every error that leaves the server: problem details (RFC 9457), with a type that stays the same.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kernel::ErrorKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::request_id;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, once for each `type`: programs tell problems apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemType {
    Malformed,
    Validation,
    Unauthenticated,
    Forbidden,
    CrossSite,
    NotFound,
    MethodNotAllowed,
    Timeout,
    Conflict,
    PreconditionFailed,
    PreconditionRequired,
    PayloadTooLarge,
    UnsupportedMediaType,
    ContentRefused,
    ChecksumMismatch,
    RangeNotSatisfiable,
    Gone,
    IdempotencyKeyReused,
    RequestInFlight,
    RateLimited,
    HeadersTooLarge,
    UpgradeRequired,
    Internal,
    Missing,
    Unavailable,
    Exhausted,
}

impl ProblemType {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::Validation,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::CrossSite,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::PreconditionRequired,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ContentRefused,
        Self::ChecksumMismatch,
        Self::RangeNotSatisfiable,
        Self::Gone,
        Self::IdempotencyKeyReused,
        Self::RequestInFlight,
        Self::RateLimited,
        Self::HeadersTooLarge,
        Self::UpgradeRequired,
        Self::Internal,
        Self::Missing,
        Self::Unavailable,
        Self::Exhausted,
    ];

    /// Its status, its URI and its title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "/problems/malformed", "The request cannot be read"),
            Self::Validation => (StatusCode::UNPROCESSABLE_ENTITY, "/problems/validation", "A value is not valid"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "/problems/unauthenticated", "Sign in first"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "/problems/forbidden", "You may not do this"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "/problems/cross-site", "The request comes from another site"),
            Self::NotFound => (StatusCode::NOT_FOUND, "/problems/not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "/problems/method-not-allowed", "The method is not allowed here")
            }
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "/problems/timeout", "The request took too long"),
            Self::Conflict => (StatusCode::CONFLICT, "/problems/conflict", "Something else stands in the way"),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "/problems/precondition-failed", "It was changed in the meantime")
            }
            Self::PreconditionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "/problems/precondition-required", "Say which version you mean")
            }
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "/problems/payload-too-large", "The body is too large")
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "/problems/unsupported-media-type",
                "The body has a type that is not read here",
            ),
            Self::ContentRefused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "/problems/content-refused", "The file cannot be taken")
            }
            Self::ChecksumMismatch => {
                (StatusCode::BAD_REQUEST, "/problems/checksum-mismatch", "What came is not what was sent")
            }
            Self::RangeNotSatisfiable => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "/problems/range-not-satisfiable", "There is no such part")
            }
            Self::Gone => (StatusCode::GONE, "/problems/gone", "It is no more"),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "/problems/idempotency-key-reused",
                "The idempotency key belongs to another request",
            ),
            Self::RequestInFlight => {
                (StatusCode::CONFLICT, "/problems/request-in-flight", "The same request is being worked on")
            }
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "/problems/rate-limited", "Too many requests"),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "/problems/headers-too-large",
                "The headers are too large",
            ),
            Self::UpgradeRequired => {
                (StatusCode::UPGRADE_REQUIRED, "/problems/upgrade-required", "Another protocol is spoken here")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "/problems/internal", "Pressroom made a mistake"),
            Self::Missing => (StatusCode::NOT_IMPLEMENTED, "/problems/missing", "The server lacks what this needs"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/unavailable", "The server cannot answer now")
            }
            Self::Exhausted => (StatusCode::INSUFFICIENT_STORAGE, "/problems/exhausted", "There is no room for it"),
        }
    }

    /// The status it is sent with.
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The reference that names it, relative to the server.
    pub const fn uri(self) -> &'static str {
        self.row().1
    }

    fn of_status(status: StatusCode) -> Self {
        let exact = Self::ALL.iter().copied().find(|known| known.status() == status);
        exact.unwrap_or(if status.is_server_error() { Self::Internal } else { Self::Malformed })
    }
}

impl From<ErrorKind> for ProblemType {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Validation,
            ErrorKind::Unauthenticated => Self::Unauthenticated,
            ErrorKind::Forbidden => Self::Forbidden,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Missing => Self::Missing,
            ErrorKind::Exhausted => Self::Exhausted,
            ErrorKind::Conflict | ErrorKind::Cancelled => Self::Conflict,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Internal => Self::Internal,
        }
    }
}

/// One value that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Where it stands in the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/title")]
    pub pointer: Option<String>,
    /// Which parameter of the query or header it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong with it.
    pub detail: String,
}

/// An error as it leaves the server. In a box, since it stands in the results of everything that takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: ProblemType,
    /// What a protocol wants instead of the status of the type.
    status: Option<StatusCode>,
    detail: Option<Cow<'static, str>>,
    faults: Vec<FieldFault>,
    headers: HeaderMap,
}

/// The body of every error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// What sort of problem it is; stays the same from version to version.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    type_uri: &'a str,
    /// The same for people.
    title: &'a str,
    /// The status of the answer.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong this time, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// The values at fault.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldFault],
    /// Names this request in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem of this type, without a word more.
    pub fn new(kind: ProblemType) -> Self {
        Self::with_faults(kind, Vec::new())
    }

    /// Several values are at fault.
    pub fn with_faults(kind: ProblemType, faults: Vec<FieldFault>) -> Self {
        Self(Box::new(Inner { kind, status: None, detail: None, faults, headers: HeaderMap::new() }))
    }

    /// The problem of a sort of failure. `message` is shown unless the fault is the server's own: what is inside stays
    /// inside, and is logged instead.
    pub fn of(kind: ErrorKind, message: &dyn std::fmt::Display) -> Self {
        let kind = ProblemType::from(kind);
        if kind == ProblemType::Internal {
            Self::internal(message)
        } else {
            Self::new(kind).detail(message.to_string())
        }
    }

    /// A fault of the server's own: logged here, and shown to nobody.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %error, "a request failed");
        Self::new(ProblemType::Internal)
    }

    /// The problem of a status that something other than a handler chose.
    pub fn of_status(status: StatusCode) -> Self {
        Self::new(ProblemType::of_status(status))
    }

    /// A value of the body is at fault; `pointer` is its JSON pointer.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let fault = FieldFault { pointer: Some(pointer.into()), parameter: None, detail: detail.into() };
        Self::with_faults(ProblemType::Validation, vec![fault])
    }

    /// A parameter of the query, or a header, is at fault.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        let fault = FieldFault { pointer: None, parameter: Some(name.into()), detail: detail.into() };
        Self::with_faults(ProblemType::Validation, vec![fault])
    }

    /// There is no such thing, or none that the asker may know of.
    pub fn not_found() -> Self {
        Self::new(ProblemType::NotFound)
    }

    /// Says what is wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        self.header(header::RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }

    /// Sends a header along.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Sends it with the status that a protocol wants for it.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// What sort of problem it is.
    pub fn kind(&self) -> ProblemType {
        self.0.kind
    }

    /// The values at fault.
    pub fn faults(&self) -> &[FieldFault] {
        &self.0.faults
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner { kind, status: wanted, detail, faults, headers: more } = *self.0;
        let (status, type_uri, title) = kind.row();
        let status = wanted.unwrap_or(status);
        let detail = detail.as_deref();
        let request_id = request_id::current().map(|id| id.to_string());
        let body = ProblemBody { type_uri, title, status: status.as_u16(), detail, errors: &faults, request_id };
        let mut response = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.extend(more);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_has_a_uri_of_its_own() {
        let uris: BTreeSet<_> = ProblemType::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(uris.len(), ProblemType::ALL.len());
        assert!(uris.iter().all(|uri| uri.starts_with("/problems/")));
    }

    #[test]
    fn what_is_inside_stays_inside() {
        let problem = Problem::of(ErrorKind::Internal, &"relation \"users\" does not exist");
        assert_eq!(problem, Problem::new(ProblemType::Internal));
        let problem = Problem::of(ErrorKind::NotFound, &"user `x` not found");
        assert_eq!(problem.0.detail.as_deref(), Some("user `x` not found"));
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let problem = Problem::new(ProblemType::RateLimited).retry_after(Duration::from_millis(1001));
        assert_eq!(problem.into_response().headers()[header::RETRY_AFTER], "2");
    }
}
