//! How far the servers of PostgreSQL are in the log of all changes.

use sea_orm::sqlx::{self, AssertSqlSafe, PgConnection, Row as _, postgres::PgRow};

/// What a server that takes writes is asked.
///
/// What was committed and answered lies before the end of the log that was written out. Where commits do not wait for that, it
/// lies before the end of the log.
const OF_PRIMARY: &str = "SELECT current_setting('transaction_read_only'), \
     CASE WHEN pg_is_in_recovery() THEN '0' ELSE (CASE current_setting('synchronous_commit') \
         WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint::text END, \
     CASE WHEN pg_is_in_recovery() THEN '0' ELSE \
         ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint::text END";

/// What a replica is asked.
const OF_REPLICA: &str = "SELECT pg_is_in_recovery()::text, \
     coalesce((pg_last_wal_replay_lsn() - '0/0')::bigint, 0)::text";

/// Which server and which history it is. The number of the history that a replica tells may be late, never early.
const IDENTITY: &str = "SELECT s.system_identifier::text, c.timeline_id::text, pg_postmaster_start_time()::text \
     FROM pg_control_system() s, pg_control_checkpoint() c";

/// A place in the log of changes. Places of different histories do not compare: with each promotion a new one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The database cluster, which all its copies share.
    pub(super) system: u64,
    pub(super) timeline: u32,
    pub(super) lsn: u64,
}

/// Which server one is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The database cluster, which all its copies share.
    pub(super) system: u64,
    /// The history that its files surely belong to.
    pub(super) timeline: u32,
    /// When it was started, to the microsecond: no other server has the same.
    pub(super) started: String,
}

/// Where a server of `system` is that takes writes; nothing where it takes none.
pub(super) async fn of_primary(connection: &mut PgConnection, system: u64) -> Result<Option<Position>, sqlx::Error> {
    let row = ask(connection, OF_PRIMARY).await?;
    let position = Position { system, timeline: number(&row, 2)?, lsn: number(&row, 1)? };
    Ok((text(&row, 0)? == "off").then_some(position))
}

/// How far a replica has replayed; nothing where it is none, because it was promoted or never was one.
pub(super) async fn of_replica(connection: &mut PgConnection) -> Result<Option<u64>, sqlx::Error> {
    let row = ask(connection, OF_REPLICA).await?;
    Ok(if text(&row, 0)? == "true" { Some(number(&row, 1)?) } else { None })
}

/// Which server this is.
pub(super) async fn identity(connection: &mut PgConnection) -> Result<Identity, sqlx::Error> {
    let row = ask(connection, IDENTITY).await?;
    Ok(Identity { system: number(&row, 0)?, timeline: number(&row, 1)?, started: text(&row, 2)? })
}

/// As one message, without a prepared statement: also a pooler passes it on whole.
async fn ask(connection: &mut PgConnection, question: &'static str) -> Result<PgRow, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(question)).fetch_one(connection).await
}

fn text(row: &PgRow, index: usize) -> Result<String, sqlx::Error> {
    row.try_get(index)
}

fn number<N: std::str::FromStr>(row: &PgRow, index: usize) -> Result<N, sqlx::Error> {
    let text = text(row, index)?;
    text.parse().map_err(|_| sqlx::Error::Protocol(format!("`{text}` is no place in a log")))
}
