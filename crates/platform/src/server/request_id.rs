//! The name of a request: taken from the client where it is harmless, in every log line and every answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use kernel::IdSource;

/// The header that carries it, in and out.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longer names from clients are not taken.
const MAX_LENGTH: usize = 64;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Names one request. Letters, digits, `-`, `_` and `.` only, so that it can stand in a log line as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own name for the request, or a new one.
    pub fn of(headers: &HeaderMap, ids: &dyn IdSource) -> Self {
        if let Some(given) = headers.get(HEADER).filter(|value| is_harmless(value.as_bytes())) {
            return Self(given.clone());
        }
        let mut buffer = kernel::Uuid::encode_buffer();
        let text: &str = ids.next_id().hyphenated().encode_lower(&mut buffer);
        // Digits, letters and hyphens are always a header.
        Self(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("none")))
    }

    /// Runs `work`, in which [`current`] is this one.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// The value of [`HEADER`] that carries it.
    pub fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// The name of the request that is being answered; nothing outside of one.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok()
}

fn is_harmless(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_LENGTH).contains(&text.len()) && text.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{FixedClock, SeededRng, TimeOrderedIds};
    use std::sync::Arc;

    fn id_of(given: &[u8]) -> String {
        let headers = [(HEADER, HeaderValue::from_bytes(given).unwrap())].into_iter().collect();
        let ids = TimeOrderedIds::new(Arc::new(FixedClock(0)), Arc::new(SeededRng::new(1)));
        RequestId::of(&headers, &ids).to_string()
    }

    #[test]
    fn a_harmless_name_is_taken_and_any_other_replaced() {
        assert_eq!(id_of(b"Build-7.attempt_2"), "Build-7.attempt_2");
        for odd in [&b""[..], b"a b", b"a\tb", b"\"x\"", b"caf\xc3\xa9", "x".repeat(65).as_bytes()] {
            assert_eq!(id_of(odd).len(), 36, "{odd:?}");
        }
    }
}
