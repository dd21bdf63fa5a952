//! Brings tables up to date, a list of steps for each context, and back.
//!
//! Any number of processes may start at the same moment: each step runs under a lock of the database, in a transaction with the
//! row that says it was done. A process that is killed leaves a step done or not begun.
//!
//! Versions that run side by side share the tables. A step that adds is done at once; one that takes away waits until no
//! version runs that still uses what it takes.

mod step;
pub(super) mod table;
mod version;

use kernel::ErrorKind;
use sea_orm::ConnectionTrait as _;
use sea_orm_migration::SchemaManager;

use self::table::Applied;
pub use self::{
    step::{Migrations, Phase, Step},
    table::Instance,
    version::{Version, VersionError},
};
use super::{Backend, Db, DbError, Transaction};

/// One step and whether it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    pub context: String,
    pub name: String,
    pub phase: Phase,
    /// Milliseconds since the Unix epoch.
    pub applied_at_ms: Option<i64>,
    /// Whether this version knows it; those that it does not know are of a newer one.
    pub is_known: bool,
    /// Who has to end before it is done.
    pub waits_for: Option<Instance>,
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
        "the database was migrated by a newer version of this program (`{name}` of `{context}` takes away what versions before {since} use); run {since} or newer"
    )]
    Newer { context: String, name: String, since: Version },
    #[error(
        "`{name}` of `{context}` was done by a newer version of this program; undo it with that version's `migrate down`"
    )]
    NotOurs { context: String, name: String },
    #[error(
        "migration `{name}` of `{context}` takes away what {instance} still uses; stop it, and try again: a process that died is noticed within half a minute"
    )]
    InUse { context: String, name: String, instance: Instance },
    #[error(transparent)]
    Db(#[from] DbError),
}

impl MigrateError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Step { source, .. } => source.kind(),
            Self::Newer { .. } | Self::NotOurs { .. } | Self::InUse { .. } => ErrorKind::Conflict,
            Self::Db(error) => error.kind(),
        }
    }
}

/// Does every step that was not done yet and that nobody stands in the way of, those that add before those that take away, each
/// in the order of the contexts. Returns how many this call did.
pub async fn up(db: &Db, contexts: &[Migrations]) -> Result<usize, MigrateError> {
    up_as(Version::of_program(), db, contexts).await
}

/// The same as another version than this program's.
pub async fn up_as(version: Version, db: &Db, contexts: &[Migrations]) -> Result<usize, MigrateError> {
    let mut done = 0;
    // A database that is up to date is told by one query: starting has to be quick.
    let applied = table::read_applied(db.reader(), db.backend()).await.unwrap_or_default();
    check(version, &applied, contexts)?;
    if find_pending(&applied, contexts, |_| true).is_none() {
        return Ok(done);
    }
    table::make(db).await?;
    while db.transaction(|tx| async move { step_up(version, &tx, contexts).await }).await? {
        done += 1;
    }
    Ok(done)
}

/// Undoes the last `steps` steps of a context, newest first, and returns how many it undid.
pub async fn down(db: &Db, context: Migrations, steps: usize) -> Result<usize, MigrateError> {
    table::make(db).await?;
    for undone in 0..steps {
        if !db.transaction(|tx| async move { step_down(&tx, context).await }).await? {
            return Ok(undone);
        }
    }
    Ok(steps)
}

/// Every known step in order, done or not, and then those that a newer version did.
pub async fn status(db: &Db, contexts: &[Migrations]) -> Result<Vec<MigrationStatus>, MigrateError> {
    table::make(db).await?;
    status_of(db, contexts).await
}

/// The same of a database that has the tables for it.
pub(super) async fn status_of(db: &Db, contexts: &[Migrations]) -> Result<Vec<MigrationStatus>, MigrateError> {
    let mut applied = table::read_applied(db.reader(), db.backend()).await?;
    let instances = table::read_instances(db.reader(), db.backend()).await?;
    let mut all = Vec::new();
    for context in contexts {
        for step in (context.list)() {
            let key = (context.context.to_owned(), step.name().to_owned());
            let applied_at_ms = applied.remove(&key).map(|done| done.at_ms);
            let user = find_user(&instances, step.phase).filter(|_| applied_at_ms.is_none()).cloned();
            let (phase, (context, name)) = (step.phase, key);
            all.push(MigrationStatus { context, name, phase, applied_at_ms, is_known: true, waits_for: user });
        }
    }
    let mut newer: Vec<_> = applied.into_iter().collect();
    newer.sort_by_key(|(_, done)| done.at_ms);
    all.extend(newer.into_iter().map(|((context, name), done)| MigrationStatus {
        context,
        name,
        phase: done.phase,
        applied_at_ms: Some(done.at_ms),
        is_known: false,
        waits_for: None,
    }));
    Ok(all)
}

