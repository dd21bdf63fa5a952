//! Asks a server of the operator's own how it is.

use std::time::Duration;

use kernel::ErrorKind;
use reqwest::StatusCode;
use url::Url;

use super::{
    USER_AGENT, builder,
    error::{shown, without_password},
};

/// What is asked where an address names no path.
const READINESS: &str = "/readyz";

/// The most of an answer that is read.
const MAX_BYTES: usize = 64 * 1024;

/// What a server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What was asked, without a password.
    pub url: String,
    pub status: StatusCode,
    /// The beginning of the answer.
    pub body: Vec<u8>,
}

/// Why a server said nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("`{text}` is no address of a server; give one such as http://127.0.0.1:8080")]
    BadUrl { text: String },
    #[error("`{url}` does not answer; is a server running there?")]
    NoAnswer {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("`{url}` did not answer within {} s; its log says what it waits for", limit.as_secs_f64())]
    TimedOut { url: String, limit: Duration },
    #[error("no HTTP client can be made; install the system's root certificates (`ca-certificates`)")]
    Client(#[source] reqwest::Error),
}

impl ProbeError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadUrl { .. } => ErrorKind::Invalid,
            Self::NoAnswer { .. } | Self::TimedOut { .. } => ErrorKind::Unavailable,
            Self::Client(_) => ErrorKind::Missing,
        }
    }
}

/// Asks once, at most for `limit`. Whoever runs the place says where its servers are, so any address is allowed; redirects
/// are not followed.
pub async fn probe(address: &str, limit: Duration) -> Result<Probed, ProbeError> {
    let url = parse(address)?;
    // Whichever provider was installed first serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = builder().user_agent(USER_AGENT).no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(ProbeError::Client)?;
    match tokio::time::timeout(limit, ask(&client, &url)).await {
        Ok(Ok((status, body))) => Ok(Probed { url: shown(&url), status, body }),
        Ok(Err(source)) => Err(ProbeError::NoAnswer { url: shown(&url), source: source.without_url() }),
        Err(_) => Err(ProbeError::TimedOut { url: shown(&url), limit }),
    }
}

fn parse(address: &str) -> Result<Url, ProbeError> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let mut url = url.ok_or_else(|| ProbeError::BadUrl { text: without_password(address) })?;
    if url.path() == "/" {
        url.set_path(READINESS);
    }
    Ok(url)
}

async fn ask(client: &reqwest::Client, url: &Url) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
    let mut answer = client.get(url.clone()).send().await?;
    let mut body = Vec::new();
    while body.len() < MAX_BYTES
        && let Some(piece) = answer.chunk().await?
    {
        body.extend_from_slice(&piece[..piece.len().min(MAX_BYTES - body.len())]);
    }
    Ok((answer.status(), body))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn an_address_without_a_path_is_asked_whether_it_is_ready() {
        let server = MockServer::start().await;
        let busy = ResponseTemplate::new(503).set_body_string("x".repeat(3 * MAX_BYTES));
        Mock::given(path("/readyz")).respond_with(busy).mount(&server).await;
        Mock::given(path("/livez")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        let ready = probe(&server.uri(), LIMIT).await.unwrap();
        assert_eq!((ready.status.as_u16(), ready.body.len()), (503, MAX_BYTES));
        let live = probe(&format!("{}/livez", server.uri()), LIMIT).await.unwrap();
        assert_eq!(live.status.as_u16(), 204);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let server = MockServer::start().await;
        let elsewhere = ResponseTemplate::new(302).insert_header("location", "/livez");
        Mock::given(path("/readyz")).respond_with(elsewhere).expect(1).mount(&server).await;
        assert_eq!(probe(&server.uri(), LIMIT).await.unwrap().status.as_u16(), 302);
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_answering_are_told_apart() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", silent.local_addr().unwrap());
        let error = probe(&address, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, ProbeError::TimedOut { .. }), "{error}");
        drop(silent);
        let error = probe(&address, LIMIT).await.unwrap_err();
        assert!(matches!(error, ProbeError::NoAnswer { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn what_is_no_address_is_named_without_its_password() {
        for text in ["localhost:8080", "ftp://ann:secret@host/x", "not at all"] {
            let error = probe(text, LIMIT).await.unwrap_err();
            assert!(matches!(error, ProbeError::BadUrl { .. }), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
