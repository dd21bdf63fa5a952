//! The bytes of a sealed object: chunks of 64 KiB, each sealed by AES-256-GCM under the object's own key.
//!
//! After the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the nonce of a chunk is its number and whether it is
//! the last, and the object's id is authenticated with each. Chunks that were swapped, left out, repeated, cut off or taken from
//! another object are told. Every chunk but the last has the same length, so a range is found without reading what is before it.

use std::ops::Range;

use axum::body::Bytes;
use futures::{StreamExt as _, stream};
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::{DataKey, SealFault};
use crate::storage::{ByteStream, ObjectId, StorageError};

/// Plain bytes of a chunk.
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Chunks of an object of so many plain bytes; an empty one has one, which says that it is the last.
fn chunk_count(plain_bytes: u64) -> u64 {
    plain_bytes.div_ceil(CHUNK_BYTES as u64).max(1)
}

/// How many bytes an object of so many plain bytes has in the store.
pub(in crate::storage) fn sealed_bytes(plain_bytes: u64) -> u64 {
    plain_bytes + chunk_count(plain_bytes) * TAG_BYTES as u64
}

/// The bytes in the store that hold the plain bytes of `range`: whole chunks.
pub(in crate::storage) fn sealed_range(range: &Range<u64>, plain_bytes: u64) -> Range<u64> {
    let first = range.start / CHUNK_BYTES as u64;
    let end = chunk_count(range.end);
    first * SEALED_CHUNK_BYTES as u64..(end * SEALED_CHUNK_BYTES as u64).min(sealed_bytes(plain_bytes))
}

/// Whether a chunk is the last of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Inner,
    Last,
}

/// The key of an object with what its chunks are bound to.
struct Chunks {
    cipher: LessSafeKey,
    object: ObjectId,
}

impl Chunks {
    fn new(key: &DataKey, object: ObjectId) -> Result<Self, SealFault> {
        Ok(Self { cipher: key.cipher()?, object })
    }

    /// Unique for the key: no other object has it, and no chunk of one is sealed twice.
    fn nonce(number: u64, position: Position) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&number.to_be_bytes());
        nonce[11] = u8::from(position == Position::Last);
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&self, number: u64, position: Position, chunk: &mut Vec<u8>) -> Result<(), SealFault> {
        let aad = Aad::from(self.object.as_uuid().into_bytes());
        let sealed = self.cipher.seal_in_place_append_tag(Self::nonce(number, position), aad, chunk);
        sealed.map_err(|_| SealFault::Forged)
    }

    fn open(&self, number: u64, position: Position, chunk: &mut Vec<u8>) -> Result<(), SealFault> {
        let aad = Aad::from(self.object.as_uuid().into_bytes());
        let opened = self.cipher.open_in_place(Self::nonce(number, position), aad, chunk);
        let plain = opened.map_err(|_| SealFault::Forged)?.len();
        chunk.truncate(plain);
        Ok(())
    }
}

/// Seals an object that comes piece by piece, with one chunk of it in memory.
pub(in crate::storage) struct ChunkSealer {
    chunks: Chunks,
    chunk: Vec<u8>,
    number: u64,
}

impl std::fmt::Debug for ChunkSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkSealer").field("number", &self.number).finish_non_exhaustive()
    }
}

impl ChunkSealer {
    pub(in crate::storage) fn new(key: &DataKey, object: ObjectId) -> Result<Self, SealFault> {
        Ok(Self { chunks: Chunks::new(key, object)?, chunk: Vec::new(), number: 0 })
    }

    /// Takes what fits into the chunk from the front of `bytes`. A chunk is given out once more comes: only then is it known not
    /// to be the last.
    pub(in crate::storage) fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, SealFault> {
        let full = if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            let mut chunk = std::mem::take(&mut self.chunk);
            self.chunks.seal(self.number, Position::Inner, &mut chunk)?;
            self.number += 1;
            Some(chunk)
        } else {
            None
        };
        if self.chunk.capacity() == 0 {
            self.chunk.reserve_exact(SEALED_CHUNK_BYTES);
        }
        let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.chunk.len()));
        self.chunk.extend_from_slice(now);
        *bytes = later;
        Ok(full)
    }

    /// The last chunk.
    pub(in crate::storage) fn finish(mut self) -> Result<Vec<u8>, SealFault> {
        self.chunks.seal(self.number, Position::Last, &mut self.chunk)?;
        Ok(self.chunk)
    }
}

