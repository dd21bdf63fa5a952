//! Objects: bytes under an id, in a folder of this machine or in a provider's store, plain or encrypted.

use std::{error::Error, io, io::SeekFrom, ops::Range, path::Path, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderValue, Method},
};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use kernel::{IdSource, Uuid, id_type};
use object_store::{
    GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, path::Path as Key,
    signer::SignedUrlOptions,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use url::Url;

use super::{
    LocalCopies, ObjectWriter, Seal, Seals, StorageError, Store, StoreError, StoredObject,
    error::{is_away, is_unsupported},
    seal::{DataKey, Opening, open_stream, sealed_bytes, sealed_range},
};

id_type!(ObjectId, "an object");

/// What keys of objects begin with, behind the prefix of the store.
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
    pub(super) store: Store,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) copies: LocalCopies,
    seals: Option<Sealing>,
}

/// The keys of encrypted objects, and whether new ones are encrypted.
#[derive(Debug, Clone)]
struct Sealing {
    seals: Seals,
    new: NewObjects,
}

/// How objects are stored from now on. Those that are there stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewObjects {
    Plain,
    Encrypted,
}

/// What is known of an object by whoever names it: all that is needed to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    pub object: ObjectId,
    /// Its bytes as they were written, whatever the store has of them.
    pub size_bytes: u64,
    /// Its key, where it is encrypted.
    pub seal: Option<Seal>,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub object: ObjectId,
    /// Milliseconds since the Unix epoch, by the clock of the store.
    pub modified_at_ms: i64,
}

/// What is listed at a time: objects lie in 256 shards, by the last byte of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shards {
    All,
    From { first: u8, count: u8 },
}

/// How a store answers whoever opens an address that it signed.
#[derive(Debug, Clone)]
pub(super) struct SignedAnswer {
    pub age: Duration,
    pub content_type: HeaderValue,
    pub disposition: HeaderValue,
}

impl Objects {
    /// The objects of a store, whose local copies lie in the folder for temporary files.
    pub fn new(store: Store, ids: Arc<dyn IdSource>) -> Self {
        Self { store, ids, copies: LocalCopies::temporary(), seals: None }
    }

    /// The objects of a folder, which is made where there is none. What is written is synced before it is seen.
    pub fn in_folder(folder: &Path, ids: Arc<dyn IdSource>) -> Result<Self, StoreError> {
        Ok(Self::new(Store::in_folder(folder)?, ids))
    }

    /// The objects of any store; without a folder here, programs get copies of them.
    pub fn of_store(store: Arc<dyn ObjectStore>, ids: Arc<dyn IdSource>) -> Self {
        Self::new(Store::of(store), ids)
    }

    /// The same, with local copies where `copies` says.
    #[must_use]
    pub fn with_copies(self, copies: LocalCopies) -> Self {
        Self { copies, ..self }
    }

    /// The same, with what opens encrypted objects.
    #[must_use]
    pub fn with_seals(self, seals: Seals, new: NewObjects) -> Self {
        Self { seals: Some(Sealing { seals, new }), ..self }
    }

    /// What opens encrypted objects, where there is a secret.
    pub(super) fn seals(&self) -> Option<&Seals> {
        self.seals.as_ref().map(|sealing| &sealing.seals)
    }

