//! Does jobs: claims what there is room for, runs it, and writes how it ended.

mod attempt;
mod chores;
mod slots;

use std::{sync::Arc, time::Duration};

use kernel::Uuid;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::slots::Slots;
use super::{
    JobContext, Jobs, JobsError, Profile, Registry, Schedule, StopReason,
    claim::{Claimed, Wanted, order_kinds},
    settle::Ended,
};
use crate::db::{DbError, Subscription, Topic};

/// How many ended attempts wait to be written, and how many one transaction writes.
const SETTLE_BATCH: usize = 512;

/// How often an end is tried to be written, a second apart.
const SETTLE_TRIES: u32 = 30;

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// How many jobs it does at a time, of all kinds together.
    pub concurrency: usize,
    /// How often it shows that it lives, and looks whether others do.
    pub heartbeat: Duration,
    /// How long another worker may show no life before its jobs are taken up. Several heartbeats.
    pub lease: Duration,
    /// How often it looks for jobs without being called.
    pub poll: Duration,
    /// How often it looks whether a job that it does was cancelled.
    pub cancel_poll: Duration,
    /// How often progress is stored.
    pub progress: Duration,
    /// How long a handler may take to stop when it was told to; then it is dropped.
    pub grace: Duration,
    /// How long running jobs may go on when the worker is told to end; then they are given back.
    pub drain: Duration,
    /// How long jobs are kept after their end.
    pub keep: Duration,
    /// What it tells other workers of itself.
    pub profile: Profile,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: crate::resources::cpu_count(),
            heartbeat: Duration::from_secs(3),
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            cancel_poll: Duration::from_millis(400),
            progress: Duration::from_millis(300),
            grace: Duration::from_secs(10),
            drain: Duration::from_secs(20),
            keep: Duration::from_hours(720),
            profile: Profile::default(),
        }
    }
}

/// Does the jobs of one database. Any number of workers may share one, in any number of processes.
#[derive(Debug)]
pub struct Worker {
    jobs: Jobs,
    registry: Registry,
    schedules: Vec<Schedule>,
    options: WorkerOptions,
}

/// What the parts of a worker share.
#[derive(Debug)]
struct Shared {
    jobs: Jobs,
    registry: Registry,
    schedules: Vec<Schedule>,
    options: WorkerOptions,
    slots: Slots,
    /// Held from asking for jobs until they are in their slots: nobody takes those in between for lost.
    claiming: Mutex<()>,
    ended: mpsc::Sender<(Uuid, Ended)>,
    /// Called when no more jobs are to be begun.
    closing: CancellationToken,
    /// Called when everything ended.
    closed: CancellationToken,
}

impl Worker {
    pub fn new(jobs: Jobs, registry: Registry, options: WorkerOptions) -> Self {
        Self { jobs, registry, schedules: Vec::new(), options }
    }

    /// Enqueues jobs at these times too.
    #[must_use]
    pub fn with_schedules(mut self, schedules: Vec<Schedule>) -> Self {
        self.schedules = schedules;
        self
    }

    /// Works until `stop` is called. Then it begins nothing more, lets what runs go on for a while, gives back what did not end,
    /// and returns once all of that is written.
    pub async fn run(self, stop: CancellationToken) {
        attempt::describe_numbers();
        let (ended, settling) = mpsc::channel(SETTLE_BATCH);
        let slots = Slots::new(self.options.concurrency, &self.registry);
        let shared = Arc::new(Shared {
            jobs: self.jobs,
            registry: self.registry,
            schedules: self.schedules,
            options: self.options,
            slots,
            claiming: Mutex::default(),
            ended,
            closing: stop.child_token(),
            closed: CancellationToken::new(),
        });
        let mut chores = chores::spawn(&shared);
        let settler = tokio::spawn(Arc::clone(&shared).settle_all(settling));
        shared.claim_all().await;
        shared.drain().await;
        // Nobody sends any more; what was sent is written before this returns.
        shared.closed.cancel();
        if let Err(error) = settler.await {
            tracing::error!(%error, "the ends of jobs could not be written; others will do them again");
        }
        while chores.join_next().await.is_some() {}
        if let Some(worker) = shared.slots.worker()
            && let Err(error) = shared.jobs.remove_worker(worker, None).await
        {
            tracing::warn!(%error, "the worker could not say goodbye; others notice soon");
        }
    }
}

impl Shared {
    /// Claims and begins jobs until the worker closes.
    async fn claim_all(self: &Arc<Self>) {
        let mut called = self.jobs.db.subscribe().await;
        let mut turn = 0;
        while !self.closing.is_cancelled() {
            let Some(worker) = self.slots.worker() else {
                // Without a row nothing may be claimed.
                self.register().await;
                continue;
            };
            called.forget();
            match self.claim_round(worker, turn).await {
                Ok(0) => self.wait_for_work(&mut called).await,
                Ok(begun) => turn += begun as u64,
                Err(error) => {
                    tracing::warn!(%error, "jobs wait for the database");
                    self.pause(self.options.poll).await;
                }
            }
        }
    }

