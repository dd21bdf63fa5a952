//! A shelf that processes share: files of ours named by their content, in the object store, each with a row that says where.
//!
//! Unlike files of users they have no owner and no quota, nobody sees them, and they go when nobody used them for long.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use futures::StreamExt as _;
use kernel::Clock;
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::{Located, ObjectId, Objects, SealFault, StorageError, table::read_seal};
use crate::db::{Db, Sql, timestamp};

/// How much of a file is read at a time.
const READ_BYTES: usize = 256 * 1024;

/// How many rows one statement names.
const ROWS_PER_STATEMENT: usize = 200;

/// What was used within this time is not removed to make room: a job that runs may be about to fetch it.
const IN_USE: Duration = Duration::from_hours(24);

/// A use is written down at most so often.
const USE_INTERVAL: Duration = Duration::from_mins(10);

/// How much lies on a shelf at most, and for how long after its last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShelfLimits {
    pub max_bytes: u64,
    pub max_age: Duration,
    /// What stays free of the disk, where the store is a folder of this machine.
    pub min_free_bytes: u64,
}

/// The shelf of a database and an object store. Clones are the same.
#[derive(Debug, Clone)]
pub struct Shelf {
    db: Db,
    objects: Objects,
    clock: Arc<dyn Clock>,
    limits: ShelfLimits,
}

impl Shelf {
    pub fn new(db: Db, objects: Objects, clock: Arc<dyn Clock>, limits: ShelfLimits) -> Self {
        Self { db, objects, clock, limits }
    }

    /// How much it holds at most.
    pub fn limits(&self) -> ShelfLimits {
        self.limits
    }

    /// Puts a file there whose content has the BLAKE3 hash `hash`, unless it is there.
    pub async fn put(&self, hash: &blake3::Hash, path: &Path) -> Result<(), StorageError> {
        if !self.find(&[*hash]).await?.is_empty() {
            return Ok(());
        }
        let file = tokio::fs::File::open(path).await?;
        let size_bytes = file.metadata().await?.len();
        self.objects.check_room(size_bytes, self.limits.min_free_bytes)?;
        let stored = self.objects.write(ReaderStream::with_capacity(file, READ_BYTES), size_bytes).await?;
        if stored.hash != *hash {
            self.objects.discard(&[stored.object]).await;
            return Err(StorageError::Altered);
        }
        let insert = Sql::new(
            "INSERT INTO shelf (hash, object, size_bytes, used_at, seal) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (hash) DO NOTHING",
        );
        let insert = insert.bind(hash.to_hex().to_string()).bind(stored.object.as_uuid());
        let insert = insert.bind(i64::try_from(size_bytes).unwrap_or(i64::MAX)).bind(timestamp(self.clock.now_ms()));
        let insert = insert.bind(stored.seal.map(|seal| seal.to_string()));
        if self.execute(insert).await? == 0 {
            // Another was quicker.
            self.objects.discard(&[stored.object]).await;
        }
        Ok(())
    }

    /// Those of `hashes` that are there; they are in use from now on.
    pub async fn find(&self, hashes: &[blake3::Hash]) -> Result<HashSet<blake3::Hash>, StorageError> {
        let now_ms = self.clock.now_ms();
        let lately = timestamp(now_ms.saturating_sub(millis(USE_INTERVAL)));
        let mut found = HashSet::new();
        for some in hashes.chunks(ROWS_PER_STATEMENT) {
            let names = |query: Sql| some.iter().fold(query, |query, hash| query.bind(hash.to_hex().to_string()));
            let places = places(some.len());
            let touch = names(Sql::new(format!(
                "UPDATE shelf SET used_at = ${} WHERE hash IN ({places}) AND used_at < ${}",
                some.len() + 1,
                some.len() + 2
            )));
            self.execute(touch.bind(timestamp(now_ms)).bind(lately)).await?;
            let query = names(Sql::new(format!("SELECT hash FROM shelf WHERE hash IN ({places})")));
            for row in self.db.writer().query_all_raw(query.on(self.db.backend())).await? {
                let hash: String = row.try_get_by_index(0)?;
                found.extend(blake3::Hash::from_hex(&hash));
            }
        }
        Ok(found)
    }

