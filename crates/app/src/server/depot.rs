//! What the server and the worker have in common: the database with its jobs, the files, the programs.

use std::sync::Arc;

use kernel::{Clock, IdSource, Rng, SystemClock, TimeOrderedIds};
use media::Ffmpeg;
use pipeline::{Exchange, job::Workshop, place_of};
use platform::{
    config,
    db::Db,
    http::{AddressPolicy, HttpClient},
    jobs::{Jobs, Profile, Registry, Worker, WorkerOptions},
    redis::Redis,
    rng::SystemRng,
    secrets::SecretKeys,
    storage::{Clamd, Files, FilesParts, Inspection, Links, LocalCopies, Objects, Seals, Shelf, Store, VirusScanner},
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
    /// Where the workers of a team find what another made.
    pub(crate) exchange: Exchange,
    /// The name of the data folder.
    pub(crate) place: String,
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

/// The store of files that the settings name.
pub(crate) fn objects(settings: &Settings, secrets: &SecretKeys, basics: &Basics) -> anyhow::Result<Objects> {
    let store = Store::open(&settings.storage.store_in(&settings.data), &config::secret)?;
    let copies = LocalCopies::in_folder(settings.data.join("copies"), settings.storage.min_free_bytes);
    let objects = Objects::new(store, basics.ids.clone()).with_copies(copies);
    Ok(objects.with_seals(Seals::new(secrets, basics.rng.clone()), settings.storage.new_objects()))
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
        let secrets = secrets(settings, &rng)?;
        let objects = objects(settings, &secrets, &basics)?;
        let scanner =
            settings.storage.clamd.clone().map(|address| Arc::new(Clamd::new(address)) as Arc<dyn VirusScanner>);
        let files = Files::new(FilesParts {
            db: db.clone(),
            objects: objects.clone(),
            caches: shared.caches.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            inspection: Inspection { content: Arc::new(Probe(ffmpeg.clone())), scanner },
            links: Links::new(&secrets),
            settings: settings.storage.clone(),
        });
        let workshop = Workshop::new(settings.data.join("work"), files.clone());
        let shelf = Shelf::new(db.clone(), objects.clone(), clock.clone(), wiring::shelf_limits(settings));
        let exchange = Exchange::new(db, shelf, clock);
        let place = place_of(&settings.data, ids.as_ref()).await?;
        Ok(Self { basics, jobs, objects, files, workshop, exchange, place, ffmpeg, redis, shared })
    }

    /// A worker that does the jobs of `registry`.
    pub(crate) fn worker(&self, settings: &Settings, registry: Registry) -> Worker {
        let options = WorkerOptions {
            concurrency: settings.worker.concurrency.unwrap_or_else(platform::resources::cpu_count),
            profile: Profile { place: self.place.clone(), build: self.build() },
            ..WorkerOptions::default()
        };
        Worker::new(self.jobs.clone(), registry, options)
    }

    /// What decides how segments look: workers that differ in it make none for one another. Reads the fonts of this machine.
    fn build(&self) -> String {
        format!("{} {}", self.ffmpeg.fingerprint(), media::fonts::fingerprint())
    }

    /// Every kind of job, with who does it.
    pub(crate) async fn registry(&self, settings: &Settings) -> anyhow::Result<Registry> {
        // Each job brings a token of its own.
        let videos = wiring::videos(settings, CancellationToken::new()).await?;
        let mut dubbing = wiring::dubbing(settings, CancellationToken::new()).await?;
        // What one takes, the other has to wait for.
        dubbing.memory = videos.memory.clone();
        // Fonts are read once, where that may take its time.
        tokio::task::spawn_blocking(media::fonts::fingerprint).await?;
        let bench = videos::jobs::Workbench {
            videos,
            workshop: self.workshop.clone(),
            exchange: self.exchange.clone(),
            build: self.build(),
        };
        let dubbing = dubbing::jobs::Workbench {
            dubbing,
            workshop: self.workshop.clone(),
            http: HttpClient::new(AddressPolicy::PublicOnly)?,
            clock: self.basics.clock.clone(),
        };
        Ok(dubbing::jobs::register(videos::jobs::register(Registry::default(), &bench), &dubbing))
    }
}
