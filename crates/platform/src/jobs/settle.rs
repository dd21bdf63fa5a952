//! Writes how attempts ended, many in one transaction, and only where the job is still this worker's.

use std::{collections::HashSet, time::Duration};

use kernel::{
    Uuid,
    events::{TaskCancelled, TaskFailed, TaskSucceeded},
};
use sea_orm::{ConnectionTrait as _, Value};
use serde::Serialize;

use super::{JobFailure, JobId, JobProgress, JobState, Jobs, JobsError};
use crate::db::{DbError, Sql, Topic, Transaction, timestamp};

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// With this result, as JSON.
    Succeeded(String),
    /// It is tried again after this wait.
    Again(JobFailure, Duration),
    Failed(JobFailure),
    Cancelled,
    /// The worker gives it back unfinished; the attempt does not count.
    Returned,
}

impl Outcome {
    /// For the numbers.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "succeeded",
            Self::Again(..) => "retried",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
        }
    }

    /// For the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "succeeded",
            Self::Again(..) => "to be tried again",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::Returned => "given back",
        }
    }
}

/// An attempt that ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) owner: String,
    pub(super) outcome: Outcome,
    /// What was last reported and not stored yet, as JSON.
    pub(super) progress: Option<String>,
}

/// The columns that an outcome changes.
struct Change {
    state: JobState,
    result: Option<String>,
    error: Option<String>,
    wait: Option<Duration>,
    /// By how much the count of attempts changes.
    attempts: i32,
}

impl Outcome {
    fn change(&self) -> Change {
        let none = Change { state: JobState::Cancelled, result: None, error: None, wait: None, attempts: 0 };
        match self {
            Self::Succeeded(result) => Change { state: JobState::Succeeded, result: Some(result.clone()), ..none },
            Self::Again(failure, wait) => {
                Change { state: JobState::Delayed, error: to_json(failure), wait: Some(*wait), ..none }
            }
            Self::Failed(failure) => Change { state: JobState::Failed, error: to_json(failure), ..none },
            Self::Cancelled => none,
            Self::Returned => Change { state: JobState::Delayed, wait: Some(Duration::ZERO), attempts: -1, ..none },
        }
    }
}

/// What is kept of a job beside its columns: a failure, its progress. Such values always become JSON.
pub(super) fn to_json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

impl Jobs {
    /// Writes how these attempts of `worker` ended, and returns the ids of those that counted. The others were given to another
    /// worker meanwhile, or were finished by their handlers.
    pub(super) async fn settle(&self, worker: Uuid, ended: &[Ended]) -> Result<HashSet<JobId>, DbError> {
        self.db
            .transaction(|tx| async move {
                let counted = self.write_outcomes(&tx, worker, ended).await?;
                self.tell(&tx, ended.iter().filter(|ended| counted.contains(&ended.id))).await?;
                Ok(counted)
            })
            .await
    }

    async fn write_outcomes(&self, tx: &Transaction, worker: Uuid, ended: &[Ended]) -> Result<HashSet<JobId>, DbError> {
        let Some(last) = ended.last() else { return Ok(HashSet::new()) };
        let now_ms = self.clock.now_ms();
        // Rows are repeated up to a power of two: few forms of the statement are prepared, and a repeated row changes nothing.
        let count = ended.len().next_power_of_two();
        let mut update = Sql::new(
            "WITH ended (id, state, result, error, progress, run_at, delay_ms, finished_at, attempts) AS (VALUES ",
        )
        .tuples(count, 9);
        for row in ended.iter().chain(std::iter::repeat(last)).take(count) {
            let change = row.outcome.change();
            let wait_ms = change.wait.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            let finished_at = change.state.is_final().then(|| timestamp(now_ms));
            update = update
                .bind(row.id.as_uuid())
                .bind(change.state.as_str())
                .bind(change.result)
                .bind(change.error)
                .bind(row.progress.clone())
                .bind(wait_ms.map(|wait_ms| timestamp(now_ms.saturating_add(wait_ms))))
                .bind(wait_ms)
                .bind(finished_at)
                .bind(change.attempts);
        }
        let worker_place = count * 9 + 1;
        let update = update.text(&format!(
            ") UPDATE jobs SET state = ended.state, result = ended.result, error = ended.error,
                progress = coalesce(ended.progress, jobs.progress), run_at = ended.run_at, delay_ms = ended.delay_ms,
                finished_at = ended.finished_at, attempts = jobs.attempts + ended.attempts, worker_id = NULL,
                cancel_requested = FALSE
            FROM ended WHERE jobs.id = ended.id AND jobs.state = 'running' AND jobs.worker_id = ${worker_place}
            RETURNING jobs.id"
        ));
        let rows = tx.query_all_raw(update.bind(worker).on(tx.backend())).await?;
        let ids = rows.iter().map(|row| Ok(JobId::from_uuid(row.try_get_by_index(0)?)));
        Ok(ids.collect::<Result<_, sea_orm::DbErr>>()?)
    }

