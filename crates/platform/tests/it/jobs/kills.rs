//! Workers that are killed and cut off while they work: everything is done, and done once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{Rng as _, SeededRng};
use platform::{
    both_databases,
    db::{Backend, Sql},
    jobs::JobState,
    testing::TestDb,
};
use sea_orm::ConnectionTrait as _;

use super::{
    children::spawn_worker,
    fixture::{PATIENCE, note, set_up, wait_for},
};

const TASKS: i64 = 1000;

/// Cuts every connection to the database but the one that says so.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

both_databases! {
    async fn a_job_of_a_killed_worker_is_done_by_another(test: &TestDb) {
        let jobs = set_up(test).await;
        test.db().writer().execute_unprepared("CREATE TABLE effects (number INTEGER)").await.unwrap();
        let ids = jobs.enqueue_all((0..200).map(|number| note(number.to_string()).with_max_attempts(20))).await.unwrap();
        let mut first = spawn_worker(test);
        wait_until_some(test, "SELECT count(*) FROM effects").await;
        first.kill().unwrap();
        first.wait().unwrap();
        let killed = Instant::now();
        let mut second = spawn_worker(test);
        for id in ids {
            wait_for(&jobs, id, JobState::Succeeded).await;
        }
        assert!(killed.elapsed() < PATIENCE, "{:?}", killed.elapsed());
        second.kill().unwrap();
        second.wait().unwrap();
        assert_eq!(test.count("SELECT count(*) FROM effects").await, 200);
        assert_eq!(test.count("SELECT count(DISTINCT number) FROM effects").await, 200);
    }

    async fn a_thousand_tasks_under_random_kills_and_cuts_end_exactly_once_each(test: &TestDb) {
        let jobs = set_up(test).await;
        test.db().writer().execute_unprepared("CREATE TABLE effects (number INTEGER)").await.unwrap();
        // Kills count as attempts, and no task may run out of them here.
        let tasks = (0..TASKS).map(|number| note(number.to_string()).owned_by("ann").with_max_attempts(1000));
        jobs.enqueue_all(tasks).await.unwrap();
        let rng = Arc::new(SeededRng::new(11));
        let mut children: Vec<_> = (0..3).map(|_| spawn_worker(test)).collect();
        let (started, mut kills) = (Instant::now(), 0);
        while count_succeeded(test).await < TASKS {
            assert!(started.elapsed() < 2 * PATIENCE, "{kills} kills were survived, then nothing went on");
            tokio::time::sleep(Duration::from_millis(150 + rng.below(250))).await;
            if kills < 12 {
                let victim = usize::try_from(rng.below(3)).unwrap();
                children[victim].kill().unwrap();
                children[victim].wait().unwrap();
                children[victim] = spawn_worker(test);
                kills += 1;
            }
            if test.db().backend() == Backend::Postgres && rng.below(3) == 0 {
                // Where this connection is cut itself, the next round says it again.
                drop(test.db().writer().execute_unprepared(CUT).await);
            }
        }
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(kills > 2, "the work was done before anybody was killed");
        assert_eq!(test.count("SELECT count(*) FROM effects").await, TASKS);
        assert_eq!(test.count("SELECT count(DISTINCT number) FROM effects").await, TASKS);
        let ends = "SELECT count(*) FROM events WHERE type = 'task.succeeded'";
        assert_eq!(test.count(ends).await, TASKS);
    }
}

/// How many tasks are done, asked again where the connection was cut.
async fn count_succeeded(test: &TestDb) -> i64 {
    let query = Sql::new("SELECT count(*) FROM jobs WHERE state = 'succeeded'").on(test.db().backend());
    loop {
        if let Ok(Some(row)) = test.db().reader().query_one_raw(query.clone()).await {
            return row.try_get_by_index(0).unwrap();
        }
    }
}

async fn wait_until_some(test: &TestDb, query: &str) {
    let started = Instant::now();
    while test.count(query).await == 0 {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
