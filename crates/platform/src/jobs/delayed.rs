//! Jobs whose time has come, and what a clock that was set back does to those that wait.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use kernel::Uuid;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult};

use super::{
    Jobs,
    tags::{Flow, Tags},
};
use crate::db::{Backend, DbError, Sql, Topic, Transaction, millis, timestamp};

/// How many jobs one transaction moves.
const BATCH: i64 = 500;

/// A clock may differ so much from what it should be without anybody having set it.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Tells whether the clock was set back since the last look.
#[derive(Debug)]
pub(super) struct ClockWatch {
    last_ms: i64,
    at: Instant,
}

impl ClockWatch {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { last_ms: now_ms, at: Instant::now() }
    }

    pub(super) fn was_set_back(&mut self, now_ms: i64) -> bool {
        let elapsed_ms = i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        let expected_ms = self.last_ms.saturating_add(elapsed_ms);
        *self = Self::new(now_ms);
        now_ms < expected_ms.saturating_sub(i64::try_from(TOLERANCE.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Jobs {
    /// Makes delayed jobs ready whose time has come, and returns how many those were.
    pub(super) async fn promote(&self) -> Result<usize, DbError> {
        let now = timestamp(self.clock.now_ms());
        let due = Sql::new("SELECT 1 FROM jobs WHERE state = 'delayed' AND run_at <= $1 LIMIT 1").bind(now);
        if self.db.reader().query_one_raw(due.on(self.db.backend())).await?.is_none() {
            return Ok(0);
        }
        self.db.transaction(|tx| async move { self.promote_batch(&tx, now).await }).await
    }

    async fn promote_batch(&self, tx: &Transaction, now: DateTime<Utc>) -> Result<usize, DbError> {
        let lock = if tx.backend() == Backend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let query = Sql::new(format!(
            "SELECT id, kind, priority, owner FROM jobs WHERE state = 'delayed' AND run_at <= $1
            ORDER BY run_at LIMIT $2 {lock}"
        ));
        let rows = tx.query_all_raw(query.bind(now).bind(BATCH).on(tx.backend())).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut tags = Tags::default();
        let mut update = Sql::new("WITH due (id, tag) AS (VALUES ").tuples(rows.len(), 2);
        for row in &rows {
            let flow = Flow {
                kind: row.try_get_by_index(1)?,
                rank: row.try_get_by_index(2)?,
                owner: row.try_get_by_index(3)?,
            };
            update = update.bind(row.try_get_by_index::<Uuid>(0)?).bind(tags.next(tx, flow).await?);
        }
        let update = update.text(
            ") UPDATE jobs SET state = 'ready', tag = due.tag, run_at = NULL, delay_ms = NULL
            FROM due WHERE jobs.id = due.id AND jobs.state = 'delayed'",
        );
        tx.execute_raw(update.on(tx.backend())).await?;
        self.db.signal(tx, Topic::Jobs, "").await?;
        Ok(rows.len())
    }

    /// How long it is until the next delayed job's time comes, where there is one.
    pub(super) async fn next_due(&self) -> Result<Option<Duration>, DbError> {
        let query = Sql::new("SELECT run_at FROM jobs WHERE state = 'delayed' ORDER BY run_at LIMIT 1");
        let Some(row) = self.db.reader().query_one_raw(query.on(self.db.backend())).await? else { return Ok(None) };
        let due_in_ms = millis(row.try_get_by_index(0)?).saturating_sub(self.clock.now_ms());
        Ok(Some(Duration::from_millis(u64::try_from(due_in_ms).unwrap_or(0))))
    }

    /// After the clock was set back: a job that was to wait a minute still waits no longer than that. What waits for a time of
    /// the clock goes on waiting for it.
    pub(super) async fn mend_delays(&self) -> Result<(), DbError> {
        let now_ms = self.clock.now_ms();
        let query = Sql::new("SELECT id, run_at, delay_ms FROM jobs WHERE state = 'delayed' AND run_at > $1");
        let rows = self.db.reader().query_all_raw(query.bind(timestamp(now_ms)).on(self.db.backend())).await?;
        let read = |row: &QueryResult| -> Result<(Uuid, i64, Option<i64>), DbErr> {
            Ok((row.try_get_by_index(0)?, millis(row.try_get_by_index(1)?), row.try_get_by_index(2)?))
        };
        let mut late: HashMap<i64, Vec<Uuid>> = HashMap::new();
        for row in &rows {
            let (id, run_at_ms, delay_ms) = read(row)?;
            let latest_ms = delay_ms.map_or(i64::MAX, |delay_ms| now_ms.saturating_add(delay_ms));
            if run_at_ms > latest_ms {
                late.entry(latest_ms).or_default().push(id);
            }
        }
        for (run_at_ms, ids) in late {
            for ids in ids.chunks(BATCH.unsigned_abs() as usize) {
                let update = Sql::new("UPDATE jobs SET run_at = $1 WHERE state = 'delayed' AND id IN (VALUES ")
                    .bind(timestamp(run_at_ms))
                    .tuples(ids.len(), 1)
                    .text(")");
                let update = ids.iter().fold(update, |update, id| update.bind(*id));
                self.db.writer().execute_raw(update.on(self.db.backend())).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_goes_back_was_set_back() {
        let mut watch = ClockWatch::new(10_000_000);
        assert!(!watch.was_set_back(10_000_000));
        assert!(!watch.was_set_back(13_600_000));
        assert!(watch.was_set_back(10_000_000));
        assert!(!watch.was_set_back(9_999_500));
    }
}
