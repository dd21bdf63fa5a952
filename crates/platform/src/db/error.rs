//! What went wrong in a database, told alike for SQLite and PostgreSQL.

use std::{io, sync::Arc, time::Duration};

use kernel::ErrorKind;
use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError, sqlite::SqliteError},
};

/// The sort of a database's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DbFault {
    /// A row with this unique value is already there.
    Taken,
    /// A row that is named is not there, or is still needed by another.
    Reference,
    /// Another transaction was in the way; the same transaction may work now.
    Busy,
    /// The disk or a quota is full.
    Full,
    /// The database does not answer, or no connection was free in time.
    Unavailable,
    /// It does not let this user in, or has no such database.
    Refused,
    /// A statement took longer than it may.
    Timeout,
    /// Anything else is a fault of the program.
    Other,
}

/// A failure of the database, with its sort.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {source}", .fault.text())]
pub struct DbError {
    pub fault: DbFault,
    #[source]
    pub source: DbErr,
}

impl DbError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.fault.kind()
    }

    /// When it is worth trying again, for failures that may go away by themselves.
    pub fn retry_after(&self) -> Option<Duration> {
        self.fault.retry_after()
    }

    /// The constraint that stood against it: its name in PostgreSQL, `table.column` in SQLite.
    pub fn constraint(&self) -> Option<String> {
        let database = find_driver_error(&self.source)?;
        if let Some(name) = database.constraint() {
            return Some(name.to_owned());
        }
        database.message().split_once("constraint failed: ").map(|(_, columns)| columns.to_owned())
    }
}

impl From<DbErr> for DbError {
    fn from(source: DbErr) -> Self {
        Self { fault: DbFault::of(&source), source }
    }
}

impl DbFault {
    /// The sort of a failure.
    pub fn of(error: &DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => Self::Unavailable,
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => Self::of_sqlx(error),
            _ => Self::Other,
        }
    }

    pub(super) fn of_sqlx(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_driver(error.as_ref()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable,
            _ => Self::Other,
        }
    }

    pub(super) fn of_driver(error: &(dyn DatabaseError + 'static)) -> Self {
        let code = error.code().unwrap_or_default();
        if error.try_downcast_ref::<SqliteError>().is_some() {
            return code.parse().map_or(Self::Other, of_sqlite);
        }
        of_postgres(&code)
    }

    /// The sort in words that every crate shares.
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::Taken | Self::Reference => ErrorKind::Conflict,
            Self::Full => ErrorKind::Exhausted,
            Self::Busy | Self::Unavailable | Self::Timeout => ErrorKind::Unavailable,
            Self::Refused => ErrorKind::Invalid,
            Self::Other => ErrorKind::Internal,
        }
    }

    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Busy => Some(Duration::from_secs(1)),
            Self::Unavailable | Self::Timeout => Some(Duration::from_secs(5)),
            Self::Full => Some(Duration::from_mins(1)),
            _ => None,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Taken => "the database already has this",
            Self::Reference => "the database lacks what this refers to, or still refers to it",
            Self::Busy => "the database is busy; try again",
            Self::Full => "the database is full; free some space",
            Self::Unavailable => "the database does not answer; try again",
            Self::Refused => "the database refuses this user; check `DATABASE_URL`",
            Self::Timeout => "the database took too long; try again",
            Self::Other => "the database failed",
        }
    }
}

/// Result codes of SQLite (sqlite.org/rescode.html); extended codes carry the primary one in their low byte.
fn of_sqlite(code: u32) -> DbFault {
    const PRIMARY_KEY: u32 = 1555;
    const UNIQUE: u32 = 2067;
    const FOREIGN_KEY: u32 = 787;
    match code {
        PRIMARY_KEY | UNIQUE => return DbFault::Taken,
        FOREIGN_KEY => return DbFault::Reference,
        _ => {}
    }
    match code & 0xFF {
        5 | 6 => DbFault::Busy,
        13 => DbFault::Full,
        // An error of the disk, and a file that cannot be opened.
        10 | 14 => DbFault::Unavailable,
        _ => DbFault::Other,
    }
}

/// A statement that changes something, on a server that takes no writes.
const READ_ONLY: &str = "25006";

/// Codes of SQLSTATE (PostgreSQL's appendix A).
fn of_postgres(code: &str) -> DbFault {
    match code {
        "23505" => DbFault::Taken,
        "23503" => DbFault::Reference,
        // Serialization, deadlock, a lock that was not free.
        "40001" | "40P01" | "55P03" => DbFault::Busy,
        "57014" | "25P03" => DbFault::Timeout,
        // Disk full, out of memory, a quota.
        "53100" | "53200" | "53400" => DbFault::Full,
        // Wrong password, wrong user, no such database.
        "28P01" | "28000" | "3D000" | "42501" => DbFault::Refused,
        // The server was demoted: another takes writes now.
        READ_ONLY => DbFault::Unavailable,
        _ if code.starts_with("08") || code.starts_with("57P") || code == "53300" => DbFault::Unavailable,
        _ => DbFault::Other,
    }
}

/// Whether a failure is that of a connection, or of a server that takes no writes any more, and not of the statement.
pub(super) fn is_lost(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    match error.as_ref() {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            code == READ_ONLY || code.starts_with("08") || code.starts_with("57P")
        }
        _ => false,
    }
}

/// Whether it is what `PgBouncer` says to the settings of a session, which are not for it.
pub(super) fn is_of_pooler(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("unsupported startup parameter"))
}

/// The failure of a connection that was given up.
pub(super) fn lost(kind: io::ErrorKind, reason: &'static str) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(io::Error::new(kind, reason)))))
}

fn find_driver_error(error: &DbErr) -> Option<&(dyn DatabaseError + 'static)> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_ref() {
            sqlx::Error::Database(error) => Some(error.as_ref()),
            _ => None,
        },
        _ => None,
    }
}

/// The sort of a failure of the one-user data folder: a database held too long by another process is `Conflict` there.
pub fn error_kind(error: &DbErr) -> ErrorKind {
    match DbFault::of(error) {
        DbFault::Busy => ErrorKind::Conflict,
        fault => fault.kind(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_sqlite_are_told_apart() {
        for (code, fault) in [
            (2067, DbFault::Taken),
            (1555, DbFault::Taken),
            (787, DbFault::Reference),
            (5, DbFault::Busy),
            (517, DbFault::Busy),
            (13, DbFault::Full),
            (778, DbFault::Unavailable),
            (1, DbFault::Other),
        ] {
            assert_eq!(of_sqlite(code), fault, "{code}");
        }
    }

    #[test]
    fn codes_of_postgres_are_told_apart() {
        for (code, fault) in [
            ("23505", DbFault::Taken),
            ("40P01", DbFault::Busy),
            ("57014", DbFault::Timeout),
            ("53100", DbFault::Full),
            ("57P01", DbFault::Unavailable),
            ("08006", DbFault::Unavailable),
            ("25006", DbFault::Unavailable),
            ("28P01", DbFault::Refused),
            ("42P01", DbFault::Other),
        ] {
            assert_eq!(of_postgres(code), fault, "{code}");
        }
    }
}
