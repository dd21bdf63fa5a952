//! Jobs that come by the clock.

use std::{sync::Arc, time::Duration};

use kernel::{ErrorKind, ManualClock};
use platform::{
    both_databases,
    jobs::{Schedule, Worker, WorkerOptions},
    testing::TestDb,
};

use super::fixture::{Running, jobs_of, note, notes, quick, set_up_at, wait_for_count};

/// Half a minute before a full hour.
const BEFORE_THE_HOUR_MS: i64 = 1_700_002_800_000 - 30_000;

fn hourly() -> Schedule {
    Schedule::new("sweep", "0 * * * *", note("sweep")).unwrap()
}

#[test]
fn a_schedule_that_is_none_is_refused_with_its_name() {
    let error = Schedule::new("sweep", "every hour", note("sweep")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("schedule `sweep` is wrong"), "{error}");
}

both_databases! {
    async fn two_schedulers_run_a_due_job_once(test: &TestDb) {
        let clock = ManualClock::at(BEFORE_THE_HOUR_MS);
        let jobs = set_up_at(test, Arc::new(clock.clone())).await;
        let other = platform::db::Db::open(test.options()).await.unwrap();
        let elsewhere = jobs_of(&other, Arc::new(clock.clone()));
        let options = WorkerOptions { poll: Duration::from_millis(30), ..quick() };
        let workers = [&jobs, &elsewhere, &elsewhere].map(|jobs| {
            let registry = notes(|note, _| async move { Ok(note.text) });
            Running::of(Worker::new(jobs.clone(), registry, options.clone()).with_schedules(vec![hourly()]))
        });
        wait_for_count(test, "SELECT count(*) FROM job_schedules", 1).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(test.count("SELECT count(*) FROM jobs").await, 0);
        for hour in 1..=3 {
            clock.jump(3_600_000);
            wait_for_count(test, "SELECT count(*) FROM jobs WHERE state = 'succeeded'", hour).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert_eq!(test.count("SELECT count(*) FROM jobs").await, hour);
        }
        // Back an hour: what has run does not run again. Then a day passes with nobody there: it is made up for once.
        clock.jump(-3_600_000);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(test.count("SELECT count(*) FROM jobs").await, 3);
        clock.jump(24 * 3_600_000);
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE state = 'succeeded'", 4).await;
        for worker in workers {
            worker.end().await;
        }
        assert_eq!(test.count("SELECT count(*) FROM jobs").await, 4);
        other.close().await.unwrap();
    }
}
