//! Statements written in SQL for both databases, and times as they are stored.

use chrono::{DateTime, Utc};
use sea_orm::{Statement, Value};

use super::Backend;

/// A statement with its values, written with `$1`, `$2`, … for both databases.
#[derive(Debug, Clone)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Adds the value of the next placeholder.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds `rows` lists of `columns` placeholders, as they stand after `VALUES`: `($3, $4), ($5, $6)`. Their values follow
    /// with [`Self::bind`].
    #[must_use]
    pub fn tuples(mut self, rows: usize, columns: usize) -> Self {
        let mut next = self.values.len();
        for row in 0..rows {
            self.text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                next += 1;
                if column > 0 {
                    self.text.push_str(", ");
                }
                self.text.push('$');
                self.text.push_str(&next.to_string());
            }
            self.text.push(')');
        }
        self
    }

    /// Adds a list of values, as it stands after `IN`: `($3, $4)`. A list of none is one of `NULL`, which nothing is in.
    #[must_use]
    pub fn tuple<V: Copy + Into<Value>>(mut self, values: &[V]) -> Self {
        if values.is_empty() {
            return self.text("(NULL)");
        }
        self = self.tuples(1, values.len());
        self.values.extend(values.iter().map(|value| (*value).into()));
        self
    }

    /// Adds more of the statement's text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// The statement for one of the databases.
    pub fn on(self, backend: Backend) -> Statement {
        Statement::from_sql_and_values(backend.as_sea_orm(), self.text, self.values)
    }
}

/// A time in milliseconds since the Unix epoch as columns hold it: `TIMESTAMPTZ` in PostgreSQL, sortable text in SQLite.
pub fn timestamp(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).unwrap_or(if at_ms < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// Milliseconds since the Unix epoch of a time from a column.
pub fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_count_on_from_the_values_before_them() {
        let sql = Sql::new("WHERE a = $1 AND (b, c) IN (VALUES ").bind(1).tuples(2, 2).text(")").on(Backend::Sqlite);
        assert_eq!(sql.sql, "WHERE a = $1 AND (b, c) IN (VALUES ($2, $3), ($4, $5))");
    }

    #[test]
    fn a_list_of_values_brings_them_along_and_may_be_empty() {
        let sql = Sql::new("WHERE a = $1 AND b IN ").bind(1).tuple(&["x", "y"]).text(" AND c = $4").bind(2);
        assert_eq!(sql.values.len(), 4);
        assert_eq!(sql.text, "WHERE a = $1 AND b IN ($2, $3) AND c = $4");
        assert_eq!(Sql::new("a IN ").tuple::<i64>(&[]).text, "a IN (NULL)");
    }

    #[test]
    fn times_of_milliseconds_keep_them() {
        for at_ms in [0, 1, 1_700_000_000_123, -5] {
            assert_eq!(millis(timestamp(at_ms)), at_ms);
        }
        assert!(timestamp(i64::MAX) > timestamp(0));
    }
}
