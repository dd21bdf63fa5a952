//! Artifacts that the workers of a team share: a row says that one is whole, its files lie on the shelf of the object store.
//!
//! The data folder of a worker is the cache in front of it. What comes from here is verified by its hash before it counts.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kernel::{Clock, ErrorKind};
use platform::{
    db::{
        Db, DbError, Sql,
        migrate::{Migrations, Step, run_ddl},
        timestamp,
    },
    storage::{Shelf, StorageError},
};
use sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::{FileRef, Key, Store, StoreError, run::Shared, store::Record};

/// Rows that one statement names.
const KEYS_PER_STATEMENT: usize = 200;

/// Files on their way at a time, to and from the store.
const TRANSFERS: usize = 4;

/// A use is written down at most so often.
const USE_INTERVAL: Duration = Duration::from_mins(10);

/// Where the workers of a team find what another made. Clones are the same.
#[derive(Debug, Clone)]
pub struct Exchange {
    db: Db,
    shelf: Shelf,
    clock: Arc<dyn Clock>,
    transfers: Arc<Semaphore>,
}

/// Why something could not be shared.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What came is whole and yet not what its name says, or the name is none.
    #[error("`{0}` is not what it is called")]
    Misnamed(String),
}

impl ExchangeError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Storage(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Misnamed(_) => ErrorKind::Internal,
        }
    }
}

impl From<DbErr> for ExchangeError {
    fn from(error: DbErr) -> Self {
        Self::Storage(StorageError::from(error))
    }
}

/// An artifact that another worker made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SharedArtifact {
    pub(crate) output: Value,
    pub(crate) elapsed: Duration,
}

/// The steps that make the table of shared artifacts. They need those of storage.
pub fn migrations() -> Migrations {
    Migrations { context: "pipeline", list: || vec![Step::expand(SharedArtifacts)] }
}

struct SharedArtifacts;

impl MigrationName for SharedArtifacts {
    fn name(&self) -> &'static str {
        "m20261128_000001_shared_artifacts"
    }
}

#[async_trait]
impl MigrationTrait for SharedArtifacts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let up = [
            "CREATE TABLE shared_artifacts (
                key TEXT NOT NULL PRIMARY KEY,
                stage TEXT NOT NULL,
                output TEXT NOT NULL,
                elapsed_ms BIGINT NOT NULL,
                used_at TIMESTAMPTZ NOT NULL
            )",
            "CREATE INDEX shared_artifacts_used ON shared_artifacts (used_at)",
        ];
        run_ddl(manager, &up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &["DROP TABLE shared_artifacts"]).await
    }
}

impl Exchange {
    pub fn new(db: Db, shelf: Shelf, clock: Arc<dyn Clock>) -> Self {
        Self { db, shelf, clock, transfers: Arc::new(Semaphore::new(TRANSFERS)) }
    }

