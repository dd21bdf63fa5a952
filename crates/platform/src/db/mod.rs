//! The database, SQLite or PostgreSQL behind one type: opening, transactions, migrations and the sorts of failures.
//!
//! Code is written once for both. It reads from [`Db::reader`], writes single statements to [`Db::writer`] and everything that
//! belongs together in [`Db::transaction`]. Statements that must be exact are written in SQL with `$1` placeholders, which
//! both understand.

mod error;
pub mod migrate;
mod open;
mod signals;
mod sqlite;
mod statement;
mod target;
mod transaction;

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, sqlx::PgPool};

pub use error::{DbError, DbFault, error_kind};
pub use open::{DbOptions, OpenDbError};
pub use signals::{Signals, Subscription, Topic};
pub use sqlite::{OpenError, open_sqlite};
pub use statement::{Sql, millis, timestamp};
pub use target::{Target, TargetError};
pub use transaction::{Savepoint, Transaction};

/// Which database is behind a [`Db`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A database that is open. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: Target,
    /// SQLite has one connection that writes; PostgreSQL as many as the pool allows.
    writer: DatabaseConnection,
    /// Connections that cannot write in SQLite; the same pool in PostgreSQL.
    reader: DatabaseConnection,
    signals: Signals,
}

/// How many connections are open, and how many of them wait for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    pub open: u32,
    pub idle: u32,
}

impl Db {
    pub fn backend(&self) -> Backend {
        self.inner.target.backend()
    }

    /// Where it lies, without its password.
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    /// For queries that change nothing. What was committed before the query is seen.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// For single statements that change something.
    ///
    /// In SQLite it is one connection that a transaction holds to its end: inside of one, use the transaction only.
    pub fn writer(&self) -> &DatabaseConnection {
        &self.inner.writer
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        Ok(self.reader().query_one_raw(Sql::new("SELECT 1").on(self.backend())).await.map(drop)?)
    }

    /// The connections for reading and writing together.
    pub fn pool_state(&self) -> PoolState {
        let state = |open: u32, idle: usize| PoolState { open, idle: u32::try_from(idle).unwrap_or(open) };
        if let Some(pool) = self.postgres_pool() {
            return state(pool.size(), pool.num_idle());
        }
        let (readers, writer) =
            (self.reader().get_sqlite_connection_pool(), self.writer().get_sqlite_connection_pool());
        state(readers.size() + writer.size(), readers.num_idle() + writer.num_idle())
    }

    /// What processes on this database call to each other.
    pub fn signals(&self) -> &Signals {
        &self.inner.signals
    }

    /// The pool of PostgreSQL's connections, for what only that database has, such as listening.
    pub(crate) fn postgres_pool(&self) -> Option<&PgPool> {
        (self.backend() == Backend::Postgres).then(|| self.writer().get_postgres_connection_pool())
    }

    /// Closes its connections once they are idle.
    pub async fn close(self) -> Result<(), DbError> {
        self.inner.reader.clone().close().await?;
        Ok(self.inner.writer.clone().close().await?)
    }
}

impl Backend {
    /// A statement that makes tables, written with the types of PostgreSQL. SQLite keeps ids as bytes and times as text.
    pub fn ddl(self, statement: &str) -> String {
        match self {
            Self::Postgres => statement.to_owned(),
            Self::Sqlite => statement.replace(" UUID", " BLOB").replace(" TIMESTAMPTZ", " TEXT"),
        }
    }

    /// The same in the words of `SeaORM`.
    pub fn as_sea_orm(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }
}
