//! The rows of files, and how much each user has stored.

use chrono::{DateTime, Utc};
use kernel::{UserId, Uuid};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{File, FileId, FileName, Located, ObjectId, Seal, SealFault, StorageError};
use crate::db::{Db, Freshness, Sql, Transaction, millis, timestamp};

const COLUMNS: &str = "id, owner, object, name, media_type, size_bytes, hash, created_at, seal";

/// Bytes as a column holds them.
pub(super) fn column(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Bytes from a column.
pub(super) fn bytes(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// The seal in a column, where there is one.
pub(super) fn read_seal(row: &QueryResult, index: usize) -> Result<Option<Seal>, StorageError> {
    let seal: Option<String> = row.try_get_by_index(index)?;
    seal.map(|seal| seal.parse()).transpose().map_err(|error: SealFault| StorageError::Row(error.to_string()))
}

fn read(row: &QueryResult) -> Result<File, StorageError> {
    let (media_type, hash): (String, String) = (row.try_get_by_index(4)?, row.try_get_by_index(6)?);
    let created_at: DateTime<Utc> = row.try_get_by_index(7)?;
    Ok(File {
        id: FileId::from_uuid(row.try_get_by_index(0)?),
        owner: UserId::from_uuid(row.try_get_by_index(1)?),
        object: ObjectId::from_uuid(row.try_get_by_index(2)?),
        name: FileName::new(&row.try_get_by_index::<String>(3)?),
        media_type: media_type.parse().map_err(|error| StorageError::Row(format!("{error}")))?,
        size_bytes: bytes(row.try_get_by_index(5)?),
        hash: blake3::Hash::from_hex(hash).map_err(|error| StorageError::Row(error.to_string()))?,
        created_at_ms: millis(created_at),
        seal: read_seal(row, 8)?,
    })
}

pub(super) async fn find(db: &Db, id: FileId) -> Result<Option<File>, StorageError> {
    let one = Sql::new(format!("SELECT {COLUMNS} FROM files WHERE id = $1")).bind(id.as_uuid());
    db.reader().query_one_raw(one.on(db.backend())).await?.map(|row| read(&row)).transpose()
}

/// Those of these files that are there, in no order.
pub(super) async fn find_all(db: &Db, ids: &[FileId]) -> Result<Vec<File>, StorageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let query = Sql::new(format!("SELECT {COLUMNS} FROM files WHERE id IN ({})", places.join(", ")));
    let query = ids.iter().fold(query, |query, id| query.bind(id.as_uuid()));
    db.reader().query_all_raw(query.on(db.backend())).await?.iter().map(read).collect()
}

/// The newest files of a user, from the one after `after` on.
pub(super) async fn list(db: &Db, owner: UserId, after: Option<FileId>, limit: u64) -> Result<Vec<File>, StorageError> {
    let after = after.map_or(Uuid::max(), FileId::as_uuid);
    let list = Sql::new(format!("SELECT {COLUMNS} FROM files WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3"));
    let list = list.bind(owner.as_uuid()).bind(after).bind(column(limit));
    let reader = db.replica_reader(Freshness::Latest);
    reader.query_all_raw(list.on(db.backend())).await?.iter().map(read).collect()
}

pub(super) async fn insert(tx: &Transaction, file: &File) -> Result<(), StorageError> {
    let insert = Sql::new(format!("INSERT INTO files ({COLUMNS}) VALUES ")).tuples(1, 9);
    let insert = insert
        .bind(file.id.as_uuid())
        .bind(file.owner.as_uuid())
        .bind(file.object.as_uuid())
        .bind(file.name.as_str())
        .bind(file.media_type.as_str())
        .bind(column(file.size_bytes))
        .bind(file.hash.to_hex().as_str())
        .bind(timestamp(file.created_at_ms))
        .bind(file.seal.map(|seal| seal.to_string()));
    tx.execute_raw(insert.on(tx.backend())).await?;
    Ok(())
}

/// Whether the row was there to be removed.
pub(super) async fn delete(tx: &Transaction, id: FileId) -> Result<bool, StorageError> {
    let delete = Sql::new("DELETE FROM files WHERE id = $1").bind(id.as_uuid());
    Ok(tx.execute_raw(delete.on(tx.backend())).await?.rows_affected() == 1)
}

/// Counts `more` bytes for a user, where they fit into the quota.
pub(super) async fn reserve(tx: &Transaction, owner: UserId, more: u64, quota: u64) -> Result<(), StorageError> {
    let begin = Sql::new("INSERT INTO storage_use (owner, bytes) VALUES ($1, 0) ON CONFLICT (owner) DO NOTHING");
    tx.execute_raw(begin.bind(owner.as_uuid()).on(tx.backend())).await?;
    let add = Sql::new("UPDATE storage_use SET bytes = bytes + $1 WHERE owner = $2 AND bytes <= $3");
    let room = quota.checked_sub(more).map(column);
    // The most that may be there already: sums of two numbers near the largest would not fit.
    let added = match room {
        Some(room) => {
            let add = add.bind(column(more)).bind(owner.as_uuid()).bind(room);
            tx.execute_raw(add.on(tx.backend())).await?.rows_affected()
        }
        None => 0,
    };
    if added == 1 { Ok(()) } else { Err(StorageError::Quota { bytes: more, quota_bytes: quota }) }
}

/// Takes bytes off what is counted for a user.
pub(super) async fn release(tx: &Transaction, owner: UserId, fewer: u64) -> Result<(), StorageError> {
    let less =
        Sql::new("UPDATE storage_use SET bytes = CASE WHEN bytes > $1 THEN bytes - $1 ELSE 0 END WHERE owner = $2");
    tx.execute_raw(less.bind(column(fewer)).bind(owner.as_uuid()).on(tx.backend())).await?;
    Ok(())
}

/// What is counted for a user.
pub(super) async fn used_bytes(db: &Db, owner: UserId) -> Result<u64, StorageError> {
    let used = Sql::new("SELECT bytes FROM storage_use WHERE owner = $1").bind(owner.as_uuid());
    let row = db.reader().query_one_raw(used.on(db.backend())).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.map_or(0, bytes))
}

