//! Puts jobs into the queue, in a transaction of their own or in the caller's.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use kernel::{Clock, IdSource, Rng, events::TaskCreated};
use sea_orm::ConnectionTrait as _;

use super::{
    JobId, JobKind, JobState, JobsError, Priority,
    reads::Reads,
    tags::{Flow, Tags},
};
use crate::{
    db::{Db, DbError, Sql, Topic, Transaction, timestamp},
    events::Outbox,
};

/// How many jobs one statement writes; SQLite takes 32,766 values.
const JOBS_PER_STATEMENT: usize = 1000;

/// The jobs of a database. Clones are the same jobs.
#[derive(Debug, Clone)]
pub struct Jobs {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) outbox: Outbox,
    pub(super) reads: Reads,
}

/// A job to be enqueued.
#[derive(Debug, Clone)]
pub struct NewJob<K: JobKind> {
    payload: K::Payload,
    owner: String,
    priority: Priority,
    start: Start,
    max_attempts: Option<u32>,
    subject: Option<String>,
    kind: PhantomData<K>,
}

/// When a job may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Now,
    After(Duration),
    At(i64),
}

impl<K: JobKind> NewJob<K> {
    /// A job of the system's own, which is no task of anybody.
    pub fn new(payload: K::Payload) -> Self {
        Self {
            payload,
            owner: String::new(),
            priority: Priority::Medium,
            start: Start::Now,
            max_attempts: None,
            subject: None,
            kind: PhantomData,
        }
    }

    /// Makes it a task of this owner, who sees it and shares the workers with other owners.
    #[must_use]
    pub fn owned_by(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Says what it works on, such as `videos/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55`: tasks are listed by it.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Lets it wait for so long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.start = Start::After(delay);
        self
    }

    /// Lets it wait until this time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at_ms(mut self, at_ms: i64) -> Self {
        self.start = Start::At(at_ms);
        self
    }

    /// How often it is begun at most, where the policy of its kind does not suit.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    pub(super) fn into_row(self) -> Result<NewRow, JobsError> {
        let payload = serde_json::to_string(&self.payload);
        Ok(NewRow {
            kind: K::NAME,
            owner: self.owner,
            priority: self.priority,
            start: self.start,
            payload: payload.map_err(|source| JobsError::Payload { kind: K::NAME, source })?,
            max_attempts: self.max_attempts.unwrap_or(K::policy().max_attempts),
            subject: self.subject,
            parent: None,
            needs: None,
        })
    }

    /// Makes it a helper of another job, which only a worker of the build `needs` is given.
    pub fn into_helper(self, needs: impl Into<String>) -> Result<HelpingJob, JobsError> {
        let row = self.into_row()?;
        Ok(HelpingJob { row: NewRow { needs: Some(needs.into()), ..row } })
    }
}

/// A job that helps another one; see [`super::Pieces`].
#[derive(Debug, Clone)]
pub struct HelpingJob {
    row: NewRow,
}

impl HelpingJob {
    /// Its row as a child of `parent`: it has the turn of the parent's owner.
    pub(super) fn row_for(&self, parent: JobId, owner: &str, priority: Priority) -> NewRow {
        NewRow { parent: Some(parent), owner: owner.to_owned(), priority, ..self.row.clone() }
    }
}

/// A job to be enqueued whose type is not known any more.
#[derive(Debug, Clone)]
pub(super) struct NewRow {
    kind: &'static str,
    owner: String,
    priority: Priority,
    start: Start,
    payload: String,
    max_attempts: u32,
    subject: Option<String>,
    /// The job that it helps, and the build that it needs for that.
    parent: Option<JobId>,
    needs: Option<String>,
}

