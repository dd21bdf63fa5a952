//! A kind of job whose work is a closure, workers with short waits, and waiting for what is to come.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use kernel::{Clock, SystemClock, TimeOrderedIds};
use platform::{
    db::{Db, migrate},
    events,
    jobs::{
        self, JobContext, JobError, JobHandler, JobId, JobKind, JobState, Jobs, NewJob, Policy, Registry, Task, Worker,
        WorkerOptions,
    },
    rng::SystemRng,
    testing::TestDb,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

/// The kind that most tests use: quick to try again.
#[derive(Debug)]
pub(crate) struct Notes;

impl JobKind for Notes {
    const NAME: &'static str = "notes";
    type Payload = Note;
    type Output = String;

    fn policy() -> Policy {
        Policy {
            max_attempts: 3,
            timeout: 2 * PATIENCE,
            first_wait: Duration::from_millis(20),
            longest_wait: Duration::from_millis(100),
            ..Policy::default()
        }
    }
}

/// A kind whose attempts may take only a moment.
#[derive(Debug)]
pub(crate) struct Hasty;

impl JobKind for Hasty {
    const NAME: &'static str = "hasty";
    type Payload = Note;
    type Output = String;

    fn policy() -> Policy {
        Policy { timeout: Duration::from_millis(300), ..Notes::policy() }
    }
}

/// A kind of which one is done at a time.
#[derive(Debug)]
pub(crate) struct Letters;

impl JobKind for Letters {
    const NAME: &'static str = "letters";
    type Payload = Note;
    type Output = String;

    fn policy() -> Policy {
        Policy { concurrency: 1, ..Notes::policy() }
    }
}

type Work = Arc<dyn Fn(Note, JobContext) -> BoxFuture<'static, Result<String, JobError>> + Send + Sync>;

/// Does the jobs of a kind as a closure says.
pub(crate) struct Does<K> {
    work: Work,
    kind: std::marker::PhantomData<fn() -> K>,
}

impl<K> Does<K> {
    pub(crate) fn new<F, Fut>(work: F) -> Self
    where
        F: Fn(Note, JobContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, JobError>> + Send + 'static,
    {
        Self { work: Arc::new(move |note, job| Box::pin(work(note, job))), kind: std::marker::PhantomData }
    }
}

impl<K> fmt::Debug for Does<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Does")
    }
}

impl<K: JobKind<Payload = Note, Output = String>> JobHandler for Does<K> {
    type Kind = K;

    async fn run(&self, payload: Note, job: JobContext) -> Result<String, JobError> {
        (self.work)(payload, job).await
    }
}

/// A registry of one handler for [`Notes`].
pub(crate) fn notes<F, Fut>(work: F) -> Registry
where
    F: Fn(Note, JobContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, JobError>> + Send + 'static,
{
    Registry::default().with(Does::<Notes>::new(work))
}

pub(crate) fn note(text: impl Into<String>) -> NewJob<Notes> {
    NewJob::new(Note { text: text.into() })
}

pub(crate) async fn set_up(test: &TestDb) -> Jobs {
    set_up_at(test, Arc::new(SystemClock)).await
}

pub(crate) async fn set_up_at(test: &TestDb, clock: Arc<dyn Clock>) -> Jobs {
    migrate::up(test.db(), &[events::migrations(), jobs::migrations()]).await.unwrap();
    jobs_of(test.db(), clock)
}

pub(crate) fn jobs_of(db: &Db, clock: Arc<dyn Clock>) -> Jobs {
    let ids = TimeOrderedIds::new(Arc::clone(&clock), Arc::new(SystemRng));
    Jobs::new(db.clone(), clock, Arc::new(ids), Arc::new(SystemRng))
}

/// Short waits for everything but a look without a call, which must not be needed.
pub(crate) fn quick() -> WorkerOptions {
    WorkerOptions {
        concurrency: 8,
        heartbeat: Duration::from_millis(150),
        lease: Duration::from_millis(900),
        poll: Duration::from_secs(1),
        cancel_poll: Duration::from_millis(200),
        progress: Duration::from_millis(50),
        grace: Duration::from_millis(300),
        drain: Duration::from_secs(5),
        ..WorkerOptions::default()
    }
}

/// A worker that runs in this process.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(jobs: &Jobs, registry: Registry, options: WorkerOptions) -> Self {
        Self::of(Worker::new(jobs.clone(), registry, options))
    }

    pub(crate) fn of(worker: Worker) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run(stop.clone()));
        Self { stop, task }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("a worker ends when it is told to").unwrap();
    }

    /// Ends as a process that is killed would: nothing is written any more.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

pub(crate) async fn wait_for(jobs: &Jobs, id: JobId, state: JobState) -> Task {
    let started = Instant::now();
    loop {
        let task = jobs.get(id, None).await.unwrap();
        if task.state == state {
            return std::sync::Arc::unwrap_or_clone(task);
        }
        assert!(started.elapsed() < PATIENCE, "waited for {state}: {task:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a query counts so many.
pub(crate) async fn wait_for_count(test: &TestDb, query: &str, wanted: i64) {
    let started = Instant::now();
    loop {
        let found = test.count(query).await;
        if found == wanted {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "waited for {wanted}, found {found}: {query}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a test notes while jobs run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<std::sync::Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until there are so many lines.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let lines = self.lines();
            if lines.len() >= count {
                return lines;
            }
            assert!(started.elapsed() < PATIENCE, "waited for {count} lines: {lines:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
