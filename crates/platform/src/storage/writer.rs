//! Writes an object piece by piece: hashed, measured and, where asked, encrypted on the way, with a few parts of it in memory.

use axum::body::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    Located, ObjectId, Objects, Seal, StorageError,
    seal::{ChunkSealer, DataKey},
};

/// Stores of the S3 kind want parts of at least 5 MiB, some of them all of one size, and at most ten thousand of them.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
const MAX_PART_BYTES: u64 = 64 * 1024 * 1024;
const MAX_PARTS: u64 = 10_000;

/// Parts of one object that are on their way at a time to a store elsewhere; a disk gets one after the other.
const PARTS_AT_A_TIME: usize = 3;

/// Parts grow with what an object may have. What encryption adds takes less than one part in three thousand.
const SPARE_PARTS: u64 = 10;

/// No object is larger than what the most and largest parts hold.
pub(super) const MAX_OBJECT_BYTES: u64 = MAX_PART_BYTES * (MAX_PARTS - SPARE_PARTS);

/// An object that is being written. Dropped, nothing of it stays.
#[derive(Debug)]
pub struct ObjectWriter {
    objects: Objects,
    object: ObjectId,
    /// What seals it, where it is encrypted.
    sealer: Option<ChunkSealer>,
    seal: Option<Seal>,
    hasher: blake3::Hasher,
    size_bytes: u64,
    max_bytes: u64,
    part_bytes: usize,
    /// What came of the next part, as the store is to have it.
    part: Vec<u8>,
    parts: Parts,
}

/// The upload of an object that is larger than one part.
#[derive(Debug, Default)]
struct Parts {
    upload: Option<Box<dyn MultipartUpload>>,
    under_way: JoinSet<object_store::Result<()>>,
}

/// An object that was written, and that no row names yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredObject {
    pub object: ObjectId,
    pub size_bytes: u64,
    /// BLAKE3 of its bytes.
    pub hash: blake3::Hash,
    /// Its key, where it is encrypted.
    pub(super) seal: Option<Seal>,
}

impl StoredObject {
    pub(super) fn located(&self) -> Located {
        Located { object: self.object, size_bytes: self.size_bytes, seal: self.seal }
    }
}

/// The size of parts that is enough for an object of so many bytes.
fn part_bytes(max_bytes: u64) -> usize {
    let part = max_bytes.div_ceil(MAX_PARTS - SPARE_PARTS).clamp(MIN_PART_BYTES, MAX_PART_BYTES);
    usize::try_from(part).unwrap_or(usize::MAX)
}

impl ObjectWriter {
    pub(super) fn new(
        objects: Objects,
        object: ObjectId,
        key: Option<(DataKey, Seal)>,
        max_bytes: u64,
    ) -> Result<Self, StorageError> {
        let max_bytes = max_bytes.min(MAX_OBJECT_BYTES);
        let seal = key.as_ref().map(|(_, seal)| *seal);
        let sealer = key.map(|(key, _)| ChunkSealer::new(&key, object)).transpose();
        Ok(Self {
            objects,
            object,
            sealer: sealer.map_err(|fault| StorageError::Sealed { object, fault })?,
            seal,
            hasher: blake3::Hasher::new(),
            size_bytes: 0,
            max_bytes,
            part_bytes: part_bytes(max_bytes),
            part: Vec::new(),
            parts: Parts::default(),
        })
    }

