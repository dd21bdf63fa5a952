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

const ALWAYS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
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
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    for (name, value) in ALWAYS {
        add(HeaderName::from_static(name), value);
    }
    add(header::CONTENT_SECURITY_POLICY, DATA_POLICY);
    add(header::CACHE_CONTROL, "no-store");
    if transport == Transport::Tls {
        add(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
}
