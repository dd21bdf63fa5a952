//! The rows of uploads and of the segments they are made of.

use chrono::{DateTime, Utc};
use kernel::UserId;
use sea_orm::{ConnectionTrait, QueryResult};

use super::{Upload, UploadId, UploadState};
use crate::{
    db::{Backend, Db, Sql, Transaction, millis, timestamp},
    storage::{
        FileName, Located, ObjectId, StorageError,
        table::{bytes, column, read_seal},
    },
};

const COLUMNS: &str = "id, owner, name, length_bytes, offset_bytes, state, reason, expires_at";

/// Uploads that are tidied up at a time.
const BATCH: i64 = 100;

/// A piece of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub start: u64,
    pub located: Located,
}

impl Segment {
    pub(super) fn end(&self) -> u64 {
        self.start + self.located.size_bytes
    }
}

fn state_of(name: &str, reason: Option<String>) -> Result<UploadState, StorageError> {
    match name {
        "receiving" => Ok(UploadState::Receiving),
        "complete" => Ok(UploadState::Complete),
        "refused" => Ok(UploadState::Refused(reason.unwrap_or_default())),
        other => Err(StorageError::Row(format!("an upload that is `{other}`"))),
    }
}

fn read(row: &QueryResult) -> Result<Upload, StorageError> {
    let state: String = row.try_get_by_index(5)?;
    let expires_at: DateTime<Utc> = row.try_get_by_index(7)?;
    Ok(Upload {
        id: UploadId::from_uuid(row.try_get_by_index(0)?),
        owner: UserId::from_uuid(row.try_get_by_index(1)?),
        name: FileName::new(&row.try_get_by_index::<String>(2)?),
        length_bytes: bytes(row.try_get_by_index(3)?),
        offset_bytes: bytes(row.try_get_by_index(4)?),
        state: state_of(&state, row.try_get_by_index(6)?)?,
        expires_at_ms: millis(expires_at),
    })
}

pub(super) async fn find(db: &Db, id: UploadId) -> Result<Option<Upload>, StorageError> {
    let one = Sql::new(format!("SELECT {COLUMNS} FROM uploads WHERE id = $1")).bind(id.as_uuid());
    db.reader().query_one_raw(one.on(db.backend())).await?.map(|row| read(&row)).transpose()
}

/// Uploads for which nothing came for too long.
pub(super) async fn list_expired(db: &Db, now_ms: i64) -> Result<Vec<Upload>, StorageError> {
    let list = Sql::new(format!("SELECT {COLUMNS} FROM uploads WHERE expires_at < $1 ORDER BY expires_at LIMIT $2"));
    let list = list.bind(timestamp(now_ms)).bind(BATCH);
    db.reader().query_all_raw(list.on(db.backend())).await?.iter().map(read).collect()
}

/// Uploads whose bytes are all here and that are no files yet, and have not expired.
pub(super) async fn list_unfinished(db: &Db, now_ms: i64) -> Result<Vec<UploadId>, StorageError> {
    let list = Sql::new(
        "SELECT id FROM uploads WHERE state = 'receiving' AND offset_bytes = length_bytes AND expires_at >= $1
         ORDER BY id LIMIT $2",
    );
    let rows = db.reader().query_all_raw(list.bind(timestamp(now_ms)).bind(BATCH).on(db.backend())).await?;
    rows.iter().map(|row| Ok(UploadId::from_uuid(row.try_get_by_index(0)?))).collect()
}

pub(super) async fn insert(tx: &Transaction, upload: &Upload) -> Result<(), StorageError> {
    let insert = Sql::new(format!("INSERT INTO uploads ({COLUMNS}) VALUES ")).tuples(1, 8);
    let insert = insert
        .bind(upload.id.as_uuid())
        .bind(upload.owner.as_uuid())
        .bind(upload.name.as_str())
        .bind(column(upload.length_bytes))
        .bind(column(upload.offset_bytes))
        .bind("receiving")
        .bind(None::<String>)
        .bind(timestamp(upload.expires_at_ms));
    tx.execute_raw(insert.on(tx.backend())).await?;
    Ok(())
}

