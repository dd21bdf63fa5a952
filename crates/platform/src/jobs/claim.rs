//! Gives waiting jobs to a worker: by urgency, with a share for what is less urgent, and fairly among owners.
//!
//! Of every [`SHARE`] jobs that a worker begins, one comes from a less urgent level when somebody has waited there for
//! [`PATIENCE`]; the levels take turns. So what is urgent goes first, and nothing waits for ever.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kernel::Uuid;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult};

use super::{JobId, Jobs, JobsError, Priority};
use crate::db::{Backend, Sql, millis, timestamp};

/// One in so many jobs may come from a level that is less urgent.
const SHARE: u64 = 8;

/// Who waited for so long is entitled to a share.
const PATIENCE: Duration = Duration::from_mins(1);

/// Only a worker with a row is given anything. One that was taken for dead and does not know it yet would claim its own job a
/// second time, under the id whose jobs everybody takes up.
const ALIVE: &str = "EXISTS (SELECT 1 FROM job_workers WHERE job_workers.id = $1)";

/// A helper is of use to a worker that is not at the parent itself and makes the same of it, while the parent runs.
const OF_USE: &str = "(parent_id IS NULL OR EXISTS (
    SELECT 1 FROM jobs AS parents, job_workers AS me
    WHERE parents.id = jobs.parent_id AND parents.state = 'running' AND parents.worker_id <> $1
        AND me.id = $1 AND me.build = jobs.needs))";

/// A job that was given to a worker.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) owner: String,
    pub(super) payload: String,
    pub(super) attempts: u32,
    pub(super) max_attempts: u32,
    /// The job that it helps.
    pub(super) parent: Option<JobId>,
    rank: i16,
    tag: i64,
}

/// The first waiting job of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: &'static str,
    rank: i16,
    since_ms: i64,
}

/// How many jobs of which kind are wanted, and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) worker: Uuid,
    pub(super) kind: &'a str,
    pub(super) count: usize,
    /// How many jobs this worker has begun so far.
    pub(super) turn: u64,
}

impl Jobs {
    /// Gives up to `wanted.count` jobs to a worker, in the order in which they are to begin.
    pub(super) async fn claim(&self, wanted: Wanted<'_>) -> Result<Vec<Claimed>, JobsError> {
        let mut claimed = Vec::new();
        for (priority, count) in shares(wanted.turn, wanted.count) {
            claimed.extend(self.claim_level(wanted, Some(priority), count).await?);
        }
        let rest = wanted.count - claimed.len();
        if rest > 0 {
            claimed.extend(self.claim_level(wanted, None, rest).await?);
        }
        Ok(claimed)
    }

    /// One statement, which finds the first jobs in an index and makes them this worker's. In PostgreSQL it passes by rows that
    /// another worker is taking at the same moment.
    async fn claim_level(
        &self,
        wanted: Wanted<'_>,
        level: Option<Priority>,
        count: usize,
    ) -> Result<Vec<Claimed>, JobsError> {
        let now_ms = self.clock.now_ms();
        let long_ago_ms = now_ms.saturating_sub(i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX));
        let lock = if self.db.backend() == Backend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let (of_level, patient) = match level {
            Some(_) => ("AND priority = $5", "WHERE created_at <= $6"),
            None => ("", ""),
        };
        let mut claim = Sql::new(format!(
            "WITH first AS MATERIALIZED (
                SELECT id, created_at FROM jobs WHERE state = 'ready' AND kind = $3 {of_level} AND {ALIVE} AND {OF_USE}
                ORDER BY priority, tag, id LIMIT $4 {lock}
            ), picked AS (SELECT id FROM first {patient})
            UPDATE jobs SET state = 'running', worker_id = $1, attempts = attempts + 1, started_at = $2,
                run_at = NULL, delay_ms = NULL
            FROM picked WHERE jobs.id = picked.id
            RETURNING jobs.id, kind, owner, payload, attempts, max_attempts, priority, tag, parent_id"
        ))
        .bind(wanted.worker)
        .bind(timestamp(now_ms))
        .bind(wanted.kind)
        .bind(i64::try_from(count).unwrap_or(i64::MAX));
        if let Some(level) = level {
            claim = claim.bind(level.rank()).bind(timestamp(long_ago_ms));
        }
        let rows = self.db.writer().query_all_raw(claim.on(self.db.backend())).await?;
        let mut claimed: Vec<Claimed> = rows.iter().map(Claimed::read).collect::<Result<_, _>>()?;
        claimed.sort_by_key(|job| (job.rank, job.tag, job.id));
        Ok(claimed)
    }

    /// The first waiting job of each kind that has one.
    pub(super) async fn heads(&self, kinds: &[&'static str]) -> Result<Vec<Head>, JobsError> {
        let mut heads = Vec::new();
        for kind in kinds {
            let query = Sql::new(
                "SELECT priority, created_at FROM jobs WHERE state = 'ready' AND kind = $1 ORDER BY priority, tag, id LIMIT 1",
            );
            let row = self.db.reader().query_one_raw(query.bind(*kind).on(self.db.backend())).await?;
            let Some(row) = row else { continue };
            let since: DateTime<Utc> = row.try_get_by_index(1)?;
            heads.push(Head { kind, rank: row.try_get_by_index(0)?, since_ms: millis(since) });
        }
        Ok(heads)
    }
}

