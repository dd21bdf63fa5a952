//! Brings events to handlers that take them in any order, from wherever somebody has learnt of their places.
//!
//! A receipt is a row for an event and a handler. Its key lets one transaction alone take the event, whoever else has heard of it
//! too. Receipts are kept only above the handler's mark, its row in `event_handlers`: all events up to there were taken, or are
//! of types that it does not take.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, QueryResult};

use super::{
    Envelope, EventHandler,
    dead_letter::bury,
    envelope::COLUMNS,
    in_order::{BATCH, Delivery},
    take::{self, MAX_ATTEMPTS, wait_ms_after, wait_until},
};
use crate::db::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// Begins a statement that writes receipts for the events it selects.
const WRITE_RECEIPTS: &str = "INSERT INTO event_receipts (handler, position, attempts) SELECT";

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
    let row = db.reader().query_one_raw(untaken(handler, "SELECT e.position", 1).on(db.backend())).await?;
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
        // What is not there gets no receipt: an event may come to have that place.
        let receipts = Sql::new(format!("{WRITE_RECEIPTS} $1, e.position, 0 FROM events e WHERE e.position IN "));
        let receipts = receipts.bind(handler.name()).tuple(places).text(" AND e.type IN ").tuple(handler.types());
        // In their order, so that of two who meet neither waits for the other in turn.
        take_claimed(&tx, handler, receipts.text(" ORDER BY e.position"), now_ms).await.map(drop)
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
        let receipts = untaken(handler, &format!("{WRITE_RECEIPTS} h.name, e.position, 0"), BATCH);
        let count = take_claimed(&tx, handler, receipts, now_ms).await?;
        let is_full = i64::try_from(count).is_ok_and(|count| count == BATCH);
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
        let open = after_mark(handler, "SELECT e.position", " AND r.retry_at IS NULL", 1);
        let open = tx.query_one_raw(open.on(tx.backend())).await?;
        let next = open.map_or(Ok(head), |row| row.try_get_by_index::<i64>(0).map(|open| open - 1))?.min(head);
        if next > mark {
            let save = Sql::new("UPDATE event_handlers SET position = $1 WHERE name = $2");
            tx.execute_raw(save.bind(next).bind(handler.name()).on(tx.backend())).await?;
            remove_receipts(&tx, handler).await?;
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

/// Takes the events that `receipts` writes receipts for, and returns how many.
async fn take_claimed(
    tx: &Transaction,
    handler: &dyn EventHandler,
    receipts: Sql,
    now_ms: i64,
) -> Result<usize, DbError> {
    let events = claim(tx, handler, receipts).await?;
    if let Err(reason) = take::take_all(tx, handler, &events).await? {
        tracing::debug!(handler = handler.name(), reason, "events could not be taken at once; each comes by itself");
        for event in &events {
            if let Err(reason) = take::take(tx, handler, event).await? {
                note_failure(tx, handler, event, (1, &reason, now_ms)).await?;
            }
        }
    }
    Ok(events.len())
}

/// Writes receipts, and returns the events that had none.
async fn claim(tx: &Transaction, handler: &dyn EventHandler, receipts: Sql) -> Result<Vec<Envelope>, DbError> {
    let receipts = receipts.text(" ON CONFLICT (handler, position) DO NOTHING RETURNING position");
    let rows = tx.query_all_raw(receipts.on(tx.backend())).await?;
    let claimed: Vec<i64> = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    // The mark is read after the receipts were written: it may have moved over events whose receipts then went.
    let events = Sql::new(format!(
        "SELECT {COLUMNS} FROM events WHERE position > coalesce((SELECT position FROM event_handlers WHERE name = $1), 0)
        AND position IN "
    ));
    let events = read(tx, events.bind(handler.name()).tuple(&claimed).text(" ORDER BY position")).await?;
    if events.len() < claimed.len() {
        remove_receipts(tx, handler).await?;
    }
    Ok(events)
}

/// Removes the receipts up to the mark, which says the same.
async fn remove_receipts(tx: &Transaction, handler: &dyn EventHandler) -> Result<(), DbError> {
    let remove = Sql::new(
        "DELETE FROM event_receipts WHERE handler = $1
        AND position <= (SELECT position FROM event_handlers WHERE name = $1)",
    );
    tx.execute_raw(remove.bind(handler.name()).on(tx.backend())).await?;
    Ok(())
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

/// What `verb` does with the events after the mark that have no receipt; the first in place first.
fn untaken(handler: &dyn EventHandler, verb: &str, limit: i64) -> Sql {
    after_mark(handler, verb, "", limit)
}

/// What `verb` does with the events after the mark that have no receipt such as `condition` says.
fn after_mark(handler: &dyn EventHandler, verb: &str, condition: &str, limit: i64) -> Sql {
    let query = format!(
        "{verb} FROM event_handlers h, events e WHERE h.name = $1 AND e.position > h.position AND NOT EXISTS
            (SELECT 1 FROM event_receipts r WHERE r.handler = h.name AND r.position = e.position{condition})
        AND e.type IN "
    );
    let query = Sql::new(query).bind(handler.name()).tuple(handler.types());
    query.text(&format!(" ORDER BY e.position LIMIT {limit}"))
}
