//! The HTTP client under a store of a provider: answers that mean that the store is full, busy or cannot do something become
//! errors with a type, which the crate's own errors do not have.

use std::fmt;

use async_trait::async_trait;
use axum::http::{Method, StatusCode, header};
use futures::TryStreamExt as _;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
        ReqwestConnector,
    },
};

/// The most of an error's text that is read.
const MAX_TEXT_BYTES: usize = 4096;

/// What stores call it when a bucket or a server may hold no more: Ceph, MinIO.
const FULL_CODES: [&str; 3] = ["QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"];

/// What is behind an answer that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Trouble {
    /// The store has no room left for us.
    Full,
    /// It cannot answer now: worth trying again.
    Busy,
    /// It does not know what it was asked to do.
    Unsupported,
}

/// An answer that is no success, with its text for the log.
#[derive(Debug, thiserror::Error)]
#[error("the store answered {status}: {text}")]
pub(in crate::storage) struct Refusal {
    pub trouble: Trouble,
    status: StatusCode,
    text: String,
}

/// Makes clients that look at answers.
#[derive(Debug, Default)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Whichever provider was installed first serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(HttpClient::new(Attentive(ReqwestConnector::default().connect(options)?)))
    }
}

struct Attentive(HttpClient);

impl fmt::Debug for Attentive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attentive").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpService for Attentive {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let has_text = request.method() != Method::HEAD;
        let is_ranged = request.headers().contains_key(header::RANGE);
        let mut response = self.0.execute(request).await?;
        // Servers built on gofakes3, as rclone's, say which part they send and call it the whole.
        if is_ranged && response.status() == StatusCode::OK && response.headers().contains_key(header::CONTENT_RANGE) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let status = response.status();
        let is_asked = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN);
        if !is_asked || !has_text && !status.is_server_error() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let text = read_text(body).await?;
        let Some(trouble) = trouble(status, &text) else {
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(text)));
        };
        // What was refused was not done, so that it may be sent again.
        let kind = if trouble == Trouble::Busy { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
        Err(HttpError::new(kind, Refusal { trouble, status, text }))
    }
}

fn trouble(status: StatusCode, text: &str) -> Option<Trouble> {
    if status == StatusCode::INSUFFICIENT_STORAGE || FULL_CODES.iter().any(|code| text.contains(code)) {
        return Some(Trouble::Full);
    }
    match status {
        StatusCode::NOT_IMPLEMENTED => Some(Trouble::Unsupported),
        StatusCode::TOO_MANY_REQUESTS => Some(Trouble::Busy),
        status if status.is_server_error() => Some(Trouble::Busy),
        _ => None,
    }
}

/// The beginning of the text of an answer.
async fn read_text(body: HttpResponseBody) -> Result<String, HttpError> {
    let mut stream = body.bytes_stream();
    let mut text = Vec::new();
    while let Some(bytes) = stream.try_next().await? {
        let room = MAX_TEXT_BYTES - text.len();
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if text.len() == MAX_TEXT_BYTES {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let of = |status: u16, text: &str| trouble(StatusCode::from_u16(status).unwrap(), text);
        assert_eq!(of(507, ""), Some(Trouble::Full));
        assert_eq!(of(403, "<Code>QuotaExceeded</Code>"), Some(Trouble::Full));
        assert_eq!(of(403, "<Code>AccessDenied</Code>"), None);
        assert_eq!(of(501, ""), Some(Trouble::Unsupported));
        assert_eq!(of(503, "<Code>SlowDown</Code>"), Some(Trouble::Busy));
        assert_eq!(of(429, ""), Some(Trouble::Busy));
        assert_eq!(of(404, ""), None);
    }
}
