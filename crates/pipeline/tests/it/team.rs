//! A stage that two workers make together, each with a data folder of its own.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use kernel::{SystemClock, TimeOrderedIds, UserId};
use pipeline::{
    Exchange, FanOut, FileRef, Helping, Outcome, Run, SharedStage, SourceRef, Stage, StageContext, StageError, Team,
    job::Workshop,
};
use platform::{
    both_databases,
    db::migrate,
    events,
    jobs::{
        self, JobContext, JobError, JobHandler, JobKind, JobState, Jobs, NewJob, Policy, Profile, Registry, Worker,
        WorkerOptions,
    },
    rng::SystemRng,
    secrets::SecretKeys,
    storage::{
        self, CheckError, ContentCheck, Files, FilesParts, Inspection, Links, MediaType, Objects, Shelf, ShelfLimits,
        StorageSettings,
    },
    testing::TestDb,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::fixture::{open, options};

const PAGES: usize = 24;

/// How a worker is at making pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skill {
    Able,
    Unable,
    Clumsy,
}

/// Writes pages, slowly enough for others to help.
#[derive(Debug, Clone)]
struct Press {
    skill: Skill,
    made: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Page {
    text: String,
    /// What another stage made, which a helper has to fetch.
    ink: FileRef,
    /// A number that decimal JSON does not give back to the last bit.
    tilt: f64,
}

impl Stage for Press {
    type Input = Page;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "pages"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, page: &Page, context: &StageContext) -> Result<FileRef, StageError> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if self.skill == Skill::Clumsy {
            return Err(StageError::fail(kernel::ErrorKind::Internal, "the press is broken"));
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        let ink = tokio::fs::read_to_string(context.path(&page.ink)).await.unwrap();
        context.keep_bytes(format!("{ink}: {} {}", page.text, page.tilt).into_bytes(), "txt").await
    }
}

impl SharedStage for Press {
    fn sources<'a>(&self, _: &'a Page) -> Vec<&'a SourceRef> {
        Vec::new()
    }

    async fn can_make(&self, _: &Page) -> Result<bool, StageError> {
        Ok(self.skill != Skill::Unable)
    }
}

#[derive(Debug)]
struct AnyVideo;

#[async_trait]
impl ContentCheck for AnyVideo {
    async fn check(&self, _: &Path) -> Result<MediaType, CheckError> {
        Ok("video/mp4".parse().unwrap())
    }
}

/// One worker's place: its data folder, its press, and what all of the team share.
#[derive(Debug, Clone)]
struct Shop {
    data: PathBuf,
    press: Press,
    exchange: Exchange,
    workshop: Workshop,
}

#[derive(Debug)]
struct Books;

#[derive(Debug)]
struct Pages;

impl JobKind for Books {
    const NAME: &'static str = "books";
    type Payload = ();
    type Output = Vec<String>;

    fn policy() -> Policy {
        Policy { max_attempts: 1, concurrency: 1, ..Policy::default() }
    }
}

impl JobKind for Pages {
    const NAME: &'static str = "pages";
    type Payload = ();
    type Output = usize;

    fn policy() -> Policy {
        Books::policy()
    }
}

#[derive(Debug)]
struct MakeBook(Shop);

#[derive(Debug)]
struct MakePages(Shop);

impl JobHandler for MakeBook {
    type Kind = Books;

    async fn run(&self, (): (), job: JobContext) -> Result<Vec<String>, JobError> {
        let helper = NewJob::<Pages>::new(()).into_helper("build").unwrap();
        let team = Team::new(&job, self.0.exchange.clone(), helper);
        self.0.make_book(Some(team), &job).await.map_err(|error| JobError::fail(error.to_string()))
    }
}

impl JobHandler for MakePages {
    type Kind = Pages;

    async fn run(&self, (): (), job: JobContext) -> Result<usize, JobError> {
        let bench = self.0.workshop.open(&job, &[]).await?;
        let helping = Helping::new(&job, self.0.exchange.clone(), &bench, &[]).await?.unwrap();
        let run = self.0.start(&job).await;
        let made = helping.work(&run, &self.0.press, 2).await.map_err(|error| JobError::fail(error.to_string()));
        run.finish(Outcome::Succeeded).await;
        made
    }
}

