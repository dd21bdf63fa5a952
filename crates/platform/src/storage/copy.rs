//! Copies every object that a row names to another store, as it lies, and reads it again there.

use futures::{StreamExt as _, TryStreamExt as _};

use super::{
    Located, ObjectWriter, Objects, StorageError,
    seal::sealed_bytes,
    table::{self, Named, Naming},
};
use crate::db::Db;

/// Rows that are looked at by one query.
const BATCH: u64 = 500;
/// Objects that are copied at a time.
const AT_A_TIME: usize = 4;

/// How far a copy is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects that were looked at.
    pub objects: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Bytes of all objects, as they were in the beginning.
    pub total_bytes: u64,
    /// Objects that were not there, or not as they should be, and are now.
    pub copied: u64,
}

/// Copies what is not in `to` yet. It may be stopped and begun again: what is there is read and compared, never taken on trust.
pub async fn copy_objects(
    db: &Db,
    from: &Objects,
    to: &Objects,
    told: &mut (dyn FnMut(Copied) + Send),
) -> Result<Copied, StorageError> {
    let mut done = Copied::default();
    for table in Naming::ALL {
        done.total_bytes += table::named_bytes(db, table).await?;
    }
    for table in Naming::ALL {
        let mut after = None;
        loop {
            let rows = table::list_named(db, table, after, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.located.object);
            let copies = rows.into_iter().map(|named| async move {
                let is_copied = copy_named(db, from, to, named).await?;
                Ok::<_, StorageError>((named.located.size_bytes, is_copied))
            });
            let mut copies = futures::stream::iter(copies).buffer_unordered(AT_A_TIME);
            while let Some((bytes, is_copied)) = copies.try_next().await? {
                done.objects += 1;
                done.bytes += bytes;
                done.copied += u64::from(is_copied);
                told(done);
            }
        }
    }
    Ok(done)
}

/// Whether it had to be copied. One whose row is gone by now is not needed any more.
async fn copy_named(db: &Db, from: &Objects, to: &Objects, named: Named) -> Result<bool, StorageError> {
    match copy_one(from, to, named).await {
        Err(error) if is_missing(&error) => {
            if table::named(db, &[named.located.object]).await?.is_empty() {
                to.delete(named.located.object).await?;
                return Ok(false);
            }
            Err(error)
        }
        copied => copied,
    }
}

async fn copy_one(from: &Objects, to: &Objects, Named { located, hash }: Named) -> Result<bool, StorageError> {
    let expected = match hash {
        Some(hash) => hash,
        None => hash_of(from, located).await?,
    };
    match hash_of(to, located).await {
        Ok(found) if found == expected => return Ok(false),
        // Something else is there, or something that cannot be opened.
        Ok(_) | Err(StorageError::Sealed { .. } | StorageError::Altered) => to.delete(located.object).await?,
        Err(error) if is_missing(&error) => {}
        Err(error) => return Err(error),
    }
    let stored_bytes = if located.seal.is_some() { sealed_bytes(located.size_bytes) } else { located.size_bytes };
    let mut bytes = from.read_raw(located.object, 0..stored_bytes, stored_bytes).await?;
    let mut writer = ObjectWriter::new(to.clone(), located.object, None, stored_bytes)?;
    while let Some(bytes) = bytes.try_next().await? {
        writer.write(&bytes).await?;
    }
    writer.finish().await?;
    if hash_of(to, located).await? == expected { Ok(true) } else { Err(StorageError::Altered) }
}

/// BLAKE3 of an object as it was written.
async fn hash_of(objects: &Objects, located: Located) -> Result<blake3::Hash, StorageError> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = objects.read(located, 0..located.size_bytes).await?;
    while let Some(bytes) = bytes.try_next().await? {
        hasher.update(&bytes);
    }
    Ok(hasher.finalize())
}

fn is_missing(error: &StorageError) -> bool {
    matches!(error, StorageError::Store(object_store::Error::NotFound { .. }))
}
