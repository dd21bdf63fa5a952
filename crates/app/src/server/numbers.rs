//! Numbers of a server or a worker that nobody counts on the way: they are looked up now and then.

use std::{path::PathBuf, time::Duration};

use metrics::{describe_counter, describe_gauge, gauge};
use platform::{
    db::READS,
    events::DeadLetter,
    resources,
    server::{health::Health, process},
};
use tokio_util::sync::CancellationToken;

use super::Depot;

/// How often numbers are looked up.
const INTERVAL: Duration = Duration::from_secs(10);

const READY: &str = "jobs_ready";
const OLDEST: &str = "jobs_oldest_ready_seconds";
const WORKERS: &str = "jobs_workers";
const DEAD_LETTERS: &str = "events_dead_letters";
const CONNECTIONS: &str = "db_connections_open";
const IDLE_CONNECTIONS: &str = "db_connections_idle";
const MAX_CONNECTIONS: &str = "db_connections_max";
const FREE_DISK: &str = "disk_free_bytes";
const DISK: &str = "disk_size_bytes";

/// Looks up the numbers of a process.
#[derive(Debug)]
pub(crate) struct Numbers {
    depot: Depot,
    health: Health,
    data: PathBuf,
}

impl Numbers {
    /// Of a process with this depot and these parts, which keeps what it makes in `data`.
    pub(crate) fn new(depot: Depot, health: Health, data: PathBuf) -> Self {
        ai::metered::describe();
        process::describe(depot.basics.clock.now_ms());
        describe_gauge!(READY, "Jobs that wait, by kind");
        describe_gauge!(OLDEST, "Seconds that the job waits which waits longest, by kind");
        describe_gauge!(WORKERS, "Workers that are there");
        describe_gauge!(DEAD_LETTERS, "Events that a handler could not take");
        describe_gauge!(CONNECTIONS, "Open connections to the database");
        describe_gauge!(IDLE_CONNECTIONS, "Open connections to the database that wait for work");
        describe_gauge!(MAX_CONNECTIONS, "Connections to the database that may be open");
        describe_counter!(READS, "Reads that a replica may serve, by who served them and why");
        describe_gauge!(FREE_DISK, "Bytes that may still be written to the disk of the data folder");
        describe_gauge!(DISK, "Bytes of the disk of the data folder");
        Self { depot, health, data }
    }

    /// Looks them up until `stop`.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let look_up = async {
            loop {
                self.look_up_connections();
                // The parts tell their own number when they are asked; those of the database are last, for it may be slow.
                tokio::join!(self.look_up_system(), self.health.report());
                self.look_up_jobs().await;
                tokio::time::sleep(INTERVAL).await;
            }
        };
        stop.run_until_cancelled(look_up).await;
    }

    fn look_up_connections(&self) {
        let pool = self.depot.basics.db.pool_state();
        gauge!(CONNECTIONS).set(pool.open);
        gauge!(IDLE_CONNECTIONS).set(pool.idle);
        gauge!(MAX_CONNECTIONS).set(pool.max);
    }

    async fn look_up_system(&self) {
        let data = self.data.clone();
        let look_up = move || {
            process::look_up();
            if let Ok(disk) = resources::disk_bytes(&data) {
                gauge!(FREE_DISK).set(disk.free as f64);
                gauge!(DISK).set(disk.size as f64);
            }
        };
        // It fails where the runtime ends, and then so does everything.
        let _ = tokio::task::spawn_blocking(look_up).await;
    }

    async fn look_up_jobs(&self) {
        if let Ok(workers) = self.depot.jobs.worker_count().await {
            gauge!(WORKERS).set(workers as f64);
        }
        if let Ok(letters) = DeadLetter::count(&self.depot.basics.db).await {
            gauge!(DEAD_LETTERS).set(letters as f64);
        }
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
}
