//! Makes a file of an upload whose bytes are all here: put together, looked into, then named.

use futures::{StreamExt as _, TryStreamExt as _};

use super::{
    Upload, UploadId, UploadState,
    table::{self, Segment},
};
use crate::{
    db::Transaction,
    storage::{ByteStream, Files, NewFile, Objects, StorageError, StoredObject, table as files_table},
};

impl Files {
    /// [`Self::finish`] in a task of its own, so that it goes on when the one who asked is gone.
    pub(super) async fn finish_apart(&self, id: UploadId) -> Result<Upload, StorageError> {
        let files = self.clone();
        let work = tokio::spawn(async move { files.finish(id).await });
        work.await.map_err(|_| StorageError::Broken)?
    }

    /// Finishes an upload unless that was done. It is safe at any time and in many processes: one of them makes the file.
    ///
    /// What the file is refused for is kept with the upload. Where it cannot be looked into now, all stays as it is.
    pub(super) async fn finish(&self, id: UploadId) -> Result<Upload, StorageError> {
        let _turn = self.turns.wait(id).await;
        let upload = table::find(&self.db, id).await?.ok_or(StorageError::NoUpload(id))?;
        if !upload.is_unfinished() {
            return Ok(upload);
        }
        let segments = table::list_segments(self.db.reader(), self.db.backend(), id).await?;
        let stored = match self.put_together(&upload, &segments).await {
            Ok(stored) => stored,
            // Another process may have finished it and taken the segments away.
            Err(error) => return self.settled(id).await?.ok_or(error),
        };
        let settled = self.settle(&upload, &stored).await;
        if !matches!(settled, Ok(UploadState::Complete)) {
            self.objects.discard(&[stored.object]).await;
        }
        let state = settled?;
        if state == UploadState::Receiving {
            return self.settled(id).await?.ok_or(StorageError::NoUpload(id));
        }
        self.objects.discard(&segments.iter().map(|segment| segment.located.object).collect::<Vec<_>>()).await;
        match state {
            UploadState::Refused(reason) => Err(StorageError::Refused(reason)),
            state => Ok(Upload { state, ..upload }),
        }
    }

    /// The upload, where somebody has settled it.
    async fn settled(&self, id: UploadId) -> Result<Option<Upload>, StorageError> {
        Ok(table::find(&self.db, id).await?.filter(|upload| upload.state != UploadState::Receiving))
    }

    async fn put_together(&self, upload: &Upload, segments: &[Segment]) -> Result<StoredObject, StorageError> {
        let bytes = read_in_order(self.objects.clone(), segments.to_vec());
        let stored = self.objects.write(bytes, upload.length_bytes).await?;
        if stored.size_bytes != upload.length_bytes {
            self.objects.discard(&[stored.object]).await;
            return Err(StorageError::Row(format!("segments of {} bytes", stored.size_bytes)));
        }
        Ok(stored)
    }

    /// Looks into the file and writes down what comes of it; `Receiving` where somebody was quicker.
    async fn settle(&self, upload: &Upload, stored: &StoredObject) -> Result<UploadState, StorageError> {
        let (state, file) = match self.inspection.inspect(&self.objects, stored).await {
            Ok(media_type) => {
                let new = NewFile { owner: upload.owner, name: upload.name.clone(), media_type };
                (UploadState::Complete, Some(self.row_of(upload.file_id(), new, stored)))
            }
            Err(StorageError::Refused(reason)) => (UploadState::Refused(reason), None),
            Err(error) => return Err(error),
        };
        let (state, file) = (&state, &file);
        let settle = |tx: Transaction| async move {
            if !table::settle(&tx, upload.id, state).await? {
                return Ok::<_, StorageError>(UploadState::Receiving);
            }
            match file {
                Some(file) => files_table::insert(&tx, file).await?,
                None => files_table::release(&tx, upload.owner, upload.length_bytes).await?,
            }
            table::delete_segments(&tx, upload.id).await?;
            Ok(state.clone())
        };
        self.db.transaction(settle).await
    }
}

/// The bytes of segments, each opened when its turn comes.
fn read_in_order(objects: Objects, segments: Vec<Segment>) -> ByteStream {
    let read = move |segment: Segment| {
        let objects = objects.clone();
        async move { objects.read(segment.located, 0..segment.located.size_bytes).await }
    };
    futures::stream::iter(segments).then(read).try_flatten().boxed()
}