    /// Tells of tasks that ended for good.
    pub(super) async fn tell<'e>(
        &self,
        tx: &Transaction,
        ended: impl Iterator<Item = &'e Ended>,
    ) -> Result<(), DbError> {
        let (mut succeeded, mut failed, mut cancelled, mut changed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for job in ended.filter(|job| !job.owner.is_empty()) {
            let (task_id, kind, owner) = (job.id.as_uuid(), job.kind.clone(), job.owner.clone());
            changed.push(job.id.to_string());
            match &job.outcome {
                Outcome::Succeeded(_) => succeeded.push(TaskSucceeded { task_id, kind, owner }),
                Outcome::Failed(failure) => {
                    failed.push(TaskFailed { task_id, kind, owner, message: failure.message.clone() });
                }
                Outcome::Cancelled => cancelled.push(TaskCancelled { task_id, kind, owner }),
                Outcome::Again(..) | Outcome::Returned => {}
            }
        }
        self.outbox.append_all(tx, &succeeded).await?;
        self.outbox.append_all(tx, &failed).await?;
        self.outbox.append_all(tx, &cancelled).await?;
        self.signal_progress(tx, &changed).await
    }

    /// Calls that these jobs changed, as many in one call as PostgreSQL's limit of 8,000 bytes allows.
    pub(super) async fn signal_progress(&self, tx: &Transaction, ids: &[String]) -> Result<(), DbError> {
        for ids in ids.chunks(200) {
            self.db.signal(tx, Topic::Progress, &ids.join(",")).await?;
        }
        Ok(())
    }

    /// Marks a job of `worker` as succeeded within a handler's own transaction.
    pub(super) async fn finish_in(&self, tx: &Transaction, worker: Uuid, ended: &Ended) -> Result<(), JobsError> {
        let counted = self.write_outcomes(tx, worker, std::slice::from_ref(ended)).await?;
        if counted.is_empty() {
            return Err(JobsError::LeaseLost(ended.id));
        }
        Ok(self.tell(tx, std::iter::once(ended)).await?)
    }

    /// Stores what was reported of jobs that are still this worker's.
    pub(super) async fn store_progress(&self, worker: Uuid, reports: &[(JobId, &JobProgress)]) -> Result<(), DbError> {
        let Some(last) = reports.last() else { return Ok(()) };
        let count = reports.len().next_power_of_two();
        let values = reports.iter().chain(std::iter::repeat(last)).take(count);
        let values = values.flat_map(|(id, progress)| [Value::from(id.as_uuid()), Value::from(to_json(progress))]);
        let update = Sql::new("WITH reported (id, progress) AS (VALUES ").tuples(count, 2).text(&format!(
            ") UPDATE jobs SET progress = reported.progress FROM reported
            WHERE jobs.id = reported.id AND jobs.state = 'running' AND jobs.worker_id = ${}",
            count * 2 + 1
        ));
        let update = &values.fold(update, Sql::bind).bind(worker);
        let ids: Vec<_> = reports.iter().map(|(id, _)| id.to_string()).collect();
        let ids = &ids;
        self.db
            .transaction(|tx| async move {
                tx.execute_raw(update.clone().on(tx.backend())).await?;
                self.signal_progress(&tx, ids).await
            })
            .await
    }
}
