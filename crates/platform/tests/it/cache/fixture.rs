//! Servers with a cache each, over rows that tests change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use kernel::SystemClock;
use platform::{
    cache::{Cached, Caches, CachesParts, Computed, LookupSettings, Policy, Reach, Tag},
    db::{Db, DbError, Sql},
    redis::Redis,
    rng::SystemRng,
    secrets::{Sealer, SecretKeys},
    testing::TestDb,
};
use sea_orm::ConnectionTrait as _;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) const POLICY: Policy = Policy {
    name: "things",
    version: 1,
    reach: Reach::Team,
    ttl: Duration::from_mins(10),
    absent_ttl: Duration::from_mins(10),
    grace: Duration::ZERO,
    patience: Duration::from_secs(10),
    memory_percent: 50,
};

/// A failure of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Down;

/// What servers are made of.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) test: &'a TestDb,
    pub(super) redis: Option<&'a SecretString>,
    pub(super) policy: Policy,
    pub(super) folder: &'a TempDir,
}

/// A server: its connection to the database, its caches, how often it had to ask the source.
pub(super) struct Server {
    pub(super) db: Db,
    pub(super) caches: Caches,
    pub(super) things: Cached<i64>,
    pub(super) computed: AtomicU32,
    _running: DropGuard,
}

impl Place<'_> {
    /// A server of its own, as another process would be.
    pub(super) async fn server(&self) -> Arc<Server> {
        let db = Db::open(self.test.options()).await.unwrap();
        let secrets = SecretKeys::new("s".repeat(32).into(), Vec::new()).unwrap();
        let rng = Arc::new(SystemRng);
        let redis = self.redis.map(|url| Redis::open(url).unwrap().patient(Duration::from_secs(5)));
        let caches = Caches::new(CachesParts {
            db: db.clone(),
            redis,
            sealer: Sealer::of_lookups(&secrets, rng.clone()),
            clock: Arc::new(SystemClock),
            rng,
            folder: self.folder.path().to_owned(),
            settings: LookupSettings::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn({
            let (caches, stop) = (caches.clone(), stop.clone());
            async move { caches.run(stop).await }
        });
        let things = caches.cached(self.policy);
        Arc::new(Server { db, caches, things, computed: AtomicU32::new(0), _running: stop.drop_guard() })
    }
}

pub(super) async fn make_table(test: &TestDb) {
    for statement in ["CREATE TABLE things (id BIGINT PRIMARY KEY, value BIGINT)", "INSERT INTO things VALUES (1, 0)"] {
        test.db().writer().execute_unprepared(statement).await.unwrap();
    }
}

impl Server {
    /// The value of a thing, through the cache.
    pub(super) async fn read(&self, id: i64) -> Result<Option<i64>, Down> {
        let found = self.things.get_or_compute(&id.to_string(), || self.compute(id)).await?;
        Ok(found.map(|value| *value))
    }

    async fn compute(&self, id: i64) -> Result<Computed<i64>, Down> {
        self.computed.fetch_add(1, Ordering::SeqCst);
        let select = Sql::new("SELECT value FROM things WHERE id = $1").bind(id).on(self.db.backend());
        let row = self.db.writer().query_one_raw(select).await.map_err(|_| Down)?;
        let Some(row) = row else { return Ok(Computed::absent()) };
        Ok(Computed::found(row.try_get_by_index(0).map_err(|_| Down)?).tagged(all_things()))
    }

    /// Reads while the source is down.
    pub(super) async fn read_without_source(&self, id: i64) -> Result<Option<i64>, Down> {
        let found = self.things.get_or_compute(&id.to_string(), || async { Err(Down) }).await?;
        Ok(found.map(|value| *value))
    }

    /// Changes a thing, and says so by `tag`.
    pub(super) async fn write(&self, id: i64, value: i64, tag: Tag) {
        let change = Sql::new("INSERT INTO things VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET value = $2");
        let change = &change.bind(id).bind(value).on(self.db.backend());
        self.db
            .transaction(|tx| async move {
                tx.execute_raw(change.clone()).await?;
                self.caches.invalidate_in(&tx, &[tag]).await?;
                Ok::<_, DbError>(())
            })
            .await
            .unwrap();
    }

    pub(super) fn computed(&self) -> u32 {
        self.computed.load(Ordering::SeqCst)
    }
}

pub(super) fn all_things() -> Tag {
    Tag::new("all", "things")
}
