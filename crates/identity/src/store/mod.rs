//! The ports of identity on SQLite and PostgreSQL: one code, statements in SQL where they must be exact.

mod api_keys;
mod audit;
mod refresh;
mod resets;
mod sessions;
mod signing_keys;
mod users;

use chrono::{DateTime, Utc};
use kernel::Uuid;
use platform::db::{Db, DbError, Sql, Transaction, millis, timestamp};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use crate::error::IdentityError;

/// Rows of identity in a database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    db: Db,
}

impl Store {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    async fn find_row<R: FromQueryResult>(&self, sql: Sql) -> Result<Option<R>, DbError> {
        Ok(R::find_by_statement(sql.on(self.db.backend())).one(self.db.reader()).await?)
    }

    async fn list_rows<R: FromQueryResult>(&self, sql: Sql) -> Result<Vec<R>, DbError> {
        Ok(R::find_by_statement(sql.on(self.db.backend())).all(self.db.reader()).await?)
    }

    async fn write(&self, sql: Sql) -> Result<u64, DbError> {
        Ok(self.db.writer().execute_raw(sql.on(self.db.backend())).await?.rows_affected())
    }
}

async fn execute(tx: &Transaction, sql: Sql) -> Result<u64, DbError> {
    Ok(tx.execute_raw(sql.on(tx.backend())).await?.rows_affected())
}

/// Writes down when rows of `table` were last used, by one statement; a later use that is there already stays.
async fn note_used(tx: &Transaction, table: &str, used_at_ms: &[(Uuid, i64)]) -> Result<(), DbError> {
    let Some(last) = used_at_ms.last() else { return Ok(()) };
    // Filled up to a power of two, so that few statements differ.
    let count = used_at_ms.len().next_power_of_two();
    let rows = used_at_ms.iter().chain(std::iter::repeat(last)).take(count);
    let sql = Sql::new("WITH used (id, at) AS (VALUES ").tuples(count, 2).text(&format!(
        ") UPDATE {table} SET last_used_at = used.at FROM used
        WHERE {table}.id = used.id AND ({table}.last_used_at IS NULL OR {table}.last_used_at < used.at)"
    ));
    execute(tx, rows.fold(sql, |sql, (id, at_ms)| sql.bind(*id).bind(timestamp(*at_ms)))).await.map(drop)
}

async fn find_in<R: FromQueryResult>(tx: &Transaction, sql: Sql) -> Result<Option<R>, DbError> {
    Ok(R::find_by_statement(sql.on(tx.backend())).one(&**tx).await?)
}

async fn count_in(tx: &Transaction, sql: Sql) -> Result<u64, DbError> {
    let row = tx.query_one_raw(sql.on(tx.backend())).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Conditions of a list that are added one by one, with the values of their placeholders.
struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    fn new() -> Self {
        Self { text: String::new(), values: Vec::new() }
    }

    /// Adds a condition such as `role =`, which a placeholder follows.
    fn and(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        let Some(value) = value else { return };
        self.values.push(value.into());
        let joint = if self.values.len() == 1 { "WHERE" } else { "AND" };
        self.text.extend([format!(" {joint} {condition} ${}", self.values.len())]);
    }

    /// Adds the condition that `column` begins with `prefix`. By comparison: `LIKE` has wildcards, which a prefix may hold.
    fn and_prefix(&mut self, column: &str, prefix: Option<&str>) {
        let Some(prefix) = prefix else { return };
        let joint = if self.values.is_empty() { "WHERE" } else { "AND" };
        let next = self.values.len() + 1;
        self.text.extend([format!(" {joint} substr({column}, 1, ${next}) = ${}", next + 1)]);
        // PostgreSQL's `substr` counts in `int`.
        self.values.extend([i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX).into(), prefix.into()]);
    }

    /// The statement with these conditions between its parts, and a limit at its end.
    fn into_sql(mut self, head: &str, order: &str, limit: u64) -> Sql {
        self.values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let sql = Sql::new(format!("{head}{} {order} LIMIT ${}", self.text, self.values.len()));
        self.values.into_iter().fold(sql, Sql::bind)
    }
}

/// Parses what a column holds by a fixed set of names.
fn stored<T, E: std::fmt::Display>(what: &'static str, parsed: Result<T, E>) -> Result<T, IdentityError> {
    parsed.map_err(|error| IdentityError::Stored { what, reason: error.to_string() })
}

fn known<T>(what: &'static str, found: Option<T>) -> Result<T, IdentityError> {
    found.ok_or_else(|| IdentityError::Stored { what, reason: "it is none that this version knows".to_owned() })
}

fn optional_millis(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(millis)
}