/// What is opened of an object.
#[derive(Debug, Clone)]
pub(in crate::storage) struct Opening {
    pub object: ObjectId,
    /// The plain bytes of the whole object.
    pub size_bytes: u64,
    /// The plain bytes that are asked for.
    pub range: Range<u64>,
}

struct Opener {
    chunks: Chunks,
    sealed: ByteStream,
    /// What came of the next chunk.
    buffer: Vec<u8>,
    rest: Bytes,
    number: u64,
    opening: Opening,
}

/// The plain bytes of a range of which `sealed` brings the chunks, [`sealed_range`].
pub(in crate::storage) fn open_stream(
    key: &DataKey,
    sealed: ByteStream,
    opening: Opening,
) -> Result<ByteStream, SealFault> {
    let number = opening.range.start / CHUNK_BYTES as u64;
    let chunks = Chunks::new(key, opening.object)?;
    let opener = Opener { chunks, sealed, buffer: Vec::new(), rest: Bytes::new(), number, opening };
    Ok(stream::try_unfold(opener, |mut opener| async move {
        Ok::<_, StorageError>(opener.next().await?.map(|bytes| (bytes, opener)))
    })
    .boxed())
}

impl Opener {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        let first = self.number * CHUNK_BYTES as u64;
        if first >= self.opening.range.end {
            return Ok(None);
        }
        let is_last = self.number + 1 == chunk_count(self.opening.size_bytes);
        let position = if is_last { Position::Last } else { Position::Inner };
        let mut chunk = self.read(position).await?;
        let fault = |fault| StorageError::Sealed { object: self.opening.object, fault };
        self.chunks.open(self.number, position, &mut chunk).map_err(fault)?;
        self.number += 1;
        let within = |place: u64| usize::try_from(place.saturating_sub(first)).unwrap_or(usize::MAX).min(chunk.len());
        let asked = within(self.opening.range.start)..within(self.opening.range.end);
        Ok(Some(Bytes::from(chunk).slice(asked)))
    }

    /// The sealed bytes of the next chunk.
    async fn read(&mut self, position: Position) -> Result<Vec<u8>, StorageError> {
        let whole = match position {
            Position::Inner => SEALED_CHUNK_BYTES,
            Position::Last => {
                let before = self.number * SEALED_CHUNK_BYTES as u64;
                usize::try_from(sealed_bytes(self.opening.size_bytes).saturating_sub(before)).unwrap_or(0)
            }
        };
        let mut chunk = std::mem::take(&mut self.buffer);
        chunk.reserve_exact(whole);
        while chunk.len() < whole {
            if self.rest.is_empty() {
                let Some(bytes) = self.sealed.next().await.transpose()? else {
                    return Err(StorageError::Sealed { object: self.opening.object, fault: SealFault::Forged });
                };
                self.rest = bytes;
            }
            let count = self.rest.len().min(whole - chunk.len());
            chunk.extend_from_slice(&self.rest.split_to(count));
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt as _;
    use kernel::{Rng as _, SeededRng, Uuid};
    use secrecy::SecretString;

    use super::*;
    use crate::{secrets::SecretKeys, storage::Seals};

    fn object(number: u128) -> ObjectId {
        ObjectId::from_uuid(Uuid::from_u128(number))
    }

    fn key() -> DataKey {
        let secrets = SecretKeys::new(SecretString::from("a".repeat(32)), Vec::new()).unwrap();
        Seals::new(&secrets, Arc::new(SeededRng::new(1))).draw(object(1)).unwrap().0
    }

    fn noise(count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        SeededRng::new(2).fill(&mut bytes);
        bytes
    }

    fn seal(plain: &[u8], step: usize) -> Vec<u8> {
        let mut sealer = ChunkSealer::new(&key(), object(1)).unwrap();
        let mut sealed = Vec::new();
        for mut piece in plain.chunks(step) {
            while !piece.is_empty() {
                sealed.extend(sealer.take(&mut piece).unwrap().unwrap_or_default());
            }
        }
        sealed.extend(sealer.finish().unwrap());
        sealed
    }

    async fn open(sealed: &[u8], opening: Opening) -> Result<Vec<u8>, StorageError> {
        let range = sealed_range(&opening.range, opening.size_bytes);
        let end = usize::try_from(range.end).unwrap().min(sealed.len());
        let asked = &sealed[usize::try_from(range.start).unwrap().min(end)..end];
        let pieces: Vec<_> = asked.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let opened = open_stream(&key(), stream::iter(pieces).boxed(), opening).unwrap();
        opened.map_ok(|bytes| bytes.to_vec()).try_concat().await
    }

    fn whole(size_bytes: u64) -> Opening {
        Opening { object: object(1), size_bytes, range: 0..size_bytes }
    }

    #[tokio::test]
    async fn what_was_sealed_is_opened_wherever_it_ends() {
        for size in [1, 15, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7] {
            let plain = noise(size);
            let sealed = seal(&plain, 10_007);
            assert_eq!(sealed.len() as u64, sealed_bytes(size as u64), "{size}");
            assert_eq!(sealed, seal(&plain, CHUNK_BYTES), "{size}");
            assert!(open(&sealed, whole(size as u64)).await.unwrap() == plain, "{size}");
        }
        assert_eq!(seal(&[], 1).len() as u64, sealed_bytes(0));
    }

    #[tokio::test]
    async fn a_range_needs_only_the_chunks_it_lies_in() {
        let plain = noise(3 * CHUNK_BYTES + 7);
        let sealed = seal(&plain, 65_536);
        let size_bytes = plain.len() as u64;
        let chunk = CHUNK_BYTES as u64;
        for range in
            [0..1, 5..chunk, chunk..chunk + 1, chunk - 1..2 * chunk + 1, size_bytes - 1..size_bytes, 0..size_bytes]
        {
            let opening = Opening { range: range.clone(), ..whole(size_bytes) };
            let opened = open(&sealed, opening).await.unwrap();
            let expected = &plain[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert!(opened == expected, "{range:?}");
        }
        assert_eq!(sealed_range(&(chunk..chunk + 1), size_bytes).end, 2 * SEALED_CHUNK_BYTES as u64);
    }

    #[tokio::test]
    async fn whatever_is_changed_is_told() {
        let plain = noise(2 * CHUNK_BYTES + 7);
        let sealed = seal(&plain, 65_536);
        let size_bytes = plain.len() as u64;
        let refused = async |sealed: &[u8], opening: Opening| {
            matches!(open(sealed, opening).await, Err(StorageError::Sealed { fault: SealFault::Forged, .. }))
        };
        for index in [0, 5, CHUNK_BYTES, SEALED_CHUNK_BYTES, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(refused(&changed, whole(size_bytes)).await, "byte {index}");
        }
        let (first, rest) = sealed.split_at(SEALED_CHUNK_BYTES);
        let (second, third) = rest.split_at(SEALED_CHUNK_BYTES);
        assert!(refused(&[second, first, third].concat(), whole(size_bytes)).await, "swapped");
        assert!(refused(&[first, first, third].concat(), whole(size_bytes)).await, "repeated");
        assert!(refused(&[first, second].concat(), whole(size_bytes)).await, "cut");
        // Cut where a chunk ends, with a row that says so: the chunk that is now the last was not sealed as the last.
        assert!(refused(&[first, second].concat(), whole(2 * CHUNK_BYTES as u64)).await, "cut with its row");
        assert!(refused(&sealed, Opening { object: object(2), ..whole(size_bytes) }).await, "of another object");
    }
}
