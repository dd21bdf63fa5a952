//! Calls between processes, each with its own connections: over Redis, over PostgreSQL, and back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{SystemClock, TimeOrderedIds, UserId, Uuid};
use platform::{
    all_databases,
    db::{Db, DbError, Subscription, Topic, migrate},
    events,
    jobs::{
        self, JobContext, JobError, JobHandler, JobKind, JobProgress, Jobs, NewJob, Registry, Worker, WorkerOptions,
    },
    redis::Redis,
    rng::SystemRng,
    tasks::{Change, Follower, TaskWatch},
    testing::{RedisServer, TestDb},
};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Less than the time after which a watch looks without being called.
const SOON: Duration = Duration::from_secs(5);

/// Another process on the database of a test.
async fn process(test: &TestDb, server: Option<&RedisServer>) -> Db {
    let db = Db::open(test.options()).await.unwrap();
    if let Some(server) = server {
        db.carry_signals_over(&Redis::open(&server.url()).unwrap());
    }
    db
}

async fn call(db: &Db, subject: &str) {
    let called: Result<(), DbError> =
        db.transaction(|tx| async move { db.signal(&tx, Topic::Progress, subject).await }).await;
    called.unwrap();
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wait_until_heard(heard: &mut Subscription, subject: &str) {
    let started = Instant::now();
    while heard.wait(Topic::Progress, SOON).await.as_deref() != Some(subject) {
        assert!(started.elapsed() < PATIENCE, "{subject}");
    }
}

struct Walk;

impl JobKind for Walk {
    const NAME: &'static str = "walk";
    type Payload = ();
    type Output = ();
}

/// Reports a step each time that it may take one.
#[derive(Debug)]
struct Walker(Arc<tokio::sync::Semaphore>);

impl JobHandler for Walker {
    type Kind = Walk;

    async fn run(&self, (): (), job: JobContext) -> Result<(), JobError> {
        for step in 1..=3_u32 {
            self.0.acquire().await.map_err(|error| JobError::fail(error.to_string()))?.forget();
            job.report(JobProgress {
                fraction: f64::from(step) / 3.0,
                message: step.to_string(),
                ..JobProgress::default()
            });
        }
        Ok(())
    }
}

fn jobs(db: &Db) -> Jobs {
    let ids = TimeOrderedIds::new(Arc::new(SystemClock), Arc::new(SystemRng));
    Jobs::new(db.clone(), Arc::new(SystemClock), Arc::new(ids), Arc::new(SystemRng))
}

/// Waits until a follower is told of a step, and says how long that took.
async fn time_step(follower: &mut Follower, step: &str) -> Duration {
    let started = Instant::now();
    loop {
        let change = tokio::time::timeout(PATIENCE, follower.next()).await.expect("it is told in time").unwrap();
        if let Change::Task(task) = change
            && task.progress.as_ref().is_some_and(|progress| progress.message == step)
        {
            return started.elapsed();
        }
    }
}

/// A worker in one process, a follower in another: each step is told soon, without waiting for anybody to look.
async fn check_live_progress(test: &TestDb, server: Option<&RedisServer>) {
    migrate::up(test.db(), &[events::migrations(), jobs::migrations()]).await.unwrap();
    let (here, there) = (process(test, server).await, process(test, server).await);
    let (stop, steps) = (CancellationToken::new(), Arc::new(tokio::sync::Semaphore::new(0)));
    let watch = TaskWatch::new(jobs(&here));
    let mut follower = watch.follow(UserId::from_uuid(Uuid::from_u128(1))).unwrap();
    let watching = tokio::spawn({
        let (watch, stop) = (watch.clone(), stop.clone());
        async move { watch.run(stop).await }
    });
    let worker = Worker::new(jobs(&there), Registry::default().with(Walker(steps.clone())), WorkerOptions::default());
    let working = tokio::spawn(worker.run(stop.clone()));
    wait_until("both hear each other", || here.hears_others() && (there.hears_others() || server.is_none())).await;
    jobs(&there).enqueue(NewJob::<Walk>::new(()).owned_by("ann")).await.unwrap();
    for step in ["1", "2", "3"] {
        steps.add_permits(1);
        let took = time_step(&mut follower, step).await;
        assert!(took < SOON, "{took:?}");
    }
    stop.cancel();
    watching.await.unwrap();
    working.await.unwrap();
    here.close().await.unwrap();
    there.close().await.unwrap();
}

all_databases! {
    async fn redis_carries_calls_and_the_database_does_not_beside_it(test: &TestDb) {
        let server = RedisServer::start();
        let (here, there, apart) = (process(test, Some(&server)).await, process(test, Some(&server)).await, process(test, None).await);
        let (mut heard, mut heard_apart) = (here.subscribe().await, apart.subscribe().await);
        if test.db().can_listen() {
            wait_until("the database is listened to", || apart.hears_others()).await;
        }
        wait_until("both hear each other", || here.hears_others() && there.hears_others()).await;
        call(&there, "a").await;
        wait_until_heard(&mut heard, "a").await;
        // One that has no Redis would have heard it by now.
        assert_ne!(heard_apart.wait(Topic::Progress, Duration::from_millis(200)).await, Some("a".to_owned()));
        for db in [here, there, apart] {
            db.close().await.unwrap();
        }
    }

    async fn a_job_of_one_process_is_followed_live_in_another_over_redis(test: &TestDb) {
        check_live_progress(test, Some(&RedisServer::start())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_one_process_is_followed_live_in_another_over_postgres() {
    let test = TestDb::postgres().await;
    check_live_progress(&test, None).await;
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_postgres_carries_calls() {
    let (test, server) = (TestDb::postgres().await, RedisServer::start());
    let (here, there) = (process(&test, Some(&server)).await, process(&test, Some(&server)).await);
    let mut heard = here.subscribe().await;
    wait_until("both hear each other", || here.hears_others() && there.hears_others()).await;
    server.stop();
    wait_until("both notice", || !here.hears_others() && !there.hears_others()).await;
    call(&there, "away").await;
    wait_until_heard(&mut heard, "away").await;
    server.restart();
    wait_until("both hear each other again", || here.hears_others() && there.hears_others()).await;
    call(&there, "back").await;
    wait_until_heard(&mut heard, "back").await;
    here.close().await.unwrap();
    there.close().await.unwrap();
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_alone_nobody_else_is_heard() {
    let test = TestDb::sqlite().await;
    drop(test.db().subscribe().await);
    assert!(!test.db().hears_others());
    test.remove().await;
}
