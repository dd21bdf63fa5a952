//! Uploads that go on where they broke off, also after the server ended: begun with a length, added to, and in the end a file.
//!
//! What comes is stored in segments. The row of an upload says how far it came, and moves on in the transaction that names the
//! segment, from the offset it had: of two who add at the same place, one wins and the other learns where to go on.

mod append;
mod checksum;
mod finish;
mod intakes;
mod table;
mod turns;

use kernel::{Actor, UserId, id_type};

pub use append::Chunk;
pub use checksum::{Checksum, ChecksumError};
pub(in crate::storage) use intakes::Intakes;
pub(in crate::storage) use turns::Turns;

use super::{FileId, FileName, Files, StorageError, service::require_writing, table as files_table};
use crate::{db::Transaction, idempotency::Receipt};

id_type!(UploadId, "an upload");

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub owner: UserId,
    pub name: FileName,
    pub length_bytes: u64,
    /// How many bytes are here, and will be after a crash.
    pub offset_bytes: u64,
    pub state: UploadState,
    /// When it is given up unless more comes; milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadState {
    /// Bytes are missing, or it was not looked into yet.
    Receiving,
    /// There is a file of it.
    Complete,
    /// It will be no file, for this reason.
    Refused(String),
}

/// An upload that is to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    pub name: FileName,
    pub length_bytes: u64,
}

impl Upload {
    /// The file that it became, or will become.
    pub fn file_id(&self) -> FileId {
        FileId::from_uuid(self.id.as_uuid())
    }

    /// Whether all bytes are here and nobody has looked into them yet.
    fn is_unfinished(&self) -> bool {
        self.state == UploadState::Receiving && self.offset_bytes == self.length_bytes
    }
}

impl Files {
    /// Begins an upload. Its whole length counts as stored from now on.
    pub async fn begin_upload(
        &self,
        actor: &Actor,
        new: NewUpload,
        receipt: &Receipt<Upload>,
    ) -> Result<Upload, StorageError> {
        require_writing(actor)?;
        if new.length_bytes == 0 {
            return Err(StorageError::Empty);
        }
        if new.length_bytes > self.settings.max_file_bytes {
            return Err(StorageError::TooLarge { max_bytes: self.settings.max_file_bytes });
        }
        // When it is finished, the file and its segments are there together for a moment.
        self.objects.check_room(new.length_bytes.saturating_mul(2), self.settings.min_free_bytes)?;
        let upload = &Upload {
            id: UploadId::new(self.ids.as_ref()),
            owner: actor.user_id,
            name: new.name,
            length_bytes: new.length_bytes,
            offset_bytes: 0,
            state: UploadState::Receiving,
            expires_at_ms: self.expiry_ms(),
        };
        let begin = |tx: Transaction| async move {
            files_table::reserve(&tx, upload.owner, upload.length_bytes, self.settings.user_quota_bytes).await?;
            table::insert(&tx, upload).await?;
            receipt.keep(&tx, upload).await?;
            Ok::<_, StorageError>(())
        };
        self.db.transaction(begin).await?;
        Ok(upload.clone())
    }

    /// An upload of the one who asks. One whose bytes are all here is finished first: whoever was cut off while it was
    /// looked into learns here how that ended.
    pub async fn get_upload(&self, actor: &Actor, id: UploadId) -> Result<Upload, StorageError> {
        let upload = self.own_upload(actor, id).await?;
        if !upload.is_unfinished() {
            return Ok(upload);
        }
        match self.finish_apart(id).await {
            Err(StorageError::Refused(_)) => self.own_upload(actor, id).await,
            finished => finished,
        }
    }

    /// The same for who is about to go on with it: a piece that is still coming over another connection, which may be cut
    /// without anybody having noticed, ends here, so that nothing moves the offset any more.
    pub async fn resume_upload(&self, actor: &Actor, id: UploadId) -> Result<Upload, StorageError> {
        self.own_upload(actor, id).await?;
        self.intakes.end(id).await;
        self.get_upload(actor, id).await
    }

    /// Gives an upload up. The file of one that is complete stays.
    pub async fn end_upload(&self, actor: &Actor, id: UploadId) -> Result<(), StorageError> {
        let upload = self.own_upload(actor, id).await?;
        self.remove_upload(&upload, None).await.map(drop)
    }

    async fn own_upload(&self, actor: &Actor, id: UploadId) -> Result<Upload, StorageError> {
        require_writing(actor)?;
        let upload = table::find(&self.db, id).await?.filter(|upload| upload.owner == actor.user_id);
        let now_ms = self.clock.now_ms();
        upload.filter(|upload| upload.expires_at_ms > now_ms).ok_or(StorageError::NoUpload(id))
    }

    /// Removes an upload, where a time is given only if it expires before; whether it was there.
    async fn remove_upload(&self, upload: &Upload, before_ms: Option<i64>) -> Result<bool, StorageError> {
        let remove = |tx: Transaction| async move {
            // What it is by now: somebody may have finished it in the meantime.
            let Some(state) = table::delete(&tx, upload.id, before_ms).await? else {
                return Ok::<_, StorageError>(None);
            };
            let segments = table::list_segments(&*tx, tx.backend(), upload.id).await?;
            table::delete_segments(&tx, upload.id).await?;
            // One that is complete counts on as a file, one that was refused does not count any more.
            if state == UploadState::Receiving {
                files_table::release(&tx, upload.owner, upload.length_bytes).await?;
            }
            Ok(Some(segments))
        };
        let Some(segments) = self.db.transaction(remove).await? else { return Ok(false) };
        self.objects.discard(&segments.iter().map(|segment| segment.located.object).collect::<Vec<_>>()).await;
        Ok(true)
    }

    /// When an upload that moves now is given up.
    fn expiry_ms(&self) -> i64 {
        let patience_ms = i64::try_from(self.settings.upload_patience().as_millis()).unwrap_or(i64::MAX);
        self.clock.now_ms().saturating_add(patience_ms)
    }

    /// Gives up uploads for which nothing came for too long, and finishes those that were left whole. Returns how many of
    /// each.
    pub(super) async fn tidy_uploads(&self) -> Result<(u64, u64), StorageError> {
        let (mut removed, mut finished) = (0, 0);
        let now_ms = self.clock.now_ms();
        for upload in table::list_expired(&self.db, now_ms).await? {
            removed += u64::from(self.remove_upload(&upload, Some(now_ms)).await?);
        }
        for id in table::list_unfinished(&self.db, now_ms).await? {
            match self.finish_apart(id).await {
                Ok(_) => finished += 1,
                Err(error) => tracing::warn!(upload = %id, error = %error, "an upload could not be finished"),
            }
        }
        Ok((removed, finished))
    }
}
