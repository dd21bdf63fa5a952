//! The gateway: takes connections, shares their requests out, and ends in good order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use kernel::{Clock, ErrorKind, IdSource};
use platform::server::{health::Component, listen::Drained};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    balance::{Balancer, RetryBudget},
    checker,
    client::{Client, Introduction, Transport, Trust},
    forward::Forwarder,
    health::UpstreamsHealth,
    metrics::{self, RequestMetrics},
    pool::Pool,
    redirect::Redirect,
    room::{Place, Room},
    serve::Front,
    settings::GatewaySettings,
    sticky::Sticky,
    tls::{Certificates, TlsFault},
    upgrade::Sockets,
};

/// How long to wait when the system has no room for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("cannot listen on `{address}`: {source}; choose another address or end what listens there")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

impl GatewayError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Listen { .. } => ErrorKind::Conflict,
            Self::Tls(_) => ErrorKind::Invalid,
        }
    }
}

/// What a gateway gets from outside.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub clock: Arc<dyn Clock>,
    /// Names requests.
    pub ids: Arc<dyn IdSource>,
}

/// A gateway that has its addresses and does not answer yet.
#[derive(Debug)]
pub struct Gateway {
    settings: GatewaySettings,
    pool: Pool,
    listener: TcpListener,
    redirect: Option<TcpListener>,
    certificates: Option<Certificates>,
    ids: Arc<dyn IdSource>,
}

