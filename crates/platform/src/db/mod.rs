//! Opens the embedded database: SQLite in write-ahead mode, so that readers and one writer never block each other.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kernel::ErrorKind;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

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

/// Opens the SQLite database at `path`, creating an empty one where there is none.
///
/// Commits survive a killed process. A loss of power can undo the last few commits but never tears the file
/// (`synchronous=NORMAL` in write-ahead mode), which suits rows that can be made again.
pub async fn open_sqlite(path: &Path) -> Result<DatabaseConnection, OpenError> {
    let file = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.sqlx_logging(false).max_connections(1).map_sqlx_sqlite_opts(move |_| {
        SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
    });
    Database::connect(options).await.map_err(|source| OpenError { path: path.to_owned(), source })
}

/// The sort of a database failure: a full device is `Exhausted`, a database held too long by another is `Conflict`.
pub fn error_kind(error: &DbErr) -> ErrorKind {
    // SQLite's own sentences (sqlite3ErrStr): the driver passes its primary and extended codes only as text.
    let message = error.to_string();
    if message.contains("database or disk is full") {
        ErrorKind::Exhausted
    } else if message.contains("database is locked") || message.contains("database table is locked") {
        ErrorKind::Conflict
    } else {
        ErrorKind::Internal
    }
}
