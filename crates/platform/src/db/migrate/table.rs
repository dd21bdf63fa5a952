//! The two tables that migrations keep: of steps that were done, and of the programs that run.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kernel::{Clock as _, SystemClock, Uuid};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::{Phase, Version};
use crate::db::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// The number under which PostgreSQL locks the lists of steps, for every program of ours on a database: "pressmig" in ASCII.
const ADVISORY_LOCK: i64 = 0x7072_6573_736D_6967;

const STEPS: &str = "CREATE TABLE IF NOT EXISTS migrations (\
     context TEXT NOT NULL, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL, contracts_since TEXT, \
     PRIMARY KEY (context, name))";

const INSTANCES: &str = "CREATE TABLE IF NOT EXISTS instances (\
     id UUID NOT NULL PRIMARY KEY, kind TEXT NOT NULL, version TEXT NOT NULL, beat BIGINT NOT NULL, \
     started_at TIMESTAMPTZ NOT NULL)";

/// A step that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    /// Milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
    pub(super) phase: Phase,
}

/// The steps that were done, by context and name.
pub(super) type Applied = HashMap<(String, String), Done>;

/// A program that runs on the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: Uuid,
    /// What it does, such as `server`.
    pub kind: String,
    pub version: Version,
    pub(crate) beat: i64,
}

impl std::fmt::Display for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.kind, self.version, self.id)
    }
}

/// Makes the tables, and what a table of an earlier version lacks.
pub(super) async fn make(db: &Db) -> Result<(), DbError> {
    db.transaction(|tx| async move {
        lock(&tx).await?;
        for table in [STEPS, INSTANCES] {
            tx.execute_unprepared(&tx.backend().ddl(table)).await?;
        }
        let column = match tx.backend() {
            Backend::Sqlite => "SELECT 1 FROM pragma_table_info('migrations') WHERE name = 'contracts_since'",
            Backend::Postgres => {
                "SELECT 1 FROM pg_attribute WHERE attrelid = 'migrations'::regclass AND attname = 'contracts_since'"
            }
        };
        if tx.query_one_raw(Sql::new(column).on(tx.backend())).await?.is_none() {
            tx.execute_unprepared("ALTER TABLE migrations ADD COLUMN contracts_since TEXT").await?;
        }
        Ok(())
    })
    .await
}

/// Until the transaction ends, nobody else migrates. SQLite's writer is alone anyway. The lock is the transaction's and not the
/// session's, which a pooler may give to others.
pub(in crate::db) async fn lock(tx: &Transaction) -> Result<(), DbError> {
    if tx.backend() == Backend::Postgres {
        // A step may take long, and waiting for one too.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        tx.query_one_raw(Sql::new("SELECT pg_advisory_xact_lock($1)").bind(ADVISORY_LOCK).on(tx.backend())).await?;
    }
    Ok(())
}

pub(super) async fn read_applied(db: &impl ConnectionTrait, backend: Backend) -> Result<Applied, DbError> {
    let query = "SELECT context, name, applied_at, contracts_since FROM migrations";
    let rows = db.query_all_raw(Sql::new(query).on(backend)).await?;
    let read = |row: &QueryResult| -> Result<_, DbErr> {
        let at: DateTime<Utc> = row.try_get_by_index(2)?;
        let since: Option<String> = row.try_get_by_index(3)?;
        let phase = Phase::of(since.map(|since| version(&since)).transpose()?);
        Ok(((row.try_get_by_index(0)?, row.try_get_by_index(1)?), Done { at_ms: millis(at), phase }))
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub(super) async fn add(tx: &Transaction, context: &str, name: &str, phase: Phase) -> Result<(), DbErr> {
    let row = Sql::new("INSERT INTO migrations (context, name, applied_at, contracts_since) VALUES ($1, $2, $3, $4)")
        .bind(context)
        .bind(name)
        .bind(timestamp(SystemClock.now_ms()))
        .bind(phase.since().map(|since| since.to_string()));
    tx.execute_raw(row.on(tx.backend())).await.map(drop)
}

pub(super) async fn remove(tx: &Transaction, context: &str, name: &str) -> Result<(), DbErr> {
    let row = Sql::new("DELETE FROM migrations WHERE context = $1 AND name = $2").bind(context).bind(name);
    tx.execute_raw(row.on(tx.backend())).await.map(drop)
}

/// The programs that run, and those that died and are not known to have.
pub(in crate::db) async fn read_instances(
    db: &impl ConnectionTrait,
    backend: Backend,
) -> Result<Vec<Instance>, DbError> {
    let rows = db.query_all_raw(Sql::new("SELECT id, kind, version, beat FROM instances").on(backend)).await?;
    let read = |row: &QueryResult| -> Result<_, DbErr> {
        let written: String = row.try_get_by_index(2)?;
        let (id, kind, beat) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(3)?);
        Ok(Instance { id, kind, version: version(&written)?, beat })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn version(text: &str) -> Result<Version, DbErr> {
    text.parse().map_err(|error: super::VersionError| DbErr::Type(error.to_string()))
}
