//! Brings tables up to date, a list of steps for each context, and back.
//!
//! Any number of processes may start at the same moment: each step runs under a lock of the database, in a transaction with the
//! row that says it was done. A process that is killed leaves a step done or not begun.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kernel::{Clock, ErrorKind, SystemClock};
use sea_orm::{ConnectionTrait, QueryResult};
use sea_orm_migration::{MigrationTrait, SchemaManager};

use super::{Backend, Db, DbError, Sql, Transaction, millis, timestamp};

/// The number under which PostgreSQL locks this list of steps, for every program of ours on a database: "pressmig" in ASCII.
const ADVISORY_LOCK: i64 = 0x7072_6573_736D_6967;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (\
     context TEXT NOT NULL, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL, PRIMARY KEY (context, name))";

/// The steps of one context, oldest first.
#[derive(Clone, Copy)]
pub struct Migrations {
    /// The name under which the steps are remembered; it never changes.
    pub context: &'static str,
    pub list: fn() -> Vec<Box<dyn MigrationTrait>>,
}

/// One step and whether it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    pub context: String,
    pub name: String,
    /// Milliseconds since the Unix epoch.
    pub applied_at_ms: Option<i64>,
}

/// Why tables could not be brought to the wanted state.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("migration `{name}` of `{context}` failed: {source}")]
    Step {
        context: &'static str,
        name: String,
        #[source]
        source: DbError,
    },
    #[error(
        "the database was migrated by a newer version of this program (`{name}` of `{context}` is not known); use that version, or go back with its `migrate down`"
    )]
    Newer { context: &'static str, name: String },
    #[error(transparent)]
    Db(#[from] DbError),
}

impl MigrateError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Step { source, .. } => source.kind(),
            Self::Newer { .. } => ErrorKind::Conflict,
            Self::Db(error) => error.kind(),
        }
    }
}

impl std::fmt::Debug for Migrations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Migrations").field(&self.context).finish()
    }
}

/// Does every step that was not done yet, in the order of the contexts, and returns how many this call did.
pub async fn up(db: &Db, contexts: &[Migrations]) -> Result<usize, MigrateError> {
    let mut done = 0;
    // A database that is up to date is told by one query: starting has to be quick.
    if find_pending(&read_applied(db.reader(), db.backend()).await.unwrap_or_default(), contexts)?.is_none() {
        return Ok(done);
    }
    make_table(db).await?;
    while db.transaction(|tx| async move { step_up(&tx, contexts).await }).await? {
        done += 1;
    }
    Ok(done)
}

/// Undoes the last `steps` steps of a context, newest first, and returns how many it undid.
pub async fn down(db: &Db, context: Migrations, steps: usize) -> Result<usize, MigrateError> {
    make_table(db).await?;
    for undone in 0..steps {
        if !db.transaction(|tx| async move { step_down(&tx, context).await }).await? {
            return Ok(undone);
        }
    }
    Ok(steps)
}

/// Every known step in order, done or not.
pub async fn status(db: &Db, contexts: &[Migrations]) -> Result<Vec<MigrationStatus>, MigrateError> {
    make_table(db).await?;
    let applied = read_applied(db.reader(), db.backend()).await?;
    let mut all = Vec::new();
    for context in contexts {
        for migration in (context.list)() {
            let key = (context.context.to_owned(), migration.name().to_owned());
            let applied_at_ms = applied.get(&key).copied();
            all.push(MigrationStatus { context: key.0, name: key.1, applied_at_ms });
        }
    }
    Ok(all)
}

/// The times of the steps that were done, by context and name.
type Applied = HashMap<(String, String), i64>;

