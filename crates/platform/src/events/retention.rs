//! Removes events that every handler has taken and that are old.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;

use crate::db::{Db, DbError, Sql, timestamp};

/// How many events one statement removes.
const BATCH: i64 = 1000;

/// A handler that no process has served for so long holds nothing back any more: it is gone.
const FORGOTTEN: Duration = Duration::from_hours(720);

/// Removes a batch of what is older than `keep`, and returns how many events that were.
pub(super) async fn remove_old(db: &Db, now_ms: i64, keep: Duration) -> Result<u64, DbError> {
    let before = |age: Duration| timestamp(now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
    let remove = Sql::new(
        "DELETE FROM events WHERE id IN (
            SELECT id FROM events WHERE occurred_at < $1 AND position <= coalesce(
                (SELECT min(position) FROM event_handlers WHERE seen_at > $2),
                (SELECT position FROM event_head WHERE id = 1)
            ) ORDER BY position LIMIT $3)",
    );
    let remove = remove.bind(before(keep)).bind(before(FORGOTTEN)).bind(BATCH);
    Ok(db.writer().execute_raw(remove.on(db.backend())).await?.rows_affected())
}
