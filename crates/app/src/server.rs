//! The server, put together: its database, its contexts, and everything around their routes.

use std::{env, sync::Arc, time::Duration};

use anyhow::Context;
use identity::{Deps, Identity, IdentityService, IdentitySettings, Mailer, NoMailer};
use kernel::{Clock, IdSource, Rng, SystemClock, TimeOrderedIds};
use platform::{
    config::Settings,
    db::{Db, DbOptions, Target, migrate::Migrations},
    events, idempotency,
    idempotency::Idempotency,
    rng::SystemRng,
    secrets::{Sealer, SecretKeys},
    server::{
        health::{DatabaseHealth, Health},
        metrics::Metrics,
        rate_limit::MemoryLimiter,
        router::{Assembled, Parts, assemble},
    },
};
use tokio_util::sync::CancellationToken;

/// Names the database, where it is not a file in the data folder.
const DATABASE_VARIABLE: &str = "DATABASE_URL";
/// Holds the secret of the installation, where it is not a file in the data folder.
const SECRET_VARIABLE: &str = "SECRET_KEY";
/// Users and addresses whose requests are counted at a time.
const MAX_COUNTED: usize = 100_000;
/// How often what is no longer needed is removed.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// A server that is put together and does not listen yet.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) assembled: Assembled,
    pub(crate) health: Health,
    identity: IdentityService,
    idempotency: Idempotency,
    metrics: Metrics,
}

/// The tables of every context, in the order in which they are made.
pub(crate) fn migrations() -> Vec<Migrations> {
    vec![events::migrations(), idempotency::migrations(), identity::migrations()]
}

/// Opens the database that the environment names, or the one in the data folder.
pub(crate) async fn open_database(settings: &Settings) -> anyhow::Result<Db> {
    let target = match env::var(DATABASE_VARIABLE) {
        Ok(address) => address.parse()?,
        Err(_) => {
            let folder = &settings.data;
            std::fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
            Target::file(&folder.join("server.db"))
        }
    };
    Ok(Db::open(&DbOptions::new(target)).await?)
}

/// Identity alone, for commands that need nothing else of the server.
pub(crate) fn identity(settings: &Settings, db: &Db) -> anyhow::Result<Identity> {
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mailer: Arc<dyn Mailer> = Arc::new(NoMailer);
    Ok(identity::build(Deps {
        db: db.clone(),
        ids: ids(&clock, &rng),
        limiter: Arc::new(MemoryLimiter::new(clock.clone(), MAX_COUNTED)),
        secrets: secrets(settings, rng.as_ref())?,
        clock,
        rng,
        mailer,
        settings: IdentitySettings::default(),
        public_origin: settings.server.public_origin(),
        origins: settings.server.origins(),
        transport: settings.server.transport(),
    })?)
}

impl Office {
    /// Puts the server together on a database that is migrated.
    pub(crate) fn new(settings: &Settings, db: &Db) -> anyhow::Result<Self> {
        let rng: Arc<dyn Rng> = Arc::new(SystemRng);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = ids(&clock, &rng);
        let sealer = Sealer::new(&secrets(settings, rng.as_ref())?, rng);
        let idempotency = Idempotency::new(db.clone(), sealer, clock.clone(), ids.clone());
        let health = Health::new(vec![Arc::new(DatabaseHealth(db.clone()))]);
        let metrics = Metrics::of_process();
        let Identity { service, routes, authenticator } = identity(settings, db)?;
        let parts = Parts {
            settings: settings.server.clone(),
            ids,
            limiter: Arc::new(MemoryLimiter::new(clock, MAX_COUNTED)),
            authenticator,
            idempotency: idempotency.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
        };
        Ok(Self { assembled: assemble(routes, parts), health, identity: service, idempotency, metrics })
    }

    /// Users, sessions and keys.
    pub(crate) fn identity(&self) -> &IdentityService {
        &self.identity
    }

    /// Does what goes on beside requests, until `stop`.
    pub(crate) async fn run_beside(&self, stop: CancellationToken) {
        let upkeep = stop.run_until_cancelled(async {
            loop {
                tokio::time::sleep(UPKEEP_INTERVAL).await;
                self.metrics.tidy_up();
                let _ = self.idempotency.remove_expired().await;
            }
        });
        tokio::join!(self.identity.run(stop.clone()), upkeep);
    }
}

fn ids(clock: &Arc<dyn Clock>, rng: &Arc<dyn Rng>) -> Arc<dyn IdSource> {
    Arc::new(TimeOrderedIds::new(clock.clone(), rng.clone()))
}

fn secrets(settings: &Settings, rng: &dyn Rng) -> anyhow::Result<SecretKeys> {
    Ok(match env::var(SECRET_VARIABLE) {
        Ok(secret) => SecretKeys::new(secret.into(), Vec::new())?,
        Err(_) => {
            std::fs::create_dir_all(&settings.data)?;
            SecretKeys::of_folder(&settings.data, rng)?
        }
    })
}