/// Fails where a step that takes away waits for somebody.
pub fn require_all(steps: &[MigrationStatus]) -> Result<(), MigrateError> {
    let waiting = steps.iter().find_map(|step| Some((step, step.waits_for.clone()?)));
    let Some((MigrationStatus { context, name, .. }, instance)) = waiting else { return Ok(()) };
    Err(MigrateError::InUse { context: context.clone(), name: name.clone(), instance })
}

/// The same as [`check`] in a transaction.
pub(super) async fn check_in(tx: &Transaction, version: Version, contexts: &[Migrations]) -> Result<(), MigrateError> {
    check(version, &table::read_applied(&**tx, tx.backend()).await?, contexts)
}

/// Whether `version` can work on tables with these steps: of those that it does not know none took away what it uses.
fn check(version: Version, applied: &Applied, contexts: &[Migrations]) -> Result<(), MigrateError> {
    for context in contexts {
        let list = (context.list)();
        for ((of, name), done) in applied {
            let is_known = of != context.context || list.iter().any(|step| step.name() == name);
            if let Some(since) = done.phase.since().filter(|since| !is_known && version < *since) {
                return Err(MigrateError::Newer { context: of.clone(), name: name.clone(), since });
            }
        }
    }
    Ok(())
}

/// The program that still uses what a step of this phase takes away.
fn find_user(instances: &[Instance], phase: Phase) -> Option<&Instance> {
    let since = phase.since()?;
    instances.iter().filter(|instance| instance.version < since).min_by_key(|instance| instance.version)
}

/// The first step that was not done and may be, of those that add before those that take away.
fn find_pending(
    applied: &Applied,
    contexts: &[Migrations],
    may: impl Fn(Phase) -> bool,
) -> Option<(&'static str, Step)> {
    let mut contracts = None;
    for context in contexts {
        for step in (context.list)() {
            let is_done = applied.contains_key(&(context.context.to_owned(), step.name().to_owned()));
            if is_done || !may(step.phase) {
                continue;
            }
            if step.phase == Phase::Expand {
                return Some((context.context, step));
            }
            contracts = contracts.or(Some((context.context, step)));
        }
    }
    contracts
}

/// Does the next step; `false` when there is none to be done.
async fn step_up(version: Version, tx: &Transaction, contexts: &[Migrations]) -> Result<bool, MigrateError> {
    table::lock(tx).await?;
    let applied = table::read_applied(&**tx, tx.backend()).await?;
    check(version, &applied, contexts)?;
    let instances = table::read_instances(&**tx, tx.backend()).await?;
    let is_free = |phase| find_user(&instances, phase).is_none();
    let Some((context, step)) = find_pending(&applied, contexts, is_free) else { return Ok(false) };
    let name = step.name().to_owned();
    tracing::info!(context, name, "migrating the database");
    let failed = |source: sea_orm::DbErr| MigrateError::Step { context, name: name.clone(), source: source.into() };
    step.migration.up(&SchemaManager::new(&**tx)).await.map_err(failed)?;
    table::add(tx, context, &name, step.phase).await.map_err(failed)?;
    Ok(true)
}

/// Undoes the newest step that was done; `false` when there is none.
async fn step_down(tx: &Transaction, context: Migrations) -> Result<bool, MigrateError> {
    table::lock(tx).await?;
    let applied = table::read_applied(&**tx, tx.backend()).await?;
    let list = (context.list)();
    for (of, name) in applied.keys().filter(|(of, _)| of == context.context) {
        // What came after our steps may stand on them.
        if !list.iter().any(|step| step.name() == name) {
            return Err(MigrateError::NotOurs { context: of.clone(), name: name.clone() });
        }
    }
    let is_done = |name: &str| applied.contains_key(&(context.context.to_owned(), name.to_owned()));
    let Some(step) = list.iter().rev().find(|step| is_done(step.name())) else { return Ok(false) };
    let name = step.name().to_owned();
    let failed = |source: sea_orm::DbErr| MigrateError::Step {
        context: context.context,
        name: name.clone(),
        source: source.into(),
    };
    step.migration.down(&SchemaManager::new(&**tx)).await.map_err(failed)?;
    table::remove(tx, context.context, &name).await.map_err(failed)?;
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
