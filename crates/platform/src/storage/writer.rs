//! Writes an object piece by piece, hashed and measured on the way, with one part of it in memory.

use axum::body::Bytes;
use object_store::{MultipartUpload, PutPayload};

use super::{ObjectId, StorageError};

/// Stores of the S3 kind want parts of one size, at least 5 MiB, and at most ten thousand of them.
const PART_BYTES: usize = 5 * 1024 * 1024;
const MAX_PARTS: u64 = 10_000;

/// No object is larger than what the most parts hold.
pub(super) const MAX_OBJECT_BYTES: u64 = PART_BYTES as u64 * MAX_PARTS;

/// An object that is being written. Dropped, nothing of it stays.
#[derive(Debug)]
pub struct ObjectWriter {
    object: ObjectId,
    upload: Box<dyn MultipartUpload>,
    part: Vec<u8>,
    hasher: blake3::Hasher,
    size_bytes: u64,
    max_bytes: u64,
}

/// An object that was written, and that no row names yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredObject {
    pub object: ObjectId,
    pub size_bytes: u64,
    /// BLAKE3 of its bytes.
    pub hash: blake3::Hash,
}

impl ObjectWriter {
    pub(super) fn new(object: ObjectId, upload: Box<dyn MultipartUpload>, max_bytes: u64) -> Self {
        let max_bytes = max_bytes.min(MAX_OBJECT_BYTES);
        Self { object, upload, part: Vec::new(), hasher: blake3::Hasher::new(), size_bytes: 0, max_bytes }
    }

    /// Adds bytes; fails once they are more than the object may have.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > self.max_bytes {
            return Err(StorageError::TooLarge { max_bytes: self.max_bytes });
        }
        while !bytes.is_empty() {
            if self.part.capacity() == 0 {
                self.part.reserve_exact(PART_BYTES);
            }
            let (now, later) = bytes.split_at(bytes.len().min(PART_BYTES - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), StorageError> {
        let part = std::mem::take(&mut self.part);
        self.hasher.update(&part);
        Ok(self.upload.put_part(PutPayload::from(Bytes::from(part))).await?)
    }

    /// Makes the object visible, as a whole.
    pub async fn finish(mut self) -> Result<StoredObject, StorageError> {
        if !self.part.is_empty() || self.size_bytes == 0 {
            self.send_part().await?;
        }
        self.upload.complete().await?;
        Ok(StoredObject { object: self.object, size_bytes: self.size_bytes, hash: self.hasher.finalize() })
    }

    /// Removes what was written.
    pub async fn abort(mut self) {
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(object = %self.object, error = %error, "parts of an object that was given up stay for now");
        }
    }
}
