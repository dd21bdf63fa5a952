//! A replica of the database for reads: followed, judged by how far it is, and left alone while it is late, gone or none.
//!
//! A read that must see every commit before it asks the primary where it is, in one statement for all that ask at that moment,
//! and is given to the replica once that has replayed so far. So whoever changed something sees it, whichever process did it.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::gauge;
use sea_orm::{
    DbErr, SqlxPostgresConnector,
    sqlx::{
        self, Connection as _, PgConnection,
        postgres::{PgConnectOptions, PgPoolOptions},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    pool::{Epoch, connect_options, pool_options, prelude},
    position::{self, Identity, Position},
    primary::Primary,
    question::{Askers, Question, question},
};
use crate::db::{Connection, DbFault, DbOptions, Freshness, Servers, error::lost};

/// How often it is looked at how far the replica is.
const TICK: Duration = Duration::from_millis(500);
/// How long it may take to answer that, and to let somebody in.
const LINK_LIMIT: Duration = Duration::from_secs(2);
/// How long a read waits for the replica to come to where the primary is.
const LATEST_PATIENCE: Duration = Duration::from_millis(100);
/// How long a read on the replica may take before it is given to the primary.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// How long a read waits for a free connection to the replica.
const ACQUIRE_LIMIT: Duration = Duration::from_millis(250);
/// The wait between two looks at a replica that is about to catch up.
const CATCH_UP_WAIT: Duration = Duration::from_millis(5);
/// The places of the primary that are remembered with their times.
const MAX_SAMPLES: usize = 256;

const NO_REPLICA: &str = "`DATABASE_REPLICA_URL` leads to a server that is no replica";
const LAG: &str = "db_replica_lag_seconds";
const UP: &str = "db_replica_up";

/// A replica. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    shared: Arc<Shared>,
    primary: Primary,
    connection: Connection,
}

#[derive(Debug)]
struct Shared {
    standing: Mutex<Standing>,
    /// How far the replica surely is.
    replayed: AtomicU64,
    progress: Question<u64>,
    max_lag: Duration,
}

/// Whether reads go to the replica.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    /// It does what it should.
    Good {
        timeline: u32,
        /// What was committed before is on the replica.
        covered_at: Instant,
        /// It was not where the primary is in time: nobody waits for it until it has caught up.
        is_behind: bool,
    },
    /// Why it is not read from.
    Off(String),
}

/// Why a read does not go to the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Off,
    Behind,
}

impl Replica {
    /// Follows the replica at `servers`, which need not be there yet, until `stop`.
    pub(super) fn open(
        servers: &Servers,
        primary: &Primary,
        options: &DbOptions,
        stop: CancellationToken,
    ) -> Result<Self, sqlx::Error> {
        let limited = DbOptions { acquire_timeout: ACQUIRE_LIMIT, statement_timeout: READ_LIMIT, ..options.clone() };
        let server = connect_options(&servers.urls()[0], &limited)?;
        let epoch = Epoch::default();
        let started = Arc::new(Mutex::new(String::new()));
        let pool = with_identity(&limited, epoch.clone(), started.clone()).connect_lazy_with(server.clone());
        let (progress, askers) = question();
        let shared = Arc::new(Shared {
            standing: Mutex::new(Standing::Off("it was not looked at yet".to_owned())),
            replayed: AtomicU64::new(0),
            progress,
            max_lag: options.replica_max_lag,
        });
        let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        let connection = Connection::of_replica(pool, prelude(&limited));
        let replica = Self { shared, primary: primary.clone(), connection };
        let watcher = Watcher { replica: replica.clone(), server, epoch, started, samples: Samples::default(), askers };
        tokio::spawn(async move { stop.run_until_cancelled(Box::pin(watcher.run())).await });
        Ok(replica)
    }

    /// Waits until a read of this freshness can be given to the replica, for a short time.
    pub(crate) async fn admit(&self, freshness: Freshness) -> Result<(), Refusal> {
        let Standing::Good { timeline, covered_at, is_behind } = self.standing().clone() else {
            return Err(Refusal::Off);
        };
        match freshness {
            Freshness::Recent if covered_at.elapsed() <= self.shared.max_lag => Ok(()),
            Freshness::Recent => Err(Refusal::Behind),
            Freshness::Latest if is_behind => Err(Refusal::Behind),
            Freshness::Latest => {
                let caught_up = tokio::time::timeout(LATEST_PATIENCE, self.catch_up(timeline)).await;
                caught_up.unwrap_or_else(|_| {
                    if let Standing::Good { is_behind, .. } = &mut *self.standing() {
                        *is_behind = true;
                    }
                    Err(Refusal::Behind)
                })
            }
        }
    }

