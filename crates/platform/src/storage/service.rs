//! What is done with files: made, found, listed, read, linked and removed.

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use axum::{body::Bytes, http::HeaderValue};
use kernel::{Actor, Clock, Credential, Cursor, IdSource, Page, PageRequest, Permission, UserId};
use tokio_util::io::ReaderStream;
use url::Url;

use super::{
    ByteStream, File, FileId, FileName, Inspection, Link, Links, LocalCopy, Located, NewFile, Objects, StorageError,
    StorageSettings, StoredObject,
    object::SignedAnswer,
    table,
    uploads::{Intakes, Turns},
};
use crate::{
    cache::{Cached, Caches, Computed, Policy, Reach},
    db::{Db, Transaction},
    idempotency::Receipt,
};

/// How much of a file that is taken over is read at a time.
const READ_BYTES: usize = 256 * 1024;

/// The rows of files: a player asks for one in many ranges. A row never changes, so one that was not removed is good for long;
/// while the database does not answer, links still open what Redis knows to be there. That there is no file is not kept: an
/// upload becomes one under its own id.
const ROWS: Policy = Policy {
    name: "files",
    version: 2,
    reach: Reach::TeamAndDisk,
    ttl: Duration::from_mins(10),
    absent_ttl: Duration::ZERO,
    grace: Duration::from_hours(24),
    patience: Duration::from_secs(1),
    memory_percent: 20,
};

/// How long an address at the store opens a file. Whoever follows a link begins at once; a download that has begun goes on.
const DIRECT_AGE: Duration = Duration::from_mins(10);

/// What the service of files is made of.
#[derive(Debug, Clone)]
pub struct FilesParts {
    pub db: Db,
    pub objects: Objects,
    pub caches: Caches,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    pub inspection: Inspection,
    pub links: Links,
    pub settings: StorageSettings,
}

/// The service of files and uploads. Clones share everything.
#[derive(Debug, Clone)]
pub struct Files {
    pub(super) db: Db,
    pub(super) objects: Objects,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) inspection: Inspection,
    pub(super) settings: Arc<StorageSettings>,
    pub(super) turns: Turns,
    pub(super) intakes: Intakes,
    rows: Cached<File>,
    links: Links,
}

impl Files {
    pub fn new(parts: FilesParts) -> Self {
        let FilesParts { db, objects, caches, clock, ids, inspection, links, settings } = parts;
        let (turns, intakes) = (Turns::default(), Intakes::default());
        let rows = caches.cached(ROWS);
        Self { db, objects, clock, ids, inspection, settings: Arc::new(settings), turns, intakes, rows, links }
    }

    /// The limits in force.
    pub fn settings(&self) -> &StorageSettings {
        &self.settings
    }

    /// Fails for who may bring no files, before any of their bytes is read.
    pub fn require_writing(&self, actor: &Actor) -> Result<(), StorageError> {
        require_writing(actor)
    }

    /// Takes in the bytes of a file that a user sends in one go: stored, looked into, named.
    pub async fn receive<S, E>(
        &self,
        actor: &Actor,
        name: &FileName,
        body: S,
        receipt: &Receipt<File>,
    ) -> Result<File, StorageError>
    where
        S: futures::Stream<Item = Result<Bytes, E>> + Unpin + Send,
        StorageError: From<E>,
    {
        require_writing(actor)?;
        let room = self.settings.user_quota_bytes.saturating_sub(table::used_bytes(&self.db, actor.user_id).await?);
        if room == 0 {
            return Err(StorageError::Quota { bytes: 1, quota_bytes: self.settings.user_quota_bytes });
        }
        self.objects.check_room(0, self.settings.min_free_bytes)?;
        let stored = match self.objects.write(body, self.settings.max_file_bytes.min(room)).await {
            Err(StorageError::TooLarge { max_bytes }) if max_bytes < self.settings.max_file_bytes => {
                return Err(StorageError::Quota { bytes: max_bytes + 1, quota_bytes: self.settings.user_quota_bytes });
            }
            stored => stored?,
        };
        match self.accept(actor.user_id, name, &stored, receipt).await {
            Ok(file) => Ok(file),
            Err(error) => {
                self.objects.discard(&[stored.object]).await;
                Err(error)
            }
        }
    }

