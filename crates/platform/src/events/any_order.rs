//! Brings events to handlers that take them in any order, from wherever somebody has learnt of their places.
//!
//! A receipt is a row for an event and a handler. Its key lets one transaction alone take the event, whoever else has heard of it
//! too. Receipts are kept only above the handler's mark, its row in `event_handlers`: all events up to there were taken, or are
//! of types that it does not take.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::counter;
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::{
    Envelope, EventHandler,
    dead_letter::bury,
    envelope::COLUMNS,
    in_order::{BATCH, Delivery},
    take::{self, MAX_ATTEMPTS, wait_ms_after, wait_until},
};
use crate::db::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// Counts what was taken, by handler.
const HANDLED: &str = "events_handled_total";

/// How far a handler is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Everything up to this place was taken.
    pub(super) mark: i64,
    /// The last place that was given.
    pub(super) head: i64,
}

/// Reads how far a handler is.
pub(super) async fn standing(db: &Db, handler: &dyn EventHandler) -> Result<Standing, DbError> {
    let query = Sql::new(
        "SELECT coalesce((SELECT position FROM event_handlers WHERE name = $1), 0), position FROM event_head WHERE id = 1",
    );
    let row = db.reader().query_one_raw(query.bind(handler.name()).on(db.backend())).await?;
    let Some(row) = row else { return Ok(Standing { mark: 0, head: 0 }) };
    Ok(Standing { mark: row.try_get_by_index(0)?, head: row.try_get_by_index(1)? })
}

