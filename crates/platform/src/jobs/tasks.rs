//! Jobs as their owners and admins see them: listed, shown, cancelled, tried again, deleted.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use kernel::{
    Cursor, Page, PageRequest, Uuid,
    events::{TaskCancelled, TaskRequeued},
};
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Value};
use serde::Serialize;

use super::{
    JobFailure, JobId, JobProgress, JobState, Jobs, JobsError, Priority,
    tags::{Flow, Tags},
};
use crate::db::{Backend, DbError, Freshness, Sql, Topic, Transaction, millis, timestamp};

const COLUMNS: &str = "id, kind, owner, state, priority, attempts, max_attempts, cancel_requested, progress, result, error, \
     run_at, created_at, started_at, finished_at, subject";

/// Helpers of other jobs are nobody's tasks.
const TASK: &str = "parent_id IS NULL";

/// How many jobs of an owner are listed that have not ended.
const MAX_OPEN: u32 = 500;

/// How many jobs one query reads by their ids.
pub(super) const MAX_READ: usize = 256;

/// How many old jobs one statement removes.
const REMOVE_BATCH: i64 = 1000;

/// A job as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    pub id: JobId,
    pub kind: String,
    /// Empty for a job of the system's own.
    pub owner: String,
    pub state: JobState,
    pub priority: Priority,
    /// How often it was begun.
    pub attempts: u32,
    pub max_attempts: u32,
    /// Whether it was told to stop and has not yet.
    pub is_stopping: bool,
    pub progress: Option<JobProgress>,
    /// What it gave back, as its kind defines it.
    pub result: Option<serde_json::Value>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<JobFailure>,
    /// When a delayed job may begin. All times are milliseconds since the Unix epoch.
    pub run_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    /// What it works on, such as `videos/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55`.
    pub subject: Option<String>,
}

/// Which jobs are meant; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Whose they are. A service fills this in for everybody but admins.
    pub owner: Option<String>,
    pub kind: Option<String>,
    pub state: Option<JobState>,
    /// What they work on.
    pub subject: Option<String>,
}

/// How many jobs of a kind wait, and since when the one that waits longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueDepth {
    pub kind: String,
    pub ready: u64,
    pub oldest_ms: i64,
}

impl Jobs {
    /// The jobs that fit, the newest first.
    pub async fn list(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>, JobsError> {
        let query = list_query(filter, page)?;
        let rows = self.db.replica_reader(Freshness::Latest).query_all_raw(query.on(self.db.backend())).await?;
        let tasks = rows.iter().map(Task::read).collect::<Result<_, _>>()?;
        Ok(Page::of_one_more(tasks, page.size, |task: &Task| Cursor::of_parts(&[&task.id.to_string()])))
    }

    /// A job, where it is the owner's; without an owner, anybody's.
    pub async fn get(&self, id: JobId, owner: Option<&str>) -> Result<Arc<Task>, JobsError> {
        let task = self.read(id).await?;
        task.filter(|task| is_of(task, owner)).ok_or(JobsError::NotFound(id))
    }

    /// A job that was enqueued in `tx`.
    pub async fn get_in(&self, tx: &Transaction, id: JobId) -> Result<Task, JobsError> {
        let query = Sql::new(format!("SELECT {COLUMNS} FROM jobs WHERE id = $1")).bind(id.as_uuid());
        let row = tx.query_one_raw(query.on(tx.backend())).await?;
        Ok(Task::read(&row.ok_or(JobsError::NotFound(id))?)?)
    }

    /// A job about `subject` that has not ended.
    pub async fn find_open(&self, tx: &Transaction, subject: &str) -> Result<Option<JobId>, JobsError> {
        let query = Sql::new(
            "SELECT id FROM jobs WHERE subject = $1 AND state IN ('ready', 'delayed', 'running') ORDER BY id DESC LIMIT 1",
        );
        let row = tx.query_one_raw(query.bind(subject).on(tx.backend())).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.map(JobId::from_uuid))
    }

    /// An owner's newest jobs that have not ended, the newest first.
    pub(crate) async fn list_open(&self, owner: &str) -> Result<Vec<Task>, JobsError> {
        let query = Sql::new(format!(
            "SELECT {COLUMNS} FROM jobs WHERE owner = $1 AND state IN ('ready', 'delayed', 'running') \
             AND {TASK} ORDER BY id DESC LIMIT {MAX_OPEN}"
        ));
        let reader = self.db.replica_reader(Freshness::Latest);
        let rows = reader.query_all_raw(query.bind(owner).on(self.db.backend())).await?;
        Ok(rows.iter().map(Task::read).collect::<Result<_, _>>()?)
    }

