//! What was looked up or computed, kept near: in the memory of the process, in the Redis that a team shares, and on the disk.
//!
//! A use of it is a [`Cached`] with its [`Policy`], and one way to ask: [`Cached::get_or_compute`]. Whoever changes what values
//! hang on says so in the transaction of the change, with [`Caches::invalidate_in`]. A second after that nobody is given the old
//! value any more, on any server, whether Redis is there or not; see `docs/adr/0023`.

mod counts;
mod disk;
mod flight;
mod ledger;
mod listen;
mod policy;
mod team;
mod value;
mod view;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use kernel::{Clock, Rng};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use policy::{Computed, Policy, Reach, Tag};
pub use view::Cached;

use self::{
    disk::Disk,
    ledger::{Ledger, Untold},
    listen::Hearing,
    team::Team,
};
use crate::{
    db::{Db, DbError, Topic, Transaction},
    redis::Redis,
    secrets::Sealer,
};

/// How many tags are told at a time.
const TOLD_AT_A_TIME: usize = 100;

/// How much is kept near.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupSettings {
    /// Bytes of memory of a process for all its caches.
    pub memory_bytes: u64,
    /// Bytes on the disk, for all processes of a data folder.
    pub disk_bytes: u64,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self { memory_bytes: 32 << 20, disk_bytes: 256 << 20 }
    }
}

/// What caches are made of.
#[derive(Debug, Clone)]
pub struct CachesParts {
    /// Where what is cached is changed: its transactions tell of changes.
    pub db: Db,
    /// What the team shares, where there is one.
    pub redis: Option<Redis>,
    /// Made with [`Sealer::of_lookups`]: Redis and the disk need not be trusted with what is in values.
    pub sealer: Sealer,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    /// The folder for values on the disk.
    pub folder: PathBuf,
    pub settings: LookupSettings,
}

/// The caches of a process. Clones share everything.
#[derive(Debug, Clone)]
pub struct Caches {
    core: Arc<Core>,
}

/// What all caches of a process have in common.
#[derive(Debug)]
struct Core {
    db: Db,
    /// Tells this process from others.
    teller: String,
    team: Option<Team>,
    disk: Disk,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    ledger: Ledger,
    hearing: Hearing,
    memory_bytes: u64,
    /// Whose turn it is to tell.
    telling: tokio::sync::Mutex<()>,
}

impl Caches {
    pub fn new(parts: CachesParts) -> Self {
        let CachesParts { db, redis, sealer, clock, rng, folder, settings } = parts;
        let teller = team::chance(rng.as_ref());
        let core = Core {
            db,
            team: redis.map(|redis| Team::new(redis, teller.clone())),
            teller,
            disk: Disk::new(folder, settings.disk_bytes),
            sealer,
            clock,
            rng,
            ledger: Ledger::default(),
            hearing: Hearing::new(),
            memory_bytes: settings.memory_bytes,
            telling: tokio::sync::Mutex::default(),
        };
        Self { core: Arc::new(core) }
    }

    /// A cache of its own for one use.
    pub fn cached<V>(&self, policy: Policy) -> Cached<V>
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        Cached::new(self.core.clone(), policy)
    }

    /// Once `tx` is committed, nothing that hangs on `tags` is given out any more: here at once, elsewhere within a second.
    pub async fn invalidate_in(&self, tx: &Transaction, tags: &[Tag]) -> Result<(), DbError> {
        for some in tags.chunks(TOLD_AT_A_TIME) {
            let call = format!("{} {}", self.core.teller, Tag::join(some));
            self.core.db.signal(tx, Topic::Cache, &call).await?;
        }
        let (core, tags) = (self.core.clone(), tags.to_vec());
        tx.after_commit(move || core.invalidate(&tags));
        Ok(())
    }

    /// Hears what others invalidate and tells them what this process does, until `stop`. Without it caches still hold what they
    /// promise, but ask more.
    pub async fn run(&self, stop: CancellationToken) {
        let core = &self.core;
        let all = async { tokio::join!(core.hear_redis(), core.hear_database(), core.keep_telling()) };
        stop.run_until_cancelled(all).await;
        // What could not be told until now.
        core.tell().await;
    }
}

impl Core {
    fn invalidate(self: &Arc<Self>, tags: &[Tag]) {
        if self.team.is_none() {
            return self.ledger.name(tags);
        }
        self.ledger.name_and_tell(tags);
        if let Ok(runtime) = Handle::try_current() {
            let core = self.clone();
            runtime.spawn(async move { core.tell().await });
        }
    }

    /// Tells the team what was invalidated here and they do not know yet.
    async fn tell(&self) {
        let Some(team) = &self.team else { return };
        let _turn = self.telling.lock().await;
        loop {
            let untold = self.ledger.untold(TOLD_AT_A_TIME);
            let tags: Vec<Tag> = match &untold {
                Untold::Nothing => return,
                Untold::Tags(tags) => tags.iter().map(|(tag, _)| *tag).collect(),
                Untold::All(_) => Vec::new(),
            };
            if team.name(&tags, self.rng.as_ref()).await.is_err() {
                return;
            }
            self.ledger.told(&untold);
        }
    }

    /// The time by the clock of the machine, for files that outlast the process.
    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(self.clock.now_ms()).unwrap_or(0))
    }
}
