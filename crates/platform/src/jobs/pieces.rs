//! Work that a job shares out: pieces that it and its helpers take one by one, from any worker.
//!
//! A piece is its taker's while the taker's attempt at its own job goes on, as the row of that job says. When a worker dies its
//! jobs are taken up ([`super::lease`]), and its pieces are free in the same moment: they need no lease of their own. What is
//! said of a piece counts only while it is the taker's, and a job that lost its lease can neither lay out nor remove any.
//!
//! Helpers are jobs with a parent: fair among owners like all others, in no list of tasks, stopped with the parent, and given
//! only to workers of the parent's build that are not at the parent itself.

use std::collections::HashSet;

use kernel::Uuid;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult};

use super::{HelpingJob, JobContext, JobId, Jobs, JobsError, Priority};
use crate::db::{Backend, DbError, Sql, Topic, Transaction};

/// How many pieces one statement writes or names.
const PIECES_PER_STATEMENT: usize = 200;

/// A piece that was taken so often without being made is left to the job itself, which then says what is wrong with it.
const MAX_TAKES: i32 = 3;

/// The attempt at `$1` by `$2`, the `$3`-rd, goes on. Statements of this file begin with these three.
const MINE: &str =
    "EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND state = 'running' AND worker_id = $2 AND attempts = $3)";

/// Whoever took the piece is not at it any more.
const FREE: &str = "(taken_by IS NULL OR NOT EXISTS (
    SELECT 1 FROM jobs AS takers WHERE takers.id = job_pieces.taken_by AND takers.state = 'running'
        AND takers.worker_id = job_pieces.worker_id AND takers.attempts = job_pieces.attempt))";

/// A job that has not ended.
const OPEN: &str = "state IN ('ready', 'delayed', 'running')";

/// The pieces of a job's work, in the hands of one attempt at that job or at a helper. Clones are the same.
#[derive(Debug, Clone)]
pub struct Pieces {
    jobs: Jobs,
    /// Whose work it is.
    of: JobId,
    taker: JobId,
    worker: Uuid,
    attempt: i32,
    owner: String,
    priority: Priority,
}

/// A piece to be laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPiece {
    /// Names it among the pieces of its job.
    pub name: String,
    /// How long it takes, in any unit: the longest are taken first.
    pub weight: f64,
    /// What whoever takes it needs to know.
    pub payload: String,
}

/// A piece that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub name: String,
    pub payload: String,
}

/// A piece that is laid out still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub name: String,
    /// Made by a helper, and not collected yet.
    pub is_made: bool,
}

/// Which other workers there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Company {
    /// Workers of this build that do nothing.
    pub idle: usize,
    /// Workers of this build whose kept results lie elsewhere.
    pub strangers: usize,
    /// Helpers that nobody has begun yet.
    pub waiting: usize,
}

impl Pieces {
    pub(super) fn new(jobs: Jobs, taker: &JobContext, of: JobId) -> Self {
        Self {
            jobs,
            of,
            taker: taker.id(),
            worker: taker.worker(),
            attempt: i32::try_from(taker.attempt()).unwrap_or(i32::MAX),
            owner: taker.owner().to_owned(),
            priority: taker.priority(),
        }
    }

    /// Lays out exactly these pieces of the job's own work. Those that lie there already stay with the helper that has them;
    /// those that were made are to be made again. What the job itself held is from an earlier attempt, whose number this one may
    /// have again: a task that is tried again begins to count anew.
    pub async fn lay_out(&self, pieces: &[NewPiece]) -> Result<(), JobsError> {
        let lay_out = |tx: Transaction| async move {
            self.require_mine(&tx).await?;
            let wanted: HashSet<&str> = pieces.iter().map(|piece| piece.name.as_str()).collect();
            for name in self.read_names(&tx).await? {
                if !wanted.contains(name.as_str()) {
                    let remove = Sql::new("DELETE FROM job_pieces WHERE job_id = $1 AND name = $2");
                    let remove = remove.bind(self.of.as_uuid()).bind(name);
                    tx.execute_raw(remove.on(tx.backend())).await?;
                }
            }
            for pieces in pieces.chunks(PIECES_PER_STATEMENT) {
                let insert = Sql::new("INSERT INTO job_pieces (job_id, name, state, weight, payload, takes) VALUES ")
                    .tuples(pieces.len(), 6)
                    .text(" ON CONFLICT (job_id, name) DO UPDATE SET state = 'open', taken_by = ")
                    .text("CASE WHEN job_pieces.taken_by = job_pieces.job_id THEN NULL ELSE job_pieces.taken_by END");
                let insert = pieces.iter().fold(insert, |insert, piece| {
                    let insert = insert.bind(self.of.as_uuid()).bind(piece.name.clone()).bind("open");
                    insert.bind(piece.weight).bind(piece.payload.clone()).bind(0_i32)
                });
                tx.execute_raw(insert.on(tx.backend())).await?;
            }
            Ok::<_, JobsError>(())
        };
        self.jobs.db.transaction(lay_out).await
    }