    /// Whether they lie in a folder of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.store.local.is_some()
    }

    /// Whether the object is plain, or one of the secrets opens its key.
    pub(super) fn can_open(&self, located: &Located) -> bool {
        located.seal.is_none_or(|seal| self.seals().is_some_and(|seals| seals.knows(&seal)))
    }

    /// Whether the store answers: asked for an object that is not there, it says so.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let nothing = self.key(ObjectId::from_uuid(Uuid::nil()));
        match self.store.backend.head(&nothing).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether objects can be written, read and removed.
    pub async fn probe(&self) -> Result<(), StorageError> {
        let bytes = self.ids.next_id().as_bytes().repeat(64);
        let located = self.put(bytes.clone()).await?;
        let read = async { self.read(located, 0..located.size_bytes).await?.try_collect::<Vec<_>>().await };
        let read = read.await.map(|pieces| pieces.concat());
        self.delete(located.object).await?;
        if read? == bytes {
            Ok(())
        } else {
            Err(StorageError::Row("an object that is not what was written".to_owned()))
        }
    }

    /// Begins an object of at most `max_bytes`; it is there once its writer is finished.
    pub fn writer(&self, max_bytes: u64) -> Result<ObjectWriter, StorageError> {
        let object = ObjectId::new(self.ids.as_ref());
        ObjectWriter::new(self.clone(), object, self.new_key(object)?, max_bytes)
    }

    /// Writes a stream as an object of at most `max_bytes`; nothing is left of one that breaks off or is too large.
    pub async fn write<S, E>(&self, stream: S, max_bytes: u64) -> Result<StoredObject, StorageError>
    where
        S: futures::Stream<Item = Result<Bytes, E>> + Unpin + Send,
        StorageError: From<E>,
    {
        let mut writer = self.writer(max_bytes)?;
        match write_all(stream, &mut writer).await {
            Ok(()) => writer.finish().await,
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    /// Writes bytes that are all there as an object.
    pub(super) async fn put(&self, bytes: Vec<u8>) -> Result<Located, StorageError> {
        let mut writer = self.writer(bytes.len() as u64)?;
        writer.write_whole(bytes).await?;
        Ok(writer.finish().await?.located())
    }

    /// The key of a new object with its seal, where new ones are encrypted.
    fn new_key(&self, object: ObjectId) -> Result<Option<(DataKey, Seal)>, StorageError> {
        match &self.seals {
            Some(Sealing { seals, new: NewObjects::Encrypted }) => {
                seals.draw(object).map(Some).map_err(|fault| StorageError::Sealed { object, fault })
            }
            _ => Ok(None),
        }
    }

    /// Makes an object of bytes as they are to lie in the store, which replace nothing where the store can tell.
    ///
    /// An id is given once. Where something is there already, it was put there by an earlier try whose answer was lost: then it is
    /// the same.
    pub(super) async fn create(&self, object: ObjectId, bytes: Bytes) -> Result<(), StorageError> {
        let (key, store) = (self.key(object), &self.store.backend);
        let payload = || PutPayload::from(bytes.clone());
        let mut created = store.put_opts(&key, payload(), PutMode::Create.into()).await;
        if created.as_ref().is_err_and(is_away) {
            created = store.put_opts(&key, payload(), PutMode::Create.into()).await;
        }
        match created {
            Ok(_) => Ok(()),
            Err(error @ object_store::Error::AlreadyExists { .. }) => {
                let there = store.get(&key).await?.bytes().await?;
                if there == bytes { Ok(()) } else { Err(error.into()) }
            }
            Err(error) if is_unsupported(&error) || self.is_local() && has_no_links(&error) => {
                store.put(&key, payload()).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the bytes of `range`, which lie inside the object.
    pub async fn read(&self, located: Located, range: Range<u64>) -> Result<ByteStream, StorageError> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let Located { object, size_bytes, seal } = located;
        let Some(seal) = seal else { return self.read_raw(object, range, size_bytes).await };
        let fault = |fault| StorageError::Sealed { object, fault };
        let seals = self.seals().ok_or_else(|| fault(super::SealFault::UnknownKey(seal.key_id())))?;
        let key = seals.open(object, &seal).map_err(fault)?;
        let sealed = sealed_range(&range, size_bytes);
        let sealed = self.read_raw(object, sealed, sealed_bytes(size_bytes)).await?;
        open_stream(&key, sealed, Opening { object, size_bytes, range }).map_err(fault)
    }

    /// Reads bytes as they lie in the store, where the object has `stored_bytes`.
    pub(super) async fn read_raw(
        &self,
        object: ObjectId,
        range: Range<u64>,
        stored_bytes: u64,
    ) -> Result<ByteStream, StorageError> {
        // Some stores answer a range that is the whole as if none had been asked for, which the crate takes for a fault.
        let part = (range != (0..stored_bytes)).then(|| GetRange::Bounded(range.clone()));
        let options = GetOptions { range: part, ..GetOptions::default() };
        let result = self.store.backend.get_opts(&self.key(object), options).await?;
        if result.meta.size != stored_bytes {
            return Err(StorageError::Altered);
        }
        match result.payload {
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

    /// An address that opens a plain object at its store for who has it, where the store can make one that says of itself what it
    /// holds.
    pub(super) async fn signed_url(
        &self,
        located: Located,
        answer: &SignedAnswer,
    ) -> Result<Option<Url>, StorageError> {
        let (Some(signer), None) = (&self.store.signer, located.seal) else { return Ok(None) };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let query = [
            ("response-content-type", text(&answer.content_type)),
            ("response-content-disposition", text(&answer.disposition)),
        ];
        let options = SignedUrlOptions::default().with_query(query);
        Ok(Some(signer.signed_url_opts(Method::GET, &self.key(located.object), answer.age, &options).await?))
    }

    /// Removes an object; one that is gone already is as good.
    pub async fn delete(&self, object: ObjectId) -> Result<(), StorageError> {
        match self.store.backend.delete(&self.key(object)).await {
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

    /// The objects of some shards, in no order. What has no key of ours is not ours, and is left alone.
    pub(super) fn list(&self, shards: Shards) -> BoxStream<'static, Result<Listed, StorageError>> {
        let objects = self.clone();
        let keys: Vec<Key> = match shards {
            Shards::All => vec![self.folder_key()],
            Shards::From { first, count } => {
                let shard = |index: u8| self.folder_key().join(format!("{:02x}", first.wrapping_add(index)));
                (0..count).map(shard).collect()
            }
        };
        let store = self.store.backend.clone();
        let listed =
            futures::stream::iter(keys).flat_map(move |key| store.list(Some(&key))).map_err(StorageError::from);
        listed
            .try_filter_map(move |meta| {
                let modified_at_ms = meta.last_modified.timestamp_millis();
                let object = objects.object_of(&meta.location);
                std::future::ready(Ok(object.map(|object| Listed { object, modified_at_ms })))
            })
            .boxed()
    }

    /// The folder's own path to an object, where there is a folder.
    pub(super) fn find_path(&self, object: ObjectId) -> Result<Option<std::path::PathBuf>, StorageError> {
        let Some(local) = &self.store.local else { return Ok(None) };
        Ok(Some(local.path_to_filesystem(&self.key(object))?))
    }

    /// The folder that holds all of them, where there is one.
    pub(super) fn find_folder(&self) -> Result<Option<std::path::PathBuf>, StorageError> {
        let Some(local) = &self.store.local else { return Ok(None) };
        Ok(Some(local.path_to_filesystem(&self.folder_key())?))
    }

    /// What the keys of all objects begin with.
    pub(super) fn folder_key(&self) -> Key {
        self.store.prefix.clone().join(FOLDER)
    }

    /// Folders by the last byte of the id, which is chance: its first ones are the time and would all be alike.
    pub(super) fn key(&self, object: ObjectId) -> Key {
        let name = object.as_uuid().simple().to_string();
        self.folder_key().join(&name[name.len() - 2..]).join(name.as_str())
    }

    /// The object that has this key.
    pub(super) fn object_of(&self, key: &Key) -> Option<ObjectId> {
        let object = ObjectId::from_uuid(Uuid::try_parse(key.filename()?).ok()?);
        (self.key(object) == *key).then_some(object)
    }
}

/// Whether a file system cannot give a file a second name, by which it is seen that it replaces none.
fn has_no_links(error: &object_store::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)) {
            return true;
        }
        next = error.source();
    }
    false
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
