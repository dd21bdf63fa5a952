//! Gives events their places, in an order that no later commit can disturb.

use sea_orm::ConnectionTrait as _;

use crate::db::{Backend, Db, DbError, Sql, Topic, Transaction};

/// How many events get their places in one transaction.
const BATCH: i64 = 1000;

/// Gives places to events that are committed, and returns how many it gave.
///
/// The row of the counter stays locked until the places are committed, so whoever gives the next ones sees these, and a place
/// is never seen before all below it. PostgreSQL looks afresh with each statement (`READ COMMITTED`): what is read below the
/// lock is all that was committed before it.
pub(super) async fn stamp(db: &Db) -> Result<usize, DbError> {
    // Looking costs nothing where there is nothing to do; locking would make every idle process wait for every other.
    let waiting = Sql::new("SELECT 1 FROM events WHERE position IS NULL LIMIT 1").on(db.backend());
    if db.reader().query_one_raw(waiting).await?.is_none() {
        return Ok(0);
    }
    db.transaction(|tx| async move {
        let given = stamp_batch(&tx).await?;
        if given > 0 {
            db.signal(&tx, Topic::Events, "").await?;
        }
        Ok(given)
    })
    .await
}

async fn stamp_batch(tx: &Transaction) -> Result<usize, DbError> {
    let lock = match tx.backend() {
        Backend::Postgres => "SELECT position FROM event_head WHERE id = 1 FOR UPDATE",
        Backend::Sqlite => "SELECT position FROM event_head WHERE id = 1",
    };
    let Some(head) = tx.query_one_raw(Sql::new(lock).on(tx.backend())).await? else { return Ok(0) };
    let head: i64 = head.try_get_by_index(0)?;
    let stamp = Sql::new(
        "UPDATE events SET position = waiting.place FROM (
            SELECT id, $1 + row_number() OVER (ORDER BY id) AS place
            FROM (SELECT id FROM events WHERE position IS NULL ORDER BY id LIMIT $2) AS oldest
        ) AS waiting WHERE events.id = waiting.id",
    );
    let stamped = tx.execute_raw(stamp.bind(head).bind(BATCH).on(tx.backend())).await?.rows_affected();
    let count = i64::try_from(stamped).unwrap_or(BATCH);
    let advance = Sql::new("UPDATE event_head SET position = $1 WHERE id = 1").bind(head + count);
    tx.execute_raw(advance.on(tx.backend())).await?;
    Ok(usize::try_from(stamped).unwrap_or_default())
}
