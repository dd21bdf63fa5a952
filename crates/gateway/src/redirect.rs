//! Plain HTTP: leads to https, and shows an authority of certificates that this host is ours.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{gateway::accept, headers, room::Room, settings::LimitSettings, tls::Challenges};

/// Where an authority looks for its token (RFC 8555, section 8.3).
const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";
/// Bytes of a head here: an address and what browsers say of themselves.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long one connection may last: one answer without a body.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);
/// Connections at a time, few since each is over at once.
const MAX_CONNECTIONS: u64 = 1024;

/// The plain listener.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) listener: TcpListener,
    pub(crate) challenges: Arc<Challenges>,
    /// The port of https.
    pub(crate) public_port: u16,
}

impl Redirect {
    /// Answers until it is dropped.
    pub(crate) async fn run(self, limits: LimitSettings) {
        let Self { listener, challenges, public_port } = self;
        let room = Room::new(MAX_CONNECTIONS.min(limits.max_connections), limits.max_connections_per_address);
        while let Some((stream, peer, place)) = accept(&listener, &room).await {
            let Some(place) = room.count(place, peer.ip()) else { continue };
            let challenges = challenges.clone();
            tokio::spawn(async move {
                let served = timeout(CONNECTION_LIMIT, serve(stream, challenges, public_port, limits.head_timeout()));
                if let Ok(Err(error)) = served.await {
                    tracing::debug!(client = %peer, error = %error, "a plain connection broke off");
                }
                drop(place);
            });
        }
    }
}

async fn serve(
    stream: TcpStream,
    challenges: Arc<Challenges>,
    public_port: u16,
    head_timeout: Duration,
) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let response = answer(&request, &challenges, public_port);
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, challenges: &Challenges, public_port: u16) -> Response<Full<Bytes>> {
    if let Some(token) = request.uri().path().strip_prefix(CHALLENGE_PATH) {
        return match challenges.find(token) {
            Some(proof) => with_type(Response::new(Full::from(proof)), "application/octet-stream"),
            None => of_status(StatusCode::NOT_FOUND),
        };
    }
    // The same rules as for requests that are passed on: what is no host is led nowhere.
    let (head, ()) = request_head(request).into_parts();
    let Ok(host) = headers::host(&head) else { return of_status(StatusCode::BAD_REQUEST) };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match location(host.to_str().unwrap_or_default(), path, public_port) {
        Some(location) => {
            let mut response = of_status(StatusCode::PERMANENT_REDIRECT);
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        None => of_status(StatusCode::BAD_REQUEST),
    }
}

fn request_head(request: &Request<Incoming>) -> Request<()> {
    let mut head = Request::new(());
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    head
}

/// The same address by https.
fn location(host: &str, path: &str, public_port: u16) -> Option<HeaderValue> {
    let authority: hyper::http::uri::Authority = host.parse().ok()?;
    let name = authority.host();
    let port = if public_port == 443 { String::new() } else { format!(":{public_port}") };
    let path = if path.starts_with('/') { path } else { "/" };
    HeaderValue::from_str(&format!("https://{name}{port}{path}")).ok()
}

fn of_status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn with_type(mut response: Response<Full<Bytes>>, media_type: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_by_https() {
        let at = |host, path, port| location(host, path, port).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(at("a.example", "/x?y=1", 443).unwrap(), "https://a.example/x?y=1");
        assert_eq!(at("a.example:80", "/", 8443).unwrap(), "https://a.example:8443/");
        assert_eq!(at("[2001:db8::1]:80", "/", 443).unwrap(), "https://[2001:db8::1]/");
        assert_eq!(at("a.example", "*", 443).unwrap(), "https://a.example/");
        assert_eq!(at("a b", "/", 443), None);
    }
}
