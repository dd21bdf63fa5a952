//! A PostgreSQL with a streaming replica for one test, which may kill, promote and hold up either.
#![expect(clippy::disallowed_methods, reason = "servers for tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tempfile::TempDir;

use super::postgres::{as_postgres, find_programs, free_port, make_folder, wait_until_ready};

/// How long a server may take to start, to stop, or to come to a state: a moment where nobody else works.
const PATIENCE: Duration = Duration::from_mins(2);

/// Settings that trade safety against loss of power, which no test has, for speed.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "max_connections=100",
    "shared_buffers=32MB",
    "wal_keep_size=64MB",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
];

/// A server that takes writes, and one that follows it. Both end with this value.
#[derive(Debug)]
pub struct PostgresCluster {
    primary: Node,
    replica: Node,
    _folder: TempDir,
}

#[derive(Debug)]
struct Node {
    data: PathBuf,
    log: PathBuf,
    port: u16,
    process: Mutex<Option<Child>>,
}

impl PostgresCluster {
    /// Starts both; the replica has followed by then.
    ///
    /// # Panics
    ///
    /// When they cannot be started.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("pressroom-test-cluster-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no folder for servers: {error}"));
        make_folder(folder.path());
        let (primary, replica) = (Node::new(folder.path(), "primary"), Node::new(folder.path(), "replica"));
        let init =
            ["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"];
        finish(program("initdb").arg("--pgdata").arg(&primary.data).args(init));
        primary.start();
        let port = primary.port.to_string();
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "--no-sync"];
        let how = ["-R", "-X", "stream", "-C", "-S", "replica", "-c", "fast"];
        finish(program("pg_basebackup").args(from).args(how).arg("-D").arg(&replica.data));
        replica.start();
        let cluster = Self { primary, replica, _folder: folder };
        cluster.wait_until_streaming().await;
        cluster
    }

    /// The address of a database on the server that takes writes at first.
    pub fn primary_url(&self, database: &str) -> String {
        self.primary.url(database)
    }

    /// The address of a database on the replica.
    pub fn replica_url(&self, database: &str) -> String {
        self.replica.url(database)
    }

    /// The address of a database on whichever takes writes.
    pub fn url(&self, database: &str) -> String {
        let (primary, replica) = (self.primary.port, self.replica.port);
        format!("postgres://postgres@127.0.0.1:{primary},127.0.0.1:{replica}/{database}")
    }

    /// Makes a database, and waits until the replica has it too.
    pub async fn create_database(&self, name: &str) {
        execute(&self.primary.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        let there = format!("SELECT count(*)::text FROM pg_database WHERE datname = '{name}'");
        wait_for(&self.replica.url("postgres"), &there, "1").await;
    }

    /// From now on a commit is answered only when the replica has it.
    pub async fn make_synchronous(&self) {
        let url = self.primary.url("postgres");
        execute(&url, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        execute(&url, "SELECT pg_reload_conf()").await;
        wait_for(&url, "SELECT count(*)::text FROM pg_stat_replication WHERE sync_state = 'sync'", "1").await;
    }

    /// The replica takes in what comes, and shows none of it.
    pub async fn pause_replay(&self) {
        execute(&self.replica.url("postgres"), "SELECT pg_wal_replay_pause()").await;
        wait_for(&self.replica.url("postgres"), "SELECT pg_get_wal_replay_pause_state()", "paused").await;
    }

    /// The replica shows again what it took in.
    pub async fn resume_replay(&self) {
        execute(&self.replica.url("postgres"), "SELECT pg_wal_replay_resume()").await;
    }

    /// The first server takes no writes any more, as one that somebody sees to before another is promoted.
    pub async fn fence_primary(&self) {
        let url = self.primary.url("postgres");
        execute(&url, "ALTER SYSTEM SET default_transaction_read_only = on").await;
        execute(&url, "SELECT pg_reload_conf()").await;
        wait_for(&url, "SHOW transaction_read_only", "on").await;
    }

    /// The first server is gone at once, with all its processes, as with its machine.
    pub fn kill_primary(&self) {
        self.primary.kill();
    }

    /// The replica is gone at once.
    pub fn kill_replica(&self) {
        self.replica.kill();
    }

    /// Starts the replica again.
    pub fn restart_replica(&self) {
        self.replica.start();
    }

    /// From now on the replica takes writes.
    pub async fn promote_replica(&self) {
        execute(&self.replica.url("postgres"), "SELECT pg_promote()").await;
        wait_for(&self.replica.url("postgres"), "SELECT pg_is_in_recovery()::text", "false").await;
    }

    async fn wait_until_streaming(&self) {
        let streaming = "SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming'";
        wait_for(&self.primary.url("postgres"), streaming, "1").await;
    }
}

impl Node {
    fn new(folder: &Path, name: &str) -> Self {
        let port = free_port().unwrap_or_else(|error| panic!("no port for a server: {error}"));
        Self { data: folder.join(name), log: folder.join(format!("{name}.log")), port, process: Mutex::default() }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn start(&self) {
        let log = fs::File::create(&self.log).unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        let mut command = program("postgres");
        command.arg("-D").arg(&self.data).arg("-p").arg(self.port.to_string());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("postgres: {error}"));
        if !wait_until_ready(self.port, PATIENCE) {
            child.kill().and_then(|()| child.wait()).ok();
            panic!("PostgreSQL did not start. It said: {}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    fn kill(&self) {
        let Some(mut child) = self.process.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let pid = child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let pids: Vec<_> = children.split_whitespace().map(str::to_owned).chain([pid.to_string()]).collect();
        // One of them may have ended by itself.
        drop(Command::new("kill").arg("-KILL").args(&pids).stderr(Stdio::null()).status());
        drop(child.wait());
        // What the server leaves when it has no time to clean up.
        drop(fs::remove_file(self.data.join("postmaster.pid")));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program of PostgreSQL, which ends with the test.
fn program(name: &str) -> Command {
    let mut command = as_postgres(&find_programs().join(name));
    command.current_dir("/");
    command
}

fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn execute(url: &str, statement: &str) {
    let done = async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    };
    done.await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Waits until the query says so.
async fn wait_for(url: &str, query: &str, wanted: &str) {
    let started = Instant::now();
    loop {
        let said = async {
            let mut connection = PgConnection::connect(url).await?;
            let row = sqlx::raw_sql(AssertSqlSafe(query)).fetch_one(&mut connection).await?;
            connection.close().await?;
            row.try_get::<String, _>(0)
        };
        let said = said.await;
        if said.as_ref().is_ok_and(|said| said == wanted) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{query}: {said:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
