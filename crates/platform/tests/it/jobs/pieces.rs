//! Work that a job shares out with helpers on other workers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use platform::{
    both_databases,
    jobs::{
        Company, JobContext, JobError, JobKind, JobState, Jobs, NewJob, NewPiece, Piece, Pieces, Policy, Profile,
        Registry, TaskFilter, WorkerOptions,
    },
    testing::TestDb,
};
use tokio::sync::{mpsc, oneshot};

use super::fixture::{Does, Note, Notes, PATIENCE, Running, note, quick, set_up, wait_for, wait_for_count};

/// Helps a note.
#[derive(Debug)]
struct Help;

impl JobKind for Help {
    const NAME: &'static str = "help";
    type Payload = Note;
    type Output = String;

    fn policy() -> Policy {
        Policy { max_attempts: 1, concurrency: 1, ..Notes::policy() }
    }
}

/// A job in the test's hands: it goes on until it is told how it ends.
struct InHand {
    context: JobContext,
    end: oneshot::Sender<Result<String, JobError>>,
}

type Hands = mpsc::UnboundedReceiver<InHand>;

/// Does a kind by handing each job to the test.
fn handing<K: JobKind<Payload = Note, Output = String>>() -> (Does<K>, Hands) {
    let (sender, hands) = mpsc::unbounded_channel();
    let does = Does::new(move |_, context: JobContext| {
        let sender = sender.clone();
        async move {
            let (end, ended) = oneshot::channel();
            let stop = context.cancellation().clone();
            sender.send(InHand { context, end }).unwrap();
            tokio::select! {
                result = ended => result.unwrap_or(Err(JobError::Stopped)),
                () = stop.cancelled() => Err(JobError::Stopped),
            }
        }
    });
    (does, hands)
}

async fn next(hands: &mut Hands) -> InHand {
    tokio::time::timeout(PATIENCE, hands.recv()).await.expect("a job is begun").unwrap()
}

fn of_build(build: &str, place: &str) -> WorkerOptions {
    WorkerOptions { profile: Profile { place: place.to_owned(), build: build.to_owned() }, ..quick() }
}

fn pieces(count: usize) -> Vec<NewPiece> {
    let piece = |number: usize| NewPiece {
        name: format!("piece {number}"),
        weight: number as f64,
        payload: format!("what {number} is"),
    };
    (0..count).map(piece).collect()
}

async fn take(pieces: &Pieces) -> Option<String> {
    pieces.take().await.unwrap().map(|piece| piece.name)
}

fn helper() -> platform::jobs::HelpingJob {
    NewJob::<Help>::new(Note { text: "help".to_owned() }).into_helper("one").unwrap()
}

/// A note that runs on a worker of its own, and a second worker that only helps.
struct Pair {
    parent: InHand,
    parents: Hands,
    helpers: Hands,
    of_parent: Running,
    of_helper: Running,
    jobs: Jobs,
}

impl Pair {
    async fn start(test: &TestDb) -> Self {
        let jobs = set_up(test).await;
        let (does, mut parents) = handing::<Notes>();
        let of_parent = Running::start(&jobs, Registry::default().with(does), of_build("one", "here"));
        jobs.enqueue(note("shared").owned_by("ann")).await.unwrap();
        let parent = next(&mut parents).await;
        let (does, helpers) = handing::<Help>();
        let of_helper = Running::start(&jobs, Registry::default().with(does), of_build("one", "there"));
        wait_for_count(test, "SELECT count(*) FROM job_workers", 2).await;
        Self { parent, parents, helpers, of_parent, of_helper, jobs }
    }

    /// A helper at work.
    async fn help(&mut self) -> InHand {
        self.parent.context.pieces().recruit(&helper(), 1).await.unwrap();
        next(&mut self.helpers).await
    }
}

