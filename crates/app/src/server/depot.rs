//! What the server and the worker have in common: the database with its jobs, the files, the programs.

use std::sync::Arc;

use kernel::{Clock, IdSource, Rng, SystemClock, TimeOrderedIds};
use media::Ffmpeg;
use pipeline::job::Workshop;
use platform::{
    db::Db,
    http::{AddressPolicy, HttpClient},
    jobs::{Jobs, Registry, Worker, WorkerOptions},
    redis::Redis,
    rng::SystemRng,
    storage::{Clamd, Files, FilesParts, Inspection, Links, Objects, VirusScanner},
};
use tokio_util::sync::CancellationToken;

use super::{Shared, content::Probe, open_redis, secrets};
use crate::{settings::Settings, wiring};

/// What everything on a database is built on. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Basics {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) ids: Arc<dyn IdSource>,
}

/// What the server and the worker have in common. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Depot {
    pub(crate) basics: Basics,
    pub(crate) jobs: Jobs,
    pub(crate) objects: Objects,
    pub(crate) files: Files,
    pub(crate) workshop: Workshop,
    pub(crate) ffmpeg: Ffmpeg,
    /// What the servers and workers of a team share in memory, where there is one.
    pub(crate) redis: Option<Redis>,
    pub(crate) shared: Shared,
}

impl Basics {
    /// The clock and the chance of this machine.
    pub(crate) fn new(db: &Db) -> Self {
        let rng: Arc<dyn Rng> = Arc::new(SystemRng);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = Arc::new(TimeOrderedIds::new(clock.clone(), rng.clone()));
        Self { db: db.clone(), clock, rng, ids }
    }
}

impl Depot {
    /// The depot on a database that is migrated.
    pub(crate) async fn open(settings: &Settings, basics: Basics) -> anyhow::Result<Self> {
        let Basics { db, clock, rng, ids } = basics.clone();
        let redis = open_redis()?;
        if let Some(redis) = &redis {
            db.carry_signals_over(redis);
        }
        let shared = Shared::new(settings, &basics, redis.as_ref())?;
        let jobs = Jobs::new(db.clone(), clock.clone(), ids.clone(), rng.clone());
        let ffmpeg = wiring::ffmpeg(settings).await?;
        let objects = Objects::in_folder(&settings.storage.folder_in(&settings.data), ids.clone())?;
        let scanner =
            settings.storage.clamd.clone().map(|address| Arc::new(Clamd::new(address)) as Arc<dyn VirusScanner>);
        let files = Files::new(FilesParts {
            db,
            objects: objects.clone(),
            caches: shared.caches.clone(),
            clock,
            ids,
            inspection: Inspection { content: Arc::new(Probe(ffmpeg.clone())), scanner },
            links: Links::new(&secrets(settings, &rng)?),
            settings: settings.storage.clone(),
        });
        let workshop = Workshop::new(settings.data.join("work"), files.clone());
        Ok(Self { basics, jobs, objects, files, workshop, ffmpeg, redis, shared })
    }

    /// A worker that does the jobs of `registry`.
    pub(crate) fn worker(&self, settings: &Settings, registry: Registry) -> Worker {
        let options = WorkerOptions {
            concurrency: settings.worker.concurrency.unwrap_or_else(platform::resources::cpu_count),
            ..WorkerOptions::default()
        };
        Worker::new(self.jobs.clone(), registry, options)
    }

    /// Every kind of job, with who does it.
    pub(crate) async fn registry(&self, settings: &Settings) -> anyhow::Result<Registry> {
        // Each job brings a token of its own.
        let videos = wiring::videos(settings, CancellationToken::new()).await?;
        let mut dubbing = wiring::dubbing(settings, CancellationToken::new()).await?;
        // What one takes, the other has to wait for.
        dubbing.memory = videos.memory.clone();
        let bench = videos::jobs::Workbench { videos, workshop: self.workshop.clone() };
        let dubbing = dubbing::jobs::Workbench {
            dubbing,
            workshop: self.workshop.clone(),
            http: HttpClient::new(AddressPolicy::PublicOnly)?,
            clock: self.basics.clock.clone(),
        };
        Ok(dubbing::jobs::register(videos::jobs::register(Registry::default(), &bench), &dubbing))
    }
}