/// A step that is to be done, with its context.
type Pending = (&'static str, Box<dyn MigrationTrait>);

async fn make_table(db: &Db) -> Result<(), MigrateError> {
    let table = &db.backend().ddl(TABLE);
    db.transaction(|tx| async move {
        lock(&tx).await?;
        tx.execute_unprepared(table).await.map_err(DbError::from)?;
        Ok(())
    })
    .await
}

/// Until the transaction ends, nobody else migrates. SQLite's writer is alone anyway.
async fn lock(tx: &Transaction) -> Result<(), DbError> {
    if tx.backend() == Backend::Postgres {
        // A step may take long, and waiting for one too.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        tx.query_one_raw(Sql::new("SELECT pg_advisory_xact_lock($1)").bind(ADVISORY_LOCK).on(tx.backend())).await?;
    }
    Ok(())
}

async fn read_applied(db: &impl ConnectionTrait, backend: Backend) -> Result<Applied, DbError> {
    let rows = db.query_all_raw(Sql::new("SELECT context, name, applied_at FROM migrations").on(backend)).await?;
    let read = |row: &QueryResult| -> Result<_, sea_orm::DbErr> {
        let at: DateTime<Utc> = row.try_get_by_index(2)?;
        Ok(((row.try_get_by_index(0)?, row.try_get_by_index(1)?), millis(at)))
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The first step that was not done, unless a step was done that is not known here.
fn find_pending(applied: &Applied, contexts: &[Migrations]) -> Result<Option<Pending>, MigrateError> {
    let mut pending = None;
    for context in contexts {
        let list = (context.list)();
        let is_known = |name: &str| list.iter().any(|migration| migration.name() == name);
        let unknown = applied.keys().find(|(of, name)| of == context.context && !is_known(name));
        if let Some((_, name)) = unknown {
            return Err(MigrateError::Newer { context: context.context, name: name.clone() });
        }
        let is_done = |name: &str| applied.contains_key(&(context.context.to_owned(), name.to_owned()));
        let first = list.into_iter().find(|migration| !is_done(migration.name()));
        pending = pending.or(first.map(|migration| (context.context, migration)));
    }
    Ok(pending)
}

/// Does the first step that was not done; `false` when there is none.
async fn step_up(tx: &Transaction, contexts: &[Migrations]) -> Result<bool, MigrateError> {
    lock(tx).await?;
    let applied = read_applied(&**tx, tx.backend()).await?;
    let Some((context, migration)) = find_pending(&applied, contexts)? else { return Ok(false) };
    let name = migration.name().to_owned();
    tracing::info!(context, name, "migrating the database");
    let failed = |source: sea_orm::DbErr| MigrateError::Step { context, name: name.clone(), source: source.into() };
    migration.up(&SchemaManager::new(&**tx)).await.map_err(failed)?;
    let row = Sql::new("INSERT INTO migrations (context, name, applied_at) VALUES ($1, $2, $3)")
        .bind(context)
        .bind(name.clone())
        .bind(timestamp(SystemClock.now_ms()));
    tx.execute_raw(row.on(tx.backend())).await.map_err(failed)?;
    Ok(true)
}

/// Undoes the newest step that was done; `false` when there is none.
async fn step_down(tx: &Transaction, context: Migrations) -> Result<bool, MigrateError> {
    lock(tx).await?;
    let applied = read_applied(&**tx, tx.backend()).await?;
    let is_done = |name: &str| applied.contains_key(&(context.context.to_owned(), name.to_owned()));
    let list = (context.list)();
    let Some(migration) = list.iter().rev().find(|migration| is_done(migration.name())) else { return Ok(false) };
    let name = migration.name().to_owned();
    let failed = |source: sea_orm::DbErr| MigrateError::Step {
        context: context.context,
        name: name.clone(),
        source: source.into(),
    };
    migration.down(&SchemaManager::new(&**tx)).await.map_err(failed)?;
    let row =
        Sql::new("DELETE FROM migrations WHERE context = $1 AND name = $2").bind(context.context).bind(name.clone());
    tx.execute_raw(row.on(tx.backend())).await.map_err(failed)?;
    Ok(true)
}

/// Runs statements that make or drop tables, written with the types of PostgreSQL (see [`Backend::ddl`]).
pub async fn run_ddl(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), sea_orm::DbErr> {
    let backend = match manager.get_database_backend() {
        sea_orm::DbBackend::Sqlite => Backend::Sqlite,
        _ => Backend::Postgres,
    };
    for statement in statements {
        manager.get_connection().execute_unprepared(&backend.ddl(statement)).await?;
    }
    Ok(())
}
