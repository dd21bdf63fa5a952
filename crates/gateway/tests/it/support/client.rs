//! Clients before a gateway: one that speaks HTTP, and one that says what a test writes byte by byte.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
    header::HOST,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::PATIENCE;

pub(crate) type RequestBody = BoxBody<Bytes, std::convert::Infallible>;
pub(crate) type Http1 = http1::SendRequest<RequestBody>;
pub(crate) type Http2 = http2::SendRequest<RequestBody>;

/// A body that is sent at once.
pub(crate) fn whole(body: impl Into<Bytes>) -> RequestBody {
    Full::new(body.into()).boxed()
}

pub(crate) fn get(path: &str) -> Request<RequestBody> {
    request("GET", path, "")
}

pub(crate) fn request(method: &str, path: &str, body: impl Into<Bytes>) -> Request<RequestBody> {
    let builder = Request::builder().method(method).uri(path).header(HOST, "press.example");
    builder.body(whole(body)).unwrap()
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Which server answered to `/echo`.
    pub(crate) fn name(&self) -> String {
        self.json()["name"].as_str().unwrap().to_owned()
    }

    /// The values of a header as the server saw them.
    pub(crate) fn seen(&self, name: &str) -> Vec<String> {
        let headers = self.json()["headers"].clone();
        let pairs: Vec<(String, String)> = serde_json::from_value(headers).unwrap();
        pairs.into_iter().filter(|(header, _)| header == name).map(|(_, value)| value).collect()
    }
}

pub(crate) async fn read(response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let (head, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap()?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

pub(crate) async fn connect(address: SocketAddr) -> Http1 {
    connect_over(TcpStream::connect(address).await.unwrap()).await
}

pub(crate) async fn connect_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Http1 {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

pub(crate) async fn connect_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Http2 {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Asks over a connection of its own.
pub(crate) async fn ask(address: SocketAddr, request: Request<RequestBody>) -> Answer {
    try_ask(address, request).await.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn try_ask(address: SocketAddr, request: Request<RequestBody>) -> Result<Answer, hyper::Error> {
    let mut sender = connect(address).await;
    let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap()?;
    read(response).await
}

/// Says `text` and hears everything until the other side ends, or nothing comes for a while.
pub(crate) async fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    hear(&mut stream, Duration::from_secs(1)).await
}

/// Hears until the other side ends, or nothing comes for `quiet`.
pub(crate) async fn hear(stream: &mut TcpStream, quiet: Duration) -> String {
    let mut heard = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(Ok(count)) = timeout(quiet, stream.read(&mut bytes)).await {
        if count == 0 {
            break;
        }
        heard.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// Waits until the other side ends the connection.
pub(crate) async fn until_closed(stream: &mut TcpStream) {
    let ended = async {
        let mut bytes = [0; 4096];
        while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {}
    };
    timeout(PATIENCE, ended).await.unwrap();
}
