//! Brings events to their handlers: in order, each with the handler's checkpoint in one transaction.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use kernel::Uuid;
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::{Envelope, envelope::COLUMNS};
use crate::db::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// How many events one transaction brings to a handler.
const BATCH: i64 = 100;

/// After how many failures an event becomes a dead letter and the next one has its turn.
const MAX_ATTEMPTS: i32 = 5;

/// The wait after the first failure; it doubles with each.
const FIRST_WAIT_MS: i64 = 500;

/// The most characters of a reason that are kept.
const MAX_REASON_CHARS: usize = 2000;

/// Why a handler could not take an event.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// Does something because something happened.
///
/// An event comes at least once, and what a handler writes in `tx` takes effect exactly once: it is committed with the
/// checkpoint. So a handler writes to the database only; for anything else it enqueues a job in `tx`.
#[async_trait]
pub trait EventHandler: std::fmt::Debug + Send + Sync {
    /// The name of its checkpoint; it never changes. A new handler begins with the oldest event that is kept.
    fn name(&self) -> &'static str;

    /// The types of events that it takes, such as `task.created`.
    fn types(&self) -> &'static [&'static str];

    /// Takes an event. After some failures the event is set aside as a dead letter, so that the next ones have their turn.
    async fn handle(&self, tx: &Transaction, event: &Envelope) -> Result<(), HandlerError>;
}

/// The handlers that a relay serves.
pub type Handlers = Vec<Arc<dyn EventHandler>>;

/// An event that a handler could not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub handler: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub reason: String,
    pub failed_at_ms: i64,
}

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
    /// How long the next event has to wait. A wait longer than was meant is none: the clock went back.
    fn wait(&self, now_ms: i64) -> Option<Duration> {
        let wait_ms = self.retry_at_ms?.saturating_sub(now_ms);
        let is_meant = (1..=wait_ms_after(self.attempts)).contains(&wait_ms);
        u64::try_from(wait_ms).ok().filter(|_| is_meant).map(Duration::from_millis)
    }
}

fn wait_ms_after(attempts: i32) -> i64 {
    FIRST_WAIT_MS << attempts.clamp(1, 10) >> 1
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

/// Hands over one event after the other until one fails, and returns the checkpoint after that.
async fn take_all(
    tx: &Transaction,
    handler: &dyn EventHandler,
    mut checkpoint: Checkpoint,
    events: &[Envelope],
    now_ms: i64,
) -> Result<Checkpoint, DbError> {
    for event in events {
        let taken =
            if handler.types().contains(&event.event_type.as_str()) { take(tx, handler, event).await? } else { Ok(()) };
        if let Err(reason) = taken {
            let attempts = checkpoint.attempts + 1;
            if attempts < MAX_ATTEMPTS {
                tracing::warn!(handler = handler.name(), event = %event.id, reason, attempts, "an event could not be handled; trying again");
                let retry_at_ms = Some(now_ms.saturating_add(wait_ms_after(attempts)));
                return Ok(Checkpoint { attempts, retry_at_ms, ..checkpoint });
            }
            tracing::error!(handler = handler.name(), event = %event.id, reason, "an event could not be handled; it is set aside");
            bury(tx, handler, event, &reason, now_ms).await?;
        }
        checkpoint = Checkpoint { position: event.position, attempts: 0, retry_at_ms: None };
    }
    Ok(checkpoint)
}

/// Hands one event over in a savepoint, so that a failure leaves what came before it. The inner error is the handler's reason.
async fn take(tx: &Transaction, handler: &dyn EventHandler, event: &Envelope) -> Result<Result<(), String>, DbError> {
    let part = tx.savepoint().await?;
    let taken = AssertUnwindSafe(handler.handle(&part, event)).catch_unwind().await;
    let reason = match taken {
        Ok(Ok(())) => {
            part.keep().await?;
            return Ok(Ok(()));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the handler panicked".to_owned(),
    };
    part.undo().await?;
    Ok(Err(reason.chars().take(MAX_REASON_CHARS).collect()))
}

async fn bury(
    tx: &Transaction,
    handler: &dyn EventHandler,
    event: &Envelope,
    reason: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    let row = Sql::new(
        "INSERT INTO event_dead_letters (handler, event_id, type, payload, reason, failed_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (handler, event_id) DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at",
    )
    .bind(handler.name())
    .bind(event.id)
    .bind(event.event_type.clone())
    .bind(event.payload.to_string())
    .bind(reason)
    .bind(timestamp(now_ms));
    tx.execute_raw(row.on(tx.backend())).await?;
    Ok(())
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

    fn read(row: &QueryResult) -> Result<Self, sea_orm::DbErr> {
        Ok(Self {
            handler: row.try_get_by_index(0)?,
            event_id: row.try_get_by_index(1)?,
            event_type: row.try_get_by_index(2)?,
            reason: row.try_get_by_index(3)?,
            failed_at_ms: millis(row.try_get_by_index(4)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_as_long_as_was_meant_or_over() {
        let checkpoint = Checkpoint { position: 0, attempts: 1, retry_at_ms: Some(10_500) };
        let wait_ms = |now_ms| checkpoint.wait(now_ms).map(|wait| wait.as_millis());
        assert_eq!(wait_ms(10_000), Some(500));
        assert_eq!(wait_ms(10_499), Some(1));
        assert_eq!(wait_ms(10_500), None);
        assert_eq!(wait_ms(10_000 - 3_600_000), None, "the clock was set back by an hour");
        assert_eq!(Checkpoint { retry_at_ms: None, ..checkpoint }.wait(0), None);
    }
}
