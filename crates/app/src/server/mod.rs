//! The server and the worker, put together: their database, their contexts, and everything around their routes.

mod content;
mod depot;
mod health;
mod numbers;
mod shared;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::Arc;

use anyhow::Context;
use identity::{Identity, IdentityService, Mailer, NoMailer, SmtpMailer};
use platform::{
    cache::Caches,
    config,
    db::{Db, Servers, Target, migrate::Migrations, presence::Presence},
    events,
    idempotency::{self, Idempotency},
    jobs, locks,
    redis::Redis,
    secrets::{Sealer, SecretKeys},
    server::{
        health::{Component, DatabaseHealth, Health, ReplicaHealth},
        metrics::Metrics,
        router::{Assembled, Parts, assemble},
    },
    storage,
    tasks::{self, Tasks},
};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use self::upkeep::Upkeep;
pub(crate) use self::{
    depot::{Basics, Depot, objects},
    numbers::Numbers,
    shared::Shared,
};
use crate::settings::Settings;

/// Names the database, where it is not a file in the data folder.
const DATABASE_VARIABLE: &str = "DATABASE_URL";
/// Names a replica of it for reads.
const REPLICA_VARIABLE: &str = "DATABASE_REPLICA_URL";
/// Names the Redis that a team shares.
const REDIS_VARIABLE: &str = "REDIS_URL";
/// Holds the secret of the installation, where it is not a file in the data folder.
const SECRET_VARIABLE: &str = "SECRET_KEY";
/// Holds the secret before it, whose signatures and seals still hold.
const PREVIOUS_SECRET_VARIABLE: &str = "SECRET_KEY_PREVIOUS";
/// Holds the password of the mail server.
const MAIL_PASSWORD_VARIABLE: &str = "SMTP_PASSWORD";

/// A server that is put together and does not listen yet.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) assembled: Assembled,
    pub(crate) health: Health,
    identity: IdentityService,
    tasks: Tasks,
    caches: Caches,
    relay: events::Relay,
    upkeep: Upkeep,
    numbers: Numbers,
}

/// The tables of every context, in the order in which they are made.
pub(crate) fn migrations() -> Vec<Migrations> {
    vec![
        events::migrations(),
        idempotency::migrations(),
        jobs::migrations(),
        locks::migrations(),
        storage::migrations(),
        pipeline::migrations(),
        identity::migrations(),
        videos::desk::migrations(),
        dubbing::desk::migrations(),
    ]
}

/// The database that the environment names, where it names one.
pub(crate) async fn find_database(settings: &Settings) -> anyhow::Result<Option<Db>> {
    if config::secret(DATABASE_VARIABLE)?.is_none() {
        return Ok(None);
    }
    open_database(settings).await.map(Some)
}

/// Opens the database that the environment names, or the one in the data folder.
pub(crate) async fn open_database(settings: &Settings) -> anyhow::Result<Db> {
    use secrecy::ExposeSecret as _;

    let target = if let Some(address) = config::secret(DATABASE_VARIABLE)? {
        address.expose_secret().parse()?
    } else {
        make_folder(settings)?;
        Target::file(&settings.data.join("server.db"))
    };
    let replica = config::secret(REPLICA_VARIABLE)?;
    let replica = replica.map(|address| Servers::replica(address.expose_secret())).transpose()?;
    Ok(Db::open(&settings.database.options(target, replica)).await?)
}

/// Says that this program runs until `ended`, and ends it when its database is no more one that it can work on.
pub(crate) async fn stay(
    presence: &Presence,
    cancel: &CancellationToken,
    ended: &CancellationToken,
) -> anyhow::Result<()> {
    let kept = presence.keep(ended).await;
    if kept.is_err() {
        cancel.cancel();
    }
    Ok(kept?)
}

/// The Redis that the environment names. It need not be there yet.
fn open_redis() -> anyhow::Result<Option<Redis>> {
    config::secret(REDIS_VARIABLE)?.map(|address| Ok(Redis::open(&address)?)).transpose()
}

/// Identity alone, for commands that need nothing else of the server.
pub(crate) fn identity(settings: &Settings, basics: &Basics, shared: &Shared) -> anyhow::Result<Identity> {
    let Basics { db, clock, rng, ids } = basics.clone();
    Ok(identity::build(identity::Deps {
        db,
        limiter: shared.limiter.clone(),
        caches: shared.caches.clone(),
        secrets: secrets(settings, &rng)?,
        mailer: mailer(settings)?,
        settings: settings.identity.clone(),
        public_origin: settings.server.public_origin(),
        origins: settings.server.origins(),
        transport: settings.server.transport(),
        clock,
        rng,
        ids,
    })?)
}