impl Shop {
    async fn start(&self, job: &JobContext) -> Run {
        let options = pipeline::RunOptions { cancellation: job.cancellation().clone(), ..options() };
        Run::start(&open(&self.data).await, options).await.unwrap().0
    }

    /// The texts of all pages.
    async fn make_book(&self, team: Option<Team>, job: &JobContext) -> Result<Vec<String>, StageError> {
        let run = self.start(job).await.with_team(team);
        let ink = run.make(&Ink, &"blue".to_owned()).await?.output;
        let page = |number: usize| Page {
            // Two pages are alike.
            text: format!("page {}", number.max(1)),
            ink: ink.clone(),
            tilt: 1.0 / (number.max(1) as f64 + 0.1),
        };
        let pages: Vec<Page> = (0..PAGES).map(page).collect();
        let made = run.make_all_together(&self.press, &pages, FanOut::new(2)).await;
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                run.finish(Outcome::Cancelled).await;
                return Err(error);
            }
        };
        let texts = made.iter().map(|made| std::fs::read_to_string(run.path(&made.output)).unwrap()).collect();
        run.finish(Outcome::Succeeded).await;
        Ok(texts)
    }
}

/// Makes ink in the data folder of whoever needs it.
#[derive(Debug)]
struct Ink;

impl Stage for Ink {
    type Input = String;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "ink"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, colour: &String, context: &StageContext) -> Result<FileRef, StageError> {
        context.keep_bytes(colour.clone().into_bytes(), "ink").await
    }
}

/// A database and a store of files, and shops that share them.
struct Town {
    folder: TempDir,
    jobs: Jobs,
    files: Files,
    exchange: Exchange,
    workers: Mutex<Vec<(CancellationToken, tokio::task::JoinHandle<()>)>>,
}

impl Town {
    async fn new(test: &TestDb) -> Self {
        let contexts = [events::migrations(), jobs::migrations(), storage::migrations(), pipeline::migrations()];
        migrate::up(test.db(), &contexts).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let ids = Arc::new(TimeOrderedIds::new(clock.clone(), Arc::new(SystemRng)));
        let jobs = Jobs::new(test.db().clone(), clock.clone(), ids.clone(), Arc::new(SystemRng));
        let objects = Objects::in_folder(&folder.path().join("files"), ids.clone()).unwrap();
        let limits = ShelfLimits { max_bytes: u64::MAX, max_age: Duration::from_hours(1), min_free_bytes: 0 };
        let shelf = Shelf::new(test.db().clone(), objects.clone(), clock.clone(), limits);
        let files = Files::new(FilesParts {
            db: test.db().clone(),
            objects,
            caches: test.caches(),
            clock: clock.clone(),
            ids,
            inspection: Inspection { content: Arc::new(AnyVideo), scanner: None },
            links: Links::new(&SecretKeys::of_folder(folder.path(), &SystemRng).unwrap()),
            settings: StorageSettings::default(),
        });
        let exchange = Exchange::new(test.db().clone(), shelf, clock);
        Self { folder, jobs, files, exchange, workers: Mutex::default() }
    }

    /// A worker in a shop of this name, which makes books or only helps.
    fn open(&self, name: &str, skill: Skill, makes_books: bool) -> Arc<AtomicUsize> {
        let made = Arc::new(AtomicUsize::new(0));
        let shop = Shop {
            data: self.folder.path().join(name),
            press: Press { skill, made: Arc::clone(&made) },
            exchange: self.exchange.clone(),
            workshop: Workshop::new(self.folder.path().join(name).join("work"), self.files.clone()),
        };
        let registry = Registry::default();
        let registry = if makes_books { registry.with(MakeBook(shop)) } else { registry.with(MakePages(shop)) };
        let options = WorkerOptions {
            heartbeat: Duration::from_millis(150),
            profile: Profile { place: name.to_owned(), build: "build".to_owned() },
            ..WorkerOptions::default()
        };
        let stop = CancellationToken::new();
        let worker = tokio::spawn(Worker::new(self.jobs.clone(), registry, options).run(stop.clone()));
        self.workers.lock().unwrap().push((stop, worker));
        made
    }

