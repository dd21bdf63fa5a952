//! What can be set of the database.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DbOptions, Servers, Target};

/// How the database is used. Its address, which may hold a password, is no setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Connections of this process to PostgreSQL, and readers of SQLite.
    pub max_connections: u32,
    /// Seconds that work waits for a connection, and for a server that takes writes.
    pub acquire_timeout_s: u64,
    /// Minutes after which a connection is made anew.
    pub max_lifetime_minutes: u64,
    /// Minutes after which a connection that nobody uses is closed.
    pub idle_timeout_minutes: u64,
    /// Seconds that a statement may run.
    pub statement_timeout_s: u64,
    /// Seconds that a transaction may stand still.
    pub idle_transaction_timeout_s: u64,
    /// What stands between this process and PostgreSQL.
    pub pooler: Pooler,
    /// Seconds that a replica may be behind while it is read from.
    pub replica_max_lag_s: u64,
}

/// What stands between a process and PostgreSQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooler {
    /// Nothing, or what keeps a session for each connection.
    #[default]
    None,
    /// A pooler that gives each transaction to any session, as `PgBouncer` does with `pool_mode = transaction`.
    Transaction,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            max_connections: 10,
            acquire_timeout_s: 10,
            max_lifetime_minutes: 30,
            idle_timeout_minutes: 10,
            statement_timeout_s: 30,
            idle_transaction_timeout_s: 60,
            pooler: Pooler::None,
            replica_max_lag_s: 5,
        }
    }
}

impl DatabaseSettings {
    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let ranges = [
            ("database.max_connections", self.max_connections.into(), 2..=1000),
            ("database.acquire_timeout_s", self.acquire_timeout_s, 1..=300),
            ("database.max_lifetime_minutes", self.max_lifetime_minutes, 1..=1440),
            ("database.idle_timeout_minutes", self.idle_timeout_minutes, 1..=1440),
            ("database.statement_timeout_s", self.statement_timeout_s, 1..=3600),
            ("database.idle_transaction_timeout_s", self.idle_transaction_timeout_s, 1..=3600),
            ("database.replica_max_lag_s", self.replica_max_lag_s, 1..=60),
        ];
        let wrong = ranges.into_iter().filter(|(_, value, range)| !range.contains(value));
        let fault = |(key, value, range): (_, u64, std::ops::RangeInclusive<u64>)| {
            (key, format!("{value} is not between {} and {}", range.start(), range.end()))
        };
        wrong.map(fault).collect()
    }

    /// What opens `target`, with `replica` for reads.
    pub fn options(&self, target: Target, replica: Option<Servers>) -> DbOptions {
        DbOptions {
            target,
            max_connections: self.max_connections,
            acquire_timeout: Duration::from_secs(self.acquire_timeout_s),
            max_lifetime: Duration::from_secs(self.max_lifetime_minutes * 60),
            idle_timeout: Duration::from_secs(self.idle_timeout_minutes * 60),
            statement_timeout: Duration::from_secs(self.statement_timeout_s),
            idle_transaction_timeout: Duration::from_secs(self.idle_transaction_timeout_s),
            pooler: self.pooler,
            replica,
            replica_max_lag: Duration::from_secs(self.replica_max_lag_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_fault_and_impossible_values_all_have_one() {
        assert_eq!(DatabaseSettings::default().faults(), []);
        let wrong = DatabaseSettings { max_connections: 0, replica_max_lag_s: 61, ..DatabaseSettings::default() };
        let keys: Vec<_> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["database.max_connections", "database.replica_max_lag_s"]);
    }
}
