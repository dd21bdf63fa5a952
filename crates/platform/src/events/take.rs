//! Hands events to their handler, each time in a part of a transaction that can be undone by itself, and says when one that
//! failed is tried again.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use metrics::counter;
use sea_orm::DbErr;

use super::{Envelope, EventHandler, HandlerError};
use crate::db::{DbError, DbFault, Savepoint, Transaction, find_fault};

/// Counts what was handled, by handler.
pub(super) const HANDLED: &str = "events_handled_total";

/// After how many failures an event becomes a dead letter.
pub(super) const MAX_ATTEMPTS: i32 = 5;

/// The wait after the first failure; it doubles with each.
const FIRST_WAIT_MS: i64 = 500;

/// The most characters of a reason that are kept.
const MAX_REASON_CHARS: usize = 2000;

/// What became of what was handed over; the error is the handler's reason, and leaves nothing of it.
type Taken = Result<(), String>;

/// Hands over all events at once.
pub(super) async fn take_all(
    tx: &Transaction,
    handler: &dyn EventHandler,
    events: &[Envelope],
) -> Result<Taken, DbError> {
    if events.is_empty() {
        return Ok(Ok(()));
    }
    let part = tx.savepoint().await?;
    let taken = AssertUnwindSafe(handler.handle_all(&part, events)).catch_unwind().await;
    end(part, taken, (handler.name(), events.len())).await
}

/// Hands one event over.
pub(super) async fn take(tx: &Transaction, handler: &dyn EventHandler, event: &Envelope) -> Result<Taken, DbError> {
    let part = tx.savepoint().await?;
    let taken = AssertUnwindSafe(handler.handle(&part, event)).catch_unwind().await;
    end(part, taken, (handler.name(), 1)).await
}

async fn end(
    part: Savepoint,
    taken: Result<Result<(), HandlerError>, Box<dyn Any + Send>>,
    (name, count): (&'static str, usize),
) -> Result<Taken, DbError> {
    let reason = match taken {
        Ok(Ok(())) => {
            part.after_commit(move || counter!(HANDLED, "handler" => name).increment(count as u64));
            part.keep().await?;
            return Ok(Ok(()));
        }
        Ok(Err(error)) => match find_fault(error.as_ref()) {
            // Nothing is wrong with the event: another transaction was in the way, or the database is away.
            Some(fault @ (DbFault::Busy | DbFault::Unavailable)) => {
                return Err(DbError { fault, source: DbErr::Custom(error.to_string()) });
            }
            _ => error.to_string(),
        },
        Err(_) => "the handler panicked".to_owned(),
    };
    part.undo().await?;
    Ok(Err(reason.chars().take(MAX_REASON_CHARS).collect()))
}

/// How long an event that has failed so often waits.
pub(super) fn wait_ms_after(attempts: i32) -> i64 {
    FIRST_WAIT_MS << attempts.clamp(1, 10) >> 1
}

/// How long is left of a wait. A wait longer than was meant is none: the clock went back.
pub(super) fn wait_until(retry_at_ms: i64, attempts: i32, now_ms: i64) -> Option<Duration> {
    let wait_ms = retry_at_ms.saturating_sub(now_ms);
    let is_meant = (1..=wait_ms_after(attempts)).contains(&wait_ms);
    u64::try_from(wait_ms).ok().filter(|_| is_meant).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_as_long_as_was_meant_or_over() {
        let wait_ms = |now_ms| wait_until(10_500, 1, now_ms).map(|wait| wait.as_millis());
        assert_eq!(wait_ms(10_000), Some(500));
        assert_eq!(wait_ms(10_499), Some(1));
        assert_eq!(wait_ms(10_500), None);
        assert_eq!(wait_ms(10_000 - 3_600_000), None, "the clock was set back by an hour");
    }
}
