//! Takes in a piece of an upload, of any length, with one segment of it in memory.

use std::error::Error;

use axum::body::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use kernel::Actor;
use ring::digest::Context;
use tokio_util::sync::CancellationToken;

use super::{
    Checksum, Upload, UploadId, UploadState,
    table::{self, Move, Segment},
};
use crate::{
    db::Transaction,
    storage::{Files, StorageError},
};

/// How much is stored at a time. A server that is killed loses at most so much of what came.
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes as they come.
type UploadBody = BoxStream<'static, Result<Bytes, Box<dyn Error + Send + Sync>>>;

/// A piece of an upload.
pub struct Chunk {
    /// Where its sender believes the upload to be.
    pub offset: u64,
    pub body: UploadBody,
    /// What the piece must hash to; then it is taken as a whole or not at all.
    pub checksum: Option<Checksum>,
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Files {
    /// Adds a piece to an upload of the one who asks. When it is the last, the file is made and the upload is complete.
    ///
    /// What came before the piece broke off is kept. A piece that another connection still brings ends where it is. The work
    /// goes on when the caller is dropped, as that of a connection that was cut is: what came is still stored.
    pub async fn append(&self, actor: &Actor, id: UploadId, chunk: Chunk) -> Result<Upload, StorageError> {
        self.own_upload(actor, id).await?;
        self.intakes.end(id).await;
        let upload = self.own_upload(actor, id).await?;
        match &upload.state {
            UploadState::Receiving => {}
            UploadState::Complete => return Err(StorageError::Complete),
            UploadState::Refused(reason) => return Err(StorageError::Refused(reason.clone())),
        }
        if upload.offset_bytes != chunk.offset {
            return Err(StorageError::Offset { expected: upload.offset_bytes, given: chunk.offset });
        }
        let files = self.clone();
        let work = tokio::spawn(async move {
            let offset_bytes = files.take_in(&upload, chunk).await?;
            if offset_bytes == upload.length_bytes {
                return files.finish(upload.id).await;
            }
            Ok(Upload { offset_bytes, expires_at_ms: files.expiry_ms(), ..upload })
        });
        work.await.map_err(|_| StorageError::Broken)?
    }

    async fn take_in(&self, upload: &Upload, chunk: Chunk) -> Result<u64, StorageError> {
        let Chunk { offset, body, checksum } = chunk;
        let running = self.intakes.begin(upload.id);
        let mut source = Source { body, rest: Bytes::new(), stop: running.stop() };
        let held = checksum.map(|checksum| Held { digest: checksum.begin(), checksum, segments: Vec::new() });
        let mut intake = Intake { files: self, upload, offset, held };
        let taken = intake.run(&mut source).await;
        match (taken, intake.held.take()) {
            (Ok(()), Some(held)) => intake.settle(held).await?,
            (Err(error), Some(held)) => {
                self.discard_segments(&held.segments).await;
                return Err(error);
            }
            (taken, None) => taken?,
        }
        Ok(intake.offset)
    }

    async fn discard_segments(&self, segments: &[Segment]) {
        self.objects.discard(&segments.iter().map(|segment| segment.located.object).collect::<Vec<_>>()).await;
    }

    /// Names segments that follow each other, and moves the upload to the end of the last.
    async fn commit(&self, upload: &Upload, segments: &[Segment]) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(()) };
        let (from, to) = (first.start, last.end());
        let by = Move { from, to, expires_at_ms: self.expiry_ms() };
        let commit = |tx: Transaction| async move {
            if !table::advance(&tx, upload.id, by).await? {
                return Ok::<_, StorageError>(false);
            }
            table::insert_segments(&tx, upload.id, segments).await?;
            Ok(true)
        };
        match self.db.transaction(commit).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.discard_segments(segments).await;
                let now = table::find(&self.db, upload.id).await?.ok_or(StorageError::NoUpload(upload.id))?;
                Err(StorageError::Offset { expected: now.offset_bytes, given: from })
            }
            // Whether the rows are there is not known: objects that none of them names are found by the sweep.
            Err(error) => Err(error),
        }
    }
}

/// The way of one piece into the store.
struct Intake<'a> {
    files: &'a Files,
    upload: &'a Upload,
    /// Where the upload is, counting what is held.
    offset: u64,
    held: Option<Held>,
}

/// Segments that no row names before the whole piece was compared with its checksum.
struct Held {
    checksum: Checksum,
    digest: Context,
    segments: Vec<Segment>,
}