impl Jobs {
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, rng: Arc<dyn Rng>) -> Self {
        let outbox = Outbox::new(db.clone(), Arc::clone(&clock), Arc::clone(&ids));
        Self { db, clock, ids, rng, outbox, reads: Reads::default() }
    }

    /// The database that they are in.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Enqueues a job.
    pub async fn enqueue<K: JobKind>(&self, job: NewJob<K>) -> Result<JobId, JobsError> {
        let rows = &[job.into_row()?];
        let ids = self.db.transaction(|tx| async move { self.insert(&tx, rows).await }).await?;
        Ok(ids[0])
    }

    /// Enqueues a job if and only if `tx` is committed.
    pub async fn enqueue_in<K: JobKind>(&self, tx: &Transaction, job: NewJob<K>) -> Result<JobId, JobsError> {
        let ids = self.insert(tx, &[job.into_row()?]).await?;
        Ok(ids[0])
    }

    /// Enqueues all of these jobs or none, and returns their ids in the same order.
    pub async fn enqueue_all<K: JobKind>(
        &self,
        jobs: impl IntoIterator<Item = NewJob<K>>,
    ) -> Result<Vec<JobId>, JobsError> {
        let rows: Vec<_> = jobs.into_iter().map(NewJob::into_row).collect::<Result<_, _>>()?;
        let rows = &rows;
        self.db.transaction(|tx| async move { self.insert(&tx, rows).await }).await
    }

    pub(super) async fn insert(&self, tx: &Transaction, rows: &[NewRow]) -> Result<Vec<JobId>, JobsError> {
        let ids: Vec<_> = rows.iter().map(|_| JobId::new(self.ids.as_ref())).collect();
        let mut tags = Tags::default();
        let mut pairs = ids.iter().zip(rows).peekable();
        while pairs.peek().is_some() {
            let chunk: Vec<_> = pairs.by_ref().take(JOBS_PER_STATEMENT).collect();
            self.insert_chunk(tx, &mut tags, &chunk).await?;
        }
        let tasks = ids.iter().zip(rows).filter(|(_, row)| !row.owner.is_empty() && row.parent.is_none());
        let created: Vec<_> = tasks
            .map(|(id, row)| TaskCreated { task_id: id.as_uuid(), kind: row.kind.to_owned(), owner: row.owner.clone() })
            .collect();
        self.outbox.append_all(tx, &created).await?;
        if !rows.is_empty() {
            self.db.signal(tx, Topic::Jobs, "").await?;
        }
        Ok(ids)
    }

    async fn insert_chunk(
        &self,
        tx: &Transaction,
        tags: &mut Tags,
        chunk: &[(&JobId, &NewRow)],
    ) -> Result<(), DbError> {
        let now_ms = self.clock.now_ms();
        let mut insert = Sql::new(
            "INSERT INTO jobs (id, kind, owner, state, priority, tag, payload, attempts, max_attempts, run_at, delay_ms,
                cancel_requested, created_at, subject, parent_id, needs) VALUES ",
        )
        .tuples(chunk.len(), 16);
        for (id, row) in chunk {
            let (run_at_ms, delay_ms) = row.start.run_at(now_ms);
            let (state, tag) = if run_at_ms.is_some() {
                // It gets its tag when its time has come.
                (JobState::Delayed, 0)
            } else {
                let flow = Flow { kind: row.kind.to_owned(), rank: row.priority.rank(), owner: row.owner.clone() };
                (JobState::Ready, tags.next(tx, flow).await?)
            };
            insert = insert
                .bind(id.as_uuid())
                .bind(row.kind)
                .bind(row.owner.clone())
                .bind(state.as_str())
                .bind(row.priority.rank())
                .bind(tag)
                .bind(row.payload.clone())
                .bind(0_i32)
                .bind(i32::try_from(row.max_attempts).unwrap_or(i32::MAX))
                .bind(run_at_ms.map(timestamp))
                .bind(delay_ms)
                .bind(false)
                .bind(timestamp(now_ms))
                .bind(row.subject.clone())
                .bind(row.parent.map(JobId::as_uuid))
                .bind(row.needs.clone());
        }
        tx.execute_raw(insert.on(tx.backend())).await?;
        Ok(())
    }
}

impl Start {
    /// The time at which the job may begin, and how long it waits when that was said instead of a time.
    fn run_at(self, now_ms: i64) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Now => (None, None),
            Self::After(delay) => {
                let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                (Some(now_ms.saturating_add(delay_ms)), Some(delay_ms))
            }
            Self::At(at_ms) => ((at_ms > now_ms).then_some(at_ms), None),
        }
    }
}
