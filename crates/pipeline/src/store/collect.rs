//! Removes what was not used for long, or longest, and files that belong to nothing.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement, sea_query::Expr,
};

use super::{
    FolderLock, LockFile, Store,
    entity::{artifact, artifact_file, source},
};
use crate::{StoreError, error::blocking};

/// What is kept, in bytes. A file that several artifacts share counts once.
const TOTAL_BYTES: &str = "\
    SELECT (SELECT coalesce(sum(size_bytes), 0) \
              FROM (SELECT DISTINCT name, size_bytes FROM pipeline_artifact_files) AS files) \
         + (SELECT coalesce(sum(length(output)), 0) FROM pipeline_artifacts) AS bytes";

/// How many rows one statement removes.
const KEYS_PER_STATEMENT: usize = 500;

/// How much is kept, and for how long after its last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub max_bytes: u64,
    pub max_age: Duration,
}

/// What a removal removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    pub artifacts: usize,
    pub files: usize,
    pub bytes: u64,
}

#[derive(Debug, FromQueryResult)]
struct UsedArtifact {
    key: String,
    last_used_at_ms: i64,
    output_bytes: i64,
}

#[derive(Debug, FromQueryResult)]
struct Total {
    bytes: i64,
}

/// Removes artifacts that were not used within `max_age`, then the least recently used until `max_bytes` hold the rest,
/// then every file that no artifact names. While a run uses the folder nothing is removed, and `None` is returned.
pub async fn collect(store: &Store, limits: Limits) -> Result<Option<Collected>, StoreError> {
    let lock = store.run_lock_path();
    let alone = blocking(move || FolderLock::try_alone(&lock).map_err(|e| StoreError::io(&lock, e))).await?;
    let Some(_alone) = alone else { return Ok(None) };

    let mut files_of: HashMap<String, Vec<(String, u64)>> = HashMap::new();
    for row in artifact_file::Entity::find().all(store.db()).await? {
        files_of.entry(row.artifact_key).or_default().push((row.name, u64::try_from(row.size_bytes).unwrap_or(0)));
    }
    let artifacts = least_recently_used_first(store).await?;
    let oldest_ms = store.now_ms().saturating_sub(age_ms(limits.max_age));
    let doomed = choose(&artifacts, &files_of, limits.max_bytes, oldest_ms);
    // Rows go first: a row without its file would only be made again, a file without a row is found by the next sweep.
    remove_rows(store, &doomed, oldest_ms).await?;
    for key in &doomed {
        files_of.remove(key);
    }
    let named: HashSet<String> = files_of.into_values().flatten().map(|(name, _)| name).collect();
    let (blobs, locks) = (store.blobs_folder(), store.locks_folder());
    let (files, bytes) = blocking(move || {
        remove_dead_locks(&locks)?;
        remove_orphans(&blobs, &named)
    })
    .await?;
    Ok(Some(Collected { artifacts: doomed.len(), files, bytes }))
}

impl Store {
    /// Whether there is something to remove, told by two quick queries.
    pub(crate) async fn is_over(&self, limits: Limits) -> Result<bool, StoreError> {
        let oldest_ms = self.now_ms().saturating_sub(age_ms(limits.max_age));
        let old = artifact::Entity::find().filter(artifact::Column::LastUsedAtMs.lt(oldest_ms)).limit(1);
        if !old.select_only().column(artifact::Column::Key).into_tuple::<String>().all(self.db()).await?.is_empty() {
            return Ok(true);
        }
        let query = Statement::from_string(self.db().get_database_backend(), TOTAL_BYTES);
        let total = Total::find_by_statement(query).one(self.db()).await?.map_or(0, |total| total.bytes);
        Ok(u64::try_from(total).unwrap_or(0) > limits.max_bytes)
    }
}

async fn least_recently_used_first(store: &Store) -> Result<Vec<UsedArtifact>, DbErr> {
    artifact::Entity::find()
        .select_only()
        .columns([artifact::Column::Key, artifact::Column::LastUsedAtMs])
        .column_as(Expr::cust("length(output)"), "output_bytes")
        .order_by_asc(artifact::Column::LastUsedAtMs)
        .order_by_asc(artifact::Column::Key)
        .into_model::<UsedArtifact>()
        .all(store.db())
        .await
}

/// The keys to remove. A file that several artifacts share counts once, and is freed with the last of them.
fn choose(
    artifacts: &[UsedArtifact],
    files_of: &HashMap<String, Vec<(String, u64)>>,
    max_bytes: u64,
    oldest_ms: i64,
) -> Vec<String> {
    let mut sharers: HashMap<&str, usize> = HashMap::new();
    let mut total = 0_u64;
    for (name, size) in files_of.values().flatten() {
        let sharers = sharers.entry(name).or_insert(0);
        total += if *sharers == 0 { *size } else { 0 };
        *sharers += 1;
    }
    total += artifacts.iter().map(|artifact| u64::try_from(artifact.output_bytes).unwrap_or(0)).sum::<u64>();
    let mut doomed = Vec::new();
    for artifact in artifacts {
        if artifact.last_used_at_ms >= oldest_ms && total <= max_bytes {
            break;
        }
        total = total.saturating_sub(u64::try_from(artifact.output_bytes).unwrap_or(0));
        for (name, size) in files_of.get(&artifact.key).into_iter().flatten() {
            if let Some(left) = sharers.get_mut(name.as_str()) {
                *left -= 1;
                total = total.saturating_sub(if *left == 0 { *size } else { 0 });
            }
        }
        doomed.push(artifact.key.clone());
    }
    doomed
}

async fn remove_rows(store: &Store, keys: &[String], oldest_ms: i64) -> Result<(), DbErr> {
    for keys in keys.chunks(KEYS_PER_STATEMENT) {
        let rows = artifact::Entity::delete_many().filter(artifact::Column::Key.is_in(keys.iter().cloned()));
        rows.exec(store.db()).await?;
    }
    source::Entity::delete_many().filter(source::Column::HashedAtMs.lt(oldest_ms)).exec(store.db()).await?;
    Ok(())
}

/// Removes the kept files that `named` does not name; returns how many and their bytes.
fn remove_orphans(blobs: &Path, named: &HashSet<String>) -> Result<(usize, u64), StoreError> {
    let (mut files, mut bytes) = (0, 0);
    for folder in entries(blobs)? {
        for path in entries(&folder)? {
            let is_named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| named.contains(name));
            if is_named {
                continue;
            }
            let size = fs::metadata(&path).map_or(0, |found| found.len());
            fs::remove_file(&path).map_err(|e| StoreError::io(&path, e))?;
            files += 1;
            bytes += size;
        }
    }
    Ok((files, bytes))
}

/// Removes the lock files of killed processes: nobody else removes them, as each key's lock has its own name.
fn remove_dead_locks(locks: &Path) -> Result<(), StoreError> {
    for path in entries(locks)? {
        drop(LockFile::try_take(&path).map_err(|e| StoreError::io(&path, e))?);
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<BTreeSet<PathBuf>, StoreError> {
    let list = || -> io::Result<BTreeSet<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    list().map_err(|e| StoreError::io(folder, e))
}

fn age_ms(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}
