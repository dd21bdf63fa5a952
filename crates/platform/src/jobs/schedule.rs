//! Jobs that come again and again, by the words of cron. However many workers look, each time comes once.

use chrono::{DateTime, Utc};
use croner::Cron;
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::{JobKind, Jobs, JobsError, NewJob, queue::NewRow};
use crate::db::{DbError, Sql, Transaction, millis, timestamp};

/// A job that comes at certain times, in UTC.
///
/// A time that passed while nobody was there is made up for once, however often it passed.
#[derive(Debug, Clone)]
pub struct Schedule {
    name: &'static str,
    cron: &'static str,
    times: Cron,
    row: NewRow,
}

impl Schedule {
    /// `cron` has five fields (minute, hour, day, month, weekday), or six with the seconds first.
    pub fn new<K: JobKind>(name: &'static str, cron: &'static str, job: NewJob<K>) -> Result<Self, JobsError> {
        let wrong =
            |error: croner::errors::CronError| JobsError::Schedule { name: name.to_owned(), reason: error.to_string() };
        let times =
            croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build().parse(cron);
        Ok(Self { name, cron, times: times.map_err(wrong)?, row: job.into_row()? })
    }

    /// The first time after `after_ms`.
    fn next_ms(&self, after_ms: i64) -> Result<i64, JobsError> {
        let next = self.times.find_next_occurrence(&timestamp(after_ms), false);
        let never = |error: croner::errors::CronError| JobsError::Schedule {
            name: self.name.to_owned(),
            reason: error.to_string(),
        };
        Ok(millis(next.map_err(never)?))
    }
}

impl Jobs {
    /// Makes the rows of these schedules. One whose times changed begins anew; one that stays keeps its next time.
    pub(super) async fn register_schedules(&self, schedules: &[Schedule]) -> Result<(), JobsError> {
        for schedule in schedules {
            let next_ms = schedule.next_ms(self.clock.now_ms())?;
            let row = Sql::new(
                "INSERT INTO job_schedules (name, cron, next_at) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, next_at = excluded.next_at
                WHERE job_schedules.cron <> excluded.cron",
            );
            let row = row.bind(schedule.name).bind(schedule.cron).bind(timestamp(next_ms));
            self.db.writer().execute_raw(row.on(self.db.backend())).await?;
        }
        Ok(())
    }

    /// Enqueues the jobs of those schedules whose time has come.
    pub(super) async fn run_schedules(&self, schedules: &[Schedule]) -> Result<(), JobsError> {
        if schedules.is_empty() {
            return Ok(());
        }
        let now_ms = self.clock.now_ms();
        let query = Sql::new("SELECT name, next_at FROM job_schedules WHERE next_at <= $1").bind(timestamp(now_ms));
        let rows = self.db.reader().query_all_raw(query.on(self.db.backend())).await?;
        for row in &rows {
            let (name, due) = read_due(row)?;
            let Some(schedule) = schedules.iter().find(|schedule| schedule.name == name) else { continue };
            let next_ms = schedule.next_ms(now_ms)?;
            self.db.transaction(|tx| async move { self.run_schedule(&tx, schedule, due, next_ms).await }).await?;
        }
        Ok(())
    }

    /// Whoever moves the time on enqueues the job, in the same transaction.
    async fn run_schedule(
        &self,
        tx: &Transaction,
        schedule: &Schedule,
        due: DateTime<Utc>,
        next_ms: i64,
    ) -> Result<(), JobsError> {
        let advance = Sql::new("UPDATE job_schedules SET next_at = $1 WHERE name = $2 AND next_at = $3")
            .bind(timestamp(next_ms))
            .bind(schedule.name)
            .bind(due);
        if tx.execute_raw(advance.on(tx.backend())).await?.rows_affected() > 0 {
            self.insert(tx, std::slice::from_ref(&schedule.row)).await?;
        }
        Ok(())
    }
}

fn read_due(row: &QueryResult) -> Result<(String, DateTime<Utc>), DbError> {
    Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
}