    /// Copies a file of `size_bytes` to `target`, whole and as it was put there; or fails, with less or nothing written.
    ///
    /// What turns out lost or altered is forgotten, so that it can be put there anew.
    pub async fn fetch(&self, hash: &blake3::Hash, size_bytes: u64, target: &Path) -> Result<(), StorageError> {
        let query = Sql::new("SELECT object, seal FROM shelf WHERE hash = $1").bind(hash.to_hex().to_string());
        let row = self.db.writer().query_one_raw(query.on(self.db.backend())).await?;
        let row = row.ok_or(StorageError::NotShelved)?;
        let object = ObjectId::from_uuid(row.try_get_by_index(0)?);
        let located = Located { object, size_bytes, seal: read_seal(&row, 1)? };
        let copied = self.copy(located, target).await;
        let lost = match copied {
            Ok(copied) if copied == *hash => return Ok(()),
            Ok(_) => StorageError::Altered,
            Err(error) if is_gone(&error) => error,
            Err(error) => return Err(error),
        };
        tracing::warn!(%hash, error = %lost, "what lay on the shelf is lost");
        let forget = Sql::new("DELETE FROM shelf WHERE hash = $1 AND object = $2");
        self.execute(forget.bind(hash.to_hex().to_string()).bind(object.as_uuid())).await?;
        self.objects.discard(&[object]).await;
        Err(lost)
    }

    /// Copies no more than is asked for, and returns the hash of what came.
    async fn copy(&self, located: Located, target: &Path) -> Result<blake3::Hash, StorageError> {
        let mut file = tokio::fs::File::create(target).await?;
        let mut bytes = self.objects.read(located, 0..located.size_bytes).await?;
        let (mut hasher, mut left) = (blake3::Hasher::new(), located.size_bytes);
        while let Some(bytes) = bytes.next().await {
            let bytes = bytes?;
            left = left.checked_sub(bytes.len() as u64).ok_or(StorageError::Altered)?;
            hasher.update(&bytes);
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        Ok(hasher.finalize())
    }

    /// Removes what was not used for long, then what was used longest ago until the rest has room, and returns how many files
    /// that were. Any number of processes may do it at the same time.
    pub async fn sweep(&self) -> Result<u64, StorageError> {
        let now_ms = self.clock.now_ms();
        let mut removed = 0;
        loop {
            let some = self.remove(now_ms.saturating_sub(millis(self.limits.max_age))).await?;
            removed += some;
            if some == 0 {
                break;
            }
        }
        while self.total_bytes().await? > self.limits.max_bytes {
            let some = self.remove(now_ms.saturating_sub(millis(IN_USE.min(self.limits.max_age)))).await?;
            removed += some;
            if some == 0 {
                break;
            }
        }
        Ok(removed)
    }

    /// Removes some of what was not used since `before_ms`, the longest unused first. Rows go first: an object without one is
    /// found by the sweep of files.
    async fn remove(&self, before_ms: i64) -> Result<u64, StorageError> {
        let remove = Sql::new(format!(
            "DELETE FROM shelf WHERE used_at < $1
                AND hash IN (SELECT hash FROM shelf WHERE used_at < $1 ORDER BY used_at LIMIT {ROWS_PER_STATEMENT})
            RETURNING object"
        ));
        let remove = remove.bind(timestamp(before_ms));
        let rows = self.db.writer().query_all_raw(remove.on(self.db.backend())).await?;
        let object = |row: &QueryResult| Ok(ObjectId::from_uuid(row.try_get_by_index(0)?));
        let objects: Vec<ObjectId> = rows.iter().map(object).collect::<Result<_, DbErr>>()?;
        self.objects.discard(&objects).await;
        Ok(objects.len() as u64)
    }

    async fn total_bytes(&self) -> Result<u64, StorageError> {
        let query = Sql::new("SELECT CAST(coalesce(sum(size_bytes), 0) AS BIGINT) FROM shelf").on(self.db.backend());
        let row = self.db.writer().query_one_raw(query).await?;
        let total: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(total.unwrap_or_default().unsigned_abs())
    }

    async fn execute(&self, statement: Sql) -> Result<u64, StorageError> {
        let done = self.db.writer().execute_raw(statement.on(self.db.backend())).await?;
        Ok(done.rows_affected())
    }
}

fn places(count: usize) -> String {
    (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Whether the store says that there is no such object, or not so much of it. One whose key this process does not have is well:
/// others can open it.
fn is_gone(error: &StorageError) -> bool {
    match error {
        StorageError::Store(object_store::Error::NotFound { .. })
        | StorageError::Altered
        | StorageError::Sealed { fault: SealFault::Forged | SealFault::Unreadable(_), .. } => true,
        StorageError::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
