//! Where a process that serves nobody, such as a worker, tells whoever watches over it how it is.

use std::{io, net::SocketAddr};

use axum::{Router, extract::Request, middleware};
use tokio_util::sync::CancellationToken;

use super::{
    ClientAddress, Problem,
    health::Health,
    listen::{Peer, Server},
    metrics::Metrics,
    settings::ServerSettings,
    system,
};

/// Answers `/livez`, `/readyz`, `/health` and `/metrics`, and nothing else.
#[derive(Debug)]
pub struct StatusDesk {
    listener: Server,
    router: Router,
    health: Health,
}

impl StatusDesk {
    /// Takes the address `listen`; all else is as for a server with these settings.
    pub async fn bind(listen: SocketAddr, settings: &ServerSettings, health: Health) -> io::Result<Self> {
        let settings = ServerSettings { listen, ..settings.clone() };
        let listener = Server::bind(&settings).await?;
        let (routes, _) = system::routes(health.clone()).split_for_parts();
        let router = routes
            .merge(system::metrics_route(Metrics::of_process(), settings.metrics_from))
            .fallback(|| async { Problem::not_found() })
            .layer(middleware::map_request(name_client));
        Ok(Self { listener, router, health })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Answers until `closed`; from `stop` on that the process is not ready.
    pub async fn run(self, stop: CancellationToken, closed: CancellationToken) {
        let Self { listener, router, health } = self;
        let drain = async {
            stop.cancelled().await;
            health.drain();
        };
        tokio::join!(closed.run_until_cancelled(drain), listener.run(router, health.clone(), closed.clone()));
    }
}

/// No proxy stands before such a process.
async fn name_client(mut request: Request) -> Request {
    if let Some(Peer(address)) = request.extensions().get().copied() {
        request.extensions_mut().insert(ClientAddress(address.ip().to_canonical()));
    }
    request
}