/// How far an upload came and is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub from: u64,
    pub to: u64,
    pub expires_at_ms: i64,
}

/// Whether the upload stood where the move begins, and moved.
pub(super) async fn advance(tx: &Transaction, id: UploadId, by: Move) -> Result<bool, StorageError> {
    let advance = Sql::new(
        "UPDATE uploads SET offset_bytes = $1, expires_at = $2 WHERE id = $3 AND offset_bytes = $4 AND state = 'receiving'",
    );
    let advance =
        advance.bind(column(by.to)).bind(timestamp(by.expires_at_ms)).bind(id.as_uuid()).bind(column(by.from));
    Ok(tx.execute_raw(advance.on(tx.backend())).await?.rows_affected() == 1)
}

/// Whether the upload was still receiving, and is now in `state`.
pub(super) async fn settle(tx: &Transaction, id: UploadId, state: &UploadState) -> Result<bool, StorageError> {
    let (name, reason) = match state {
        UploadState::Receiving => ("receiving", None),
        UploadState::Complete => ("complete", None),
        UploadState::Refused(reason) => ("refused", Some(reason.clone())),
    };
    let settle = Sql::new("UPDATE uploads SET state = $1, reason = $2 WHERE id = $3 AND state = 'receiving'");
    let settle = settle.bind(name).bind(reason).bind(id.as_uuid());
    Ok(tx.execute_raw(settle.on(tx.backend())).await?.rows_affected() == 1)
}

/// The state of an upload that is removed here; nothing where there is none, or none that expires before `before_ms`.
pub(super) async fn delete(
    tx: &Transaction,
    id: UploadId,
    before_ms: Option<i64>,
) -> Result<Option<UploadState>, StorageError> {
    let mut delete = Sql::new("DELETE FROM uploads WHERE id = $1").bind(id.as_uuid());
    if let Some(before_ms) = before_ms {
        delete = delete.text(" AND expires_at < $2").bind(timestamp(before_ms));
    }
    let delete = delete.text(" RETURNING state, reason");
    let row = tx.query_one_raw(delete.on(tx.backend())).await?;
    row.map(|row| state_of(&row.try_get_by_index::<String>(0)?, row.try_get_by_index(1)?)).transpose()
}

pub(super) async fn insert_segments(tx: &Transaction, id: UploadId, all: &[Segment]) -> Result<(), StorageError> {
    for segments in all.chunks(1000) {
        let insert = Sql::new("INSERT INTO upload_segments (upload_id, start_byte, size_bytes, object, seal) VALUES ");
        let insert = segments.iter().fold(insert.tuples(segments.len(), 5), |insert, segment| {
            let Located { object, size_bytes, seal } = segment.located;
            let insert = insert.bind(id.as_uuid()).bind(column(segment.start)).bind(column(size_bytes));
            insert.bind(object.as_uuid()).bind(seal.map(|seal| seal.to_string()))
        });
        tx.execute_raw(insert.on(tx.backend())).await?;
    }
    Ok(())
}

/// The segments of an upload in their order.
pub(super) async fn list_segments(
    connection: &impl ConnectionTrait,
    backend: Backend,
    id: UploadId,
) -> Result<Vec<Segment>, StorageError> {
    let list = Sql::new(
        "SELECT start_byte, size_bytes, object, seal FROM upload_segments WHERE upload_id = $1 ORDER BY start_byte",
    );
    let rows = connection.query_all_raw(list.bind(id.as_uuid()).on(backend)).await?;
    let read = |row: &QueryResult| -> Result<Segment, StorageError> {
        let (size_bytes, object) = (bytes(row.try_get_by_index(1)?), ObjectId::from_uuid(row.try_get_by_index(2)?));
        let located = Located { object, size_bytes, seal: read_seal(row, 3)? };
        Ok(Segment { start: bytes(row.try_get_by_index(0)?), located })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn delete_segments(tx: &Transaction, id: UploadId) -> Result<(), StorageError> {
    let delete = Sql::new("DELETE FROM upload_segments WHERE upload_id = $1").bind(id.as_uuid());
    tx.execute_raw(delete.on(tx.backend())).await?;
    Ok(())
}
