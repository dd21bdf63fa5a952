//! A database whose disk is full: what is new is refused, nothing is half done, and with room again all goes on.

use std::time::Duration;

use kernel::ErrorKind;
use platform::{
    db::Backend,
    jobs::{JobId, JobState, NewJob},
    testing::{PostgresServer, TestDb},
};
use sea_orm::ConnectionTrait as _;

use super::{
    children::effects,
    fixture::{Notes, Running, note, quick, set_up, wait_for},
};

/// What PostgreSQL writes at once into a new file of its log. Smaller limits would stop that, not the table.
const LOG_FILE_BYTES: i64 = 16 << 20;

/// Takes the room that is left, and gives it back.
struct Disk<'a> {
    test: &'a TestDb,
    /// Where the database is on a server of its own.
    server: Option<&'a PostgresServer>,
}

impl Disk<'_> {
    async fn execute(&self, statement: &str) {
        self.test.db().writer().execute_unprepared(statement).await.unwrap();
    }

    async fn fill(&self) {
        let Some(server) = self.server else {
            let pages = self.test.count("PRAGMA page_count").await;
            return self.execute(&format!("PRAGMA max_page_count = {pages}")).await;
        };
        // Jobs that ended long ago, a few to a page, until the table is larger than any file of the log.
        self.execute(
            "INSERT INTO jobs (id, kind, owner, state, priority, tag, payload, attempts, max_attempts, cancel_requested, created_at)
             SELECT gen_random_uuid(), 'old', 'nobody', 'succeeded', 2, 0,
                    (SELECT string_agg(md5(random()::text || part), '') FROM generate_series(1, 50) part), 1, 1, false, now()
             FROM generate_series(1, 12000)",
        )
        .await;
        let bytes = self.test.count("SELECT pg_relation_size('jobs')").await;
        assert!(bytes > LOG_FILE_BYTES, "{bytes}");
        server.limit_files(u64::try_from(bytes + 4096).ok());
    }

    async fn make_room(&self) {
        match self.server {
            Some(server) => server.limit_files(None),
            None => self.execute("PRAGMA max_page_count = 1000000").await,
        }
    }
}

fn number(taken: &[JobId]) -> i64 {
    i64::try_from(taken.len()).unwrap()
}

/// What cannot be stored is tried again as often as it takes.
fn patient(text: impl Into<String>) -> NewJob<Notes> {
    note(text).owned_by("ann").with_max_attempts(1000)
}

async fn a_full_disk_refuses_what_is_new_and_loses_nothing(disk: Disk<'_>) {
    let test = disk.test;
    let jobs = set_up(test).await;
    disk.execute("CREATE TABLE effects (number INTEGER)").await;
    let before = jobs.enqueue_all((0..50).map(|number| patient(number.to_string()))).await.unwrap();
    disk.fill().await;
    let mut taken = before.clone();
    // The last pages have room for a few more.
    let refused = loop {
        match jobs.enqueue_all((0..2).map(|_| patient("0".repeat(1500)))).await {
            Ok(ids) => taken.extend(ids),
            Err(error) => break error,
        }
        assert!(taken.len() < 5000, "the disk does not get full");
    };
    assert_eq!(refused.kind(), ErrorKind::Exhausted, "{refused}");
    assert!(refused.to_string().contains("free some space"), "{refused}");
    let open = "SELECT count(*) FROM jobs WHERE state = 'ready'";
    assert_eq!(test.count(open).await, number(&taken), "a refused transaction leaves nothing");
    let told = "SELECT count(*) FROM events WHERE type = 'task.created'";
    assert_eq!(test.count(told).await, number(&taken));

    let worker = Running::start(&jobs, effects(test.db()), quick());
    tokio::time::sleep(Duration::from_millis(500)).await;
    disk.make_room().await;
    for id in &taken {
        wait_for(&jobs, *id, JobState::Succeeded).await;
    }
    worker.end().await;
    assert_eq!(test.count("SELECT count(*) FROM effects").await, number(&taken), "each was done once");
    let ended = "SELECT count(*) FROM events WHERE type = 'task.succeeded'";
    assert_eq!(test.count(ended).await, number(&taken), "and told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_is_new_and_loses_nothing_on_sqlite() {
    let test = TestDb::open(Backend::Sqlite).await;
    a_full_disk_refuses_what_is_new_and_loses_nothing(Disk { test: &test, server: None }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_is_new_and_loses_nothing_on_postgres() {
    let server = PostgresServer::own(&[]);
    let test = TestDb::on(&server).await;
    a_full_disk_refuses_what_is_new_and_loses_nothing(Disk { test: &test, server: Some(&server) }).await;
}
