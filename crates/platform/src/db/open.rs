//! Opens a database from its address, and says what to do when it cannot be opened.

use std::{sync::Arc, time::Duration};

use kernel::ErrorKind;
use sea_orm::{
    DatabaseConnection, SqlxPostgresConnector,
    sqlx::{
        self, ConnectOptions as _, Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
    },
};
use url::Url;

use super::{Db, DbFault, Inner, Signals, Target, sqlite};

/// How long work waits for a free connection before it is refused.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that was idle for longer is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// What to open and how.
#[derive(Debug, Clone)]
pub struct DbOptions {
    pub target: Target,
    /// How many connections a server's database gets from this process, and how many readers SQLite has.
    pub max_connections: u32,
    /// How long one statement may run in PostgreSQL.
    pub statement_timeout: Duration,
    /// How long a transaction of PostgreSQL may stand still before it is ended, so that it holds no locks for ever.
    pub idle_transaction_timeout: Duration,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("database `{target}` cannot be opened: {source}; {}", remedy(*fault))]
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

fn remedy(fault: DbFault) -> &'static str {
    match fault {
        DbFault::Unavailable => "is it running, and is `DATABASE_URL` right?",
        DbFault::Refused => "check the user, the password and the name of the database in `DATABASE_URL`",
        DbFault::Full => "free some space",
        DbFault::Busy => "another process holds it; try again",
        _ => "check `DATABASE_URL`",
    }
}

impl DbOptions {
    /// Ten connections, and statements of at most 30 seconds.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            max_connections: 10,
            statement_timeout: Duration::from_secs(30),
            idle_transaction_timeout: Duration::from_mins(1),
        }
    }
}

impl Db {
    /// Opens the database and makes sure that it answers. A file of SQLite is created where there is none.
    pub async fn open(options: &DbOptions) -> Result<Self, OpenDbError> {
        let opened = match &options.target {
            Target::Sqlite(path) => sqlite::open_pair(path, options.max_connections).await,
            Target::Postgres(url) => open_postgres(url, options).await,
        };
        let (writer, reader) = opened.map_err(|source| OpenDbError {
            target: options.target.clone(),
            fault: DbFault::of_sqlx(&source),
            source,
        })?;
        Ok(Self {
            inner: Arc::new(Inner { target: options.target.clone(), writer, reader, signals: Signals::default() }),
        })
    }
}

async fn open_postgres(
    url: &Url,
    options: &DbOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), sqlx::Error> {
    let connect = PgConnectOptions::from_url(url)?
        .application_name("pressroom")
        .options([
            ("statement_timeout", options.statement_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", options.idle_transaction_timeout.as_millis().to_string()),
        ])
        .disable_statement_logging();
    let pool = postgres_pool(options.max_connections).connect_with(connect).await?;
    // A read replica would be a second pool here: nothing else tells the two apart.
    let writer = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok((writer.clone(), writer))
}

fn postgres_pool(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(Duration::from_mins(30))
        // Asking before every use would double the round trips.
        .test_before_acquire(false)
        .before_acquire(|connection, state| {
            Box::pin(async move {
                if state.idle_for < TRUSTED_IDLE {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
}