both_databases! {
    async fn the_longest_piece_goes_first_and_nobody_gets_one_twice(test: &TestDb) {
        let mut pair = Pair::start(test).await;
        let helper = pair.help().await;
        let (own, helped) = (pair.parent.context.pieces(), helper.context.pieces_of_parent().unwrap());
        own.lay_out(&pieces(6)).await.unwrap();
        let expected = Piece { name: "piece 5".to_owned(), payload: "what 5 is".to_owned() };
        assert_eq!(helped.take().await.unwrap(), Some(expected));
        let (first, second, third) = tokio::join!(take(&own), take(&helped), take(&own));
        let mut taken: Vec<_> = [first, second, third].into_iter().flatten().collect();
        taken.sort();
        taken.dedup();
        // In PostgreSQL two who ask at the same moment may pass each other by.
        while taken.len() < 5 {
            taken.extend(take(&own).await);
        }
        assert!(helped.finish("piece 5").await.unwrap());
        assert!(!own.finish("piece 5").await.unwrap(), "it is not the parent's");
        let held = own.look().await.unwrap();
        assert_eq!(held.iter().filter(|held| held.is_made).map(|held| held.name.as_str()).collect::<Vec<_>>(), ["piece 5"]);
        assert!(own.collect("piece 5").await.unwrap());
        assert_eq!(own.look().await.unwrap().len(), 5);
        pair.of_parent.kill();
        pair.of_helper.kill();
    }

    async fn a_helper_is_nobodys_task_and_is_stopped_with_its_parent(test: &TestDb) {
        let mut pair = Pair::start(test).await;
        let helper = pair.help().await;
        assert_eq!((helper.context.owner(), helper.context.parent()), ("ann", Some(pair.parent.context.id())));
        let all = pair.jobs.list(&TaskFilter::default(), &kernel::PageRequest::default()).await.unwrap();
        assert_eq!(all.items.iter().map(|task| task.id).collect::<Vec<_>>(), [pair.parent.context.id()]);
        pair.jobs.get(helper.context.id(), None).await.unwrap_err();
        pair.jobs.cancel(helper.context.id(), None).await.unwrap_err();
        pair.parent.context.pieces().recruit(&self::helper(), 3).await.unwrap();
        pair.jobs.cancel(pair.parent.context.id(), Some("ann")).await.unwrap();
        tokio::time::timeout(PATIENCE, helper.context.cancellation().cancelled()).await.unwrap();
        wait_for(&pair.jobs, pair.parent.context.id(), JobState::Cancelled).await;
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL AND state <> 'cancelled'", 0).await;
        let told = test.count("SELECT count(*) FROM events WHERE type LIKE 'task.%'").await;
        assert_eq!(told, 2, "of the parent alone: created and cancelled");
        pair.of_parent.end().await;
        pair.of_helper.end().await;
    }

    async fn a_task_that_is_tried_again_takes_what_it_was_at_when_it_was_stopped(test: &TestDb) {
        let mut pair = Pair::start(test).await;
        let (own, id) = (pair.parent.context.pieces(), pair.parent.context.id());
        own.lay_out(&pieces(1)).await.unwrap();
        assert_eq!(take(&own).await.as_deref(), Some("piece 0"));
        pair.jobs.cancel(id, Some("ann")).await.unwrap();
        wait_for(&pair.jobs, id, JobState::Cancelled).await;
        pair.jobs.retry(id, Some("ann")).await.unwrap();
        let again = next(&mut pair.parents).await;
        assert_eq!((again.context.id(), again.context.attempt()), (id, 1), "its attempts are counted anew");
        again.context.pieces().lay_out(&pieces(1)).await.unwrap();
        assert_eq!(take(&again.context.pieces()).await.as_deref(), Some("piece 0"));
        pair.of_parent.kill();
        pair.of_helper.kill();
    }

    async fn a_worker_that_dies_loses_the_piece_it_was_at(test: &TestDb) {
        let mut pair = Pair::start(test).await;
        let helper = pair.help().await;
        let (own, helped) = (pair.parent.context.pieces(), helper.context.pieces_of_parent().unwrap());
        own.lay_out(&pieces(2)).await.unwrap();
        assert_eq!(take(&helped).await.as_deref(), Some("piece 1"));
        assert!(helped.finish("piece 1").await.unwrap());
        assert_eq!(take(&helped).await.as_deref(), Some("piece 0"));
        assert_eq!(take(&own).await, None, "a live worker is at it");
        pair.of_helper.kill();
        wait_for_count(test, "SELECT count(*) FROM job_workers", 1).await;
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE state = 'running'", 1).await;
        assert_eq!(take(&own).await.as_deref(), Some("piece 0"));
        assert!(!helped.finish("piece 0").await.unwrap(), "who was taken for dead says nothing that counts");
        assert_eq!(take(&helped).await, None);
        pair.of_parent.kill();
    }

    async fn a_parent_that_comes_back_finds_what_is_made_and_who_is_at_what(test: &TestDb) {
        let mut pair = Pair::start(test).await;
        let helper = pair.help().await;
        let (zombie, helped) = (pair.parent.context.pieces(), helper.context.pieces_of_parent().unwrap());
        zombie.lay_out(&pieces(4)).await.unwrap();
        assert_eq!(take(&helped).await.as_deref(), Some("piece 3"));
        assert!(helped.finish("piece 3").await.unwrap());
        assert_eq!((take(&helped).await.as_deref(), take(&zombie).await.as_deref()), (Some("piece 2"), Some("piece 1")));
        // It fails and is tried again by the same worker: what the attempt before was at is free.
        pair.parent.end.send(Err(JobError::retry("once more"))).unwrap();
        let again = next(&mut pair.parents).await;
        let own = again.context.pieces();
        zombie.lay_out(&pieces(1)).await.unwrap_err();
        zombie.dismiss().await.unwrap_err();
        own.lay_out(&pieces(3)).await.unwrap();
        let names: Vec<_> = own.look().await.unwrap().into_iter().map(|held| held.name).collect();
        assert_eq!(names.len(), 3, "what is not wanted any more is gone: {names:?}");
        assert_eq!((take(&own).await.as_deref(), take(&own).await.as_deref()), (Some("piece 1"), Some("piece 0")));
        assert_eq!(take(&own).await, None, "the helper is at the third");
        own.dismiss().await.unwrap();
        assert!(!helped.finish("piece 2").await.unwrap());
        tokio::time::timeout(PATIENCE, helper.context.cancellation().cancelled()).await.unwrap();
        pair.of_parent.kill();
        pair.of_helper.kill();
    }

    async fn a_piece_that_helpers_cannot_make_is_left_to_the_job(test: &TestDb) {
        let mut pair = Pair::start(test).await;
        let helper = pair.help().await;
        let (own, helped) = (pair.parent.context.pieces(), helper.context.pieces_of_parent().unwrap());
        own.lay_out(&pieces(2)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(take(&helped).await.as_deref(), Some("piece 1"));
            assert!(helped.give_back("piece 1").await.unwrap());
        }
        assert_eq!(take(&helped).await.as_deref(), Some("piece 1"));
        assert!(helped.give_up("piece 1").await.unwrap());
        assert_eq!(take(&helped).await.as_deref(), Some("piece 0"));
        assert!(helped.finish("piece 0").await.unwrap());
        assert!(own.reopen("piece 0").await.unwrap(), "what was made is lost");
        assert_eq!((take(&own).await.as_deref(), take(&own).await.as_deref()), (Some("piece 1"), Some("piece 0")));
        pair.of_parent.kill();
        pair.of_helper.kill();
    }

    async fn only_a_worker_of_the_same_build_that_is_not_at_the_parent_is_given_a_helper(test: &TestDb) {
        let jobs = set_up(test).await;
        let begun = Arc::new(AtomicUsize::new(0));
        let helps = |build: &'static str| {
            let begun = Arc::clone(&begun);
            Does::<Help>::new(move |_, _| {
                begun.fetch_add(1, Ordering::SeqCst);
                async move { Ok(build.to_owned()) }
            })
        };
        let (does, mut parents) = handing::<Notes>();
        let registry = Registry::default().with(does).with(helps("of the parent"));
        let of_parent = Running::start(&jobs, registry, of_build("one", "here"));
        jobs.enqueue(note("shared").owned_by("ann")).await.unwrap();
        let parent = next(&mut parents).await;
        let other = Running::start(&jobs, Registry::default().with(helps("other")), of_build("two", "there"));
        wait_for_count(test, "SELECT count(*) FROM job_workers", 2).await;
        let own = parent.context.pieces();
        assert_eq!(own.company().await.unwrap(), Company::default());
        own.recruit(&helper(), 1).await.unwrap();
        assert_eq!(own.company().await.unwrap(), Company { waiting: 1, ..Company::default() });
        // Whoever could take it has had its chance when a later job of the same worker is done.
        let later = jobs.enqueue(NewJob::<Help>::new(Note { text: "later".to_owned() })).await.unwrap();
        wait_for(&jobs, later, JobState::Succeeded).await;
        assert_eq!((begun.load(Ordering::SeqCst), own.company().await.unwrap().waiting), (1, 1));
        let right = Running::start(&jobs, Registry::default().with(helps("right")), of_build("one", "there"));
        wait_for_count(test, "SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL AND state = 'succeeded'", 1).await;
        assert_eq!(own.company().await.unwrap(), Company { idle: 1, strangers: 1, waiting: 0 });
        for worker in [of_parent, other, right] {
            worker.kill();
        }
    }
}