    /// Takes the longest piece that nobody is at; none where there is none, or where the job or the taker is over.
    pub async fn take(&self) -> Result<Option<Piece>, JobsError> {
        let lock = if self.jobs.db.backend() == Backend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let of_helper = if self.is_helper() {
            format!("AND takes < {MAX_TAKES} AND EXISTS (SELECT 1 FROM jobs WHERE id = $4 AND state = 'running')")
        } else {
            String::new()
        };
        let take = self.fenced(format!(
            "WITH next AS MATERIALIZED (
                SELECT job_id, name FROM job_pieces
                WHERE job_id = $4 AND state = 'open' AND {MINE} AND {FREE} {of_helper}
                ORDER BY weight DESC, name LIMIT 1 {lock}
            )
            UPDATE job_pieces SET taken_by = $1, worker_id = $2, attempt = $3, takes = takes + 1
            FROM next WHERE job_pieces.job_id = next.job_id AND job_pieces.name = next.name
            RETURNING job_pieces.name, job_pieces.payload"
        ));
        let take = take.bind(self.of.as_uuid());
        let row = self.jobs.db.writer().query_one_raw(take.on(self.jobs.db.backend())).await?;
        let read = |row: QueryResult| Ok(Piece { name: row.try_get_by_index(0)?, payload: row.try_get_by_index(1)? });
        row.map(read).transpose()
    }

    /// Says that a piece is made; `false` where it is not the taker's any more.
    pub async fn finish(&self, name: &str) -> Result<bool, JobsError> {
        self.change("UPDATE job_pieces SET state = 'made'", name).await
    }

    /// Gives up a piece that cannot be made here: it is left to the job itself.
    pub async fn give_up(&self, name: &str) -> Result<bool, JobsError> {
        let set =
            format!("UPDATE job_pieces SET taken_by = NULL, worker_id = NULL, attempt = NULL, takes = {MAX_TAKES}");
        self.change(&set, name).await
    }

    /// Gives a piece back that was begun and not made.
    pub async fn give_back(&self, name: &str) -> Result<bool, JobsError> {
        let set = "UPDATE job_pieces SET taken_by = NULL, worker_id = NULL, attempt = NULL, takes = takes - 1";
        self.change(set, name).await
    }

    async fn change(&self, change: &str, name: &str) -> Result<bool, JobsError> {
        let change = self.fenced(format!(
            "{change} WHERE job_id = $4 AND name = $5 AND taken_by = $1 AND worker_id = $2 AND attempt = $3 AND {MINE}"
        ));
        self.execute(change.bind(self.of.as_uuid()).bind(name)).await
    }

    /// What is laid out.
    pub async fn look(&self) -> Result<Vec<Held>, JobsError> {
        let query = Sql::new("SELECT name, state FROM job_pieces WHERE job_id = $1").bind(self.of.as_uuid());
        let rows = self.jobs.db.writer().query_all_raw(query.on(self.jobs.db.backend())).await?;
        let read = |row: &QueryResult| {
            let state: String = row.try_get_by_index(1)?;
            Ok(Held { name: row.try_get_by_index(0)?, is_made: state == "made" })
        };
        Ok(rows.iter().map(read).collect::<Result<_, DbErr>>()?)
    }

    /// Removes a piece whose result the job has.
    pub async fn collect(&self, name: &str) -> Result<bool, JobsError> {
        let remove = self.fenced(format!("DELETE FROM job_pieces WHERE job_id = $4 AND name = $5 AND {MINE}"));
        self.execute(remove.bind(self.of.as_uuid()).bind(name)).await
    }

    /// Has a piece made again whose result cannot be had.
    pub async fn reopen(&self, name: &str) -> Result<bool, JobsError> {
        let reopen = self.fenced(format!(
            "UPDATE job_pieces SET state = 'open', taken_by = NULL, worker_id = NULL, attempt = NULL
            WHERE job_id = $4 AND name = $5 AND state = 'made' AND {MINE}"
        ));
        self.execute(reopen.bind(self.of.as_uuid()).bind(name)).await
    }

    /// Ends the sharing: nothing is laid out any more, helpers that wait are gone, and those at work are told to stop.
    pub async fn dismiss(&self) -> Result<(), JobsError> {
        let dismiss = |tx: Transaction| async move {
            self.require_mine(&tx).await?;
            let remove = Sql::new("DELETE FROM job_pieces WHERE job_id = $1").bind(self.of.as_uuid());
            tx.execute_raw(remove.on(tx.backend())).await?;
            self.jobs.stop_helpers(&tx, self.of).await?;
            self.jobs.db.signal(&tx, Topic::Cancellations, "").await?;
            Ok::<_, JobsError>(())
        };
        self.jobs.db.transaction(dismiss).await
    }

    /// Which other workers there are.
    pub async fn company(&self) -> Result<Company, JobsError> {
        let query = Sql::new(
            "SELECT
                (SELECT count(*) FROM job_workers AS others WHERE others.id <> me.id AND others.build = me.build
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.worker_id = others.id AND jobs.state = 'running')),
                (SELECT count(*) FROM job_workers AS others WHERE others.id <> me.id AND others.build = me.build
                    AND others.place <> me.place),
                (SELECT count(*) FROM jobs WHERE parent_id = $2 AND state IN ('ready', 'delayed'))
            FROM job_workers AS me WHERE me.id = $1",
        );
        let query = query.bind(self.worker).bind(self.of.as_uuid());
        let row = self.jobs.db.writer().query_one_raw(query.on(self.jobs.db.backend())).await?;
        let Some(row) = row else { return Ok(Company::default()) };
        let count = |index| row.try_get_by_index::<i64>(index).map(|count| usize::try_from(count).unwrap_or_default());
        Ok(Company { idle: count(0)?, strangers: count(1)?, waiting: count(2)? })
    }

    /// Enqueues so many helpers of the job, as urgent as it is.
    pub async fn recruit(&self, helper: &HelpingJob, count: usize) -> Result<(), JobsError> {
        let rows = vec![helper.row_for(self.of, &self.owner, self.priority); count];
        let rows = &rows;
        let recruit = |tx: Transaction| async move {
            self.require_mine(&tx).await?;
            self.jobs.insert(&tx, rows).await.map(drop)
        };
        self.jobs.db.transaction(recruit).await
    }

    fn is_helper(&self) -> bool {
        self.taker != self.of
    }

    /// A statement that begins with the three values of [`MINE`].
    fn fenced(&self, text: String) -> Sql {
        Sql::new(text).bind(self.taker.as_uuid()).bind(self.worker).bind(self.attempt)
    }

    async fn execute(&self, statement: Sql) -> Result<bool, JobsError> {
        let done = self.jobs.db.writer().execute_raw(statement.on(self.jobs.db.backend())).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Fails where the attempt is over. Until the transaction ends nobody can end it.
    async fn require_mine(&self, tx: &Transaction) -> Result<(), JobsError> {
        let lock = if tx.backend() == Backend::Postgres { "FOR UPDATE" } else { "" };
        let query = self.fenced(format!(
            "SELECT 1 FROM jobs WHERE id = $1 AND state = 'running' AND worker_id = $2 AND attempts = $3 {lock}"
        ));
        let row = tx.query_one_raw(query.on(tx.backend())).await?;
        row.map(drop).ok_or(JobsError::LeaseLost(self.taker))
    }

    async fn read_names(&self, tx: &Transaction) -> Result<Vec<String>, DbErr> {
        let query = Sql::new("SELECT name FROM job_pieces WHERE job_id = $1").bind(self.of.as_uuid());
        let rows = tx.query_all_raw(query.on(tx.backend())).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }
}

