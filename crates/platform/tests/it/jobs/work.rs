//! Attempts: retries, time limits, cancellation, progress, and a worker that ends.

use std::time::{Duration, Instant};

use platform::{
    both_databases,
    db::Topic,
    jobs::{JobError, JobProgress, JobState, NewJob, Registry, StopReason, WorkerOptions},
    testing::TestDb,
};

use tokio_util::sync::CancellationToken;

use super::fixture::{
    Does, Hasty, Log, Note, PATIENCE, Running, jobs_of, note, notes, quick, set_up, wait_for, wait_for_count,
};

both_databases! {
    async fn a_job_that_fails_at_first_is_tried_again(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("again")).await.unwrap();
        let worker = Running::start(&jobs, notes(|_, job| async move {
            if job.attempt() < 3 { Err(JobError::retry("not yet")) } else { Ok("third".to_owned()) }
        }), quick());
        let task = wait_for(&jobs, id, JobState::Succeeded).await;
        assert_eq!((task.attempts, task.result, task.error), (3, Some("third".into()), None));
        worker.end().await;
    }

    async fn a_job_that_fails_too_often_is_a_dead_letter_until_it_is_requeued(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("doomed").owned_by("ann")).await.unwrap();
        let failing = notes(|_, _| async { Err(JobError::retry("no network").with_advice("plug it in")) });
        let worker = Running::start(&jobs, failing, quick());
        let task = wait_for(&jobs, id, JobState::Failed).await;
        worker.end().await;
        let failure = task.error.unwrap();
        assert_eq!((failure.message.as_str(), failure.advice.as_deref()), ("no network", Some("plug it in")));
        assert_eq!(task.attempts, 3);
        jobs.retry(id, Some("ann")).await.unwrap();
        let worker = Running::start(&jobs, notes(|note, _| async move { Ok(note.text) }), quick());
        let task = wait_for(&jobs, id, JobState::Succeeded).await;
        assert_eq!((task.attempts, task.error), (1, None));
        worker.end().await;
    }

    async fn a_job_that_can_never_work_is_not_tried_again(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("wrong")).await.unwrap();
        let worker = Running::start(&jobs, notes(|_, _| async { Err(JobError::fail("no such voice")) }), quick());
        assert_eq!(wait_for(&jobs, id, JobState::Failed).await.attempts, 1);
        worker.end().await;
    }

    async fn a_panic_fails_an_attempt_and_not_the_worker(test: &TestDb) {
        let jobs = set_up(test).await;
        let bad = jobs.enqueue(note("panic")).await.unwrap();
        let good = jobs.enqueue(note("fine")).await.unwrap();
        let worker = Running::start(&jobs, notes(|note, _| async move {
            assert_ne!(note.text, "panic", "a note that panics");
            Ok(note.text)
        }), quick());
        let failure = wait_for(&jobs, bad, JobState::Failed).await.error.unwrap();
        assert!(failure.message.contains("it panicked"), "{failure:?}");
        wait_for(&jobs, good, JobState::Succeeded).await;
        worker.end().await;
    }

    async fn an_attempt_that_takes_too_long_is_stopped_and_tried_again(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(NewJob::<Hasty>::new(Note { text: "slow".to_owned() })).await.unwrap();
        let log = Log::default();
        let seen = log.clone();
        let worker = Running::start(&jobs, Registry::default().with(Does::<Hasty>::new(move |_, job| {
            let seen = seen.clone();
            async move {
                if job.attempt() > 1 {
                    return Ok("in time".to_owned());
                }
                job.cancellation().cancelled().await;
                seen.add(format!("{:?}", job.stop_reason()));
                // It does not end, so it is dropped.
                std::future::pending().await
            }
        })), quick());
        assert_eq!(wait_for(&jobs, id, JobState::Succeeded).await.attempts, 2);
        assert_eq!(log.lines(), [format!("{:?}", Some(StopReason::Timeout))]);
        worker.end().await;
    }

    async fn a_running_job_hears_of_its_cancellation_within_a_second(test: &TestDb) {
        let jobs = set_up(test).await;
        let log = Log::default();
        let seen = log.clone();
        let options = WorkerOptions { cancel_poll: Duration::from_millis(400), ..quick() };
        let worker = Running::start(&jobs, notes(move |_, job| {
            let seen = seen.clone();
            async move {
                job.cancellation().cancelled().await;
                seen.add(format!("{:?}", job.stop_reason()));
                Err(JobError::Stopped)
            }
        }), options);
        // From another process: another pool, whose calls this one hears on PostgreSQL only.
        let other = platform::db::Db::open(test.options()).await.unwrap();
        let elsewhere = jobs_of(&other, std::sync::Arc::new(kernel::SystemClock));
        // A busy machine may be late, but not each time.
        for tries in 1.. {
            let id = jobs.enqueue(note("long").owned_by("ann")).await.unwrap();
            wait_for(&jobs, id, JobState::Running).await;
            let asked = Instant::now();
            let answer = elsewhere.cancel(id, Some("ann")).await.unwrap();
            assert!(answer.is_stopping || answer.state == JobState::Cancelled, "{answer:?}");
            wait_for(&jobs, id, JobState::Cancelled).await;
            let heard = asked.elapsed();
            assert_eq!(log.lines(), vec!["Some(Cancelled)"; tries]);
            if heard < Duration::from_secs(1) {
                break;
            }
            assert!(tries < 20, "{heard:?}");
        }
        worker.end().await;
        other.close().await.unwrap();
    }

    async fn a_waiting_job_is_cancelled_at_once_and_never_runs(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("unwanted")).await.unwrap();
        let later = jobs.enqueue(note("unwanted too").after(Duration::from_mins(1))).await.unwrap();
        assert_eq!(jobs.cancel(id, None).await.unwrap().state, JobState::Cancelled);
        assert_eq!(jobs.cancel(later, None).await.unwrap().state, JobState::Cancelled);
        assert_eq!(jobs.cancel(id, None).await.unwrap().state, JobState::Cancelled);
        let log = Log::default();
        let seen = log.clone();
        let worker = Running::start(&jobs, notes(move |note, _| {
            seen.add(note.text);
            async { Ok(String::new()) }
        }), quick());
        let done = jobs.enqueue(note("wanted")).await.unwrap();
        wait_for(&jobs, done, JobState::Succeeded).await;
        worker.end().await;
        assert_eq!(log.lines(), ["wanted"]);
    }

    async fn progress_is_stored_while_a_job_runs_and_kept_with_its_end(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("long").owned_by("ann")).await.unwrap();
        let mut changes = test.db().subscribe().await;
        let seen = CancellationToken::new();
        let was_seen = seen.clone();
        let worker = Running::start(&jobs, notes(move |_, job| {
            let was_seen = was_seen.clone();
            async move {
                for step in 0..=50 {
                    job.report(JobProgress {
                        stage: "render".to_owned(),
                        fraction: f64::from(step) / 50.0,
                        message: format!("frame {step}"),
                        preview: Some("preview.jpg".to_owned()),
                    });
                    if step == 25 {
                        was_seen.cancelled().await;
                    }
                }
                Ok("done".to_owned())
            }
        }), quick());
        let started = Instant::now();
        // A call of unknown content, as one who begins to listen hears it, says nothing of this job.
        while changes.wait(Topic::Progress, PATIENCE).await != Some(id.to_string()) {
            assert!(started.elapsed() < PATIENCE);
        }
        let running = loop {
            let task = jobs.get(id, None).await.unwrap();
            if let Some(progress) = task.progress.clone() {
                break progress;
            }
            assert!(started.elapsed() < 2 * PATIENCE);
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(running.fraction < 1.0 && running.stage == "render", "{running:?}");
        seen.cancel();
        let progress = wait_for(&jobs, id, JobState::Succeeded).await.progress.unwrap();
        assert_eq!((progress.message.as_str(), progress.preview.as_deref()), ("frame 50", Some("preview.jpg")));
        worker.end().await;
    }

    async fn a_worker_that_ends_gives_back_what_it_cannot_finish(test: &TestDb) {
        let jobs = set_up(test).await;
        let ids = jobs.enqueue_all(["quick", "slow", "stubborn"].map(note)).await.unwrap();
        let options = WorkerOptions { drain: Duration::from_millis(200), ..quick() };
        let worker = Running::start(&jobs, notes(|note, job| async move {
            match note.text.as_str() {
                "quick" => tokio::time::sleep(Duration::from_millis(100)).await,
                "slow" => {
                    job.cancellation().cancelled().await;
                    return Err(JobError::Stopped);
                }
                _ => std::future::pending().await,
            }
            Ok(note.text)
        }), options);
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE state = 'running'", 3).await;
        worker.end().await;
        assert_eq!(jobs.get(ids[0], None).await.unwrap().state, JobState::Succeeded);
        for id in &ids[1..] {
            let task = jobs.get(*id, None).await.unwrap();
            assert_eq!((task.state, task.attempts), (JobState::Delayed, 0), "{task:?}");
        }
        assert_eq!(test.count("SELECT count(*) FROM job_workers").await, 0);
        let worker = Running::start(&jobs, notes(|note, _| async move { Ok(note.text) }), quick());
        for id in ids {
            wait_for(&jobs, id, JobState::Succeeded).await;
        }
        worker.end().await;
    }
}
