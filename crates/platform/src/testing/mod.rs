//! Databases and servers for tests: a fresh one for each test, on SQLite in a temporary folder or on a real PostgreSQL.

mod cluster;
mod faulty;
mod gcs;
mod pgbouncer;
mod postgres;
mod redis;
mod s3;
mod schema;
mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::SystemClock;
use sea_orm::ConnectionTrait as _;

pub use cluster::PostgresCluster;
pub use faulty::{Fault, FaultyStore};
pub use gcs::GcsServer;
pub use pgbouncer::PgBouncer;
pub use postgres::PostgresServer;
pub use redis::RedisServer;
pub use s3::{S3Server, TlsFiles};
pub use server::{Answer, Believer, Call, TestParts, TestServer};

use crate::{
    cache::{Caches, CachesParts, LookupSettings},
    db::{Backend, Db, DbFault, DbOptions, Pooler, Target},
    redis::Redis,
    rng::SystemRng,
    secrets::{Sealer, SecretKeys},
};

/// How long a test waits for the server to make a database, and to let it in.
const PATIENCE: Duration = Duration::from_mins(2);

/// An empty database of its own for one test.
#[derive(Debug)]
pub struct TestDb {
    options: DbOptions,
    db: Db,
    /// The folder of a database of SQLite.
    folder: Option<tempfile::TempDir>,
    /// The name of a database of PostgreSQL, and the address of the server's own.
    server: Option<(String, String)>,
    _pooler: Option<PgBouncer>,
}

impl TestDb {
    pub async fn open(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::sqlite().await,
            Backend::Postgres => Self::postgres().await,
        }
    }

    /// On SQLite, in a folder of its own.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a database: {error}"));
        let options = DbOptions::new(Target::file(&folder.path().join("test.db")));
        let db = open(&options).await;
        Self { options, db, folder: Some(folder), server: None, _pooler: None }
    }

    /// On the server that all tests share.
    pub async fn postgres() -> Self {
        Self::on(PostgresServer::shared()).await
    }

    /// On a server of the test's own.
    pub async fn on(server: &PostgresServer) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = server.url("postgres");
        let template = format!("CREATE DATABASE {name} TEMPLATE template0");
        execute(&admin, &[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), &template]).await;
        let options = options(&server.url(&name));
        let db = open(&options).await;
        Self { options, db, folder: None, server: Some((name, admin)), _pooler: None }
    }

    /// On the server that all tests share, through a pooler that gives each transaction to another session.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub async fn pooled() -> Self {
        let server = PostgresServer::shared();
        let direct = Self::on(server).await;
        let pooler = PgBouncer::start(server.port());
        let name = direct.server.as_ref().map(|(name, _)| name.as_str()).unwrap_or_default();
        let options = DbOptions { pooler: Pooler::Transaction, ..options(&pooler.url(name)) };
        let db = open(&options).await;
        direct.db.close().await.unwrap_or_else(|error| panic!("{error}"));
        Self { options, db, folder: None, server: direct.server, _pooler: Some(pooler) }
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Caches of a server on the database that has no Redis, and so nothing on the disk.
    pub fn caches(&self) -> Caches {
        self.caches_on(None)
    }

    /// Caches of a server of a team.
    ///
    /// # Panics
    ///
    /// Never: the secret is long enough.
    pub fn caches_on(&self, redis: Option<&Redis>) -> Caches {
        let secrets = SecretKeys::new("a secret for tests, long enough to be one".to_owned().into(), Vec::new());
        let (secrets, rng) = (secrets.unwrap_or_else(|error| panic!("{error}")), Arc::new(SystemRng));
        Caches::new(CachesParts {
            db: self.db.clone(),
            redis: redis.cloned(),
            sealer: Sealer::of_lookups(&secrets, rng.clone()),
            clock: Arc::new(SystemClock),
            rng,
            folder: std::env::temp_dir().join("pressroom-lookups"),
            settings: LookupSettings::default(),
        })
    }

    /// What opens the same database again, as another process would.
    pub fn options(&self) -> &DbOptions {
        &self.options
    }

    /// The address of the database, for another process that opens it.
    pub fn address(&self) -> String {
        match &self.options.target {
            Target::Sqlite(path) => path.display().to_string(),
            Target::Postgres(servers) => servers.urls()[0].to_string(),
        }
    }

    /// Closes and removes the database; without it, PostgreSQL keeps it until the server goes.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn remove(self) {
        let closed = self.db.close().await;
        assert!(closed.is_ok(), "{closed:?}");
        if let Some((name, admin)) = &self.server {
            execute(admin, &[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await;
        }
        drop(self.folder);
    }
}

fn options(address: &str) -> DbOptions {
    DbOptions::new(address.parse().unwrap_or_else(|error| panic!("{address}: {error}")))
}

/// A server that many tests use while others build may take its time to answer.
async fn open(options: &DbOptions) -> Db {
    let started = Instant::now();
    loop {
        match Db::open(options).await {
            Err(error) if error.fault == DbFault::Unavailable && started.elapsed() < PATIENCE => {}
            opened => return opened.unwrap_or_else(|error| panic!("{error}")),
        }
    }
}

async fn execute(address: &str, statements: &[&str]) {
    let db = open(&DbOptions { max_connections: 1, statement_timeout: PATIENCE, ..options(address) }).await;
    for statement in statements {
        let done = db.writer().execute_unprepared(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    db.close().await.unwrap_or_else(|error| panic!("{error}"));
}

/// Makes of each function two tests, one for each database. The function takes a `&TestDb`.
///
/// ```ignore
/// both_databases! {
///     async fn a_row_is_read_back(test: &TestDb) { … }
/// }
/// ```
#[macro_export]
macro_rules! both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($test:ident: $type:ty) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($test: $type) $body

            $crate::database_test!($(#[$attribute])* on_sqlite, sqlite);
            $crate::database_test!($(#[$attribute])* on_postgres, postgres);
        }
    )*};
}

/// Makes of each function three tests: one for each database, and one through a pooler.
#[macro_export]
macro_rules! all_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($test:ident: $type:ty) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($test: $type) $body

            $crate::database_test!($(#[$attribute])* on_sqlite, sqlite);
            $crate::database_test!($(#[$attribute])* on_postgres, postgres);
            $crate::database_test!($(#[$attribute])* behind_pgbouncer, pooled);
        }
    )*};
}

/// A test that runs `check`, which stands beside it, on a database of a kind.
#[doc(hidden)]
#[macro_export]
macro_rules! database_test {
    ($(#[$attribute:meta])* $name:ident, $open:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let test = $crate::testing::TestDb::$open().await;
            check(&test).await;
            test.remove().await;
        }
    };
}