impl Claimed {
    pub(super) fn priority(&self) -> Priority {
        Priority::of_rank(self.rank)
    }

    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let count = |number: i32| u32::try_from(number).unwrap_or_default();
        Ok(Self {
            id: JobId::from_uuid(row.try_get_by_index(0)?),
            kind: row.try_get_by_index(1)?,
            owner: row.try_get_by_index(2)?,
            payload: row.try_get_by_index(3)?,
            attempts: count(row.try_get_by_index(4)?),
            max_attempts: count(row.try_get_by_index(5)?),
            rank: row.try_get_by_index(6)?,
            tag: row.try_get_by_index(7)?,
            parent: row.try_get_by_index::<Option<Uuid>>(8)?.map(JobId::from_uuid),
        })
    }
}

/// How many of the next `count` jobs come from which level, apart from those that go by urgency.
fn shares(turn: u64, count: usize) -> Vec<(Priority, usize)> {
    let end = turn + count as u64;
    let share = |number: u64| match number % 3 {
        0 => Priority::Low,
        1 => Priority::Medium,
        _ => Priority::High,
    };
    let mut shares: Vec<(Priority, usize)> = Vec::new();
    for number in turn / SHARE..end / SHARE {
        let level = share(number);
        match shares.iter_mut().find(|(of, _)| *of == level) {
            Some((_, count)) => *count += 1,
            None => shares.push((level, 1)),
        }
    }
    shares
}

/// The order in which kinds have their turn: by the urgency of their first jobs, then by how long these wait. In one of
/// [`SHARE`] turns the longest wait counts alone.
pub(super) fn order_kinds(heads: &mut [Head], turn: u64) {
    if turn % SHARE == SHARE - 1 {
        heads.sort_by_key(|head| (head.since_ms, head.rank));
    } else {
        heads.sort_by_key(|head| (head.rank, head.since_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_in_eight_may_come_from_a_less_urgent_level_in_turn() {
        let mut seen = Vec::new();
        for turn in 0..48 {
            for (level, count) in shares(turn, 1) {
                seen.push((turn, level, count));
            }
        }
        let levels: Vec<_> = seen.iter().map(|(_, level, _)| *level).collect();
        assert_eq!(levels, [Priority::Low, Priority::Medium, Priority::High].repeat(2));
        assert!(seen.iter().all(|(turn, _, count)| turn % SHARE == SHARE - 1 && *count == 1));
    }

    #[test]
    fn shares_of_a_batch_are_those_of_its_jobs_one_by_one() {
        for (turn, count) in [(0, 64), (5, 20), (7, 1), (8, 7)] {
            let batch: usize = shares(turn, count).iter().map(|(_, count)| count).sum();
            let single: usize = (turn..turn + count as u64).map(|turn| shares(turn, 1).len()).sum();
            assert_eq!(batch, single, "{turn} {count}");
        }
    }

    #[test]
    fn the_kind_with_the_most_urgent_job_goes_first_and_the_longest_wait_has_its_turn() {
        let head = |kind, rank, since_ms| Head { kind, rank, since_ms };
        let mut heads = vec![head("old", 3, 1), head("urgent", 0, 9), head("medium", 2, 5)];
        order_kinds(&mut heads, 0);
        assert_eq!(heads.iter().map(|head| head.kind).collect::<Vec<_>>(), ["urgent", "medium", "old"]);
        order_kinds(&mut heads, SHARE - 1);
        assert_eq!(heads[0].kind, "old");
    }
}
