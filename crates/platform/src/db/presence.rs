//! The programs that run on a database: each says in a row which version it is, so that nothing is taken away from under it.

use std::time::{Duration, Instant};

use kernel::{Clock as _, IdSource, SystemClock, Uuid};
use sea_orm::ConnectionTrait as _;
use tokio_util::sync::CancellationToken;

use super::{
    Db, DbError, Sql,
    migrate::{self, MigrateError, Migrations, Version, table},
    timestamp,
};
use crate::heartbeat::Watch;

/// How often a program counts on in its row.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long a count may stand still before its program is taken for dead.
const PATIENCE: Duration = Duration::from_secs(25);

/// A program that is there until it is dropped or leaves.
#[derive(Debug)]
pub struct Presence {
    db: Db,
    id: Uuid,
    kind: &'static str,
    version: Version,
    contexts: Vec<Migrations>,
}

impl Presence {
    /// Says that a program of this kind runs, which can work on the tables of `contexts` as they are.
    pub async fn register(
        db: &Db,
        ids: &dyn IdSource,
        kind: &'static str,
        contexts: Vec<Migrations>,
    ) -> Result<Self, MigrateError> {
        Self::register_as(Version::of_program(), db, (ids.next_id(), kind), contexts).await
    }

    /// The same as another version than this program's.
    pub async fn register_as(
        version: Version,
        db: &Db,
        (id, kind): (Uuid, &'static str),
        contexts: Vec<Migrations>,
    ) -> Result<Self, MigrateError> {
        let presence = Self { db: db.clone(), id, kind, version, contexts };
        presence.enter().await?;
        Ok(presence)
    }

    /// Counts on until `stop`, then leaves. Rows of programs that died are removed, and steps that waited for them done.
    ///
    /// Fails when a newer version took away what this one uses, which it does only from one that it takes for dead.
    pub async fn keep(&self, stop: &CancellationToken) -> Result<(), MigrateError> {
        let mut watch = Watch::default();
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            match self.beat(&mut watch).await {
                Err(error @ MigrateError::Newer { .. }) => return Err(error),
                Err(error) => tracing::debug!(%error, "it could not be said that this program still runs"),
                Ok(()) => {}
            }
        }
        if let Err(error) = self.leave().await {
            tracing::debug!(%error, "the row of this program stays until another removes it");
        }
        Ok(())
    }

    /// Takes the row away.
    pub async fn leave(&self) -> Result<(), DbError> {
        let remove = Sql::new("DELETE FROM instances WHERE id = $1").bind(self.id);
        Ok(self.db.writer().execute_raw(remove.on(self.db.backend())).await.map(drop)?)
    }

    async fn enter(&self) -> Result<(), MigrateError> {
        let work = async |tx: super::Transaction| {
            // Nobody takes anything away between the look and the row.
            table::lock(&tx).await?;
            migrate::check_in(&tx, self.version, &self.contexts).await?;
            let row =
                Sql::new("INSERT INTO instances (id, kind, version, beat, started_at) VALUES ($1, $2, $3, 0, $4)");
            let row = row.bind(self.id).bind(self.kind).bind(self.version.to_string());
            let row = row.bind(timestamp(SystemClock.now_ms()));
            tx.execute_raw(row.on(tx.backend())).await.map_err(DbError::from)?;
            Ok(())
        };
        self.db.transaction(work).await
    }

    async fn beat(&self, watch: &mut Watch) -> Result<(), MigrateError> {
        let backend = self.db.backend();
        let count = Sql::new("UPDATE instances SET beat = beat + 1 WHERE id = $1").bind(self.id);
        let counted = self.db.writer().execute_raw(count.on(backend)).await.map_err(DbError::from)?;
        if counted.rows_affected() == 0 {
            tracing::warn!("this program was taken for dead");
            self.enter().await?;
        }
        if remove_dead(&self.db, watch, PATIENCE).await? > 0 || self.has_waiting().await? {
            migrate::up_as(self.version, &self.db, &self.contexts).await?;
        }
        Ok(())
    }

    /// Whether steps wait that nobody stands in the way of any more.
    async fn has_waiting(&self) -> Result<bool, MigrateError> {
        let steps = migrate::status_of(&self.db, &self.contexts).await?;
        Ok(steps.iter().any(|step| step.applied_at_ms.is_none() && step.waits_for.is_none()))
    }
}

/// Removes the rows of programs whose count stood still for `patience`, and returns how many those were.
async fn remove_dead(db: &Db, watch: &mut Watch, patience: Duration) -> Result<u64, DbError> {
    let instances = table::read_instances(db.reader(), db.backend()).await?;
    let beats: Vec<_> = instances.iter().map(|instance| (instance.id, instance.beat)).collect();
    let mut removed = 0;
    for (id, beat) in watch.look(&beats, Instant::now(), patience) {
        let remove = Sql::new("DELETE FROM instances WHERE id = $1 AND beat = $2").bind(id).bind(beat);
        removed += db.writer().execute_raw(remove.on(db.backend())).await?.rows_affected();
    }
    Ok(removed)
}

/// Does the steps that take away too. Waits until programs that died are known to be dead, and fails when one that lives stands
/// in the way.
pub async fn contract(db: &Db, contexts: &[Migrations]) -> Result<usize, MigrateError> {
    let mut watch = Watch::default();
    let started = Instant::now();
    let mut done = migrate::up(db, contexts).await?;
    loop {
        let steps = migrate::status(db, contexts).await?;
        let Err(in_use) = migrate::require_all(&steps) else { return Ok(done) };
        if started.elapsed() > PATIENCE + 2 * INTERVAL {
            return Err(in_use);
        }
        tokio::time::sleep(INTERVAL).await;
        remove_dead(db, &mut watch, PATIENCE).await?;
        done += migrate::up(db, contexts).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{both_databases, testing::TestDb};

    both_databases! {
        async fn whoever_counts_on_stays_and_whoever_does_not_is_removed(test: &TestDb) {
            let db = test.db();
            migrate::status(db, &[]).await.unwrap();
            let register = |id: u128| Presence::register_as(Version::new(1, 0, 0), db, (Uuid::from_u128(id), "server"), Vec::new());
            let (living, dead) = (register(1).await.unwrap(), register(2).await.unwrap());
            let mut watch = Watch::default();
            let started = Instant::now();
            while remove_dead(db, &mut watch, Duration::from_millis(100)).await.unwrap() == 0 {
                living.beat(&mut Watch::default()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
                assert!(started.elapsed() < Duration::from_mins(2));
            }
            let there = table::read_instances(db.reader(), db.backend()).await.unwrap();
            assert_eq!(there.iter().map(|instance| instance.id).collect::<Vec<_>>(), [living.id]);
            // One that was only slow says so again.
            dead.beat(&mut Watch::default()).await.unwrap();
            assert_eq!(table::read_instances(db.reader(), db.backend()).await.unwrap().len(), 2);
        }
    }
}
