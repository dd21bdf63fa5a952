//! One connection of a client: its protocol is found out, its requests are answered, and it ends in good order.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kernel::IdSource;
use platform::server::{
    Problem,
    request_id::{self, RequestId},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::TcpStream,
    time::{interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::AnswerBody,
    client::{Client, Patience, Rewound, Watched},
    forward::Forwarder,
    metrics::{RequestMetrics, method_place},
    settings::LimitSettings,
};

/// What a client of HTTP/2 says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The name that both sides agree on for it while they encrypt (RFC 9113, section 3.2).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that a client of HTTP/2 may send ahead: for one request, and for all.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Requests that a client of HTTP/2 may take back before they were begun; more end the connection (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;

/// Stands for a client that did not wait for its answer, as nginx logs it.
const CLIENT_GONE: u16 = 499;

/// What answers all connections.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) forwarder: Forwarder,
    pub(crate) limits: LimitSettings,
    pub(crate) metrics: RequestMetrics,
    pub(crate) ids: Arc<dyn IdSource>,
    /// Nothing new is begun any more.
    pub(crate) stop: CancellationToken,
}

/// Which form of HTTP a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

impl Front {
    /// Answers what comes over a connection.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, client: Arc<Client>, tls: Option<TlsAcceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection collects small pieces");
        }
        let patience = Patience { head: self.limits.head_timeout(), reading: self.limits.read_pause() };
        let stream = Watched::new(stream, client.clone(), patience);
        let peer = client.peer;
        let served = match tls {
            None => self.serve_plain(stream, client).await,
            Some(tls) => self.serve_encrypted(stream, client, tls).await,
        };
        if let Err(error) = served {
            tracing::debug!(client = %peer, error = %error, "a connection broke off");
        }
    }

    async fn serve_plain(self: Arc<Self>, mut stream: Watched, client: Arc<Client>) -> io::Result<()> {
        // A client that said nothing yet is told nothing.
        let Some(found) = self.stop.run_until_cancelled(protocol(&mut stream, &self.limits)).await else {
            return Ok(());
        };
        let (protocol, read_ahead) = found?;
        self.speak(protocol, Rewound::new(read_ahead, stream), client).await
    }

    async fn serve_encrypted(
        self: Arc<Self>,
        stream: Watched,
        client: Arc<Client>,
        tls: TlsAcceptor,
    ) -> io::Result<()> {
        let stream = timeout(self.limits.head_timeout(), tls.accept(stream)).await??;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        self.speak(protocol, stream, client).await
    }

    async fn speak<T>(self: Arc<Self>, protocol: Protocol, stream: T, client: Arc<Client>) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let front = self.clone();
        let asked = client.clone();
        let service = service_fn(move |request| {
            let (front, client) = (front.clone(), asked.clone());
            async move { Ok::<_, Infallible>(front.answer(request, &client, protocol).await) }
        });
        let stream = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                client.watch_heads();
                let connection = self.http1().serve_connection(stream, service).with_upgrades();
                self.until_its_end(connection, http1::UpgradeableConnection::graceful_shutdown, &client).await
            }
            Protocol::Http2 => {
                let connection = self.http2().serve_connection(stream, service);
                self.until_its_end(connection, http2::Connection::graceful_shutdown, &client).await
            }
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        // Time is watched where the bytes are, so that a slow head and a quiet connection are told apart.
        builder.header_read_timeout(None);
        builder.max_buf_size(self.limits.max_head_bytes as usize);
        builder
    }

    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.max_streams)
            .max_header_list_size(self.limits.max_head_bytes)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        builder
    }

    /// Answers over a connection until there is a reason to end it, and then what was begun.
    async fn until_its_end<C>(
        &self,
        connection: C,
        end_in_order: impl FnOnce(Pin<&mut C>),
        client: &Client,
    ) -> io::Result<()>
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(io::Error::other),
            () = self.reason_to_end(client) => {}
        }
        end_in_order(connection.as_mut());
        // What is still under way has limits of its own, and may take long.
        connection.await.map_err(io::Error::other)
    }

    async fn reason_to_end(&self, client: &Client) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = client.spent.notified() => {}
            () = sleep(self.limits.max_connection_age()) => {}
            () = self.quiet(client) => {}
        }
    }

    /// Waits until nothing was asked over a connection for as long as it may be quiet, or half as long again.
    async fn quiet(&self, client: &Client) {
        let mut look = interval(self.limits.idle_timeout() / 2);
        let (mut seen, mut quiet_looks) = (u64::MAX, 0);
        loop {
            look.tick().await;
            let requests = client.requests();
            quiet_looks = if client.active() == 0 && requests == seen { quiet_looks + 1 } else { 0 };
            seen = requests;
            if quiet_looks >= 2 {
                return;
            }
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        client: &Arc<Client>,
        protocol: Protocol,
    ) -> Response<AnswerBody> {
        let busy = client.begin();
        let id = RequestId::of(request.headers(), self.ids.as_ref());
        request.headers_mut().insert(request_id::HEADER, id.clone().into_header());
        let method = method_place(request.method());
        let mut measured = Measured { metrics: &self.metrics, method, begun: Instant::now(), status: CLIENT_GONE };
        let mut response = match self.forwarder.answer(request, client, busy).await {
            Ok(response) => response,
            Err(problem) => own_answer(problem, id.clone()).await,
        };
        measured.status = response.status().as_u16();
        tracing::debug!(
            request_id = %id,
            status = measured.status,
            duration_ms = u64::try_from(measured.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "passed on"
        );
        response.headers_mut().insert(request_id::HEADER, id.into_header());
        match protocol {
            Protocol::Http1 => response,
            Protocol::Http2 => response.map(|body| body.pumped(self.limits.read_pause())),
        }
    }
}

/// The answer of the gateway itself.
async fn own_answer(problem: Problem, id: RequestId) -> Response<AnswerBody> {
    tracing::info!(request_id = %id, problem = problem.kind().uri(), "answered by the gateway itself");
    let response = id.scope(async { problem.into_response() }).await;
    let (mut head, body) = response.into_parts();
    head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // It is in memory already, so nothing of it can fail.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response::from_parts(head, AnswerBody::Own(Some(body)))
}

/// Measures a request, also one whose client went away.
struct Measured<'a> {
    metrics: &'a RequestMetrics,
    method: usize,
    begun: Instant,
    status: u16,
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.metrics.note(self.method, self.status, self.begun.elapsed());
    }
}

/// Which form of HTTP comes, and the bytes that were read to know it. A client may be quiet at first; once it says
/// something, it has the time of a head.
async fn protocol(stream: &mut Watched, limits: &LimitSettings) -> io::Result<(Protocol, Vec<u8>)> {
    let mut read = Vec::with_capacity(PREFACE.len());
    timeout(limits.idle_timeout(), read_more(stream, &mut read)).await??;
    let whole = async {
        while PREFACE.starts_with(&read) && read.len() < PREFACE.len() {
            if read_more(stream, &mut read).await? == 0 {
                break;
            }
        }
        io::Result::Ok(if read == PREFACE { Protocol::Http2 } else { Protocol::Http1 })
    };
    let protocol = timeout(limits.head_timeout(), whole).await??;
    Ok((protocol, read))
}

/// Reads no further than the preface is long.
async fn read_more(stream: &mut Watched, read: &mut Vec<u8>) -> io::Result<usize> {
    let mut bytes = [0; PREFACE.len()];
    let count = stream.read(&mut bytes[..PREFACE.len() - read.len()]).await?;
    read.extend_from_slice(&bytes[..count]);
    Ok(count)
}