impl Gateway {
    /// Takes the addresses that the settings name, adds their upstreams to the pool, and reads the certificate.
    pub async fn bind(settings: GatewaySettings, pool: Pool, from: Surroundings) -> Result<Self, GatewayError> {
        let listener = listen(settings.listen.address).await?;
        let redirect = match settings.listen.redirect {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let certificates = match &settings.tls {
            Some(tls) => Some(Certificates::open(tls, from.clock).await?),
            None => None,
        };
        for upstream in &settings.upstreams {
            pool.add(*upstream);
        }
        Ok(Self { settings, pool, listener, redirect, certificates, ids: from.ids })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where plain HTTP is led to https.
    pub fn redirect_address(&self) -> Option<SocketAddr> {
        self.redirect.as_ref()?.local_addr().ok()
    }

    /// The parts of it that can be asked how they are: its upstreams, and its certificate.
    pub fn components(&self) -> Vec<Arc<dyn Component>> {
        let upstreams: Arc<dyn Component> = Arc::new(UpstreamsHealth(self.pool.clone()));
        let certificate = self.certificates.as_ref().map(|certificates| Arc::new(certificates.health()) as _);
        std::iter::once(upstreams).chain(certificate).collect()
    }

    /// Answers until `stop`, then finishes what was begun within the time that the settings give.
    pub async fn run(self, stop: CancellationToken) -> Drained {
        let Self { settings, pool, listener, redirect, certificates, ids } = self;
        let shutdown_timeout = settings.limits.shutdown_timeout();
        // What only serves the gateway ends with it, and not before: checks go on while requests are finished.
        let background = CancellationToken::new();
        let _end = background.clone().drop_guard();
        let spawn = |work: futures::future::BoxFuture<'static, ()>| {
            tokio::spawn(background.clone().run_until_cancelled_owned(work));
        };
        spawn(Box::pin(checker::run(pool.clone(), settings.balance.idle_connection())));
        let tls = certificates.as_ref().map(Certificates::acceptor);
        if let Some(redirect) = redirect {
            let public_port = settings.listen.public_port.or_else(|| listener.local_addr().ok().map(|a| a.port()));
            let challenges = certificates.as_ref().map(Certificates::challenges).unwrap_or_default();
            let redirect = Redirect { listener: redirect, challenges, public_port: public_port.unwrap_or(443) };
            spawn(Box::pin(redirect.run(settings.limits)));
        }
        if let Some(certificates) = certificates {
            spawn(Box::pin(certificates.keep()));
        }
        let tasks = TaskTracker::new();
        let cut = CancellationToken::new();
        let front = Arc::new(front(&settings, pool, ids, Ending { tasks: &tasks, cut: &cut, stop: &stop }));
        let entrance = Entrance { front, settings: &settings, tls, tasks: &tasks, cut: &cut };
        entrance.run(&listener, &stop).await;
        // From here on the system refuses connections, so whoever shares out requests goes elsewhere at once.
        drop(listener);
        drop(entrance);
        drain(&tasks, &cut, shutdown_timeout).await
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, GatewayError> {
    TcpListener::bind(address).await.map_err(|source| GatewayError::Listen { address, source })
}

async fn drain(tasks: &TaskTracker, cut: &CancellationToken, limit: Duration) -> Drained {
    tasks.close();
    tracing::info!(connections = tasks.len(), "the gateway ends; requests that were begun are answered");
    if timeout(limit, tasks.wait()).await.is_ok() {
        return Drained::Whole;
    }
    let connections = tasks.len();
    cut.cancel();
    tasks.wait().await;
    Drained::Cut { connections }
}

/// What ends with the gateway, and how.
#[derive(Clone, Copy)]
struct Ending<'a> {
    tasks: &'a TaskTracker,
    cut: &'a CancellationToken,
    stop: &'a CancellationToken,
}

fn front(settings: &GatewaySettings, pool: Pool, ids: Arc<dyn IdSource>, ending: Ending<'_>) -> Front {
    let transport = if settings.tls.is_some() { Transport::Tls } else { Transport::Plain };
    let limits = settings.limits;
    let forwarder = Forwarder {
        pool,
        limits,
        balancer: Balancer::new(settings.balance.strategy),
        budget: RetryBudget::new(&settings.balance),
        sticky: settings.balance.sticky_cookie.clone().map(|name| Sticky::new(name, transport)),
        balance: settings.balance.clone(),
        sockets: Sockets { tasks: ending.tasks.clone(), cut: ending.cut.clone(), idle: limits.stream_idle() },
        retries: metrics::retries(),
    };
    Front { forwarder, limits, metrics: RequestMetrics::new(), ids, stop: ending.stop.clone() }
}

/// Where clients come in.
struct Entrance<'a> {
    front: Arc<Front>,
    settings: &'a GatewaySettings,
    tls: Option<TlsAcceptor>,
    tasks: &'a TaskTracker,
    cut: &'a CancellationToken,
}

impl Entrance<'_> {
    /// Takes connections until `stop`.
    async fn run(&self, listener: &TcpListener, stop: &CancellationToken) {
        let limits = &self.settings.limits;
        let room = Room::new(limits.max_connections, limits.max_connections_per_address);
        let in_flight = metrics::in_flight();
        while let Some(Some((stream, peer, place))) = stop.run_until_cancelled(accept(listener, &room)).await {
            let Some(introduction) = self.introduce(&room, peer, place) else {
                tracing::debug!(client = %peer, "a connection was closed: its address has too many");
                continue;
            };
            let client = Arc::new(Client::new(introduction, in_flight.clone()));
            let served = self.front.clone().serve(stream, client, self.tls.clone());
            self.tasks.spawn(self.cut.clone().run_until_cancelled_owned(served));
        }
    }

    /// Who it is that comes; nothing where its address has too many connections.
    fn introduce(&self, room: &Room, peer: SocketAddr, place: Place) -> Option<Introduction> {
        let is_trusted = self.settings.listen.trusts(peer.ip());
        let (trust, place) =
            if is_trusted { (Trust::Proxy, place) } else { (Trust::Stranger, room.count(place, peer.ip())?) };
        let transport = if self.tls.is_some() { Transport::Tls } else { Transport::Plain };
        let max_requests = self.settings.limits.max_requests_per_connection;
        Some(Introduction { peer, trust, transport, max_requests, place })
    }
}

/// The next connection. Where there is no room, connections wait in the system's queue.
pub(crate) async fn accept(listener: &TcpListener, room: &Room) -> Option<(TcpStream, SocketAddr, Place)> {
    let place = room.wait().await?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(error = %error, "no connection could be taken");
                sleep(OUT_OF_FILES_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
