//! The database, SQLite or PostgreSQL behind one type: opening, transactions, migrations and the sorts of failures.
//!
//! Code is written once for both. It reads from [`Db::reader`], writes single statements to [`Db::writer`] and everything that
//! belongs together in [`Db::transaction`]. Reads that are many may go to a replica ([`Db::replica_reader`]). Statements that must be exact are written in SQL with `$1` placeholders, which
//! both understand.

mod connection;
mod error;
mod facts;
pub mod migrate;
mod open;
mod postgres;
pub mod presence;
mod reader;
mod settings;
mod signals;
mod sqlite;
mod statement;
mod target;
mod transaction;

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DbBackend, sqlx::PgPool};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use connection::Connection;
pub use error::{DbError, DbFault, error_kind};
pub use facts::ServerFacts;
pub use open::{DbOptions, OpenDbError};
pub use reader::{Freshness, READS, ReplicaReader};
pub use settings::{DatabaseSettings, Pooler};
pub use signals::{Signals, Subscription, Topic};
pub use sqlite::{OpenError, open_sqlite};
pub use statement::{Sql, millis, timestamp};
pub use target::{Servers, Target, TargetError};
pub(crate) use transaction::find_fault;
pub use transaction::{Savepoint, Transaction};

/// How long connections to a server may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

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
    pooler: Pooler,
    /// SQLite has one connection that writes; PostgreSQL as many as the pool allows.
    writer: Connection,
    /// Connections that cannot write in SQLite; the same pool in PostgreSQL.
    reader: Connection,
    replica: Option<postgres::Replica>,
    signals: Signals,
    /// Ends the watching of servers.
    stop: CancellationToken,
    /// Does so with the last clone.
    _watching: DropGuard,
}

/// How many connections are open, how many of them wait for work, and how many may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    pub open: u32,
    pub idle: u32,
    pub max: u32,
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
    pub fn reader(&self) -> &Connection {
        &self.inner.reader
    }

    /// For single statements that change something.
    ///
    /// In SQLite it is one connection that a transaction holds to its end: inside of one, use the transaction only.
    pub fn writer(&self) -> &Connection {
        &self.inner.writer
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        Ok(self.reader().query_one_raw(Sql::new("SELECT 1").on(self.backend())).await.map(drop)?)
    }

    /// The connections for reading and writing together.
    pub fn pool_state(&self) -> PoolState {
        if self.backend() == Backend::Postgres {
            let pool = self.writer().pool().get_postgres_connection_pool();
            return PoolState::of(pool.size(), pool.num_idle(), pool.options().get_max_connections());
        }
        let readers = self.reader().pool().get_sqlite_connection_pool();
        let writer = self.writer().pool().get_sqlite_connection_pool();
        let max = readers.options().get_max_connections() + writer.options().get_max_connections();
        PoolState::of(readers.size() + writer.size(), readers.num_idle() + writer.num_idle(), max)
    }

    /// What processes on this database call to each other.
    pub fn signals(&self) -> &Signals {
        &self.inner.signals
    }

    /// The pool of PostgreSQL's connections for listening, which no pooler of transactions lets through.
    pub(crate) fn postgres_pool(&self) -> Option<&PgPool> {
        self.can_listen().then(|| self.writer().pool().get_postgres_connection_pool())
    }

    /// Whether calls of other processes are heard through the database. Where they are not, whoever waits looks often.
    pub fn can_listen(&self) -> bool {
        self.backend() == Backend::Postgres && self.inner.pooler == Pooler::None
    }

    /// Closes its connections once they are idle. One that waits for a server that is gone is not waited for.
    pub async fn close(self) -> Result<(), DbError> {
        self.inner.stop.cancel();
        match self.backend() {
            Backend::Sqlite => self.close_pools().await,
            Backend::Postgres => tokio::time::timeout(CLOSE_LIMIT, self.close_pools()).await.unwrap_or(Ok(())),
        }
    }

    async fn close_pools(&self) -> Result<(), DbError> {
        if let Some(replica) = &self.inner.replica {
            replica.connection().pool().clone().close().await?;
        }
        self.inner.reader.pool().clone().close().await?;
        Ok(self.inner.writer.pool().clone().close().await?)
    }
}

impl PoolState {
    fn of(open: u32, idle: usize, max: u32) -> Self {
        // The two are not counted at the same moment.
        Self { open, idle: u32::try_from(idle).unwrap_or(open).min(open), max }
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
