//! Fetches one text, following redirects by hand so that each is checked like the first.

use std::{error::Error, net::SocketAddr, time::Duration};

use reqwest::{
    RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE, LOCATION},
};
use url::{Host, Url};

use super::{
    HttpClient, HttpError, charset,
    error::{shown, without_password},
    resolver::{NotPublic, NotResolved},
};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// The longest web address that is taken.
const MAX_URL_BYTES: usize = 8 * 1024;

/// What is fetched at most.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Of the body, as sent and as unpacked.
    pub max_bytes: u64,
    /// From the first look-up of the name to the last byte.
    pub timeout: Duration,
    /// Media types that are taken, in lower case, without parameters.
    pub content_types: &'static [&'static str],
}

impl FetchLimits {
    /// Ten mebibytes within thirty seconds of a page or a plain text.
    pub const PAGE: Self = Self {
        max_bytes: 10 * 1024 * 1024,
        timeout: Duration::from_secs(30),
        content_types: &["text/html", "application/xhtml+xml", "text/plain", "text/markdown"],
    };
}

/// A text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The address after redirects.
    pub final_url: Url,
    /// Its media type, in lower case, without parameters.
    pub content_type: String,
    /// The text, decoded from whatever encoding it was in.
    pub body: String,
}

/// An answer that is no redirect, and where it came from.
pub(super) struct Followed {
    pub(super) url: Url,
    pub(super) response: Response,
}

impl HttpClient {
    /// Fetches a text.
    pub async fn fetch_text(&self, url: &str, limits: &FetchLimits) -> Result<Fetched, HttpError> {
        let url = parse(url)?;
        let fetching = async {
            let request = |to| self.client.get(to).header(ACCEPT, limits.content_types.join(", "));
            let Followed { url, response } = self.follow(url.clone(), request, limits.timeout).await?;
            read(url, response, limits).await
        };
        tokio::time::timeout(limits.timeout, fetching)
            .await
            .unwrap_or_else(|_| Err(HttpError::TimedOut { url: shown(&url), limit: limits.timeout }))
    }

    /// Sends `request` to `first`, and to wherever that redirects.
    pub(super) async fn follow(
        &self,
        first: Url,
        request: impl Fn(Url) -> RequestBuilder,
        timeout: Duration,
    ) -> Result<Followed, HttpError> {
        let mut url = first.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let response = request(url.clone()).send().await.map_err(|error| explain(&url, &error, timeout))?;
            match redirect(&url, &response)? {
                Some(next) => url = next,
                None => return Ok(Followed { url, response }),
            }
        }
        Err(HttpError::TooManyRedirects { url: shown(&first), limit: MAX_REDIRECTS })
    }

    /// Checks what can be seen of a URL; names are checked when they are resolved.
    fn check(&self, url: &Url) -> Result<(), HttpError> {
        let bad = |reason: &str| HttpError::BadUrl { text: shown(url), reason: reason.to_owned() };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it must begin with http:// or https://"));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(bad("it names no host")),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        if self.policy.allows_literal(SocketAddr::new(address, port)) {
            return Ok(());
        }
        Err(HttpError::NotPublic { url: shown(url), address })
    }
}

pub(super) fn parse(text: &str) -> Result<Url, HttpError> {
    let text = text.trim();
    let url = if text.len() > MAX_URL_BYTES {
        Err("it is too long".to_owned())
    } else {
        Url::parse(text).map_err(|error| error.to_string())
    };
    url.map_err(|reason| HttpError::BadUrl { text: without_password(text), reason })
}

fn redirect(url: &Url, response: &Response) -> Result<Option<Url>, HttpError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let bad =
        |reason: String| HttpError::BadUrl { text: shown(url), reason: format!("it redirects nowhere ({reason})") };
    let location = location.to_str().map_err(|error| bad(error.to_string()))?;
    if location.len() > MAX_URL_BYTES {
        return Err(bad("the address is too long".to_owned()));
    }
    url.join(location).map(Some).map_err(|error| bad(error.to_string()))
}

async fn read(url: Url, mut response: Response, limits: &FetchLimits) -> Result<Fetched, HttpError> {
    if !response.status().is_success() {
        return Err(HttpError::Status { url: shown(&url), status: response.status() });
    }
    let header =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let content_type = charset::essence(&header);
    if !limits.content_types.contains(&content_type.as_str()) {
        let found = if content_type.is_empty() { "of no stated type".to_owned() } else { format!("`{content_type}`") };
        return Err(HttpError::ContentType { url: shown(&url), found, allowed: limits.content_types });
    }
    let too_large = || HttpError::TooLarge { url: shown(&url), limit_bytes: limits.max_bytes };
    if response.content_length().is_some_and(|length| length > limits.max_bytes) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    // Chunks are already unpacked, so a small body that unpacks to a huge one ends here too.
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&url, &error, limits.timeout))? {
        if (body.len() + chunk.len()) as u64 > limits.max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let body = charset::decode(&body, &header);
    Ok(Fetched { final_url: url, content_type, body })
}

/// Finds the reason in the layers of a client's error.
pub(super) fn explain(url: &Url, error: &reqwest::Error, timeout: Duration) -> HttpError {
    let url = shown(url);
    let mut reason = None;
    let mut layer: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = layer {
        if let Some(NotPublic { address, .. }) = error.downcast_ref() {
            return HttpError::NotPublic { url, address: *address };
        }
        if let Some(error) = error.downcast_ref::<NotResolved>() {
            return HttpError::NotResolved { url, reason: error.to_string() };
        }
        reason = Some(error.to_string());
        layer = error.source();
    }
    if error.is_timeout() {
        return HttpError::TimedOut { url, limit: super::CONNECT_TIMEOUT.min(timeout) };
    }
    // The innermost layer says it best; the outer ones repeat the URL.
    HttpError::Unreachable { url, reason: reason.unwrap_or_else(|| "no reason given".to_owned()) }
}
