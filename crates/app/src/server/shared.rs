//! What the servers of a team share beside the database and the files: quotas, locks, and what they looked up.

use std::sync::Arc;

use platform::{
    cache::{Caches, CachesParts},
    locks::{Locks, LocksHealth},
    redis::{Redis, RedisHealth},
    secrets::Sealer,
    server::{
        health::Component,
        rate_limit::{LimitsHealth, MemoryLimiter, RateLimiter, RedisLimiter},
    },
};

use super::{Basics, secrets};
use crate::settings::Settings;

/// Users and addresses whose requests are counted at a time.
const MAX_COUNTED: usize = 100_000;

/// What is shared through Redis, where there is one. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) limiter: Arc<dyn RateLimiter>,
    pub(crate) caches: Caches,
    pub(crate) locks: Locks,
}

impl Shared {
    pub(crate) fn new(settings: &Settings, basics: &Basics, redis: Option<&Redis>) -> anyhow::Result<Self> {
        let Basics { db, clock, rng, ids } = basics.clone();
        let here = MemoryLimiter::new(clock.clone(), MAX_COUNTED);
        let limiter: Arc<dyn RateLimiter> = match redis {
            Some(redis) => Arc::new(RedisLimiter::new(redis.clone(), here)),
            None => Arc::new(here),
        };
        let locks = Locks::new(db.clone(), redis.cloned(), ids);
        let caches = Caches::new(CachesParts {
            db,
            redis: redis.cloned(),
            sealer: Sealer::of_lookups(&secrets(settings, &rng)?, rng.clone()),
            clock,
            rng,
            folder: settings.data.join("lookups"),
            settings: settings.lookups.clone(),
        });
        Ok(Self { limiter, caches, locks })
    }
}

/// Redis, and what falls back while it is away.
pub(super) fn components(redis: &Redis) -> [Arc<dyn Component>; 3] {
    [Arc::new(RedisHealth(redis.clone())), Arc::new(LimitsHealth(redis.clone())), Arc::new(LocksHealth(redis.clone()))]
}
