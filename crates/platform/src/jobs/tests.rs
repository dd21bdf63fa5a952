//! The queue against a model of it: random stories of workers that claim, end, die and are cancelled, on both databases.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kernel::{ManualClock, PageRequest, PageSize, TimeOrderedIds, Uuid};
use proptest::{prelude::*, test_runner::TestRunner};
use sea_orm::ConnectionTrait as _;

use super::{
    JobFailure, JobId, JobKind, JobState, Jobs, NewJob, Profile, TaskFilter,
    claim::{Claimed, Wanted},
    settle::{Ended, Outcome},
};
use crate::{
    db::{Backend, migrate},
    rng::SystemRng,
    testing::TestDb,
};

struct Plain;

impl JobKind for Plain {
    const NAME: &'static str = "plain";
    type Payload = u32;
    type Output = u32;
}

#[derive(Debug, Clone)]
enum Step {
    Enqueue {
        owner: u8,
        is_delayed: bool,
    },
    /// Three workers claim at the same moment.
    Claim {
        count: usize,
    },
    End {
        which: usize,
        outcome: u8,
    },
    /// A worker dies, and the others notice.
    Die {
        worker: usize,
    },
    Cancel {
        which: usize,
    },
    Retry {
        which: usize,
    },
    Wait,
}

fn stories() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8, any::<bool>()).prop_map(|(owner, is_delayed)| Step::Enqueue { owner, is_delayed }),
        4 => (1..4_usize).prop_map(|count| Step::Claim { count }),
        6 => (any::<usize>(), 0..4_u8).prop_map(|(which, outcome)| Step::End { which, outcome }),
        1 => (0..3_usize).prop_map(|worker| Step::Die { worker }),
        2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        1 => any::<usize>().prop_map(|which| Step::Retry { which }),
        2 => Just(Step::Wait),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What must be true of each job, kept apart from the database.
#[derive(Debug, Default)]
struct Model {
    ids: Vec<JobId>,
    states: HashMap<JobId, JobState>,
    cancelled: HashMap<JobId, bool>,
    /// Who holds which claims, also those that a death made worthless.
    claims: Vec<(Uuid, Claimed)>,
}

struct Story<'a> {
    jobs: &'a Jobs,
    clock: &'a ManualClock,
    workers: [Uuid; 3],
    model: Model,
}

