//! The user's own files: named by their content, and hashed again only when they may have changed.

use std::{
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
};

use kernel::ErrorKind;
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};

use super::{Store, entity::source};
use crate::{
    SourceRef, StoreError,
    error::blocking,
    file::{Place, Stamp, hash_file},
};

/// A file changed less than this ago may change again within the same tick of its file system's clock, and its hash is
/// not remembered.
const SETTLED_AFTER_NS: i64 = 2_000_000_000;

impl Store {
    /// Names a file of the user's by its content. A big file is read only once, until its size, time or place changes.
    pub async fn import(&self, path: &Path) -> Result<SourceRef, StoreError> {
        let given = path.to_owned();
        let (path, stamp) = blocking(move || look(&given)).await?;
        // Paths that are not Unicode are rare enough to be hashed each time.
        let name = path.to_str().map(str::to_owned);
        if let Some(name) = &name
            && let Some(row) = source::Entity::find_by_id(name).one(self.db()).await?
            && stamp_of(&row) == Some(stamp)
        {
            return Ok(SourceRef::new(path, row.hash, stamp));
        }
        let source = blocking(move || hash_source(path, stamp)).await?;
        if let Some(name) = name {
            self.remember_source(name, &source).await?;
        }
        Ok(source)
    }

    /// Where the file lies, if it is still the one that was imported.
    pub(crate) async fn unchanged_path(&self, source: &SourceRef) -> Result<PathBuf, StoreError> {
        let Some(Place { path, stamp }) = source.place.clone() else { return Err(not_here(source)) };
        blocking(move || if look(&path)?.1 == stamp { Ok(path) } else { Err(changed(&path)) }).await
    }

    async fn remember_source(&self, name: String, source: &SourceRef) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        let Some(Place { stamp, .. }) = source.place else { return Ok(()) };
        let settled = stamp.modified_ns.saturating_add(SETTLED_AFTER_NS) <= now_ms.saturating_mul(1_000_000);
        let (Ok(size_bytes), true) = (i64::try_from(stamp.size_bytes), settled) else { return Ok(()) };
        let row = source::ActiveModel {
            path: Set(name),
            size_bytes: Set(size_bytes),
            modified_ns: Set(stamp.modified_ns),
            inode: Set(stamp.inode.cast_signed()),
            hash: Set(source.hash.clone()),
            hashed_at_ms: Set(now_ms),
        };
        let columns = [
            source::Column::SizeBytes,
            source::Column::ModifiedNs,
            source::Column::Inode,
            source::Column::Hash,
            source::Column::HashedAtMs,
        ];
        source::Entity::insert(row)
            .on_conflict(OnConflict::column(source::Column::Path).update_columns(columns).to_owned())
            .exec_without_returning(self.db())
            .await?;
        Ok(())
    }
}

fn stamp_of(row: &source::Model) -> Option<Stamp> {
    let size_bytes = u64::try_from(row.size_bytes).ok()?;
    Some(Stamp { size_bytes, modified_ns: row.modified_ns, inode: row.inode.cast_unsigned() })
}

/// Follows a path to a regular file. Devices and pipes are refused before they are opened: they may never end.
fn look(path: &Path) -> Result<(PathBuf, Stamp), StoreError> {
    let path_found = path.canonicalize().map_err(|e| unusable(path, &e))?;
    let metadata = path_found.metadata().map_err(|e| unusable(path, &e))?;
    if metadata.is_dir() {
        return Err(bad(path, ErrorKind::Invalid, "is a folder; name a file".to_owned()));
    }
    if !metadata.is_file() {
        return Err(bad(path, ErrorKind::Invalid, "is no regular file".to_owned()));
    }
    let stamp = stamp(&metadata);
    Ok((path_found, stamp))
}

fn hash_source(path: PathBuf, before: Stamp) -> Result<SourceRef, StoreError> {
    let mut file = File::open(&path).map_err(|e| unusable(&path, &e))?;
    let (hash, size_bytes) = hash_file(&mut file).map_err(|e| unusable(&path, &e))?;
    let after = stamp(&file.metadata().map_err(|e| unusable(&path, &e))?);
    if after != before || size_bytes != before.size_bytes {
        return Err(changed(&path));
    }
    Ok(SourceRef::new(path, hash.to_hex().to_string(), before))
}

#[cfg(unix)]
fn stamp(metadata: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;

    let modified_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Stamp { size_bytes: metadata.len(), modified_ns, inode: metadata.ino() }
}

/// Elsewhere there is no number of a file to compare; size and time have to do.
#[cfg(not(unix))]
fn stamp(metadata: &Metadata) -> Stamp {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified_ns = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
    Stamp { size_bytes: metadata.len(), modified_ns, inode: 0 }
}

fn not_here(source: &SourceRef) -> StoreError {
    let reason = "is needed, but no file of that content was brought here".to_owned();
    bad(Path::new(source.hash()), ErrorKind::NotFound, reason)
}

fn changed(path: &Path) -> StoreError {
    bad(path, ErrorKind::Conflict, "changed while it was read; run again once it is finished".to_owned())
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => bad(path, ErrorKind::NotFound, "does not exist".to_owned()),
        io::ErrorKind::PermissionDenied => {
            bad(path, ErrorKind::Invalid, "may not be read; change its permissions".to_owned())
        }
        _ => bad(path, ErrorKind::Invalid, format!("cannot be read: {error}")),
    }
}

fn bad(path: &Path, kind: ErrorKind, reason: String) -> StoreError {
    StoreError::BadSource { path: path.to_owned(), kind, reason }
}
