//! What every store must do, plain and encrypted, and what is made of each thing that can be wrong with one.

mod faults;
mod stores;

use std::{fs, ops::Range, sync::Arc};

use axum::body::Bytes;
use futures::TryStreamExt as _;
use kernel::{FixedClock, IdSource, Rng as _, SeededRng, TimeOrderedIds};
use secrecy::SecretString;

use super::{Located, NewObjects, Objects, Seals, StorageError, Store, object::Shards};
use crate::{rng::SystemRng, secrets::SecretKeys};

/// Whether a store can refuse to replace what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conditions {
    Kept,
    /// It does as if nothing had been said of them.
    Ignored,
}

fn ids() -> Arc<dyn IdSource> {
    Arc::new(TimeOrderedIds::new(Arc::new(FixedClock(1)), Arc::new(SystemRng)))
}

fn plain(store: Store) -> Objects {
    Objects::new(store, ids())
}

fn encrypted(store: Store) -> Objects {
    let secrets = SecretKeys::new(SecretString::from("a secret of a test, 32 bytes long"), Vec::new()).unwrap();
    plain(store).with_seals(Seals::new(&secrets, Arc::new(SystemRng)), NewObjects::Encrypted)
}

fn noise(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SeededRng::new(3).fill(&mut bytes);
    bytes
}

async fn read(objects: &Objects, located: Located, range: Range<u64>) -> Result<Vec<u8>, StorageError> {
    objects.read(located, range).await?.map_ok(|bytes| bytes.to_vec()).try_concat().await
}

fn body(parts: &[&'static str]) -> impl futures::Stream<Item = Result<Bytes, StorageError>> + Unpin + Send + use<> {
    futures::stream::iter(parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect::<Vec<_>>())
}

async fn listed(objects: &Objects) -> Vec<super::ObjectId> {
    let mut listed: Vec<_> = objects.list(Shards::All).map_ok(|listed| listed.object).try_collect().await.unwrap();
    listed.sort_unstable();
    listed
}

/// What every store must do.
async fn conforms(objects: &Objects, conditions: Conditions) {
    objects.ping().await.unwrap();
    a_small_object_is_written_read_and_removed(objects).await;
    what_breaks_off_leaves_nothing(objects).await;
    a_large_object_goes_in_parts(objects).await;
    nothing_is_replaced(objects, conditions).await;
    many_write_at_a_time(objects).await;
    assert_eq!(listed(objects).await, []);
}

async fn a_small_object_is_written_read_and_removed(objects: &Objects) {
    let stored = objects.write(body(&["some ", "bytes"]), 10).await.unwrap();
    assert_eq!((stored.size_bytes, stored.hash), (10, blake3::hash(b"some bytes")));
    let located = stored.located();
    assert_eq!(read(objects, located, 0..10).await.unwrap(), b"some bytes");
    assert_eq!(read(objects, located, 5..7).await.unwrap(), b"by");
    assert_eq!(read(objects, located, 3..3).await.unwrap(), b"");
    assert_eq!(listed(objects).await, [stored.object]);
    let copy = objects.local_copy(located).await.unwrap();
    assert_eq!(fs::read(copy.path()).unwrap(), b"some bytes");
    objects.delete(stored.object).await.unwrap();
    objects.delete(stored.object).await.unwrap();
    assert!(read(objects, located, 0..10).await.is_err());
}

async fn what_breaks_off_leaves_nothing(objects: &Objects) {
    let too_large = objects.write(body(&["some ", "bytes!"]), 10).await.unwrap_err();
    assert!(matches!(too_large, StorageError::TooLarge { max_bytes: 10 }), "{too_large}");
    let broken = futures::stream::iter([Ok(Bytes::from_static(b"some")), Err(StorageError::Broken)]);
    assert!(objects.write(broken, 10).await.is_err());
    let pieces = (0..12).map(|_| Ok(Bytes::from(noise(1_000_000)))).chain([Err(StorageError::Broken)]);
    assert!(objects.write(futures::stream::iter(pieces), 1_000_000_000).await.is_err());
    assert_eq!(listed(objects).await, []);
}

async fn a_large_object_goes_in_parts(objects: &Objects) {
    let bytes = noise(12 * 1024 * 1024 + 7);
    let pieces = bytes.chunks(999_999).map(|piece| Ok::<_, StorageError>(Bytes::copy_from_slice(piece)));
    let stored = objects.write(futures::stream::iter(pieces), 1_000_000_000).await.unwrap();
    assert_eq!((stored.size_bytes, stored.hash), (bytes.len() as u64, blake3::hash(&bytes)));
    let end = bytes.len() as u64;
    for range in [0..end, 5 * 1024 * 1024 - 3..5 * 1024 * 1024 + 3, 65_535..65_537, end - 7..end] {
        let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        assert!(read(objects, stored.located(), range.clone()).await.unwrap() == bytes[from..to], "{range:?}");
    }
    objects.delete(stored.object).await.unwrap();
}

/// Whoever tries again, because the answer was lost, succeeds; whoever would replace something else does not.
async fn nothing_is_replaced(objects: &Objects, conditions: Conditions) {
    let object = super::ObjectId::new(ids().as_ref());
    let located = Located { object, size_bytes: 5, seal: None };
    objects.create(object, Bytes::from_static(b"first")).await.unwrap();
    objects.create(object, Bytes::from_static(b"first")).await.unwrap();
    assert_eq!(read(objects, located, 0..5).await.unwrap(), b"first");
    let replaced = objects.create(object, Bytes::from_static(b"other")).await;
    if conditions == Conditions::Kept {
        assert!(replaced.is_err());
        assert_eq!(read(objects, located, 0..5).await.unwrap(), b"first");
    }
    objects.delete(object).await.unwrap();
}

async fn many_write_at_a_time(objects: &Objects) {
    let write = |number: u8| async move {
        let bytes = vec![number; 70_000];
        let stored = objects.put(bytes.clone()).await.unwrap();
        assert!(read(objects, stored, 0..70_000).await.unwrap() == bytes);
        stored.object
    };
    let mut written = futures::future::join_all((0..16).map(write)).await;
    written.sort_unstable();
    assert_eq!(listed(objects).await, written);
    let mut by_shard = Vec::new();
    for first in [0, 100, 200] {
        let shards = objects.list(Shards::From { first, count: if first == 200 { 56 } else { 100 } });
        by_shard.extend(shards.map_ok(|listed| listed.object).try_collect::<Vec<_>>().await.unwrap());
    }
    by_shard.sort_unstable();
    assert_eq!(by_shard, written);
    objects.discard(&written).await;
}
