//! What is done now and then: numbers are looked up, and what nobody needs is removed. What servers of a team would all do alike
//! is done by one of them.

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, gauge};
use platform::{db::READS, idempotency::Idempotency, locks::Lease};
use tokio_util::sync::CancellationToken;

use super::Depot;

/// How often numbers are looked up.
const NUMBERS_INTERVAL: Duration = Duration::from_secs(10);
/// How often what is no longer needed is removed.
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);

/// The lock of the server that sweeps for all.
const SWEEPER: &str = "sweeper";

const READY: &str = "jobs_ready";
const OLDEST: &str = "jobs_oldest_ready_seconds";
const CONNECTIONS: &str = "db_connections_open";
const IDLE_CONNECTIONS: &str = "db_connections_idle";

/// The caretaker of a server.
#[derive(Debug)]
pub(super) struct Upkeep {
    depot: Depot,
    idempotency: Idempotency,
}

impl Upkeep {
    pub(super) fn new(depot: Depot, idempotency: Idempotency) -> Self {
        ai::metered::describe();
        describe_gauge!(READY, "Jobs that wait, by kind");
        describe_gauge!(OLDEST, "Seconds that the job waits which waits longest, by kind");
        describe_gauge!(CONNECTIONS, "Open connections to the database");
        describe_gauge!(IDLE_CONNECTIONS, "Open connections to the database that wait for work");
        describe_counter!(READS, "Reads that a replica may serve, by who served them and why");
        Self { depot, idempotency }
    }

    /// Works until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let numbers = async {
            loop {
                self.look_up().await;
                tokio::time::sleep(NUMBERS_INTERVAL).await;
            }
        };
        // Whoever has it keeps it, so that all is swept once in an interval, however many servers there are.
        let mut duty = None;
        let sweeps = async {
            loop {
                tokio::time::sleep(SWEEP_INTERVAL).await;
                self.sweep_own().await;
                self.sweep_for_all(&mut duty).await;
            }
        };
        stop.run_until_cancelled(async { tokio::join!(numbers, sweeps) }).await;
        if let Some(lease) = duty {
            lease.release().await;
        }
    }

    async fn look_up(&self) {
        let pool = self.depot.basics.db.pool_state();
        gauge!(CONNECTIONS).set(pool.open);
        gauge!(IDLE_CONNECTIONS).set(pool.idle);
        let Ok(depths) = self.depot.jobs.depths().await else { return };
        let now_ms = self.depot.basics.clock.now_ms();
        for kind in videos::jobs::KINDS.iter().chain(&dubbing::jobs::KINDS) {
            // A kind of which nothing waits says so.
            let depth = depths.iter().find(|depth| depth.kind == *kind);
            gauge!(READY, "kind" => *kind).set(depth.map_or(0.0, |depth| depth.ready as f64));
            let age_ms = depth.map_or(0, |depth| now_ms.saturating_sub(depth.oldest_ms).max(0));
            gauge!(OLDEST, "kind" => *kind).set(age_ms as f64 / 1000.0);
        }
    }

    /// Sweeps what is everybody's, where that is the duty of this server. Two who did so at once would do no harm.
    async fn sweep_for_all(&self, duty: &mut Option<Lease>) {
        if duty.as_ref().is_none_or(Lease::is_lost) {
            *duty = match self.depot.shared.locks.try_take(SWEEPER).await {
                Ok(lease) => lease,
                Err(error) => {
                    tracing::warn!(%error, "whether this server is the one that sweeps is not known; nothing is swept");
                    None
                }
            };
        }
        if let Some(lease) = duty {
            lease.lost().run_until_cancelled(self.sweep()).await;
        }
    }

    async fn sweep(&self) {
        if let Err(error) = self.idempotency.remove_expired().await {
            tracing::warn!(%error, "old answers stay for now");
        }
        match self.depot.files.sweep().await {
            Ok(swept) => tracing::debug!(?swept, "files were swept"),
            Err(error) => tracing::warn!(%error, "files could not be swept"),
        }
        match self.depot.exchange.sweep().await {
            Ok((artifacts, files)) => tracing::debug!(artifacts, files, "shared results were swept"),
            Err(error) => tracing::warn!(%error, "shared results could not be swept"),
        }
    }

    /// Sweeps what lies on this machine.
    async fn sweep_own(&self) {
        if let Err(error) = self.depot.workshop.sweep().await {
            tracing::warn!(%error, "benches of jobs that died stay for now");
        }
    }
}
