//! Enqueuing, urgency, fairness, delays.

use std::{sync::Arc, time::Duration};

use kernel::{ManualClock, PageRequest};
use platform::{
    both_databases,
    jobs::{JobState, JobsError, NewJob, Priority, Registry, TaskFilter, WorkerOptions},
    testing::TestDb,
};

use tokio_util::sync::CancellationToken;

use super::fixture::{
    Does, Letters, Log, Note, Notes, Running, note, notes, quick, set_up, set_up_at, wait_for, wait_for_count,
};

/// Notes each job that runs; one at a time.
fn in_order(log: &Log) -> (Registry, WorkerOptions) {
    let log = log.clone();
    let registry = notes(move |note, _| {
        log.add(note.text.clone());
        async move { Ok(note.text) }
    });
    (registry, WorkerOptions { concurrency: 1, ..quick() })
}

async fn wait_until_idle(test: &TestDb) {
    wait_for_count(test, "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running', 'delayed')", 0).await;
}

both_databases! {
    async fn a_job_runs_and_its_result_is_kept(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("hello").owned_by("ann")).await.unwrap();
        let worker = Running::start(&jobs, notes(|note, job| async move { Ok(format!("{} {}", note.text, job.attempt())) }), quick());
        let task = wait_for(&jobs, id, JobState::Succeeded).await;
        assert_eq!(task.result, Some("hello 1".into()));
        assert_eq!((task.attempts, task.owner.as_str()), (1, "ann"));
        assert!(task.started_at_ms >= Some(task.created_at_ms) && task.finished_at_ms >= task.started_at_ms);
        worker.end().await;
    }

    async fn a_job_of_a_transaction_that_is_undone_was_never_there(test: &TestDb) {
        let jobs = set_up(test).await;
        let undone: Result<(), JobsError> = test
            .db()
            .transaction(|tx| {
                let jobs = jobs.clone();
                async move {
                    let id = jobs.enqueue_in(&tx, note("never").owned_by("ann")).await?;
                    Err(JobsError::NotFound(id))
                }
            })
            .await;
        assert!(undone.is_err());
        assert_eq!(test.count("SELECT count(*) FROM jobs").await, 0);
        assert_eq!(test.count("SELECT count(*) FROM events").await, 0);
    }

    async fn a_waiting_worker_hears_of_a_job_at_once(test: &TestDb) {
        let jobs = set_up(test).await;
        // It would look by itself only after an hour.
        let options = WorkerOptions { poll: Duration::from_hours(1), ..quick() };
        let worker = Running::start(&jobs, notes(|note, _| async move { Ok(note.text) }), options);
        // The first may be found by its first look, the others are not.
        for _ in 0..3 {
            let id = jobs.enqueue(note("now")).await.unwrap();
            wait_for(&jobs, id, JobState::Succeeded).await;
        }
        worker.end().await;
    }

    async fn urgent_jobs_go_first_and_equal_ones_in_their_order(test: &TestDb) {
        let (jobs, log) = (set_up(test).await, Log::default());
        for (text, priority) in [
            ("low", Priority::Low),
            ("medium 1", Priority::Medium),
            ("urgent", Priority::Urgent),
            ("medium 2", Priority::Medium),
            ("high", Priority::High),
        ] {
            jobs.enqueue(note(text).with_priority(priority)).await.unwrap();
        }
        let (registry, options) = in_order(&log);
        let worker = Running::start(&jobs, registry, options);
        wait_until_idle(test).await;
        worker.end().await;
        assert_eq!(log.lines(), ["urgent", "high", "medium 1", "medium 2", "low"]);
    }

    async fn a_low_job_that_has_waited_long_is_not_starved(test: &TestDb) {
        let (clock, log) = (ManualClock::at(1_700_000_000_000), Log::default());
        let jobs = set_up_at(test, Arc::new(clock.clone())).await;
        jobs.enqueue(note("low").with_priority(Priority::Low)).await.unwrap();
        clock.jump(120_000);
        jobs.enqueue_all((0..40).map(|_| note("urgent").with_priority(Priority::Urgent))).await.unwrap();
        let (registry, options) = in_order(&log);
        let worker = Running::start(&jobs, registry, options);
        wait_until_idle(test).await;
        worker.end().await;
        let place = log.lines().iter().position(|text| text == "low").unwrap();
        assert_eq!(place, 7, "{:?}", log.lines());
    }

    async fn a_batch_of_one_owner_does_not_hold_up_another(test: &TestDb) {
        let (jobs, log) = (set_up(test).await, Log::default());
        jobs.enqueue_all((0..10_000).map(|_| note("ann").owned_by("ann"))).await.unwrap();
        jobs.enqueue_all((0..3).map(|_| note("bob").owned_by("bob"))).await.unwrap();
        let carol = jobs.enqueue(note("carol").owned_by("carol")).await.unwrap();
        let (registry, options) = in_order(&log);
        let worker = Running::start(&jobs, registry, options);
        wait_for(&jobs, carol, JobState::Succeeded).await;
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE owner = 'bob' AND state <> 'succeeded'", 0).await;
        worker.end().await;
        let lines = log.lines();
        let last = lines.iter().rposition(|text| text == "bob").unwrap();
        assert!(last < 12, "{:?}", &lines[..=last]);
        assert!(lines.iter().position(|text| text == "carol").unwrap() < 4, "{:?}", &lines[..5]);
    }

    async fn a_batch_whose_time_comes_at_once_does_not_hold_up_another(test: &TestDb) {
        let (clock, log) = (ManualClock::at(1_700_000_000_000), Log::default());
        let jobs = set_up_at(test, Arc::new(clock.clone())).await;
        let later = Duration::from_hours(1);
        jobs.enqueue_all((0..400).map(|_| note("ann").owned_by("ann").after(later))).await.unwrap();
        clock.jump(3_600_001);
        // The first waits until all others are ready, and the other owner's is there.
        let gate = CancellationToken::new();
        let (opened, seen) = (gate.clone(), log.clone());
        let registry = notes(move |note, _| {
            let opened = opened.clone();
            seen.add(note.text.clone());
            async move {
                opened.cancelled().await;
                Ok(note.text)
            }
        });
        let worker = Running::start(&jobs, registry, WorkerOptions { concurrency: 1, ..quick() });
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE state = 'delayed'", 0).await;
        log.wait_for(1).await;
        let bob = jobs.enqueue(note("bob").owned_by("bob")).await.unwrap();
        gate.cancel();
        wait_for(&jobs, bob, JobState::Succeeded).await;
        worker.end().await;
        let place = log.lines().iter().position(|text| text == "bob").unwrap();
        assert!(place < 4, "{place}");
    }

    async fn a_delayed_job_waits_for_its_time(test: &TestDb) {
        let clock = ManualClock::at(1_700_000_000_000);
        let jobs = set_up_at(test, Arc::new(clock.clone())).await;
        let after = jobs.enqueue(note("after").after(Duration::from_mins(1))).await.unwrap();
        let at = jobs.enqueue(note("at").at_ms(1_700_000_120_000)).await.unwrap();
        let options = WorkerOptions { poll: Duration::from_millis(50), ..quick() };
        let worker = Running::start(&jobs, notes(|note, _| async move { Ok(note.text) }), options);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(jobs.get(after, None).await.unwrap().state, JobState::Delayed);
        clock.jump(61_000);
        wait_for(&jobs, after, JobState::Succeeded).await;
        assert_eq!(jobs.get(at, None).await.unwrap().state, JobState::Delayed);
        clock.jump(60_000);
        wait_for(&jobs, at, JobState::Succeeded).await;
        worker.end().await;
    }

    async fn a_clock_set_back_an_hour_delays_nothing_by_an_hour(test: &TestDb) {
        let clock = ManualClock::at(1_700_000_000_000);
        let jobs = set_up_at(test, Arc::new(clock.clone())).await;
        let waits = jobs.enqueue(note("waits").after(Duration::from_secs(30))).await.unwrap();
        let options = WorkerOptions { poll: Duration::from_millis(50), ..quick() };
        let worker = Running::start(&jobs, notes(|note, _| async move { Ok(note.text) }), options);
        // It has looked at the clock once the time of this one has come.
        let soon = jobs.enqueue(note("soon").after(Duration::from_secs(1))).await.unwrap();
        clock.jump(1_001);
        wait_for(&jobs, soon, JobState::Succeeded).await;
        clock.jump(-3_600_000);
        let fresh = jobs.enqueue(note("fresh")).await.unwrap();
        wait_for(&jobs, fresh, JobState::Succeeded).await;
        let mended = "SELECT count(*) FROM jobs WHERE state = 'delayed' AND run_at < created_at";
        wait_for_count(test, mended, 1).await;
        clock.jump(31_000);
        wait_for(&jobs, waits, JobState::Succeeded).await;
        // Forward too: what runs goes on, what waits does not get lost.
        clock.jump(7_200_000);
        let last = jobs.enqueue(note("last")).await.unwrap();
        wait_for(&jobs, last, JobState::Succeeded).await;
        worker.end().await;
    }

    async fn a_kind_is_done_as_often_at_a_time_as_it_may_be(test: &TestDb) {
        let (jobs, log) = (set_up(test).await, Log::default());
        let (running, most) = (Arc::new(std::sync::atomic::AtomicI32::new(0)), log.clone());
        let letters = Does::<Letters>::new(move |note, _| {
            let (running, most) = (Arc::clone(&running), most.clone());
            async move {
                use std::sync::atomic::Ordering::SeqCst;
                most.add((running.fetch_add(1, SeqCst) + 1).to_string());
                tokio::time::sleep(Duration::from_millis(20)).await;
                running.fetch_sub(1, SeqCst);
                Ok(note.text)
            }
        });
        let notes = Does::<Notes>::new(|note, _| async move { Ok(note.text) });
        for number in 0..10 {
            jobs.enqueue(NewJob::<Letters>::new(Note { text: number.to_string() })).await.unwrap();
            jobs.enqueue(note("between")).await.unwrap();
        }
        let worker = Running::start(&jobs, Registry::default().with(letters).with(notes), quick());
        wait_until_idle(test).await;
        worker.end().await;
        assert_eq!(log.lines(), vec!["1"; 10]);
    }

    async fn a_worker_does_only_the_kinds_that_it_has(test: &TestDb) {
        let jobs = set_up(test).await;
        let letter = jobs.enqueue(NewJob::<Letters>::new(Note { text: "letter".to_owned() })).await.unwrap();
        let done = jobs.enqueue(note("note")).await.unwrap();
        let worker = Running::start(&jobs, notes(|note, _| async move { Ok(note.text) }), quick());
        wait_for(&jobs, done, JobState::Succeeded).await;
        worker.end().await;
        assert_eq!(jobs.get(letter, None).await.unwrap().state, JobState::Ready);
        let depths = jobs.depths().await.unwrap();
        assert_eq!(depths.iter().map(|depth| (depth.kind.as_str(), depth.ready)).collect::<Vec<_>>(), [("letters", 1)]);
        let all = jobs.list(&TaskFilter::default(), &PageRequest::default()).await.unwrap();
        assert_eq!(all.items.len(), 2);
    }
}
