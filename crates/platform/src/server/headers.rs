//! Headers that keep browsers from doing with our answers what they were not made for.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

/// Answers of the API are data: nothing in them may run, load or be framed.
const DATA_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page of ours runs and loads what the server itself sends, and nothing inline.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                               connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Two years, the least that browsers' own lists ask for.
const STRICT_TRANSPORT: &str = "max-age=63072000; includeSubDomains";

static ALWAYS: [(HeaderName, HeaderValue); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DATA_POLICY)),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// How users reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Encrypted, here or by a proxy in front.
    Tls,
    /// In the open: on this machine, or while trying things out.
    Plain,
}

/// Adds what is not there. A handler that sets a header itself knows better.
pub(super) fn secure(response: &mut Response, transport: Transport) {
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if transport == Transport::Tls {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(STRICT_TRANSPORT));
    }
}
