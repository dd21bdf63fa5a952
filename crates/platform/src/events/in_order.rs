//! Brings a handler its events by their places, each with the handler's checkpoint in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait as _;

use super::{
    Envelope, EventHandler,
    dead_letter::bury,
    envelope::COLUMNS,
    take::{self, MAX_ATTEMPTS, wait_ms_after, wait_until},
};
use crate::db::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// How many events one transaction brings to a handler.
pub(super) const BATCH: i64 = 100;

/// What a call of [`deliver`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// There may be more to bring at once.
    More,
    /// Everything was brought, or another process is bringing it.
    Done,
    /// The next event failed and is tried again after this wait.
    Wait(Duration),
}

/// Makes the checkpoint of a handler where there is none.
pub(super) async fn register(db: &Db, handler: &dyn EventHandler, now_ms: i64) -> Result<(), DbError> {
    let row = Sql::new(
        "INSERT INTO event_handlers (name, position, attempts, seen_at) VALUES ($1, 0, 0, $2)
        ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
    );
    let row = row.bind(handler.name()).bind(timestamp(now_ms));
    db.writer().execute_raw(row.on(db.backend())).await?;
    Ok(())
}

/// Brings the next events to `handler`.
pub(super) async fn deliver(db: &Db, handler: &dyn EventHandler, now_ms: i64) -> Result<Delivery, DbError> {
    // An idle handler reads and locks nothing.
    let waiting = Sql::new(
        "SELECT 1 FROM event_handlers h WHERE h.name = $1 AND EXISTS
            (SELECT 1 FROM events e WHERE e.position > h.position)",
    );
    if db.reader().query_one_raw(waiting.bind(handler.name()).on(db.backend())).await?.is_none() {
        return Ok(Delivery::Done);
    }
    let tx = db.begin().await?;
    let Some(checkpoint) = lock_checkpoint(&tx, handler).await? else { return Ok(Delivery::Done) };
    if let Some(wait) = checkpoint.wait(now_ms) {
        return Ok(Delivery::Wait(wait));
    }
    let events = read_after(&*tx, checkpoint.position).await?;
    let is_full = i64::try_from(events.len()).is_ok_and(|count| count == BATCH);
    let after = take_all(&tx, handler, checkpoint, &events, now_ms).await?;
    save_checkpoint(&tx, handler, &after).await?;
    tx.commit().await?;
    Ok(match after.wait(now_ms) {
        Some(wait) => Delivery::Wait(wait),
        None if is_full => Delivery::More,
        None => Delivery::Done,
    })
}

/// How far a handler is, and how often the event after that has failed.
#[derive(Debug, Clone, Copy)]
struct Checkpoint {
    position: i64,
    attempts: i32,
    retry_at_ms: Option<i64>,
}

impl Checkpoint {
    /// How long the next event has to wait.
    fn wait(&self, now_ms: i64) -> Option<Duration> {
        wait_until(self.retry_at_ms?, self.attempts, now_ms)
    }

    fn past(event: &Envelope) -> Self {
        Self { position: event.position, attempts: 0, retry_at_ms: None }
    }
}

async fn lock_checkpoint(tx: &Transaction, handler: &dyn EventHandler) -> Result<Option<Checkpoint>, DbError> {
    let mut query =
        Sql::new("SELECT position, attempts, retry_at FROM event_handlers WHERE name = $1").bind(handler.name());
    if tx.backend() == Backend::Postgres {
        // Another process that holds it is bringing the same events.
        query = query.text(" FOR UPDATE SKIP LOCKED");
    }
    let Some(row) = tx.query_one_raw(query.on(tx.backend())).await? else { return Ok(None) };
    let retry_at: Option<DateTime<Utc>> = row.try_get_by_index(2)?;
    Ok(Some(Checkpoint {
        position: row.try_get_by_index(0)?,
        attempts: row.try_get_by_index(1)?,
        retry_at_ms: retry_at.map(millis),
    }))
}

async fn save_checkpoint(tx: &Transaction, handler: &dyn EventHandler, after: &Checkpoint) -> Result<(), DbError> {
    let save = Sql::new("UPDATE event_handlers SET position = $1, attempts = $2, retry_at = $3 WHERE name = $4")
        .bind(after.position)
        .bind(after.attempts)
        .bind(after.retry_at_ms.map(timestamp))
        .bind(handler.name());
    tx.execute_raw(save.on(tx.backend())).await?;
    Ok(())
}

/// Events of every type: those that a handler does not take only move its checkpoint.
pub(super) async fn read_after(db: &impl sea_orm::ConnectionTrait, position: i64) -> Result<Vec<Envelope>, DbError> {
    let backend =
        if db.get_database_backend() == Backend::Sqlite.as_sea_orm() { Backend::Sqlite } else { Backend::Postgres };
    let query = Sql::new(format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT {BATCH}"));
    let rows = db.query_all_raw(query.bind(position).on(backend)).await?;
    Ok(rows.iter().map(Envelope::read).collect::<Result<_, _>>()?)
}

/// Hands over all events, or one after the other until one fails, and returns the checkpoint after that.
async fn take_all(
    tx: &Transaction,
    handler: &dyn EventHandler,
    mut checkpoint: Checkpoint,
    events: &[Envelope],
    now_ms: i64,
) -> Result<Checkpoint, DbError> {
    let is_wanted = |event: &Envelope| handler.types().contains(&event.event_type.as_str());
    // One that has failed comes by itself.
    if checkpoint.attempts == 0 {
        let wanted: Vec<_> = events.iter().filter(|event| is_wanted(event)).cloned().collect();
        if take::take_all(tx, handler, &wanted).await?.is_ok() {
            return Ok(events.last().map_or(checkpoint, Checkpoint::past));
        }
    }
    for event in events {
        let taken = if is_wanted(event) { take::take(tx, handler, event).await? } else { Ok(()) };
        if let Err(reason) = taken {
            let attempts = checkpoint.attempts + 1;
            if attempts < MAX_ATTEMPTS {
                tracing::warn!(handler = handler.name(), event = %event.id, reason, attempts, "an event could not be handled; trying again");
                let retry_at_ms = Some(now_ms.saturating_add(wait_ms_after(attempts)));
                return Ok(Checkpoint { attempts, retry_at_ms, ..checkpoint });
            }
            bury(tx, handler, event, &reason, now_ms).await?;
        }
        checkpoint = Checkpoint::past(event);
    }
    Ok(checkpoint)
}