    async fn accept(
        &self,
        owner: UserId,
        name: &FileName,
        stored: &StoredObject,
        receipt: &Receipt<File>,
    ) -> Result<File, StorageError> {
        if stored.size_bytes == 0 {
            return Err(StorageError::Empty);
        }
        let media_type = self.inspection.inspect(&self.objects, stored).await?;
        let new = &NewFile { owner, name: name.clone(), media_type };
        let accept = |tx: Transaction| async move {
            let file = self.add_in(&tx, new.clone(), stored).await?;
            receipt.keep(&tx, &file).await?;
            Ok(file)
        };
        self.db.transaction(accept).await
    }

    /// Copies a file of this machine into the store; no row names it until [`Self::add`].
    pub async fn store(&self, path: &Path) -> Result<StoredObject, StorageError> {
        let file = tokio::fs::File::open(path).await?;
        self.objects.check_room(file.metadata().await?.len(), self.settings.min_free_bytes)?;
        self.objects.write(ReaderStream::with_capacity(file, READ_BYTES), self.settings.max_file_bytes).await
    }

    /// Makes a file of one of this machine that nobody vouches for, looked into like one that a user sends.
    pub async fn adopt(&self, owner: UserId, name: FileName, path: &Path) -> Result<File, StorageError> {
        let stored = self.store(path).await?;
        match self.accept(owner, &name, &stored, &Receipt::none()).await {
            Ok(file) => Ok(file),
            Err(error) => {
                self.objects.discard(&[stored.object]).await;
                Err(error)
            }
        }
    }

    /// Makes a file of an object that was stored.
    pub async fn add(&self, new: NewFile, stored: &StoredObject) -> Result<File, StorageError> {
        let new = &new;
        self.db.transaction(|tx| async move { self.add_in(&tx, new.clone(), stored).await }).await
    }

    /// The same in a transaction of the caller's, so that the file is there if and only if its cause is.
    pub async fn add_in(&self, tx: &Transaction, new: NewFile, stored: &StoredObject) -> Result<File, StorageError> {
        table::reserve(tx, new.owner, stored.size_bytes, self.settings.user_quota_bytes).await?;
        let file = self.row_of(FileId::new(self.ids.as_ref()), new, stored);
        table::insert(tx, &file).await?;
        Ok(file)
    }

    pub(super) fn row_of(&self, id: FileId, new: NewFile, stored: &StoredObject) -> File {
        File {
            id,
            owner: new.owner,
            name: new.name,
            media_type: new.media_type,
            size_bytes: stored.size_bytes,
            hash: stored.hash,
            created_at_ms: self.clock.now_ms(),
            object: stored.object,
            seal: stored.seal,
        }
    }

    /// Removes an object that [`Self::store`] made and that is not needed after all.
    pub async fn discard(&self, stored: StoredObject) {
        self.objects.discard(&[stored.object]).await;
    }

    /// A file of the one who asks. Those of others are not there for anybody else.
    pub async fn get(&self, actor: &Actor, id: FileId) -> Result<File, StorageError> {
        require_reading(actor)?;
        let file = self.find_row(id).await?;
        file.filter(|file| file.owner == actor.user_id).ok_or(StorageError::NoFile(id))
    }

    /// Files of one user, in the order of `ids`, for the server's own work on them. Those of others are not there.
    pub async fn find_all(&self, owner: UserId, ids: &[FileId]) -> Result<Vec<File>, StorageError> {
        let files = table::find_all(&self.db, ids).await?;
        let of = |id: &FileId| files.iter().find(|file| file.id == *id && file.owner == owner).cloned();
        ids.iter().map(|id| of(id).ok_or(StorageError::NoFile(*id))).collect()
    }

    /// The file that a link opens.
    pub async fn open_link(&self, id: FileId, token: &str) -> Result<File, StorageError> {
        self.links.verify(id, token, self.clock.now_ms())?;
        self.find_row(id).await?.ok_or(StorageError::NoFile(id))
    }