    async fn close(&self) {
        let workers = std::mem::take(&mut *self.workers.lock().unwrap());
        for (stop, worker) in workers {
            stop.cancel();
            worker.await.unwrap();
        }
    }

    /// Has a book made, and returns its pages, or why there are none.
    async fn book(&self) -> Result<Vec<String>, String> {
        let owner = UserId::from_uuid(kernel::Uuid::from_u128(1));
        let id = self.jobs.enqueue(NewJob::<Books>::new(()).owned_by(owner.to_string())).await.unwrap();
        loop {
            let task = self.jobs.get(id, None).await.unwrap();
            match task.state {
                JobState::Succeeded => return Ok(serde_json::from_value(task.result.clone().unwrap()).unwrap()),
                JobState::Failed => return Err(task.error.clone().unwrap().message),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Every object of the store.
    fn objects(&self) -> Vec<PathBuf> {
        let shards = std::fs::read_dir(self.folder.path().join("files/objects")).unwrap();
        let shards = shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
        shards.flatten().map(|entry| entry.unwrap().path()).collect()
    }
}

fn expected() -> Vec<String> {
    let page = |number: usize| format!("blue: page {number} {}", 1.0 / (number as f64 + 0.1));
    (0..PAGES).map(|number| page(number.max(1))).collect()
}

async fn no_help_comes_from(skill: Skill, test: &TestDb) {
    let town = Town::new(test).await;
    let (own, helped) = (town.open("one", Skill::Able, true), town.open("two", skill, false));
    assert_eq!(town.book().await, Ok(expected()));
    assert_eq!((own.load(Ordering::SeqCst), helped.load(Ordering::SeqCst)), (PIECES, 0));
    town.close().await;
}

/// Pages that differ.
const PIECES: usize = PAGES - 1;

both_databases! {
    async fn a_helper_elsewhere_makes_its_part_and_a_third_finds_all_of_it(test: &TestDb) {
        let town = Town::new(test).await;
        let (own, helped) = (town.open("one", Skill::Able, true), town.open("two", Skill::Able, false));
        assert_eq!(town.book().await, Ok(expected()));
        let (own, helped) = (own.load(Ordering::SeqCst), helped.load(Ordering::SeqCst));
        assert!(helped >= 3 && own >= 3, "{own} and {helped}");
        assert_eq!(own + helped, PIECES, "nothing is made twice");
        assert_eq!(test.count("SELECT count(*) FROM job_pieces").await, 0);
        town.close().await;
        let third = town.open("three", Skill::Able, true);
        assert_eq!(town.book().await, Ok(expected()));
        assert_eq!(third.load(Ordering::SeqCst), 0, "all of it is fetched");
        town.close().await;
    }

    async fn what_the_store_altered_is_made_again(test: &TestDb) {
        let town = Town::new(test).await;
        town.open("one", Skill::Able, true);
        town.open("two", Skill::Able, false);
        assert_eq!(town.book().await, Ok(expected()));
        town.close().await;
        for object in town.objects() {
            let size = std::fs::metadata(&object).unwrap().len();
            std::fs::write(&object, vec![b'?'; usize::try_from(size).unwrap()]).unwrap();
        }
        let third = town.open("three", Skill::Able, true);
        assert_eq!(town.book().await, Ok(expected()));
        assert_eq!(third.load(Ordering::SeqCst), PIECES);
        town.close().await;
    }

    async fn what_would_come_out_otherwise_elsewhere_the_job_makes(test: &TestDb) {
        no_help_comes_from(Skill::Unable, test).await;
    }

    async fn what_a_helper_fails_at_the_job_makes(test: &TestDb) {
        no_help_comes_from(Skill::Clumsy, test).await;
    }

    async fn what_nobody_can_make_fails_with_its_reason(test: &TestDb) {
        let town = Town::new(test).await;
        town.open("one", Skill::Clumsy, true);
        town.open("two", Skill::Clumsy, false);
        let error = town.book().await.unwrap_err();
        assert!(error.contains("the press is broken") && error.starts_with("pages"), "{error}");
        assert_eq!(test.count("SELECT count(*) FROM job_pieces").await, 0);
        town.close().await;
    }
}
