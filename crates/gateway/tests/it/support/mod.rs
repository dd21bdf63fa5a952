//! A gateway, servers behind it, and clients before it.

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod upstream;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gateway::{Gateway, Health, Pool, Surroundings, Upstream, settings::GatewaySettings};
use kernel::{Clock, SystemClock, TimeOrderedIds};
use platform::{
    rng::SystemRng,
    server::{health::Component, listen::Drained},
};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// How long anything may take that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Settings of a gateway for tests: on a port of its own, and quick to judge.
pub(crate) fn settings(text: &str) -> GatewaySettings {
    let mut settings = GatewaySettings::parse(text).unwrap_or_else(|error| panic!("{error}"));
    settings.listen.address = ([127, 0, 0, 1], 0).into();
    settings.health.interval_ms = 50;
    settings
}

/// A gateway that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) redirect: Option<SocketAddr>,
    pub(crate) pool: Pool,
    pub(crate) components: Vec<Arc<dyn Component>>,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<Drained>,
}

/// A gateway before these servers, once each of them was found well.
pub(crate) async fn gateway(settings: GatewaySettings, upstreams: &[SocketAddr]) -> Running {
    gateway_at(settings, upstreams, Arc::new(SystemClock)).await
}

pub(crate) async fn gateway_at(settings: GatewaySettings, upstreams: &[SocketAddr], clock: Arc<dyn Clock>) -> Running {
    let pool = Pool::new(settings.health.clone());
    let ids = Arc::new(TimeOrderedIds::new(Arc::new(SystemClock), Arc::new(SystemRng)));
    let gateway = Gateway::bind(settings, pool.clone(), Surroundings { clock, ids }).await;
    let gateway = gateway.unwrap_or_else(|error| panic!("{error}"));
    let (address, redirect) = (gateway.address().unwrap(), gateway.redirect_address());
    let components = gateway.components();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(gateway.run(stop.clone()));
    for upstream in upstreams {
        assert!(pool.add(*upstream).became_healthy(PATIENCE).await, "{upstream} is not well");
    }
    Running { address, redirect, pool, components, stop, ended }
}

impl Running {
    /// Its only upstream, or the one that was added as `place`.
    pub(crate) fn upstream(&self, place: usize) -> Arc<Upstream> {
        self.pool.upstreams()[place].clone()
    }

    pub(crate) async fn until_health(&self, place: usize, health: Health) {
        let upstream = self.upstream(place);
        until(|| upstream.health() == health).await;
    }

    /// Waits until nothing is under way.
    pub(crate) async fn until_quiet(&self) {
        until(|| self.pool.upstreams().iter().all(|upstream| upstream.in_flight() == 0)).await;
    }

    pub(crate) async fn stop(self) -> Drained {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.unwrap().unwrap()
    }
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
