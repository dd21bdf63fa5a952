//! Objects: bytes under an id, in a folder of this machine or in memory, through the port of the crate `object_store`.

use std::{fs, io::SeekFrom, ops::Range, path::Path, sync::Arc};

use axum::body::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use kernel::{IdSource, Uuid, id_type};
use object_store::{
    GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem,
    path::Path as Key,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::{ObjectWriter, StorageError, StoredObject};

id_type!(ObjectId, "an object");

/// What keys of objects begin with.
const FOLDER: &str = "objects";

/// How much is read from a disk at a time.
const READ_BYTES: usize = 256 * 1024;

/// Bytes as they are read.
pub type ByteStream = BoxStream<'static, Result<Bytes, StorageError>>;

/// Where objects lie. Clones share the place.
///
/// Keys are made from ids alone, so that nothing a user names can lead anywhere. An object is there as a whole or not at all.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The same store, where it is a folder of this machine.
    local: Option<Arc<LocalFileSystem>>,
    ids: Arc<dyn IdSource>,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub object: ObjectId,
    /// Milliseconds since the Unix epoch, by the clock of the store.
    pub modified_at_ms: i64,
}

impl Objects {
    /// The objects of a folder, which is made where there is none. What is written is synced before it is seen.
    pub fn in_folder(folder: &Path, ids: Arc<dyn IdSource>) -> Result<Self, StorageError> {
        fs::create_dir_all(folder)?;
        let local = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true));
        Ok(Self { store: local.clone(), local: Some(local), ids })
    }

    /// The objects of any store; without a folder here, programs get copies of them.
    pub fn of_store(store: Arc<dyn ObjectStore>, ids: Arc<dyn IdSource>) -> Self {
        Self { store, local: None, ids }
    }

    /// Whether the store answers: asked for an object that is not there, it says so.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let nothing = key(ObjectId::from_uuid(kernel::Uuid::nil()));
        match self.store.head(&nothing).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins an object of at most `max_bytes`; it is there once its writer is finished.
    pub async fn writer(&self, max_bytes: u64) -> Result<ObjectWriter, StorageError> {
        let object = ObjectId::new(self.ids.as_ref());
        let upload = self.store.put_multipart(&key(object)).await?;
        Ok(ObjectWriter::new(object, upload, max_bytes))
    }

    /// Writes a stream as an object of at most `max_bytes`; nothing is left of one that breaks off or is too large.
    pub async fn write<S, E>(&self, stream: S, max_bytes: u64) -> Result<StoredObject, StorageError>
    where
        S: futures::Stream<Item = Result<Bytes, E>> + Unpin + Send,
        StorageError: From<E>,
    {
        let mut writer = self.writer(max_bytes).await?;
        match write_all(stream, &mut writer).await {
            Ok(()) => writer.finish().await,
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    /// Writes bytes that are all there as an object.
    pub(super) async fn put(&self, bytes: Vec<u8>) -> Result<ObjectId, StorageError> {
        let object = ObjectId::new(self.ids.as_ref());
        self.store.put(&key(object), PutPayload::from(Bytes::from(bytes))).await?;
        Ok(object)
    }

    /// Reads the bytes of `range`, which lie inside the object.
    pub async fn read(&self, object: ObjectId, range: Range<u64>) -> Result<ByteStream, StorageError> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        match self.store.get_opts(&key(object), options).await?.payload {
            // The crate's own stream of a file asks for a thread every 8 KB.
            GetResultPayload::File(file, _) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(range.start)).await?;
                let bytes = file.take(range.end - range.start);
                Ok(ReaderStream::with_capacity(bytes, READ_BYTES).map_err(StorageError::from).boxed())
            }
            GetResultPayload::Stream(stream) => Ok(stream.map_err(StorageError::from).boxed()),
        }
    }

    /// Removes an object; one that is gone already is as good.
    pub async fn delete(&self, object: ObjectId) -> Result<(), StorageError> {
        match self.store.delete(&key(object)).await {
            Err(error) if !matches!(error, object_store::Error::NotFound { .. }) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes objects that no row names any more. What cannot be removed now is found by the next sweep.
    pub(super) async fn discard(&self, objects: &[ObjectId]) {
        for object in objects {
            if let Err(error) = self.delete(*object).await {
                tracing::warn!(%object, error = %error, "an object that nobody needs stays for now");
            }
        }
    }

    /// Every object, in no order. What has no key of ours is not ours, and is left alone.
    pub(super) fn list(&self) -> BoxStream<'static, Result<Listed, StorageError>> {
        let listed = self.store.list(Some(&Key::from(FOLDER))).map_err(StorageError::from);
        listed
            .try_filter_map(|meta| async move {
                let modified_at_ms = meta.last_modified.timestamp_millis();
                Ok(object_of(&meta.location).map(|object| Listed { object, modified_at_ms }))
            })
            .boxed()
    }

    /// The folder's own path to an object, where there is a folder.
    pub(super) fn find_path(&self, object: ObjectId) -> Result<Option<std::path::PathBuf>, StorageError> {
        let Some(local) = &self.local else { return Ok(None) };
        Ok(Some(local.path_to_filesystem(&key(object))?))
    }

    /// The folder that holds all of them, where there is one.
    pub(super) fn find_folder(&self) -> Result<Option<std::path::PathBuf>, StorageError> {
        let Some(local) = &self.local else { return Ok(None) };
        Ok(Some(local.path_to_filesystem(&Key::from(FOLDER))?))
    }
}