    /// Adds bytes; fails once they are more than the object may have.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        self.count(bytes)?;
        while let Some(sealer) = self.sealer.as_mut().filter(|_| !bytes.is_empty()) {
            let sealed =
                sealer.take(&mut bytes).map_err(|fault| StorageError::Sealed { object: self.object, fault })?;
            if let Some(sealed) = sealed {
                self.add(&sealed).await?;
            }
        }
        self.add(bytes).await
    }

    /// Adds bytes that are all of the object, without a copy of them where they are one part.
    pub(super) async fn write_whole(&mut self, bytes: Vec<u8>) -> Result<(), StorageError> {
        if self.sealer.is_some() || self.size_bytes > 0 || bytes.len() >= self.part_bytes {
            return self.write(&bytes).await;
        }
        self.count(&bytes)?;
        self.part = bytes;
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > self.max_bytes {
            return Err(StorageError::TooLarge { max_bytes: self.max_bytes });
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// Adds bytes as the store is to have them.
    async fn add(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        while !bytes.is_empty() {
            // What fills a part is sent once more comes: an object of one part needs no parts.
            if self.part.len() == self.part_bytes {
                self.send_part().await?;
            }
            if self.part.capacity() == 0 {
                self.part.reserve_exact(self.part_bytes);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.part_bytes - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), StorageError> {
        let part = PutPayload::from(Bytes::from(std::mem::take(&mut self.part)));
        let upload = match &mut self.parts.upload {
            Some(upload) => upload,
            none => none.insert(self.objects.store.backend.put_multipart(&self.objects.key(self.object)).await?),
        };
        let sending = upload.put_part(part);
        self.parts.under_way.spawn(sending);
        let at_a_time = if self.objects.is_local() { 1 } else { PARTS_AT_A_TIME };
        while self.parts.under_way.len() >= at_a_time {
            self.parts.await_one().await?;
        }
        Ok(())
    }

    /// Makes the object visible, as a whole.
    pub async fn finish(mut self) -> Result<StoredObject, StorageError> {
        match self.complete().await {
            Ok(()) => {}
            Err(error) => {
                self.abort().await;
                return Err(error);
            }
        }
        let Self { object, size_bytes, seal, .. } = self;
        Ok(StoredObject { object, size_bytes, hash: self.hasher.finalize(), seal })
    }

    async fn complete(&mut self) -> Result<(), StorageError> {
        if let Some(sealer) = self.sealer.take() {
            let last = sealer.finish().map_err(|fault| StorageError::Sealed { object: self.object, fault })?;
            self.add(&last).await?;
        }
        if self.parts.upload.is_none() {
            let bytes = Bytes::from(std::mem::take(&mut self.part));
            return self.objects.create(self.object, bytes).await;
        }
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        while !self.parts.under_way.is_empty() {
            self.parts.await_one().await?;
        }
        if let Some(upload) = &mut self.parts.upload {
            upload.complete().await?;
        }
        self.parts.upload = None;
        Ok(())
    }

    /// Removes what was written.
    pub async fn abort(mut self) {
        self.parts.under_way.shutdown().await;
        if let Some(upload) = self.parts.upload.take() {
            end(self.object, upload).await;
        }
    }
}

impl Parts {
    async fn await_one(&mut self) -> Result<(), StorageError> {
        match self.under_way.join_next().await {
            Some(sent) => Ok(sent.map_err(|_| StorageError::Broken)??),
            None => Ok(()),
        }
    }
}

impl Drop for ObjectWriter {
    /// Whoever wrote may be gone before the end, as a request that was cut is.
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.parts.upload.take(), Handle::try_current()) {
            self.parts.under_way.abort_all();
            runtime.spawn(end(self.object, upload));
        }
    }
}

async fn end(object: ObjectId, mut upload: Box<dyn MultipartUpload>) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%object, error = %error, "parts of an object that was given up stay for now");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_ten_thousand_are_enough() {
        assert_eq!(part_bytes(1), 5 * 1024 * 1024);
        assert_eq!(part_bytes(10_000_000_000), 5 * 1024 * 1024);
        for max_bytes in [1, 60_000_000_000, 300_000_000_000, MAX_OBJECT_BYTES] {
            let sealed = max_bytes + max_bytes / 4096 + 16;
            assert!(sealed.div_ceil(part_bytes(max_bytes) as u64) <= MAX_PARTS, "{max_bytes}");
        }
        assert_eq!(part_bytes(MAX_OBJECT_BYTES) as u64, MAX_PART_BYTES);
    }
}