    /// A file as its row was a moment ago.
    async fn find_row(&self, id: FileId) -> Result<Option<File>, StorageError> {
        let look_up = || async {
            let found = table::find(&self.db, id).await?;
            Ok::<_, StorageError>(found.map_or_else(Computed::absent, Computed::found))
        };
        let found = self.rows.get_or_compute(&id.to_string(), look_up).await?;
        Ok(found.map(|file| file.as_ref().clone()))
    }

    /// A file, for the server's own work on it.
    pub async fn find(&self, id: FileId) -> Result<Option<File>, StorageError> {
        table::find(&self.db, id).await
    }

    /// The files of the one who asks, the newest first.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<File>, StorageError> {
        require_reading(actor)?;
        let after = page.after.as_ref().map(Cursor::part).transpose()?;
        let files = table::list(&self.db, actor.user_id, after, page.size.and_one_more()).await?;
        Ok(Page::of_one_more(files, page.size, |file| Cursor::of_parts(&[&file.id.to_string()])))
    }

    /// Bytes that are counted for the one who asks, files and uploads together.
    pub async fn used_bytes(&self, actor: &Actor) -> Result<u64, StorageError> {
        table::used_bytes(&self.db, actor.user_id).await
    }

    /// A link to a file of the one who asks, for as long as `age`, which is bounded.
    pub async fn link(&self, actor: &Actor, id: FileId, age: Option<Duration>) -> Result<Link, StorageError> {
        let file = self.get(actor, id).await?;
        let longest = self.settings.max_link_age();
        let age = age.unwrap_or(longest).min(longest);
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Ok(self.links.sign(file.id, self.clock.now_ms().saturating_add(age_ms)))
    }

    /// What reads the object of a file, whose key may have been wrapped anew since its row was looked up.
    async fn located(&self, file: &File) -> Result<Located, StorageError> {
        if self.objects.can_open(&file.located()) {
            return Ok(file.located());
        }
        Ok(table::find(&self.db, file.id).await?.ok_or(StorageError::NoFile(file.id))?.located())
    }

    /// The bytes of a file, or of a range of it.
    pub async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream, StorageError> {
        self.objects.read(self.located(file).await?, range).await
    }

    /// Where a file can be had from the store itself, for a while, where that is wanted and can be. The store answers with these
    /// headers.
    pub(super) async fn direct_url(
        &self,
        file: &File,
        content_type: HeaderValue,
        disposition: HeaderValue,
    ) -> Result<Option<Url>, StorageError> {
        if !self.settings.direct_links {
            return Ok(None);
        }
        let answer = SignedAnswer { age: DIRECT_AGE, content_type, disposition };
        self.objects.signed_url(file.located(), &answer).await
    }

    /// The file as one of this machine, for programs that read files.
    pub async fn local_copy(&self, file: &File) -> Result<LocalCopy, StorageError> {
        self.objects.local_copy(self.located(file).await?).await
    }

    /// Removes a file of the one who asks: first the row, then the bytes, so that no row ever names what is gone.
    pub async fn delete(&self, actor: &Actor, id: FileId) -> Result<(), StorageError> {
        require_writing(actor)?;
        let file = &self.get(actor, id).await?;
        let remove = |tx: Transaction| async move {
            self.rows.invalidate_in(&tx, &file.id.to_string()).await?;
            remove_in(&tx, file).await
        };
        let is_removed = self.db.transaction(remove).await?;
        if is_removed {
            self.objects.discard(&[file.object]).await;
        }
        Ok(())
    }
}

async fn remove_in(tx: &Transaction, file: &File) -> Result<bool, StorageError> {
    let is_removed = table::delete(tx, file.id).await?;
    if is_removed {
        table::release(tx, file.owner, file.size_bytes).await?;
    }
    Ok(is_removed)
}

/// Files are there to make videos and dubs from: who may make either may bring them.
pub(super) fn require_writing(actor: &Actor) -> Result<(), StorageError> {
    Ok(actor.require_any(&[Permission::CreateVideos, Permission::CreateDubs])?)
}

/// Whoever brought files reads them, also with another role by now; an API key needs to be made for that.
pub(super) fn require_reading(actor: &Actor) -> Result<(), StorageError> {
    match actor.credential {
        Credential::ApiKey(_) => require_writing(actor),
        Credential::Token(_) | Credential::Cookie(_) | Credential::Console => Ok(()),
    }
}