async fn write_all<S, E>(mut stream: S, writer: &mut ObjectWriter) -> Result<(), StorageError>
where
    S: futures::Stream<Item = Result<Bytes, E>> + Unpin + Send,
    StorageError: From<E>,
{
    while let Some(bytes) = stream.next().await {
        writer.write(&bytes?).await?;
    }
    Ok(())
}

/// Folders by the last byte of the id, which is chance: its first ones are the time and would all be alike.
fn key(object: ObjectId) -> Key {
    let name = object.as_uuid().simple().to_string();
    Key::from_iter([FOLDER, &name[name.len() - 2..], &name])
}

fn object_of(location: &Key) -> Option<ObjectId> {
    let object = ObjectId::from_uuid(Uuid::try_parse(location.filename()?).ok()?);
    (key(object) == *location).then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{FixedClock, SeededRng, TimeOrderedIds};
    use object_store::memory::InMemory;

    fn ids() -> Arc<dyn IdSource> {
        Arc::new(TimeOrderedIds::new(Arc::new(FixedClock(1)), Arc::new(SeededRng::new(1))))
    }

    async fn read(objects: &Objects, object: ObjectId, range: Range<u64>) -> Vec<u8> {
        let stream = objects.read(object, range).await.unwrap();
        stream.map_ok(|bytes| bytes.to_vec()).try_concat().await.unwrap()
    }

    fn body(parts: &[&'static str]) -> impl futures::Stream<Item = Result<Bytes, StorageError>> + Unpin + Send {
        futures::stream::iter(parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect::<Vec<_>>())
    }

    /// What every store must do.
    async fn conforms(objects: &Objects) {
        let stored = objects.write(body(&["some ", "bytes"]), 10).await.unwrap();
        assert_eq!((stored.size_bytes, stored.hash), (10, blake3::hash(b"some bytes")));
        assert_eq!(read(objects, stored.object, 0..10).await, b"some bytes");
        assert_eq!(read(objects, stored.object, 5..7).await, b"by");
        assert_eq!(read(objects, stored.object, 3..3).await, b"");
        let too_large = objects.write(body(&["some ", "bytes!"]), 10).await.unwrap_err();
        assert!(matches!(too_large, StorageError::TooLarge { max_bytes: 10 }), "{too_large}");
        let broken = futures::stream::iter([Ok(Bytes::from_static(b"some")), Err(StorageError::Broken)]);
        assert!(objects.write(broken, 10).await.is_err());
        let listed: Vec<_> = objects.list().try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|listed| listed.object).collect::<Vec<_>>(), [stored.object]);
        let path = objects.local_copy(stored.object, stored.size_bytes).await.unwrap();
        assert_eq!(fs::read(path.path()).unwrap(), b"some bytes");
        objects.delete(stored.object).await.unwrap();
        objects.delete(stored.object).await.unwrap();
        assert!(objects.read(stored.object, 0..10).await.is_err());
    }

    #[tokio::test]
    async fn a_folder_and_another_store_do_the_same() {
        let folder = tempfile::tempdir().unwrap();
        conforms(&Objects::in_folder(folder.path(), ids()).unwrap()).await;
        conforms(&Objects::of_store(Arc::new(InMemory::new()), ids())).await;
    }

    #[tokio::test]
    async fn what_is_not_ours_is_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::in_folder(folder.path(), ids()).unwrap();
        let object = objects.put(b"ours".to_vec()).await.unwrap();
        let shard = folder.path().join("objects/ff");
        fs::create_dir_all(&shard).unwrap();
        fs::write(shard.join("notes.txt"), "theirs").unwrap();
        fs::write(shard.join(object.as_uuid().simple().to_string()), "in the wrong folder").unwrap();
        let listed: Vec<_> = objects.list().try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|listed| listed.object).collect::<Vec<_>>(), [object]);
    }
}
