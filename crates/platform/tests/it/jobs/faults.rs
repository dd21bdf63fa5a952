//! Leases that are lost, jobs that kill their workers, and a database that goes away.

use std::{sync::Arc, time::Duration};

use platform::{
    all_databases,
    jobs::{JobError, JobState, StopReason},
    testing::{PostgresServer, TestDb},
};
use sea_orm::ConnectionTrait as _;
use tokio::sync::Notify;

use super::{
    children::effects,
    fixture::{Log, PATIENCE, Running, note, notes, quick, set_up, wait_for, wait_for_count},
};

all_databases! {
    async fn a_worker_that_was_taken_for_dead_can_commit_nothing(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("slow").owned_by("ann")).await.unwrap();
        let (release, log, db) = (Arc::new(Notify::new()), Log::default(), test.db().clone());
        db.writer().execute_unprepared("CREATE TABLE effects (number INTEGER)").await.unwrap();
        let (released, seen) = (Arc::clone(&release), log.clone());
        // What it does goes on by itself, as in a process that was only stopped for a while.
        let frozen = notes(move |_, job| {
            let (released, seen, db) = (Arc::clone(&released), seen.clone(), db.clone());
            async move {
                let thawed = tokio::spawn(async move {
                    seen.add("frozen");
                    released.notified().await;
                    let tx = db.begin().await.unwrap();
                    tx.execute_unprepared("INSERT INTO effects (number) VALUES (1)").await.unwrap();
                    let finished = job.finish_in(&tx, &"late").await;
                    seen.add(finished.unwrap_err().to_string());
                    tx.rollback().await.unwrap();
                    seen.add("thawed");
                });
                thawed.await.map_err(|error| JobError::retry(error.to_string()))?;
                Ok("late".to_owned())
            }
        });
        let first = Running::start(&jobs, frozen, quick());
        // Its row says that it runs before its handler was called.
        log.wait_for(1).await;
        first.kill();
        let second = Running::start(&jobs, notes(|_, _| async { Ok("second".to_owned()) }), quick());
        let task = wait_for(&jobs, id, JobState::Succeeded).await;
        assert_eq!((task.attempts, task.result), (2, Some("second".into())));
        release.notify_one();
        log.wait_for(3).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(log.lines()[1], format!("job `{id}` was given to another worker"));
        assert_eq!(jobs.get(id, None).await.unwrap().result, Some("second".into()));
        assert_eq!(test.count("SELECT count(*) FROM effects").await, 0);
        assert_eq!(test.count("SELECT count(*) FROM events WHERE type = 'task.succeeded'").await, 1);
        second.end().await;
    }

    async fn a_worker_that_finds_its_row_gone_stops_its_jobs_and_begins_anew(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("first")).await.unwrap();
        let log = Log::default();
        let seen = log.clone();
        let worker = Running::start(&jobs, notes(move |note, job| {
            let seen = seen.clone();
            async move {
                if job.attempt() == 1 && note.text == "first" {
                    job.cancellation().cancelled().await;
                    seen.add(format!("{:?}", job.stop_reason()));
                    return Err(JobError::Stopped);
                }
                Ok(note.text)
            }
        }), quick());
        wait_for(&jobs, id, JobState::Running).await;
        test.db().writer().execute_unprepared("DELETE FROM job_workers").await.unwrap();
        assert_eq!(wait_for(&jobs, id, JobState::Succeeded).await.attempts, 2);
        assert_eq!(log.wait_for(1).await, [format!("{:?}", Some(StopReason::LeaseLost))]);
        let next = jobs.enqueue(note("next")).await.unwrap();
        wait_for(&jobs, next, JobState::Succeeded).await;
        worker.end().await;
    }

    async fn a_job_that_kills_its_workers_ends_as_a_dead_letter(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("deadly").owned_by("ann").with_max_attempts(2)).await.unwrap();
        for attempt in 1..=2 {
            let doomed = Running::start(&jobs, notes(|_, _| std::future::pending()), quick());
            let begun = format!("SELECT count(*) FROM jobs WHERE state = 'running' AND attempts = {attempt}");
            wait_for_count(test, &begun, 1).await;
            doomed.kill();
        }
        let survivor = Running::start(&jobs, notes(|_, _| async { Ok("alive".to_owned()) }), quick());
        let failure = wait_for(&jobs, id, JobState::Failed).await.error.unwrap();
        assert!(failure.message.contains("died over it 2 times") && failure.advice.is_some(), "{failure:?}");
        survivor.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_while_jobs_run_loses_and_repeats_nothing() {
    let server = PostgresServer::own(&[]);
    let test = TestDb::on(&server).await;
    let jobs = set_up(&test).await;
    test.db().writer().execute_unprepared("CREATE TABLE effects (number INTEGER)").await.unwrap();
    jobs.enqueue_all((0..300).map(|number| note(number.to_string()).with_max_attempts(1000))).await.unwrap();
    let worker = Running::start(&jobs, effects(test.db()), quick());
    tokio::time::sleep(Duration::from_millis(120)).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    test.db().writer().execute_unprepared(cut).await.ok();
    tokio::time::sleep(Duration::from_millis(120)).await;
    server.crash();
    let started = std::time::Instant::now();
    loop {
        let done = "SELECT count(*) FROM jobs WHERE state = 'succeeded'";
        let query = platform::db::Sql::new(done).on(test.db().backend());
        if let Ok(Some(row)) = test.db().reader().query_one_raw(query).await
            && row.try_get_by_index::<i64>(0).unwrap() == 300
        {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "not all jobs were done");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.end().await;
    assert_eq!(test.count("SELECT count(*) FROM effects").await, 300);
    assert_eq!(test.count("SELECT count(DISTINCT number) FROM effects").await, 300);
    test.remove().await;
}