/// The places of the next events for `handler` after `position`, with their types.
pub(super) async fn places_after(
    db: &Db,
    handler: &dyn EventHandler,
    position: i64,
    limit: u16,
) -> Result<Vec<(i64, String)>, DbError> {
    let query = Sql::new("SELECT position, type FROM events WHERE position > $1 AND type IN ").bind(position);
    let query = query.tuple(handler.types()).text(&format!(" ORDER BY position LIMIT {limit}"));
    let rows = db.reader().query_all_raw(query.on(db.backend())).await?;
    let read = |row: &QueryResult| Ok::<_, sea_orm::DbErr>((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The first event that nobody has begun to take; one that failed and waits was begun.
pub(super) async fn first_untaken(db: &Db, handler: &dyn EventHandler) -> Result<Option<i64>, DbError> {
    let row = db.reader().query_one_raw(untaken(handler, "e.position", 1).on(db.backend())).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Takes the events at these places, as far as they are there and were not taken, in one transaction.
pub(super) async fn take_places(
    db: &Db,
    handler: &dyn EventHandler,
    places: &[i64],
    now_ms: i64,
) -> Result<(), DbError> {
    db.transaction(|tx| async move {
        let query = Sql::new(format!("SELECT {COLUMNS} FROM events WHERE position IN ")).tuple(places);
        let query = query.text(" AND type IN ").tuple(handler.types()).text(" ORDER BY position");
        // What is not there has no receipt: an event may come to have that place.
        let events = read(&tx, query).await?;
        take_fresh(&tx, handler, &events, now_ms).await
    })
    .await
}

/// Takes the next events that nobody has begun to take; one process at a time does so.
pub(super) async fn take_untaken(db: &Db, handler: &dyn EventHandler, now_ms: i64) -> Result<Delivery, DbError> {
    if first_untaken(db, handler).await?.is_none() {
        return Ok(Delivery::Done);
    }
    db.transaction(|tx| async move {
        if lock_mark(&tx, handler).await?.is_none() {
            return Ok(Delivery::Done);
        }
        let columns = COLUMNS.split(", ").map(|column| format!("e.{column}")).collect::<Vec<_>>().join(", ");
        let events = read(&tx, untaken(handler, &columns, BATCH)).await?;
        take_fresh(&tx, handler, &events, now_ms).await?;
        let is_full = i64::try_from(events.len()).is_ok_and(|count| count == BATCH);
        Ok(if is_full { Delivery::More } else { Delivery::Done })
    })
    .await
}

/// Moves the mark over what was taken, and removes the receipts below it; one process at a time does so.
pub(super) async fn move_mark(db: &Db, handler: &dyn EventHandler) -> Result<(), DbError> {
    let Standing { mark, head } = standing(db, handler).await?;
    if mark >= head {
        return Ok(());
    }
    db.transaction(|tx| async move {
        let Some(mark) = lock_mark(&tx, handler).await? else { return Ok(()) };
        // Read before what is open: whatever has a place up to here is seen by the next statement.
        let head = Sql::new("SELECT position FROM event_head WHERE id = 1").on(tx.backend());
        let head: i64 = tx.query_one_raw(head).await?.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        // What failed and waits is open.
        let open = after_mark(handler, "e.position", " AND r.retry_at IS NULL", 1);
        let open = tx.query_one_raw(open.on(tx.backend())).await?;
        let next = open.map_or(Ok(head), |row| row.try_get_by_index::<i64>(0).map(|open| open - 1))?.min(head);
        if next > mark {
            let save = Sql::new("UPDATE event_handlers SET position = $1 WHERE name = $2");
            tx.execute_raw(save.bind(next).bind(handler.name()).on(tx.backend())).await?;
            let remove = Sql::new("DELETE FROM event_receipts WHERE handler = $1 AND position <= $2");
            tx.execute_raw(remove.bind(handler.name()).bind(next).on(tx.backend())).await?;
        }
        Ok(())
    })
    .await
}

/// Tries again what failed and has waited, and says when there is more to try.
pub(super) async fn retry(db: &Db, handler: &dyn EventHandler, now_ms: i64) -> Result<Delivery, DbError> {
    let query = Sql::new(format!(
        "SELECT position, attempts, retry_at FROM event_receipts WHERE handler = $1 AND retry_at IS NOT NULL
        ORDER BY retry_at LIMIT {BATCH}"
    ));
    let rows = db.reader().query_all_raw(query.bind(handler.name()).on(db.backend())).await?;
    let (mut shortest, mut has_tried): (Option<Duration>, bool) = (None, false);
    for row in &rows {
        let retry_at: DateTime<Utc> = row.try_get_by_index(2)?;
        let failed = Failed { position: row.try_get_by_index(0)?, attempts: row.try_get_by_index(1)? };
        if let Some(wait) = wait_until(millis(retry_at), failed.attempts, now_ms) {
            shortest = Some(shortest.map_or(wait, |shortest| shortest.min(wait)));
        } else {
            retry_one(db, handler, failed, now_ms).await?;
            has_tried = true;
        }
    }
    Ok(match shortest {
        _ if has_tried => Delivery::More,
        Some(wait) => Delivery::Wait(wait),
        None => Delivery::Done,
    })
}

/// An event that failed so often.
#[derive(Debug, Clone, Copy)]
struct Failed {
    position: i64,
    attempts: i32,
}

async fn retry_one(db: &Db, handler: &dyn EventHandler, failed: Failed, now_ms: i64) -> Result<(), DbError> {
    db.transaction(|tx| async move {
        let mut lock = Sql::new(
            "SELECT 1 FROM event_receipts WHERE handler = $1 AND position = $2 AND attempts = $3 AND retry_at IS NOT NULL",
        );
        lock = lock.bind(handler.name()).bind(failed.position).bind(failed.attempts);
        if tx.backend() == Backend::Postgres {
            lock = lock.text(" FOR UPDATE SKIP LOCKED");
        }
        if tx.query_one_raw(lock.on(tx.backend())).await?.is_none() {
            // Another process is at it, or was.
            return Ok(());
        }
        let query = Sql::new(format!("SELECT {COLUMNS} FROM events WHERE position = $1")).bind(failed.position);
        for event in &read(&tx, query).await? {
            if let Err(reason) = take::take(&tx, handler, event).await? {
                return note_failure(&tx, handler, event, (failed.attempts + 1, &reason, now_ms)).await;
            }
        }
        note_end(&tx, handler, failed.position).await
    })
    .await
}

/// Takes those of `events` that nobody else has taken.
async fn take_fresh(
    tx: &Transaction,
    handler: &dyn EventHandler,
    events: &[Envelope],
    now_ms: i64,
) -> Result<(), DbError> {
    let fresh = claim(tx, handler, events).await?;
    if let Err(reason) = take::take_all(tx, handler, &fresh).await? {
        tracing::debug!(handler = handler.name(), reason, "events could not be taken at once; each comes by itself");
        for event in &fresh {
            if let Err(reason) = take::take(tx, handler, event).await? {
                note_failure(tx, handler, event, (1, &reason, now_ms)).await?;
            }
        }
    }
    let (name, count) = (handler.name(), fresh.len() as u64);
    tx.after_commit(move || counter!(HANDLED, "handler" => name).increment(count));
    Ok(())
}

/// Writes the receipts of events, and returns those that had none.
async fn claim(tx: &Transaction, handler: &dyn EventHandler, events: &[Envelope]) -> Result<Vec<Envelope>, DbError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    // In the order of their places, so that of two who meet neither waits for the other in turn.
    let mut claim =
        Sql::new("INSERT INTO event_receipts (handler, position, attempts) VALUES ").tuples(events.len(), 3);
    for event in events {
        claim = claim.bind(handler.name()).bind(event.position).bind(0);
    }
    let claim = claim.text(" ON CONFLICT (handler, position) DO NOTHING RETURNING position");
    let rows = tx.query_all_raw(claim.on(tx.backend())).await?;
    let claimed: Vec<i64> = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    // Read after the receipts were written: the mark may have moved over them, and removed those that were there.
    let mark = Sql::new("SELECT position FROM event_handlers WHERE name = $1").bind(handler.name());
    let mark = tx.query_one_raw(mark.on(tx.backend())).await?;
    let mark: i64 = mark.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    let is_fresh = |event: &&Envelope| event.position > mark && claimed.contains(&event.position);
    Ok(events.iter().filter(is_fresh).cloned().collect())
}

/// Notes that an event failed: it waits, or is set aside.
async fn note_failure(
    tx: &Transaction,
    handler: &dyn EventHandler,
    event: &Envelope,
    (attempts, reason, now_ms): (i32, &str, i64),
) -> Result<(), DbError> {
    if attempts >= MAX_ATTEMPTS {
        bury(tx, handler, event, reason, now_ms).await?;
        return note_end(tx, handler, event.position).await;
    }
    tracing::warn!(handler = handler.name(), event = %event.id, reason, attempts, "an event could not be handled; trying again");
    let retry_at = timestamp(now_ms.saturating_add(wait_ms_after(attempts)));
    let note = Sql::new("UPDATE event_receipts SET attempts = $1, retry_at = $2 WHERE handler = $3 AND position = $4");
    let note = note.bind(attempts).bind(retry_at).bind(handler.name()).bind(event.position);
    tx.execute_raw(note.on(tx.backend())).await?;
    Ok(())
}

async fn note_end(tx: &Transaction, handler: &dyn EventHandler, position: i64) -> Result<(), DbError> {
    let note = Sql::new("UPDATE event_receipts SET retry_at = NULL WHERE handler = $1 AND position = $2");
    tx.execute_raw(note.bind(handler.name()).bind(position).on(tx.backend())).await?;
    Ok(())
}

/// The mark, locked; nothing where another process holds it.
async fn lock_mark(tx: &Transaction, handler: &dyn EventHandler) -> Result<Option<i64>, DbError> {
    let mut query = Sql::new("SELECT position FROM event_handlers WHERE name = $1").bind(handler.name());
    if tx.backend() == Backend::Postgres {
        query = query.text(" FOR UPDATE SKIP LOCKED");
    }
    let row = tx.query_one_raw(query.on(tx.backend())).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

async fn read(tx: &Transaction, query: Sql) -> Result<Vec<Envelope>, DbError> {
    let rows = tx.query_all_raw(query.on(tx.backend())).await?;
    Ok(rows.iter().map(Envelope::read).collect::<Result<_, _>>()?)
}

/// The events after the mark that have no receipt; the first in place first.
fn untaken(handler: &dyn EventHandler, columns: &str, limit: i64) -> Sql {
    after_mark(handler, columns, "", limit)
}

/// The events after the mark that have no receipt such as `condition` says.
fn after_mark(handler: &dyn EventHandler, columns: &str, condition: &str, limit: i64) -> Sql {
    let query = format!(
        "SELECT {columns} FROM event_handlers h, events e WHERE h.name = $1 AND e.position > h.position AND NOT EXISTS
            (SELECT 1 FROM event_receipts r WHERE r.handler = h.name AND r.position = e.position{condition})
        AND e.type IN "
    );
    let query = Sql::new(query).bind(handler.name()).tuple(handler.types());
    query.text(&format!(" ORDER BY e.position LIMIT {limit}"))
}