    async fn register(&self) {
        match self.jobs.register_worker(&self.options.profile).await {
            Ok(worker) => self.slots.set_worker(Some(worker)),
            Err(error) => {
                tracing::warn!(%error, "the worker waits for the database");
                self.pause(self.options.poll).await;
            }
        }
    }

    /// Begins as many jobs as there is room for, and returns how many.
    async fn claim_round(self: &Arc<Self>, worker: Uuid, turn: u64) -> Result<usize, JobsError> {
        let kinds = self.slots.free_kinds();
        let mut begun = 0;
        for kind in self.in_order(kinds, turn).await? {
            let count = self.slots.free(kind);
            if count == 0 {
                continue;
            }
            let _claiming = self.claiming.lock().await;
            let claimed = self.jobs.claim(Wanted { worker, kind, count, turn: turn + begun as u64 }).await?;
            begun += claimed.len();
            for job in claimed {
                self.begin(worker, job);
            }
        }
        Ok(begun)
    }

    async fn in_order(&self, kinds: Vec<&'static str>, turn: u64) -> Result<Vec<&'static str>, JobsError> {
        if kinds.len() < 2 {
            return Ok(kinds);
        }
        let mut heads = self.jobs.heads(&kinds).await?;
        order_kinds(&mut heads, turn);
        Ok(heads.into_iter().map(|head| head.kind).collect())
    }

    fn begin(self: &Arc<Self>, worker: Uuid, job: Claimed) {
        let context = JobContext::new(self.jobs.clone(), worker, &job);
        let slot = self.slots.begin(&context);
        // It was taken for dead since it claimed.
        if self.slots.worker() != Some(worker) {
            context.stop(StopReason::LeaseLost);
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = attempt::run(&shared.registry, &shared.options, &shared.jobs, &context, &job).await;
            if let Some(outcome) = outcome {
                if shared.ended.send((worker, context.ended(outcome))).await.is_err() {
                    tracing::warn!(job = %context.id(), "the end of a job came too late to be written");
                }
            } else {
                shared.slots.let_go(worker, context.id());
            }
            shared.slots.end(slot);
        });
    }

    /// Waits for a call, for room, or for the next look.
    async fn wait_for_work(&self, called: &mut Subscription) {
        tokio::select! {
            _ = called.wait(Topic::Jobs, self.options.poll) => {}
            () = self.slots.changed(), if self.slots.is_full() => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Waits so long, or until the worker closes.
    async fn pause(&self, at_most: Duration) {
        drop(tokio::time::timeout(at_most, self.closing.cancelled()).await);
    }

    /// Lets what runs go on for a while, then stops it, and waits until it ended.
    async fn drain(&self) {
        let until = Instant::now() + self.options.drain;
        if tokio::time::timeout_at(until, self.slots.emptied()).await.is_err() {
            self.slots.stop_all(StopReason::Shutdown);
            self.slots.emptied().await;
        }
    }

    /// Writes the ends of attempts, as many at a time as there are, until the worker is closed and all are written.
    async fn settle_all(self: Arc<Self>, mut ended: mpsc::Receiver<(Uuid, Ended)>) {
        let mut batch = Vec::with_capacity(SETTLE_BATCH);
        loop {
            tokio::select! {
                biased;
                _ = ended.recv_many(&mut batch, SETTLE_BATCH) => {}
                () = self.closed.cancelled() => break,
            }
            // A worker that was taken for dead has a new id: each end is written under the id that its job was claimed with.
            while let Some((worker, _)) = batch.first() {
                let worker = *worker;
                let (these, others) = std::mem::take(&mut batch).into_iter().partition(|(of, _)| *of == worker);
                batch = others;
                self.settle_batch(worker, these).await;
            }
        }
    }

    /// Writes until it is written: while the database is away, the worker's jobs stay its own. What cannot be written for long
    /// is given back by a later look.
    async fn settle_batch(&self, worker: Uuid, these: Vec<(Uuid, Ended)>) {
        let these: Vec<Ended> = these.into_iter().map(|(_, ended)| ended).collect();
        for attempt in 1..=SETTLE_TRIES {
            match self.jobs.settle(worker, &these).await {
                Ok(counted) => {
                    tracing::trace!(ended = these.len(), counted = counted.len(), "the ends of jobs were written");
                    break;
                }
                Err(error) => wait_for_database(&error, attempt).await,
            }
        }
        for ended in &these {
            self.slots.let_go(worker, ended.id);
        }
    }
}

async fn wait_for_database(error: &DbError, attempt: u32) {
    tracing::warn!(%error, attempt, "the ends of jobs wait for the database");
    tokio::time::sleep(Duration::from_secs(1)).await;
}

type Chores = JoinSet<()>;
