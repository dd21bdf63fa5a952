//! The rows of locks. Each holder has a number, one above that of the holder before; it counts in its row for as long as it
//! lives.

use sea_orm::ConnectionTrait as _;

use super::Claim;
use crate::db::{Backend, Db, DbError, Sql, Transaction};

/// How a row stands that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) fence: i64,
    pub(super) beat: i64,
}

/// Takes a lock that is free, or whose holder still stands as one did who is `dead`. Returns the holder's number.
pub(super) async fn take(db: &Db, claim: &Claim, dead: Option<Standing>) -> Result<Option<i64>, DbError> {
    // No row has a number below 1.
    let dead = dead.unwrap_or(Standing { fence: 0, beat: 0 });
    let take = Sql::new(
        "INSERT INTO locks (name, fence, holder, beat) VALUES ($1, 1, $2, 0) \
         ON CONFLICT (name) DO UPDATE SET fence = locks.fence + 1, holder = excluded.holder, beat = 0 \
         WHERE locks.holder IS NULL OR (locks.fence = $3 AND locks.beat = $4) RETURNING fence",
    );
    let take = take.bind(claim.name.as_str()).bind(claim.token.as_str()).bind(dead.fence).bind(dead.beat);
    let row = db.writer().query_one_raw(take.on(db.backend())).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// How the lock stands; nothing where nobody holds it.
pub(super) async fn find(db: &Db, name: &str) -> Result<Option<Standing>, DbError> {
    // Not from a reader: one that lags would show a holder that lives as one that stands still.
    let find = Sql::new("SELECT fence, beat FROM locks WHERE name = $1 AND holder IS NOT NULL").bind(name);
    let row = db.writer().query_one_raw(find.on(db.backend())).await?;
    let read = |row: sea_orm::QueryResult| -> Result<Standing, sea_orm::DbErr> {
        Ok(Standing { fence: row.try_get_by_index(0)?, beat: row.try_get_by_index(1)? })
    };
    Ok(row.map(read).transpose()?)
}

/// Counts on; false where another holds the lock by now.
pub(super) async fn beat(db: &Db, claim: &Claim, fence: i64) -> Result<bool, DbError> {
    update(db, "beat = beat + 1", claim, fence).await
}

/// Gives the lock up; false where another holds it by now.
pub(super) async fn give_up(db: &Db, claim: &Claim, fence: i64) -> Result<bool, DbError> {
    update(db, "holder = NULL", claim, fence).await
}

async fn update(db: &Db, set: &str, claim: &Claim, fence: i64) -> Result<bool, DbError> {
    let update = Sql::new(format!("UPDATE locks SET {set} WHERE name = $1 AND holder = $2 AND fence = $3"));
    let update = update.bind(claim.name.as_str()).bind(claim.token.as_str()).bind(fence);
    Ok(db.writer().execute_raw(update.on(db.backend())).await?.rows_affected() == 1)
}

/// Whether the lock is held by this claim, and stays so until the end of the transaction.
pub(super) async fn is_held(tx: &Transaction, claim: &Claim, fence: i64) -> Result<bool, DbError> {
    // In SQLite the transaction is the only one that writes.
    let lock = match tx.backend() {
        Backend::Sqlite => "",
        Backend::Postgres => " FOR SHARE",
    };
    let find = Sql::new(format!("SELECT 1 FROM locks WHERE name = $1 AND holder = $2 AND fence = $3{lock}"));
    let find = find.bind(claim.name.as_str()).bind(claim.token.as_str()).bind(fence);
    Ok(tx.query_one_raw(find.on(tx.backend())).await?.is_some())
}