/// Those of `objects` that some row names.
pub(super) async fn named(db: &Db, objects: &[ObjectId]) -> Result<Vec<ObjectId>, StorageError> {
    let places =
        |from: usize| (0..objects.len()).map(|index| format!("${}", from + index)).collect::<Vec<_>>().join(", ");
    let text = format!(
        "SELECT object FROM files WHERE object IN ({0}) UNION ALL SELECT object FROM upload_segments WHERE object IN ({0}) \
         UNION ALL SELECT object FROM shelf WHERE object IN ({0})",
        places(1)
    );
    let query = objects.iter().fold(Sql::new(text), |query, object| query.bind(object.as_uuid()));
    // Read where it is written: a row that was just committed counts.
    let rows = db.writer().query_all_raw(query.on(db.backend())).await?;
    rows.iter().map(|row| Ok(ObjectId::from_uuid(row.try_get_by_index(0)?))).collect()
}

/// A table whose rows name objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Files,
    Segments,
    Shelf,
}

impl Naming {
    pub(super) const ALL: [Self; 3] = [Self::Files, Self::Segments, Self::Shelf];

    const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Segments => "upload_segments",
            Self::Shelf => "shelf",
        }
    }

    /// Of segments no hash is kept.
    const fn hash(self) -> &'static str {
        match self {
            Self::Files | Self::Shelf => "hash",
            Self::Segments => "CAST(NULL AS TEXT)",
        }
    }
}

/// An object as its row names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub located: Located,
    /// BLAKE3 of its bytes.
    pub hash: Option<blake3::Hash>,
}

/// Objects of a table in the order of their ids, from the one after `after` on.
pub(super) async fn list_named(
    db: &Db,
    table: Naming,
    after: Option<ObjectId>,
    limit: u64,
) -> Result<Vec<Named>, StorageError> {
    let after = after.map_or(Uuid::nil(), ObjectId::as_uuid);
    let text = format!(
        "SELECT object, size_bytes, seal, {} FROM {} WHERE object > $1 ORDER BY object LIMIT $2",
        table.hash(),
        table.name()
    );
    // Read where it is written: a row that was just committed counts.
    let list = Sql::new(text).bind(after).bind(column(limit));
    let rows = db.writer().query_all_raw(list.on(db.backend())).await?;
    let read = |row: &QueryResult| -> Result<Named, StorageError> {
        let (object, size_bytes) = (ObjectId::from_uuid(row.try_get_by_index(0)?), bytes(row.try_get_by_index(1)?));
        let hash: Option<String> = row.try_get_by_index(3)?;
        let hash =
            hash.map(blake3::Hash::from_hex).transpose().map_err(|error| StorageError::Row(error.to_string()))?;
        Ok(Named { located: Located { object, size_bytes, seal: read_seal(row, 2)? }, hash })
    };
    rows.iter().map(read).collect()
}

/// Bytes of all objects of a table.
pub(super) async fn named_bytes(db: &Db, table: Naming) -> Result<u64, StorageError> {
    let sum = Sql::new(format!("SELECT COALESCE(CAST(SUM(size_bytes) AS BIGINT), 0) FROM {}", table.name()));
    let row = db.writer().query_one_raw(sum.on(db.backend())).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.map_or(0, bytes))
}

/// Gives an object another seal, unless somebody else did or its row is gone.
pub(super) async fn replace_seal(
    tx: &Transaction,
    table: Naming,
    object: ObjectId,
    (old, new): (Seal, Seal),
) -> Result<(), StorageError> {
    let replace = Sql::new(format!("UPDATE {} SET seal = $1 WHERE object = $2 AND seal = $3", table.name()));
    let replace = replace.bind(new.to_string()).bind(object.as_uuid()).bind(old.to_string());
    tx.execute_raw(replace.on(tx.backend())).await?;
    Ok(())
}