impl Story<'_> {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Enqueue { owner, is_delayed } => self.enqueue(*owner, *is_delayed).await,
            Step::Claim { count } => self.claim(*count).await,
            Step::End { which, outcome } if !self.model.claims.is_empty() => self.end(*which, *outcome).await,
            Step::Die { worker } => self.die(*worker).await,
            Step::Cancel { which } if !self.model.ids.is_empty() => self.cancel(*which).await,
            Step::Retry { which } if !self.model.ids.is_empty() => self.retry(*which).await,
            Step::Wait => self.wait().await,
            _ => {}
        }
        self.compare().await;
    }

    async fn enqueue(&mut self, owner: u8, is_delayed: bool) {
        let job = NewJob::<Plain>::new(1).owned_by(format!("owner {owner}")).with_max_attempts(3);
        let job = if is_delayed { job.after(Duration::from_secs(10)) } else { job };
        let id = self.jobs.enqueue(job).await.unwrap();
        self.model.ids.push(id);
        self.model.states.insert(id, if is_delayed { JobState::Delayed } else { JobState::Ready });
    }

    async fn claim(&mut self, count: usize) {
        let wanted = self.workers.map(|worker| Wanted { worker, kind: Plain::NAME, count, turn: 0 });
        let [first, second, third] = wanted.map(|wanted| self.jobs.claim(wanted));
        let (first, second, third) = tokio::join!(first, second, third);
        let mut ready = self.model.states.values().filter(|state| **state == JobState::Ready).count();
        for (worker, claimed) in self.workers.into_iter().zip([first, second, third]) {
            for job in claimed.unwrap() {
                let before = self.model.states.insert(job.id, JobState::Running);
                assert_eq!(before, Some(JobState::Ready), "a job is given to one worker at a time");
                ready -= 1;
                self.model.claims.push((worker, job));
            }
        }
        assert!(ready == 0 || count < 4, "what is ready is given to whoever asks");
    }

    async fn end(&mut self, which: usize, outcome: u8) {
        let (worker, job) = self.model.claims.remove(which % self.model.claims.len());
        let failure = JobFailure { message: "broken".to_owned(), advice: None };
        let (outcome, state) = match outcome {
            0 => (Outcome::Succeeded("1".to_owned()), JobState::Succeeded),
            1 => (Outcome::Again(failure, Duration::from_secs(10)), JobState::Delayed),
            2 => (Outcome::Failed(failure), JobState::Failed),
            _ => (Outcome::Returned, JobState::Delayed),
        };
        let ended = Ended { id: job.id, kind: job.kind, owner: job.owner, outcome, progress: None };
        let counted = self.jobs.settle(worker, &[ended]).await.unwrap();
        let is_holder = self.workers.contains(&worker);
        assert_eq!(!counted.is_empty(), is_holder, "only its holder ends a job");
        if is_holder {
            self.model.states.insert(job.id, state);
            self.model.cancelled.remove(&job.id);
        }
    }

    async fn die(&mut self, place: usize) {
        let dead = self.workers[place];
        assert!(self.jobs.remove_worker(dead, None).await.unwrap());
        self.workers[place] = self.jobs.register_worker(&Profile::default()).await.unwrap();
        while self.jobs.take_up_orphans().await.unwrap() > 0 {}
        // Its claims stay in the story: it may come back and say that it ended them.
        for (_, job) in self.model.claims.iter().filter(|(worker, _)| *worker == dead) {
            let state = if self.model.cancelled.remove(&job.id).is_some() {
                JobState::Cancelled
            } else if job.attempts >= job.max_attempts {
                JobState::Failed
            } else {
                JobState::Delayed
            };
            self.model.states.insert(job.id, state);
        }
    }

    async fn cancel(&mut self, which: usize) {
        let id = self.model.ids[which % self.model.ids.len()];
        let cancelled = self.jobs.cancel(id, None).await;
        match self.model.states[&id] {
            JobState::Ready | JobState::Delayed => drop(self.model.states.insert(id, JobState::Cancelled)),
            JobState::Running => drop(self.model.cancelled.insert(id, true)),
            JobState::Cancelled => {}
            JobState::Succeeded | JobState::Failed => return assert!(cancelled.is_err()),
        }
        cancelled.unwrap();
    }

    async fn retry(&mut self, which: usize) {
        let id = self.model.ids[which % self.model.ids.len()];
        let retried = self.jobs.retry(id, None).await;
        let is_final = matches!(self.model.states[&id], JobState::Failed | JobState::Cancelled);
        assert_eq!(retried.is_ok(), is_final);
        if is_final {
            self.model.states.insert(id, JobState::Ready);
        }
    }

    /// Time passes, and what was delayed is ready.
    async fn wait(&mut self) {
        self.clock.jump(11_000);
        while self.jobs.promote().await.unwrap() > 0 {}
        for state in self.model.states.values_mut().filter(|state| **state == JobState::Delayed) {
            *state = JobState::Ready;
        }
    }

    async fn compare(&self) {
        let all = PageRequest { size: PageSize::new(200).unwrap(), after: None };
        let tasks = self.jobs.list(&TaskFilter::default(), &all).await.unwrap().items;
        assert_eq!(tasks.len(), self.model.ids.len(), "no job is lost or doubled");
        for task in tasks {
            assert_eq!(task.state, self.model.states[&task.id], "{task:?}");
        }
    }

    /// Everything that is not over is done, and then everything is over.
    async fn finish(mut self) {
        for _ in 0..5 {
            self.wait().await;
            self.claim(200).await;
            while !self.model.claims.is_empty() {
                self.end(0, 0).await;
            }
        }
        self.compare().await;
        assert!(self.model.states.values().all(|state| state.is_final()), "{:?}", self.model.states);
    }
}

fn check(backend: Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let clock = ManualClock::at(1_700_000_000_000);
    let (test, jobs) = runtime.block_on(async {
        let test = TestDb::open(backend).await;
        migrate::up(test.db(), &[crate::events::migrations(), super::migrations()]).await.unwrap();
        let ids = TimeOrderedIds::new(Arc::new(clock.clone()), Arc::new(SystemRng));
        let jobs = Jobs::new(test.db().clone(), Arc::new(clock.clone()), Arc::new(ids), Arc::new(SystemRng));
        (test, jobs)
    });
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&stories(), |story| {
        runtime.block_on(async {
            for table in ["jobs", "job_workers", "events"] {
                test.db().writer().execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
            }
            let mut workers = [Uuid::nil(); 3];
            for worker in &mut workers {
                *worker = jobs.register_worker(&Profile::default()).await.unwrap();
            }
            let mut played = Story { jobs: &jobs, clock: &clock, workers, model: Model::default() };
            for step in &story {
                played.step(step).await;
            }
            played.finish().await;
            Ok(())
        })
    });
    runtime.block_on(test.remove());
    outcome.unwrap();
}

#[test]
fn no_story_loses_or_doubles_a_job_on_sqlite() {
    check(Backend::Sqlite, 60);
}

#[test]
fn no_story_loses_or_doubles_a_job_on_postgres() {
    check(Backend::Postgres, 60);
}