    /// Those of these jobs that are there, in no order.
    pub(crate) async fn get_all(&self, ids: &[JobId]) -> Result<Vec<Task>, DbError> {
        let mut tasks = Vec::with_capacity(ids.len());
        for some in ids.chunks(MAX_READ) {
            // Lists are filled up to a power of two, so that few statements differ.
            let count = some.len().next_power_of_two();
            let places: Vec<_> = (1..=count).map(|place| format!("${place}")).collect();
            let query = Sql::new(format!("SELECT {COLUMNS} FROM jobs WHERE id IN ({}) AND {TASK}", places.join(", ")));
            let query = (0..count).fold(query, |query, index| query.bind(some[index.min(some.len() - 1)].as_uuid()));
            for row in self.db.reader().query_all_raw(query.on(self.db.backend())).await? {
                tasks.push(Task::read(&row)?);
            }
        }
        Ok(tasks)
    }

    /// Stops a job. One that waits is cancelled at once, one that runs is told to stop; a second call changes nothing.
    pub async fn cancel(&self, id: JobId, owner: Option<&str>) -> Result<Arc<Task>, JobsError> {
        self.db.transaction(|tx| async move { self.cancel_in(&tx, id, owner).await }).await?;
        self.get(id, owner).await
    }

    /// Puts a job that failed or was cancelled into the queue again, with all its attempts.
    pub async fn retry(&self, id: JobId, owner: Option<&str>) -> Result<Arc<Task>, JobsError> {
        self.db.transaction(|tx| async move { self.retry_in(&tx, id, owner).await }).await?;
        self.get(id, owner).await
    }

    /// Removes a job that ended.
    pub async fn delete(&self, id: JobId, owner: Option<&str>) -> Result<(), JobsError> {
        self.db
            .transaction(|tx| async move {
                let task = lock(&tx, id, owner).await?;
                if !task.state.is_final() {
                    return Err(JobsError::WrongState { id, state: task.state, wanted: "deleted; cancel it first" });
                }
                tx.execute_raw(Sql::new("DELETE FROM jobs WHERE id = $1").bind(id.as_uuid()).on(tx.backend())).await?;
                Ok(())
            })
            .await
    }

    /// How many jobs wait, by kind.
    pub async fn depths(&self) -> Result<Vec<QueueDepth>, JobsError> {
        let query = Sql::new("SELECT kind, count(*), min(created_at) FROM jobs WHERE state = 'ready' GROUP BY kind");
        let rows = self.db.replica_reader(Freshness::Recent).query_all_raw(query.on(self.db.backend())).await?;
        let read = |row: &QueryResult| -> Result<QueueDepth, DbErr> {
            let oldest: DateTime<Utc> = row.try_get_by_index(2)?;
            let ready = row.try_get_by_index::<i64>(1)?.unsigned_abs();
            Ok(QueueDepth { kind: row.try_get_by_index(0)?, ready, oldest_ms: millis(oldest) })
        };
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn cancel_in(&self, tx: &Transaction, id: JobId, owner: Option<&str>) -> Result<(), JobsError> {
        let task = lock(tx, id, owner).await?;
        match task.state {
            JobState::Cancelled => return Ok(()),
            JobState::Running => {
                let mark = Sql::new("UPDATE jobs SET cancel_requested = TRUE WHERE id = $1").bind(id.as_uuid());
                tx.execute_raw(mark.on(tx.backend())).await?;
                self.stop_helpers(tx, id).await?;
                self.db.signal(tx, Topic::Cancellations, "").await?;
            }
            JobState::Ready | JobState::Delayed => {
                let cancel = Sql::new(
                    "UPDATE jobs SET state = 'cancelled', run_at = NULL, delay_ms = NULL, finished_at = $1 WHERE id = $2",
                );
                let cancel = cancel.bind(timestamp(self.clock.now_ms())).bind(id.as_uuid());
                tx.execute_raw(cancel.on(tx.backend())).await?;
                self.stop_helpers(tx, id).await?;
                self.db.signal(tx, Topic::Cancellations, "").await?;
                if !task.owner.is_empty() {
                    let (kind, owner) = (task.kind, task.owner);
                    self.outbox.append(tx, &TaskCancelled { task_id: id.as_uuid(), kind, owner }).await?;
                }
            }
            state => return Err(JobsError::WrongState { id, state, wanted: "cancelled" }),
        }
        Ok(self.signal_progress(tx, &[id.to_string()]).await?)
    }

    async fn retry_in(&self, tx: &Transaction, id: JobId, owner: Option<&str>) -> Result<(), JobsError> {
        let task = lock(tx, id, owner).await?;
        if !matches!(task.state, JobState::Failed | JobState::Cancelled) {
            return Err(JobsError::WrongState { id, state: task.state, wanted: "tried again" });
        }
        let flow = Flow { kind: task.kind.clone(), rank: task.priority.rank(), owner: task.owner.clone() };
        let tag = Tags::default().next(tx, flow).await?;
        let update = Sql::new(
            "UPDATE jobs SET state = 'ready', tag = $1, attempts = 0, error = NULL, progress = NULL, finished_at = NULL
            WHERE id = $2",
        );
        tx.execute_raw(update.bind(tag).bind(id.as_uuid()).on(tx.backend())).await?;
        if !task.owner.is_empty() {
            let (kind, owner) = (task.kind, task.owner);
            self.outbox.append(tx, &TaskRequeued { task_id: id.as_uuid(), kind, owner }).await?;
        }
        self.db.signal(tx, Topic::Jobs, "").await?;
        Ok(self.signal_progress(tx, &[id.to_string()]).await?)
    }

    /// Those of a worker's jobs that were told to stop.
    pub(super) async fn read_cancelled(&self, worker: Uuid) -> Result<Vec<JobId>, DbError> {
        let query = Sql::new("SELECT id FROM jobs WHERE state = 'running' AND worker_id = $1 AND cancel_requested");
        let rows = self.db.reader().query_all_raw(query.bind(worker).on(self.db.backend())).await?;
        let ids = rows.iter().map(|row| Ok(JobId::from_uuid(row.try_get_by_index(0)?)));
        Ok(ids.collect::<Result<_, DbErr>>()?)
    }

    /// Removes some of the jobs that ended longer ago than `keep`, and returns how many. Dead letters stay until somebody
    /// decides.
    pub(super) async fn remove_finished(&self, keep: Duration) -> Result<u64, DbError> {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = timestamp(self.clock.now_ms().saturating_sub(keep_ms));
        let mut removed = 0;
        for state in [JobState::Succeeded, JobState::Cancelled] {
            // The oldest are looked at alone: by their ids they come in the order in which they were made.
            let remove = Sql::new(
                "DELETE FROM jobs WHERE id IN (
                    SELECT id FROM (SELECT id, finished_at FROM jobs WHERE state = $1 ORDER BY id LIMIT $2) AS oldest
                    WHERE finished_at < $3)",
            );
            let remove = remove.bind(state.as_str()).bind(REMOVE_BATCH).bind(before);
            removed += self.db.writer().execute_raw(remove.on(self.db.backend())).await?.rows_affected();
        }
        Ok(removed)
    }
}