fn mailer(settings: &Settings) -> anyhow::Result<Arc<dyn Mailer>> {
    if settings.mail.server.is_none() {
        return Ok(Arc::new(NoMailer));
    }
    Ok(Arc::new(SmtpMailer::new(&settings.mail, config::secret(MAIL_PASSWORD_VARIABLE)?.as_ref())?))
}

pub(crate) fn secrets(settings: &Settings, rng: &Arc<dyn kernel::Rng>) -> anyhow::Result<SecretKeys> {
    let previous = config::secret(PREVIOUS_SECRET_VARIABLE)?.into_iter().collect();
    if let Some(secret) = config::secret(SECRET_VARIABLE)? {
        return Ok(SecretKeys::new(secret, previous)?);
    }
    make_folder(settings)?;
    Ok(SecretKeys::of_folder(&settings.data, rng.as_ref())?)
}

fn make_folder(settings: &Settings) -> anyhow::Result<()> {
    let folder = &settings.data;
    std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))
}

impl Office {
    /// Puts the server together on a depot whose database is migrated.
    pub(crate) fn new(settings: &Settings, depot: &Depot) -> anyhow::Result<Self> {
        let Basics { db, clock, rng, ids } = depot.basics.clone();
        let Depot { jobs, files, shared, .. } = depot.clone();
        let sealer = Sealer::new(&secrets(settings, &rng)?, rng);
        let idempotency = Idempotency::new(db.clone(), sealer, clock.clone(), ids.clone());
        let tasks = Tasks::new(jobs.clone(), files.clone());
        let of_videos = videos::desk::Desk::new(jobs.clone(), files.clone(), clock.clone(), ids.clone());
        let of_dubs = dubbing::desk::Desk::new(jobs, files.clone(), clock.clone(), ids.clone());
        let Identity { service, routes, authenticator } = identity(settings, &depot.basics, &shared)?;
        let (health, metrics) = (health_of(settings, depot), Metrics::of_process());
        let api = OpenApiRouter::new()
            .merge(routes)
            .merge(storage::http::routes(files))
            .merge(tasks::http::routes(tasks.clone()))
            .merge(videos::http::routes(of_videos))
            .merge(dubbing::http::routes(of_dubs));
        let parts = Parts {
            settings: settings.server.clone(),
            ids,
            limiter: shared.limiter.clone(),
            authenticator,
            idempotency: idempotency.clone(),
            health: health.clone(),
            metrics,
        };
        let relay = events::Relay::new(db, clock, Arc::new(events::LocalBus::default()), Vec::new())
            .with_redis(depot.redis.clone());
        let upkeep = Upkeep::new(depot.clone(), idempotency);
        let caches = shared.caches;
        let numbers = Numbers::new(depot.clone(), health.clone(), settings.data.clone());
        Ok(Self { assembled: assemble(api, parts), health, identity: service, tasks, caches, relay, upkeep, numbers })
    }

    /// Users, sessions and keys.
    pub(crate) fn identity(&self) -> &IdentityService {
        &self.identity
    }

    /// Does what goes on beside requests, until `stop`. Streams that would go on for ever end with `closing`, so that the
    /// server need not wait for them.
    pub(crate) async fn run_beside(&self, closing: CancellationToken, stop: CancellationToken) {
        tokio::join!(
            self.tasks.watch().run(closing),
            self.identity.run(stop.clone()),
            self.caches.run(stop.clone()),
            self.relay.clone().run(stop.clone()),
            self.numbers.run(stop.clone()),
            self.upkeep.run(stop),
        );
    }
}

/// The parts of a server or a worker.
pub(crate) fn health_of(settings: &Settings, depot: &Depot) -> Health {
    let disk = health::Disk { folder: settings.data.clone(), min_free_bytes: settings.storage.min_free_bytes };
    let mut components: Vec<Arc<dyn Component>> = vec![
        Arc::new(DatabaseHealth(depot.basics.db.clone())),
        Arc::new(health::Storage(depot.objects.clone())),
        Arc::new(health::Workers(depot.jobs.clone())),
        Arc::new(disk),
        Arc::new(health::Programs(depot.ffmpeg.clone())),
    ];
    if depot.basics.db.has_replica() {
        components.push(Arc::new(ReplicaHealth(depot.basics.db.clone())));
    }
    if let Some(redis) = &depot.redis {
        components.extend(shared::components(redis));
    }
    Health::new(components)
}