impl Jobs {
    /// Removes the helpers of a job that do not run, and tells those that do to stop.
    pub(super) async fn stop_helpers(&self, tx: &Transaction, parent: JobId) -> Result<(), DbError> {
        for text in [
            "DELETE FROM jobs WHERE parent_id = $1 AND state <> 'running'",
            "UPDATE jobs SET cancel_requested = TRUE WHERE parent_id = $1 AND state = 'running'",
        ] {
            tx.execute_raw(Sql::new(text).bind(parent.as_uuid()).on(tx.backend())).await?;
        }
        Ok(())
    }

    /// Removes pieces and helpers of jobs that ended without removing them, because their worker died over them.
    pub(super) async fn remove_idle_helpers(&self) -> Result<(), DbError> {
        for text in [
            format!(
                "DELETE FROM job_pieces WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = job_pieces.job_id AND {OPEN})"
            ),
            format!(
                "DELETE FROM jobs WHERE parent_id IS NOT NULL AND state <> 'running'
                AND NOT EXISTS (SELECT 1 FROM jobs AS parents WHERE parents.id = jobs.parent_id AND parents.{OPEN})"
            ),
        ] {
            self.db.writer().execute_raw(Sql::new(text).on(self.db.backend())).await?;
        }
        Ok(())
    }
}