fn list_query(filter: &TaskFilter, page: &PageRequest) -> Result<Sql, JobsError> {
    let mut conditions = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut add = |column: &str, comparison: &str, value: Value| {
        values.push(value);
        conditions.push(format!("{column} {comparison} ${}", values.len()));
    };
    if let Some(owner) = &filter.owner {
        add("owner", "=", owner.clone().into());
    }
    if let Some(kind) = &filter.kind {
        add("kind", "=", kind.clone().into());
    }
    if let Some(state) = filter.state {
        add("state", "=", state.as_str().into());
    }
    if let Some(subject) = &filter.subject {
        add("subject", "=", subject.clone().into());
    }
    if let Some(after) = &page.after {
        add("id", "<", after.part::<Uuid>()?.into());
    }
    conditions.push(TASK.to_owned());
    let conditions = conditions.join(" AND ");
    let limit = page.size.and_one_more();
    let query = Sql::new(format!("SELECT {COLUMNS} FROM jobs WHERE {conditions} ORDER BY id DESC LIMIT {limit}"));
    Ok(values.into_iter().fold(query, Sql::bind))
}

/// Reads a job that is to be changed; until the transaction ends nobody else changes it.
async fn lock(tx: &Transaction, id: JobId, owner: Option<&str>) -> Result<Task, JobsError> {
    let lock = if tx.backend() == Backend::Postgres { "FOR UPDATE" } else { "" };
    let query = Sql::new(format!("SELECT {COLUMNS} FROM jobs WHERE id = $1 AND {TASK} {lock}")).bind(id.as_uuid());
    let row = tx.query_one_raw(query.on(tx.backend())).await?;
    let task = row.map(|row| Task::read(&row)).transpose()?;
    task.filter(|task| is_of(task, owner)).ok_or(JobsError::NotFound(id))
}

fn is_of(task: &Task, owner: Option<&str>) -> bool {
    owner.is_none_or(|owner| owner == task.owner)
}

impl Task {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let time = |index| row.try_get_by_index::<Option<DateTime<Utc>>>(index).map(|at| at.map(millis));
        let count = |index| row.try_get_by_index::<i32>(index).map(|count| u32::try_from(count).unwrap_or_default());
        let state: String = row.try_get_by_index(3)?;
        Ok(Self {
            id: JobId::from_uuid(row.try_get_by_index(0)?),
            kind: row.try_get_by_index(1)?,
            owner: row.try_get_by_index(2)?,
            state: state.parse().map_err(|error: super::ChoiceError| DbErr::Type(error.to_string()))?,
            priority: Priority::of_rank(row.try_get_by_index(4)?),
            attempts: count(5)?,
            max_attempts: count(6)?,
            is_stopping: row.try_get_by_index(7)?,
            progress: read_json(row, 8)?,
            result: read_json(row, 9)?,
            error: read_json(row, 10)?,
            run_at_ms: time(11)?,
            created_at_ms: time(12)?.unwrap_or_default(),
            started_at_ms: time(13)?,
            finished_at_ms: time(14)?,
            subject: row.try_get_by_index(15)?,
        })
    }
}

fn read_json<T: serde::de::DeserializeOwned>(row: &QueryResult, index: usize) -> Result<Option<T>, DbErr> {
    let text: Option<String> = row.try_get_by_index(index)?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| DbErr::Json(error.to_string()))
}
