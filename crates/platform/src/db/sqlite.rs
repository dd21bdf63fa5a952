//! Opens SQLite in write-ahead mode, so that readers and one writer never block each other.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kernel::ErrorKind;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions as _, Connection as _,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::time::Instant;

use super::{DbFault, error_kind};

/// How long a statement waits for another process that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("database `{}` cannot be opened: {source}", path.display())]
pub struct OpenError {
    /// The database's file.
    pub path: PathBuf,
    #[source]
    pub source: DbErr,
}

impl OpenError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        error_kind(&self.source)
    }
}

/// Opens the SQLite database at `path` with one connection, creating an empty one where there is none.
///
/// Commits survive a killed process. A loss of power can undo the last few commits but never tears the file
/// (`synchronous=NORMAL` in write-ahead mode), which suits rows that can be made again.
pub async fn open_sqlite(path: &Path) -> Result<DatabaseConnection, OpenError> {
    let file = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .sqlx_logging(false)
        .max_connections(1)
        .map_sqlx_sqlite_pool_opts(without_leftovers)
        .map_sqlx_sqlite_opts(move |_| connect_options(&file).synchronous(SqliteSynchronous::Normal));
    Database::connect(options).await.map_err(|source| OpenError { path: path.to_owned(), source })
}

/// One connection that writes and `readers` that cannot.
///
/// A commit is on the disk before it is answered (`synchronous=FULL`): a server has promised what it answered.
pub(super) async fn open_pair(
    path: &Path,
    readers: u32,
    acquire_timeout: Duration,
) -> Result<(DatabaseConnection, DatabaseConnection), sqlx::Error> {
    let options = connect_options(path).synchronous(SqliteSynchronous::Full);
    let writer = open_writer(options.clone()).await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(readers)
        .acquire_timeout(acquire_timeout)
        .idle_timeout(Duration::from_mins(1))
        .connect_lazy_with(options.pragma("query_only", "on"));
    Ok((SqlxSqliteConnector::from_sqlx_sqlite_pool(writer), SqlxSqliteConnector::from_sqlx_sqlite_pool(reader)))
}

/// The change to write-ahead mode does not wait for another process that makes it at the same moment, so it is tried again.
async fn open_writer(options: SqliteConnectOptions) -> Result<sqlx::SqlitePool, sqlx::Error> {
    let started = Instant::now();
    loop {
        // The connection stays open: with it goes the cache of pages and prepared statements.
        let pool = without_leftovers(SqlitePoolOptions::new())
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>);
        match pool.acquire_timeout(BUSY_TIMEOUT).connect_with(options.clone()).await {
            Err(error) if is_locked(&error) && started.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answer => return answer,
        }
    }
}

/// Closes a connection that is given back with a transaction that neither ended nor could be undone.
///
/// On a full disk SQLite undoes a transaction by itself. What then undoes it fails, and the driver goes on counting it: all that
/// follows would be parts of a transaction that nobody commits.
fn without_leftovers(pool: SqlitePoolOptions) -> SqlitePoolOptions {
    pool.after_release(|connection, _| {
        Box::pin(async move {
            if connection.is_in_transaction() {
                // A transaction that was dropped is undone by a command that this one follows.
                connection.ping().await?;
            }
            Ok(!connection.is_in_transaction())
        })
    })
}

fn is_locked(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if DbFault::of_driver(error.as_ref()) == DbFault::Busy)
}

/// What every connection to the file at `path` is opened with.
fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging()
}