    /// Those of `keys` that are whole here; they are in use from now on.
    pub(crate) async fn find(&self, keys: &[Key]) -> Result<HashMap<Key, SharedArtifact>, ExchangeError> {
        let mut found = HashMap::new();
        for some in keys.chunks(KEYS_PER_STATEMENT) {
            let places = (1..=some.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
            let query =
                Sql::new(format!("SELECT key, output, elapsed_ms FROM shared_artifacts WHERE key IN ({places})"));
            let query = some.iter().fold(query, |query, key| query.bind(key.to_string()));
            for row in self.db.writer().query_all_raw(query.on(self.db.backend())).await? {
                let (key, output): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let (Ok(key), Ok(output)) = (key.parse(), serde_json::from_str(&output)) else { continue };
                let elapsed = Duration::from_millis(row.try_get_by_index::<i64>(2)?.unsigned_abs());
                found.insert(key, SharedArtifact { output, elapsed });
            }
            self.touch(some, &places).await?;
        }
        let named: Vec<blake3::Hash> = found.values().flat_map(|artifact| hashes(&artifact.output)).collect();
        let there = self.shelf.find(&named).await?;
        found.retain(|_, artifact| hashes(&artifact.output).iter().all(|hash| there.contains(hash)));
        Ok(found)
    }

    async fn touch(&self, keys: &[Key], places: &str) -> Result<(), ExchangeError> {
        let now_ms = self.clock.now_ms();
        let touch = Sql::new(format!(
            "UPDATE shared_artifacts SET used_at = ${} WHERE key IN ({places}) AND used_at < ${}",
            keys.len() + 1,
            keys.len() + 2
        ));
        let touch = keys.iter().fold(touch, |touch, key| touch.bind(key.to_string()));
        let lately = timestamp(now_ms.saturating_sub(millis(USE_INTERVAL)));
        let touch = touch.bind(timestamp(now_ms)).bind(lately);
        self.db.writer().execute_raw(touch.on(self.db.backend())).await?;
        Ok(())
    }

    /// Shares an artifact of `store`: its files first, then the row that says that it is whole.
    pub(crate) async fn offer(&self, record: &Record<'_>, store: &Store) -> Result<(), ExchangeError> {
        self.offer_files(&FileRef::all_in(&record.output), store).await?;
        let insert = Sql::new(
            "INSERT INTO shared_artifacts (key, stage, output, elapsed_ms, used_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (key) DO UPDATE SET output = excluded.output, used_at = excluded.used_at",
        );
        let insert = insert.bind(record.key.to_string()).bind(record.stage).bind(record.output.to_string());
        let insert = insert.bind(millis(record.elapsed)).bind(timestamp(self.clock.now_ms()));
        self.db.writer().execute_raw(insert.on(self.db.backend())).await?;
        Ok(())
    }

    /// Shares kept files, a few at a time.
    pub(crate) async fn offer_files(&self, files: &[FileRef], store: &Store) -> Result<(), ExchangeError> {
        let files = files.iter().map(|file| (file.clone(), store.path(file))).collect::<Vec<_>>();
        let offer = |(file, path): (FileRef, PathBuf)| async move {
            let hash = file.blake3().ok_or_else(|| ExchangeError::Misnamed(file.name()))?;
            let _transfer = self.transfers.acquire().await;
            Ok::<_, ExchangeError>(self.shelf.put(&hash, &path).await?)
        };
        stream::iter(files.into_iter().map(offer)).buffer_unordered(TRANSFERS).try_collect().await
    }

    /// Brings those of `files` into the data folder of a run that are not there yet, a few at a time.
    pub(crate) async fn fetch_files(&self, files: &[FileRef], run: &Shared) -> Result<(), ExchangeError> {
        let is_missing = |file: &&FileRef| !run.store.are_whole(std::slice::from_ref(*file));
        let missing: Vec<FileRef> = files.iter().filter(is_missing).cloned().collect();
        let fetch = |file: FileRef| async move {
            let hash = file.blake3().ok_or_else(|| ExchangeError::Misnamed(file.name()))?;
            let _transfer = self.transfers.acquire().await;
            let temp = run.temp_file(file.extension())?;
            self.shelf.fetch(&hash, file.size_bytes(), temp.path()).await?;
            let kept = run.store.keep(temp).await?;
            if kept == file { Ok(()) } else { Err(ExchangeError::Misnamed(file.name())) }
        };
        stream::iter(missing.into_iter().map(fetch)).buffer_unordered(TRANSFERS).try_collect().await
    }

    /// Removes what nobody used for long, and what there is no room for; returns how many artifacts and files that were. Any
    /// number of processes may do it at the same time.
    pub async fn sweep(&self) -> Result<(u64, u64), StorageError> {
        let before_ms = self.clock.now_ms().saturating_sub(millis(self.shelf.limits().max_age));
        let remove = Sql::new("DELETE FROM shared_artifacts WHERE used_at < $1").bind(timestamp(before_ms));
        let removed = self.db.writer().execute_raw(remove.on(self.db.backend())).await.map_err(DbError::from)?;
        Ok((removed.rows_affected(), self.shelf.sweep().await?))
    }
}

fn hashes(output: &Value) -> Vec<blake3::Hash> {
    FileRef::all_in(output).iter().filter_map(FileRef::blake3).collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
