//! What tests of files work on: a database, a folder, a content check that a test directs, users.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::body::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use kernel::{
    Actor, Clock, Credential, IdSource, ManualClock, Plan, Role, SeededRng, SessionId, TimeOrderedIds, UserId, Uuid,
};
use platform::{
    db::migrate,
    idempotency::{self, Receipt},
    secrets::SecretKeys,
    storage::{
        self, CheckError, Chunk, ContentCheck, File, FileName, Files, FilesParts, Inspection, Links, MediaType,
        NewUpload, Objects, Shelf, ShelfLimits, StorageError, StorageSettings, Upload, VirusScanner,
    },
    testing::TestDb,
};
use secrecy::SecretString;
use tempfile::TempDir;

/// A time as good as any: the files of a test are made by the real clock, so it must not lie before them.
pub(crate) const NOW_MS: i64 = 4_000_000_000_000;

pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Says of files what a test wants: by default that they are text.
#[derive(Debug, Default)]
pub(crate) struct Directed(Mutex<Vec<Result<(), CheckError>>>);

impl Directed {
    /// The next file that is looked into is answered for like this.
    pub(crate) fn next(&self, answer: Result<(), CheckError>) {
        self.0.lock().unwrap().push(answer);
    }
}

#[async_trait]
impl ContentCheck for Directed {
    async fn check(&self, path: &Path) -> Result<MediaType, CheckError> {
        assert!(path.exists(), "{} is not there to be looked into", path.display());
        self.0.lock().unwrap().pop().unwrap_or(Ok(()))?;
        Ok("video/mp4".parse().unwrap())
    }
}

/// Files on a database and a folder of their own.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) content: Arc<Directed>,
    pub(crate) files: Files,
    parts: FilesParts,
}

impl Desk {
    pub(crate) async fn new(test: &TestDb) -> Self {
        Self::with(test, settings()).await
    }

    pub(crate) async fn with(test: &TestDb, settings: StorageSettings) -> Self {
        Self::on(test, settings, |folder, ids| Objects::in_folder(folder, ids).unwrap()).await
    }

    /// On the objects that are made of a folder and a source of ids.
    pub(crate) async fn on(
        test: &TestDb,
        settings: StorageSettings,
        objects: impl FnOnce(&Path, Arc<dyn IdSource>) -> Objects,
    ) -> Self {
        migrate::up(test.db(), &[storage::migrations(), idempotency::migrations()]).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(NOW_MS);
        let ids: Arc<dyn IdSource> =
            Arc::new(TimeOrderedIds::new(Arc::new(clock.clone()), Arc::new(platform::rng::SystemRng)));
        let content = Arc::new(Directed::default());
        let parts = FilesParts {
            db: test.db().clone(),
            objects: objects(folder.path(), ids.clone()),
            caches: test.caches(),
            clock: Arc::new(clock.clone()),
            ids,
            inspection: Inspection { content: content.clone(), scanner: None },
            links: Links::new(&secrets()),
            settings,
        };
        Self { folder, clock, content, files: Files::new(parts.clone()), parts }
    }

    /// Another server on the same database and folder, as after a restart.
    pub(crate) fn restarted(&self) -> Files {
        Files::new(self.parts.clone())
    }

    /// A shelf in the same database and folder.
    pub(crate) fn shelf(&self, limits: ShelfLimits) -> Shelf {
        Shelf::new(self.parts.db.clone(), self.parts.objects.clone(), self.parts.clock.clone(), limits)
    }

    /// The same, with a scanner.
    pub(crate) fn scanned_by(&self, scanner: Arc<dyn VirusScanner>) -> Files {
        let mut parts = self.parts.clone();
        parts.inspection.scanner = Some(scanner);
        Files::new(parts)
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.parts.objects
    }

    /// How many objects lie in the folder, finished or not.
    pub(crate) fn count_objects(&self) -> usize {
        let shards = std::fs::read_dir(self.folder.path().join("objects")).into_iter().flatten();
        shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
    }

    pub(crate) async fn receive(&self, actor: &Actor, name: &str, bytes: &[u8]) -> Result<File, StorageError> {
        let body = futures::stream::iter([Ok::<_, StorageError>(Bytes::copy_from_slice(bytes))]);
        self.files.receive(actor, &FileName::new(name), body, &Receipt::none()).await
    }

    pub(crate) async fn begin(&self, actor: &Actor, length_bytes: u64) -> Result<Upload, StorageError> {
        let new = NewUpload { name: FileName::new("talk.mp4"), length_bytes };
        self.files.begin_upload(actor, new, &Receipt::none()).await
    }

    pub(crate) async fn read(&self, file: &File) -> Vec<u8> {
        let bytes = self.files.read(file, 0..file.size_bytes).await.unwrap();
        bytes.map_ok(|bytes| bytes.to_vec()).try_concat().await.unwrap()
    }
}

pub(crate) fn settings() -> StorageSettings {
    StorageSettings { min_free_bytes: 0, ..StorageSettings::default() }
}

pub(crate) fn secrets() -> SecretKeys {
    SecretKeys::new(SecretString::from("a secret for tests, long enough".repeat(2)), Vec::new()).unwrap()
}

/// The user of this number, who may make everything.
pub(crate) fn user(number: u128) -> Actor {
    actor(number, Role::Creator)
}

pub(crate) fn actor(number: u128, role: Role) -> Actor {
    let session = SessionId::from_uuid(Uuid::from_u128(1));
    Actor::new(UserId::from_uuid(Uuid::from_u128(number)), role, Plan::Free, Credential::Token(session))
}

/// Bytes that are the same for the same seed, and nothing like each other for others.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    kernel::Rng::fill(&SeededRng::new(seed), &mut bytes);
    bytes
}

/// A piece that comes as a whole.
pub(crate) fn chunk(offset: u64, bytes: &[u8]) -> Chunk {
    let body = futures::stream::iter([Ok(Bytes::copy_from_slice(bytes))]).boxed();
    Chunk { offset, body, checksum: None }
}

/// A piece that breaks off behind `bytes`.
pub(crate) fn broken_chunk(offset: u64, bytes: &[u8]) -> Chunk {
    let body = futures::stream::iter([Ok(Bytes::copy_from_slice(bytes)), Err("cut".into())]).boxed();
    Chunk { offset, body, checksum: None }
}

/// The time of the desk's clock.
pub(crate) fn now_ms(desk: &Desk) -> i64 {
    desk.clock.now_ms()
}
