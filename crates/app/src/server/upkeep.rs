//! What is done now and then: what nobody needs is removed. What servers of a team would all do alike is done by one of them.

use std::time::Duration;

use platform::{idempotency::Idempotency, locks::Lease};
use tokio_util::sync::CancellationToken;

use super::Depot;

/// How often what is no longer needed is removed.
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);

/// The lock of the server that sweeps for all.
const SWEEPER: &str = "sweeper";

/// The caretaker of a server.
#[derive(Debug)]
pub(super) struct Upkeep {
    depot: Depot,
    idempotency: Idempotency,
}

impl Upkeep {
    pub(super) fn new(depot: Depot, idempotency: Idempotency) -> Self {
        Self { depot, idempotency }
    }

    /// Works until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        // Whoever has it keeps it, so that all is swept once in an interval, however many servers there are.
        let mut duty = None;
        let sweeps = async {
            loop {
                tokio::time::sleep(SWEEP_INTERVAL).await;
                self.sweep_own().await;
                self.sweep_for_all(&mut duty).await;
            }
        };
        stop.run_until_cancelled(sweeps).await;
        if let Some(lease) = duty {
            lease.release().await;
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