    async fn catch_up(&self, timeline: u32) -> Result<(), Refusal> {
        let wanted = self.primary.position(LATEST_PATIENCE).await.ok_or(Refusal::Off)?;
        if wanted.timeline != timeline {
            return Err(Refusal::Off);
        }
        let mut wait = Duration::from_micros(500);
        while self.shared.replayed.load(Ordering::Acquire) < wanted.lsn {
            let replayed = self.shared.progress.ask(LATEST_PATIENCE).await.ok_or(Refusal::Off)?;
            if replayed < wanted.lsn {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
        Ok(())
    }

    /// Where reads run.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs a read within the time that reads have there. Nobody else is sent to a replica that failed until it was looked at.
    pub(crate) async fn run<T>(&self, read: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let done = tokio::time::timeout(READ_LIMIT, read).await;
        let done = done.unwrap_or_else(|_| Err(lost(io::ErrorKind::TimedOut, "the replica did not answer in time")));
        if let Err(error) = &done
            && DbFault::of(error) == DbFault::Unavailable
        {
            self.turn_off(&error.to_string());
        }
        done
    }

    /// Why reads do not go to it.
    pub(crate) fn fault(&self) -> Option<String> {
        match &*self.standing() {
            Standing::Off(reason) => Some(reason.clone()),
            Standing::Good { covered_at, .. } if covered_at.elapsed() > self.shared.max_lag => {
                let (late_s, bound_s) = (covered_at.elapsed().as_secs(), self.shared.max_lag.as_secs());
                Some(format!("it is {late_s} s behind; {bound_s} s are allowed by `database.replica_max_lag_s`"))
            }
            Standing::Good { .. } => None,
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.shared.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn_off(&self, reason: &str) {
        let mut standing = self.standing();
        let off = Standing::Off(reason.to_owned());
        if *standing != off {
            tracing::warn!(reason, "reads go to the primary: the replica is not used");
            *standing = off;
        }
        gauge!(UP).set(0.0);
    }
}

/// Connections that lead to another server than the one that is followed are refused: what one server has replayed says nothing
/// of another behind the same name.
fn with_identity(options: &DbOptions, epoch: Epoch, started: Arc<Mutex<String>>) -> PgPoolOptions {
    pool_options(options, epoch).after_connect(move |connection, _| {
        let followed = started.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            if position::identity(connection).await?.started == followed {
                return Ok(());
            }
            Err(sqlx::Error::Protocol("`DATABASE_REPLICA_URL` leads to more than one server".to_owned()))
        })
    })
}

/// Places of the primary with the times at which it surely was there, the oldest first.
#[derive(Debug, Default)]
struct Samples(VecDeque<(Instant, Position)>);

impl Samples {
    fn add(&mut self, at: Instant, position: Position) {
        if self.0.back().is_some_and(|(_, last)| last.timeline != position.timeline) {
            self.0.clear();
        }
        if self.0.len() == MAX_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back((at, position));
    }

    /// The latest time whose changes are all in what was replayed, and whether that is the latest known at all.
    fn covered(&mut self, replayed: u64) -> Option<(Instant, bool)> {
        let count = self.0.partition_point(|(_, position)| position.lsn <= replayed);
        let (covered_at, _) = *self.0.get(count.checked_sub(1)?)?;
        self.0.drain(..count - 1);
        Some((covered_at, self.0.len() == 1))
    }
}

/// Looks at how far the replica is.
struct Watcher {
    replica: Replica,
    server: PgConnectOptions,
    epoch: Epoch,
    /// The start of the server that is followed.
    started: Arc<Mutex<String>>,
    samples: Samples,
    askers: Askers<u64>,
}

impl Watcher {
    async fn run(mut self) {
        metrics::describe_gauge!(LAG, "Seconds by which the replica is behind the primary");
        metrics::describe_gauge!(UP, "1 while the replica can be read from");
        loop {
            let reason = self.follow().await.unwrap_or_else(|error| error.to_string());
            self.replica.turn_off(&reason);
            self.askers.refuse();
            tokio::time::sleep(TICK).await;
        }
    }

    /// Follows the replica over one connection, until it is none any more or is lost.
    async fn follow(&mut self) -> Result<String, sqlx::Error> {
        let connect = PgConnection::connect_with(&self.server);
        let mut link = within(LINK_LIMIT, connect).await?;
        let identity = within(LINK_LIMIT, position::identity(&mut link)).await?;
        self.epoch.condemn();
        self.replica.shared.replayed.store(0, Ordering::Release);
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = identity.started;
        let mut looked_at: Option<Instant> = None;
        loop {
            let rest = looked_at.map_or(Duration::ZERO, |at| TICK.saturating_sub(at.elapsed()));
            let is_tick = tokio::select! {
                () = tokio::time::sleep(rest) => true,
                () = self.askers.wait() => false,
            };
            if is_tick {
                looked_at = Some(Instant::now());
                let Some(newest) = self.sample().await else { continue };
                // A replica gets to know late that it followed a promotion, so it is asked again.
                let identity = within(LINK_LIMIT, position::identity(&mut link)).await?;
                let patience = Instant::now() + LATEST_PATIENCE;
                let mut replayed = self.ask(&mut link).await?;
                while replayed.is_some_and(|replayed| replayed < newest.lsn) && Instant::now() < patience {
                    tokio::time::sleep(CATCH_UP_WAIT).await;
                    replayed = self.ask(&mut link).await?;
                }
                let Some(replayed) = replayed else { return Ok(NO_REPLICA.to_owned()) };
                self.judge(&identity, newest, replayed);
            } else if self.ask(&mut link).await?.is_none() {
                return Ok(NO_REPLICA.to_owned());
            }
        }
    }

    /// Notes where the primary is.
    async fn sample(&mut self) -> Option<Position> {
        let asked_at = Instant::now();
        let position = self.replica.primary.position(LINK_LIMIT).await;
        match position {
            Some(position) => self.samples.add(asked_at, position),
            None => self.replica.turn_off("the primary does not say where it is"),
        }
        position
    }

    /// Asks how far it is, for everybody who wants to know.
    async fn ask(&mut self, link: &mut PgConnection) -> Result<Option<u64>, sqlx::Error> {
        self.askers.gather();
        let replayed = within(LINK_LIMIT, position::of_replica(link)).await?;
        if let Some(replayed) = &replayed {
            self.replica.shared.replayed.fetch_max(*replayed, Ordering::AcqRel);
            self.askers.answer(replayed);
        }
        Ok(replayed)
    }

    fn judge(&mut self, identity: &Identity, newest: Position, replayed: u64) {
        let fault = if newest.system != identity.system {
            "`DATABASE_REPLICA_URL` leads to a replica of another database"
        } else if newest.timeline != identity.timeline {
            "it has not followed the last promotion yet, or never will"
        } else if let Some((covered_at, is_latest)) = self.samples.covered(replayed) {
            let lag = if is_latest { Duration::ZERO } else { covered_at.elapsed() };
            gauge!(LAG).set(lag.as_secs_f64());
            gauge!(UP).set(1.0);
            let mut standing = self.replica.standing();
            if let Standing::Off(reason) = &*standing {
                tracing::info!(reason, "the replica is read from again");
            }
            *standing = Standing::Good { timeline: newest.timeline, covered_at, is_behind: !is_latest };
            return;
        } else {
            "it is behind by more than is known"
        };
        self.replica.turn_off(fault);
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeline: u32, lsn: u64) -> Position {
        Position { system: 1, timeline, lsn }
    }

    #[test]
    fn a_replica_is_as_late_as_the_first_place_it_has_not_reached() {
        let (start, mut samples) = (Instant::now(), Samples::default());
        let second = |count| start + Duration::from_secs(count);
        for count in 0..5 {
            samples.add(second(count), at(1, 100 * (count + 1)));
        }
        assert_eq!(samples.covered(99), None, "it is behind all that is known");
        assert_eq!(samples.covered(250), Some((second(1), false)));
        assert_eq!(samples.covered(250), Some((second(1), false)), "the last that is covered is remembered");
        assert_eq!(samples.covered(500), Some((second(4), true)));
    }

    #[test]
    fn places_before_a_promotion_say_nothing_of_those_after_it() {
        let (start, mut samples) = (Instant::now(), Samples::default());
        samples.add(start, at(1, 100));
        samples.add(start, at(2, 90));
        assert_eq!(samples.covered(89), None);
        assert_eq!(samples.covered(95), Some((start, true)));
    }

    #[test]
    fn as_many_places_are_remembered_as_there_is_room_for() {
        let (start, mut samples) = (Instant::now(), Samples::default());
        for lsn in 0..1000 {
            samples.add(start, at(1, lsn));
        }
        assert_eq!(samples.0.len(), MAX_SAMPLES);
        assert_eq!(samples.covered(10), None);
    }
}
