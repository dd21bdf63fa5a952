//! Workers that live and workers that died, told apart without any clock that could jump.
//!
//! A worker counts in its row. Every other worker watches these counts, each by its own steady clock: whose count stood still
//! for too long is dead, its row goes, and what it was doing is given to others. A worker that was only slow finds its row
//! gone, stops what it was doing, and can commit nothing of it, because its jobs name another worker or none.

use kernel::Uuid;
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::{
    JobFailure, JobId, Jobs,
    settle::{Ended, Outcome, to_json},
};
use crate::db::{Backend, DbError, Sql, Transaction, timestamp};

/// How many orphans one transaction takes up.
const BATCH: i64 = 500;

/// What a worker tells the others of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Where its kept results lie: workers of one place need not send them to each other.
    pub place: String,
    /// What it makes things with: workers of one build make the same of the same.
    pub build: String,
}

impl Jobs {
    /// Makes the row of a new worker.
    pub(super) async fn register_worker(&self, profile: &Profile) -> Result<Uuid, DbError> {
        let id = self.ids.next_id();
        let row = Sql::new("INSERT INTO job_workers (id, beat, started_at, place, build) VALUES ($1, 0, $2, $3, $4)");
        let row = row.bind(id).bind(timestamp(self.clock.now_ms()));
        let row = row.bind(profile.place.clone()).bind(profile.build.clone());
        self.db.writer().execute_raw(row.on(self.db.backend())).await?;
        Ok(id)
    }

    /// Counts on; `false` when the worker was taken for dead.
    pub(super) async fn beat(&self, worker: Uuid) -> Result<bool, DbError> {
        let count = Sql::new("UPDATE job_workers SET beat = beat + 1 WHERE id = $1").bind(worker);
        Ok(self.db.writer().execute_raw(count.on(self.db.backend())).await?.rows_affected() > 0)
    }

    /// How many workers there are.
    pub async fn worker_count(&self) -> Result<u64, DbError> {
        let query = Sql::new("SELECT count(*) FROM job_workers").on(self.db.backend());
        let row = self.db.reader().query_one_raw(query).await?;
        let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    pub(super) async fn read_beats(&self) -> Result<Vec<(Uuid, i64)>, DbError> {
        let query = Sql::new("SELECT id, beat FROM job_workers").on(self.db.backend());
        let rows = self.db.reader().query_all_raw(query).await?;
        let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        Ok(rows.iter().map(read).collect::<Result<_, sea_orm::DbErr>>()?)
    }

    /// Removes a worker's row, where its count is still the one that was seen. Its jobs become orphans.
    pub(super) async fn remove_worker(&self, worker: Uuid, beat: Option<i64>) -> Result<bool, DbError> {
        let mut remove = Sql::new("DELETE FROM job_workers WHERE id = $1").bind(worker);
        if let Some(beat) = beat {
            remove = remove.text(" AND beat = $2").bind(beat);
        }
        Ok(self.db.writer().execute_raw(remove.on(self.db.backend())).await?.rows_affected() > 0)
    }

    /// The jobs that a worker's row says it does.
    pub(super) async fn read_running(&self, worker: Uuid) -> Result<Vec<JobId>, DbError> {
        let query = Sql::new("SELECT id FROM jobs WHERE state = 'running' AND worker_id = $1").bind(worker);
        let rows = self.db.reader().query_all_raw(query.on(self.db.backend())).await?;
        let ids = rows.iter().map(|row| Ok(JobId::from_uuid(row.try_get_by_index(0)?)));
        Ok(ids.collect::<Result<_, sea_orm::DbErr>>()?)
    }

    /// Gives jobs back that the worker does not know of: the answer to a claim got lost on its way.
    pub(super) async fn give_back(&self, worker: Uuid, ids: &[JobId]) -> Result<(), DbError> {
        let give_back = |id: &JobId| Ended {
            id: *id,
            kind: String::new(),
            owner: String::new(),
            outcome: Outcome::Returned,
            progress: None,
        };
        let ended: Vec<_> = ids.iter().map(give_back).collect();
        self.settle(worker, &ended).await.map(drop)
    }

    /// Gives the jobs of workers without a row back to the queue, and returns how many those were. A job that was begun as often
    /// as it may be fails instead, so that one that kills its workers ends.
    pub(super) async fn take_up_orphans(&self) -> Result<usize, DbError> {
        let any = format!("SELECT 1 FROM jobs WHERE {ORPHAN} LIMIT 1");
        if self.db.reader().query_one_raw(Sql::new(any).on(self.db.backend())).await?.is_none() {
            return Ok(0);
        }
        self.db.transaction(|tx| async move { self.take_up_batch(&tx).await }).await
    }

    async fn take_up_batch(&self, tx: &Transaction) -> Result<usize, DbError> {
        let lock = if tx.backend() == Backend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let query = Sql::new(format!(
            "SELECT id, kind, CASE WHEN parent_id IS NULL THEN owner ELSE '' END, attempts, max_attempts, cancel_requested
            FROM jobs WHERE {ORPHAN} LIMIT $1 {lock}"
        ));
        let rows = tx.query_all_raw(query.bind(BATCH).on(tx.backend())).await?;
        let orphans: Vec<Ended> = rows.iter().map(read_orphan).collect::<Result<_, _>>()?;
        for orphan in &orphans {
            self.take_up(tx, orphan).await?;
        }
        self.tell(tx, orphans.iter()).await?;
        if !orphans.is_empty() {
            tracing::warn!(jobs = orphans.len(), "jobs of a worker that died were taken up");
        }
        Ok(orphans.len())
    }

    async fn take_up(&self, tx: &Transaction, orphan: &Ended) -> Result<(), DbError> {
        let now = timestamp(self.clock.now_ms());
        let (state, error) = match &orphan.outcome {
            Outcome::Cancelled => ("cancelled", None),
            Outcome::Failed(failure) => ("failed", to_json(failure)),
            _ => ("delayed", None),
        };
        let is_final = state != "delayed";
        let update = Sql::new(
            "UPDATE jobs SET state = $1, error = $2, worker_id = NULL, cancel_requested = FALSE, run_at = $3, delay_ms = $4,
                finished_at = $5 WHERE id = $6",
        );
        let update = update
            .bind(state)
            .bind(error)
            .bind((!is_final).then_some(now))
            .bind((!is_final).then_some(0_i64))
            .bind(is_final.then_some(now))
            .bind(orphan.id.as_uuid());
        tx.execute_raw(update.on(tx.backend())).await?;
        Ok(())
    }
}

/// A job whose worker has no row.
const ORPHAN: &str =
    "state = 'running' AND NOT EXISTS (SELECT 1 FROM job_workers WHERE job_workers.id = jobs.worker_id)";

fn read_orphan(row: &QueryResult) -> Result<Ended, sea_orm::DbErr> {
    let (attempts, max_attempts): (i32, i32) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
    let outcome = if row.try_get_by_index(5)? {
        Outcome::Cancelled
    } else if attempts >= max_attempts {
        Outcome::Failed(JobFailure {
            message: format!("its worker died over it {attempts} times"),
            advice: Some("look into the worker's log and memory before you try again".to_owned()),
        })
    } else {
        Outcome::Returned
    };
    Ok(Ended {
        id: JobId::from_uuid(row.try_get_by_index(0)?),
        kind: row.try_get_by_index(1)?,
        owner: row.try_get_by_index(2)?,
        outcome,
        progress: None,
    })
}
