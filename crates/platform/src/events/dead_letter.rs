//! Events that a handler could not take: kept with the reason, and brought once more where somebody asks for it.

use kernel::Uuid;
use metrics::counter;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult};

use super::{Envelope, EventHandler, take};
use crate::db::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// Counts what was set aside, by handler.
pub(super) const DEAD_LETTERS: &str = "events_dead_letters_total";

/// An event that a handler could not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub handler: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub reason: String,
    pub failed_at_ms: i64,
}

impl DeadLetter {
    /// The newest dead letters, at most `limit`.
    pub async fn list(db: &Db, limit: u32) -> Result<Vec<Self>, DbError> {
        let query = Sql::new(
            "SELECT handler, event_id, type, reason, failed_at FROM event_dead_letters ORDER BY event_id DESC, handler LIMIT $1",
        );
        let rows = db.reader().query_all_raw(query.bind(i64::from(limit)).on(db.backend())).await?;
        Ok(rows.iter().map(Self::read).collect::<Result<_, _>>()?)
    }

    /// Has those of a handler brought to it once more, out of their order; those that fail again stay. Returns how many there
    /// are.
    pub async fn requeue(db: &Db, handler: &str, now_ms: i64) -> Result<u64, DbError> {
        let mark = Sql::new("UPDATE event_dead_letters SET requeued_at = $1 WHERE handler = $2");
        let mark = mark.bind(timestamp(now_ms)).bind(handler).on(db.backend());
        Ok(db.writer().execute_raw(mark).await?.rows_affected())
    }

    /// How many wait for somebody: those that are to be tried again do not.
    pub async fn count(db: &Db) -> Result<u64, DbError> {
        let query = Sql::new("SELECT count(*) FROM event_dead_letters WHERE requeued_at IS NULL").on(db.backend());
        let row = db.reader().query_one_raw(query).await?;
        let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            handler: row.try_get_by_index(0)?,
            event_id: row.try_get_by_index(1)?,
            event_type: row.try_get_by_index(2)?,
            reason: row.try_get_by_index(3)?,
            failed_at_ms: millis(row.try_get_by_index(4)?),
        })
    }
}

/// Sets an event aside.
pub(super) async fn bury(
    tx: &Transaction,
    handler: &dyn EventHandler,
    event: &Envelope,
    reason: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    tracing::error!(handler = handler.name(), event = %event.id, reason, "an event could not be handled; it is set aside");
    let row = Sql::new(
        "INSERT INTO event_dead_letters (handler, event_id, position, type, version, payload, occurred_at, reason, failed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (handler, event_id) DO UPDATE
        SET reason = excluded.reason, failed_at = excluded.failed_at, requeued_at = NULL",
    )
    .bind(handler.name())
    .bind(event.id)
    .bind(event.position)
    .bind(event.event_type.clone())
    .bind(i32::try_from(event.version).unwrap_or(i32::MAX))
    .bind(event.payload.to_string())
    .bind(timestamp(event.occurred_at_ms))
    .bind(reason)
    .bind(timestamp(now_ms));
    tx.execute_raw(row.on(tx.backend())).await?;
    let name = handler.name();
    tx.after_commit(move || counter!(DEAD_LETTERS, "handler" => name).increment(1));
    Ok(())
}

/// Brings `handler` the next of its dead letters that are to be brought again, and returns whether there was one.
pub(super) async fn bring_requeued(db: &Db, handler: &dyn EventHandler, now_ms: i64) -> Result<bool, DbError> {
    const WAITING: &str = "FROM event_dead_letters WHERE handler = $1 AND requeued_at IS NOT NULL";
    let waiting = Sql::new(format!("SELECT 1 {WAITING} LIMIT 1")).bind(handler.name());
    if db.reader().query_one_raw(waiting.on(db.backend())).await?.is_none() {
        return Ok(false);
    }
    db.transaction(|tx| async move {
        // Letters from before a version say less than those of today.
        let mut next = Sql::new(format!(
            "SELECT event_id, position, type, version, payload, coalesce(occurred_at, failed_at) {WAITING}
            ORDER BY event_id LIMIT 1"
        ))
        .bind(handler.name());
        if tx.backend() == Backend::Postgres {
            next = next.text(" FOR UPDATE SKIP LOCKED");
        }
        let Some(row) = tx.query_one_raw(next.on(tx.backend())).await? else { return Ok(false) };
        let event = Envelope::read(&row)?;
        match take::take(&tx, handler, &event).await? {
            Ok(()) => {
                let remove = Sql::new("DELETE FROM event_dead_letters WHERE handler = $1 AND event_id = $2");
                tx.execute_raw(remove.bind(handler.name()).bind(event.id).on(tx.backend())).await?;
            }
            Err(reason) => bury(&tx, handler, &event, &reason, now_ms).await?,
        }
        Ok(true)
    })
    .await
}
