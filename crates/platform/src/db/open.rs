//! Opens a database from its address, and says what to do when it cannot be opened.

use std::{sync::Arc, time::Duration};

use kernel::ErrorKind;
use sea_orm::sqlx;
use tokio_util::sync::CancellationToken;

use super::{
    Connection, DatabaseSettings, Db, DbFault, Inner, Pooler, Servers, Signals, Target, error::is_of_pooler, postgres,
    sqlite,
};

/// What to open and how.
#[derive(Debug, Clone)]
pub struct DbOptions {
    pub target: Target,
    /// How many connections a server's database gets from this process, and how many readers SQLite has.
    pub max_connections: u32,
    /// How long work waits for a free connection before it is refused.
    pub acquire_timeout: Duration,
    /// When a connection to PostgreSQL is made anew.
    pub max_lifetime: Duration,
    /// When a connection to PostgreSQL that nobody uses is closed.
    pub idle_timeout: Duration,
    /// How long one statement may run in PostgreSQL.
    pub statement_timeout: Duration,
    /// How long a transaction of PostgreSQL may stand still before it is ended, so that it holds no locks for ever.
    pub idle_transaction_timeout: Duration,
    /// What stands between this process and PostgreSQL.
    pub pooler: Pooler,
    /// A replica of PostgreSQL for reads.
    pub replica: Option<Servers>,
    /// How far the replica may be behind while it is read from.
    pub replica_max_lag: Duration,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("database `{target}` cannot be opened: {source}; {}", remedy(*fault, source))]
pub struct OpenDbError {
    /// The database, without its password.
    pub target: Target,
    pub fault: DbFault,
    #[source]
    pub source: sqlx::Error,
}

impl OpenDbError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.fault.kind()
    }
}

fn remedy(fault: DbFault, source: &sqlx::Error) -> &'static str {
    match fault {
        _ if is_of_pooler(source) => {
            "this is a pooler; set `database.pooler` to `transaction` and give it `pool_mode = transaction`"
        }
        DbFault::Unavailable => "is it running, does it take writes, and is `DATABASE_URL` right?",
        DbFault::Refused => "check the user, the password and the name of the database in `DATABASE_URL`",
        DbFault::Full => "free some space",
        DbFault::Busy => "another process holds it; try again",
        _ => "check `DATABASE_URL`",
    }
}

impl DbOptions {
    /// As the settings are where nothing is set: ten connections, and statements of at most 30 seconds.
    pub fn new(target: Target) -> Self {
        DatabaseSettings::default().options(target, None)
    }
}

impl Db {
    /// Opens the database and makes sure that it answers. A file of SQLite is created where there is none; a replica need not be
    /// there.
    pub async fn open(options: &DbOptions) -> Result<Self, OpenDbError> {
        let stop = CancellationToken::new();
        let opened = match &options.target {
            Target::Sqlite(path) => {
                let pair = sqlite::open_pair(path, options.max_connections, options.acquire_timeout).await;
                pair.map(|(writer, reader)| (Connection::of_sqlite(writer), Connection::of_sqlite(reader), None))
            }
            Target::Postgres(servers) => {
                let opened = postgres::open(servers, options, &stop).await;
                opened.map(|opened| (opened.writer, opened.reader, opened.replica))
            }
        };
        let (writer, reader, replica) = opened.map_err(|source| OpenDbError {
            target: options.target.clone(),
            fault: DbFault::of_sqlx(&source),
            source,
        })?;
        let inner = Inner {
            target: options.target.clone(),
            pooler: options.pooler,
            writer,
            reader,
            replica,
            signals: Signals::default(),
            _watching: stop.clone().drop_guard(),
            stop,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}
