//! Listens, answers, and ends in good order: nothing new is taken, what is being answered is finished within a deadline.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::{health::Health, settings::ServerSettings, upkeep};

/// How long to wait when the system has no room for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);
/// Bytes that the head of a request may have.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The address of a connection's other end, in the extensions of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Whole,
    /// The deadline came first; so many connections were cut.
    Cut { connections: usize },
}

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: ConnectionLimits,
}

#[derive(Debug, Clone, Copy)]
struct ConnectionLimits {
    max_connections: usize,
    head_timeout: Duration,
    shutdown_timeout: Duration,
}

impl Server {
    /// Takes the address that the settings name.
    pub async fn bind(settings: &ServerSettings) -> io::Result<Self> {
        let limits = ConnectionLimits {
            max_connections: settings.max_connections,
            head_timeout: Duration::from_secs(settings.idle_timeout_s),
            shutdown_timeout: Duration::from_secs(settings.shutdown_timeout_s),
        };
        Ok(Self { listener: TcpListener::bind(settings.listen).await?, limits })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers with `router` until `stop`, then finishes what was begun. `health` says from then on that it is not ready.
    pub async fn run(self, router: Router, health: Health, stop: CancellationToken) -> Drained {
        let Self { listener, limits } = self;
        let room = Arc::new(Semaphore::new(limits.max_connections));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(upkeep::run()));
        while let Some((stream, peer, permit)) = accept(&listener, &room, &stop).await {
            let service = RequestService { router: router.clone(), peer };
            let connection = answer(connect(stream, service, limits), stop.clone());
            connections.spawn(cut.clone().run_until_cancelled_owned(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error = %error, "a connection broke off");
                }
                drop(permit);
            }));
        }
        health.drain();
        // From here on the system refuses connections, so whoever shares out requests goes elsewhere at once.
        drop(listener);
        connections.close();
        tracing::info!(connections = connections.len(), "the server ends; requests that were begun are answered");
        let left = match timeout(limits.shutdown_timeout, connections.wait()).await {
            Ok(()) => return Drained::Whole,
            Err(_) => connections.len(),
        };
        cut.cancel();
        connections.wait().await;
        Drained::Cut { connections: left }
    }
}

/// Answers what comes over a connection, and after `stop` only what was begun.
async fn answer(connection: Connection, stop: CancellationToken) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// The next connection; nothing once the server is to stop. Where there is no room, connections wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepted = async {
        let permit = room.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, permit)),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "no connection could be taken");
                    sleep(OUT_OF_FILES_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = pin!(accepted) => accepted,
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection whose requests are answered; one of them may turn it into a web socket.
type Connection = http1::UpgradeableConnection<TokioIo<TcpStream>, RequestService>;

/// A connection of HTTP/1.1, as proxies speak it to servers behind them. Who is slow to send a head is let go.
fn connect(stream: TcpStream, service: RequestService, limits: ConnectionLimits) -> Connection {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection collects small pieces");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
}

/// The router, which learns from here who is at the other end.
#[derive(Debug, Clone)]
struct RequestService {
    router: Router,
    peer: SocketAddr,
}

impl hyper::service::Service<hyper::Request<Incoming>> for RequestService {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = axum::routing::future::RouteFuture<std::convert::Infallible>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Peer(self.peer));
        // A router is always ready.
        self.router.clone().call(request)
    }
}