impl Intake<'_> {
    async fn run(&mut self, source: &mut Source) -> Result<(), StorageError> {
        loop {
            let (bytes, end) = source.fill().await;
            self.keep(bytes).await?;
            match end {
                End::Full => {}
                End::Whole => return Ok(()),
                End::Broken(error) => return Err(StorageError::Body(error)),
                End::Superseded => return Err(StorageError::Superseded),
            }
        }
    }

    async fn keep(&mut self, bytes: Vec<u8>) -> Result<(), StorageError> {
        let size_bytes = bytes.len() as u64;
        if size_bytes == 0 {
            return Ok(());
        }
        if self.offset + size_bytes > self.upload.length_bytes {
            return Err(StorageError::TooLarge { max_bytes: self.upload.length_bytes });
        }
        if let Some(held) = &mut self.held {
            held.digest.update(&bytes);
        }
        let located = self.files.objects.put(bytes).await?;
        let segment = Segment { start: self.offset, located };
        match &mut self.held {
            Some(held) => held.segments.push(segment),
            None => self.files.commit(self.upload, &[segment]).await?,
        }
        self.offset += size_bytes;
        Ok(())
    }

    async fn settle(&self, held: Held) -> Result<(), StorageError> {
        if let Err(error) = held.checksum.check(held.digest) {
            self.files.discard_segments(&held.segments).await;
            return Err(error.into());
        }
        self.files.commit(self.upload, &held.segments).await
    }
}

/// The bytes of a piece, cut into segments.
struct Source {
    body: UploadBody,
    /// What came and belongs to the next segment.
    rest: Bytes,
    /// Cancelled when another connection goes on with the upload.
    stop: CancellationToken,
}

/// What ended a segment.
enum End {
    Full,
    /// The piece is here as a whole.
    Whole,
    Broken(Box<dyn Error + Send + Sync>),
    /// Another connection goes on with the upload.
    Superseded,
}

impl Source {
    /// The next segment, copied: what comes shares the buffers of its connection, which would be kept with it.
    async fn fill(&mut self) -> (Vec<u8>, End) {
        let mut segment = Vec::new();
        loop {
            if self.rest.is_empty() {
                let next = tokio::select! {
                    biased;
                    next = self.body.next() => next,
                    () = self.stop.cancelled() => return (segment, End::Superseded),
                };
                match next {
                    Some(Ok(bytes)) => self.rest = bytes,
                    Some(Err(error)) => return (segment, End::Broken(error)),
                    None => return (segment, End::Whole),
                }
            }
            if segment.capacity() == 0 {
                segment.reserve_exact(SEGMENT_BYTES);
            }
            let count = self.rest.len().min(SEGMENT_BYTES - segment.len());
            segment.extend_from_slice(&self.rest.split_to(count));
            if segment.len() == SEGMENT_BYTES {
                return (segment, End::Full);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(sizes: &[usize]) -> Source {
        let pieces: Vec<_> = sizes.iter().map(|size| Ok(Bytes::from(vec![7; *size]))).collect();
        Source { body: futures::stream::iter(pieces).boxed(), rest: Bytes::new(), stop: CancellationToken::new() }
    }

    async fn cut(sizes: &[usize]) -> Vec<usize> {
        let mut source = source(sizes);
        let mut segments = Vec::new();
        loop {
            let (segment, end) = source.fill().await;
            segments.push(segment.len());
            if !matches!(end, End::Full) {
                return segments;
            }
        }
    }

    #[tokio::test]
    async fn pieces_are_cut_into_segments_wherever_they_end() {
        assert_eq!(cut(&[]).await, [0]);
        assert_eq!(cut(&[3, 4]).await, [7]);
        assert_eq!(cut(&[SEGMENT_BYTES]).await, [SEGMENT_BYTES, 0]);
        assert_eq!(
            cut(&[SEGMENT_BYTES - 1, 2, 2 * SEGMENT_BYTES]).await,
            [SEGMENT_BYTES, SEGMENT_BYTES, SEGMENT_BYTES, 1]
        );
    }

    #[tokio::test]
    async fn what_came_before_a_body_broke_off_is_handed_on() {
        let pieces = vec![Ok(Bytes::from_static(b"came")), Err("cut".into())];
        let mut source =
            Source { body: futures::stream::iter(pieces).boxed(), rest: Bytes::new(), stop: CancellationToken::new() };
        let (segment, end) = source.fill().await;
        assert_eq!(segment, b"came");
        assert!(matches!(end, End::Broken(_)));
    }
}
