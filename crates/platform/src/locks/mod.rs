//! Locks between the processes of a team, held for as long as their holder lives and is heard of.
//!
//! The database says who holds a lock: only it has what the holder changes. Redis, where there is one, spares it the question
//! of those who would not get the lock anyway. A holder counts in its row; whoever wants the lock takes it from one whose count
//! stood still for a whole lease, by its own steady clock, and a holder that could not count for most of a lease has given up
//! before that. See `docs/adr/0024`.

mod lease;
mod migrations;
mod table;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ::redis::Script;
use async_trait::async_trait;
use kernel::{ErrorKind, IdSource};

pub use lease::Lease;
pub use migrations::migrations;

use self::table::Standing;
use crate::{
    db::{Db, DbError},
    redis::{Away, Redis},
    server::health::{Component, Need},
};

/// How long a lock outlasts the last sign of its holder.
const LEASE: Duration = Duration::from_secs(15);

/// Keeps the name for whoever holds it, also after Redis was emptied.
static EXTEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
",
    )
});

static GIVE_UP: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});

/// Why something under a lock could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LockError {
    /// The holder was not heard of for too long.
    #[error("the lock `{name}` went to another server in the meantime; nothing was changed")]
    Lost { name: String },
    #[error(transparent)]
    Db(#[from] DbError),
}

impl LockError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lost { .. } => ErrorKind::Conflict,
            Self::Db(error) => error.kind(),
        }
    }
}

/// The locks of a team. Clones share everything.
#[derive(Debug, Clone)]
pub struct Locks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    redis: Option<Redis>,
    ids: Arc<dyn IdSource>,
    lease: Duration,
    /// The locks that others held when this process last wanted them: how they stood, and since when.
    seen: Mutex<HashMap<String, (Standing, Instant)>>,
}

/// Who wants or holds a lock.
#[derive(Debug, Clone)]
struct Claim {
    name: String,
    /// Tells this claim from every other.
    token: String,
}

impl Locks {
    /// The locks of a database that is migrated with [`migrations`].
    pub fn new(db: Db, redis: Option<Redis>, ids: Arc<dyn IdSource>) -> Self {
        Self { inner: Arc::new(Inner { db, redis, ids, lease: LEASE, seen: Mutex::default() }) }
    }

    /// The same locks, with another time that a holder may be silent. All who use them need the same.
    #[must_use]
    pub fn leased_for(self, lease: Duration) -> Self {
        let Inner { db, redis, ids, .. } = self.inner.as_ref();
        let (db, redis, ids) = (db.clone(), redis.clone(), ids.clone());
        Self { inner: Arc::new(Inner { db, redis, ids, lease, seen: Mutex::default() }) }
    }

    /// Takes the lock `name`, unless somebody holds it. One whose holder died is got by whoever asks again after a lease.
    pub async fn try_take(&self, name: &str) -> Result<Option<Lease>, DbError> {
        let inner = &self.inner;
        let claim = Claim { name: name.to_owned(), token: inner.ids.next_id().to_string() };
        if inner.ask_redis(&claim).await == Ok(false) {
            return Ok(None);
        }
        // The lease begins before the row says so.
        let begun = Instant::now();
        match inner.take_row(&claim).await {
            Ok(Some(fence)) => Ok(Some(Lease::begin(inner.clone(), claim, fence, begun))),
            refused => {
                inner.give_up_in_redis(&claim).await;
                refused.map(|_| None)
            }
        }
    }
}

impl Inner {
    /// Whether the name is free in Redis; it is then kept for the claim.
    async fn ask_redis(&self, claim: &Claim) -> Result<bool, Away> {
        let Some(redis) = &self.redis else { return Err(Away) };
        let mut set = ::redis::cmd("SET");
        set.arg(key(claim)).arg(&claim.token).arg("NX").arg("PX").arg(self.lease_ms());
        let answer: Option<String> =
            redis.soon(|mut connection| async move { set.query_async(&mut connection).await }).await?;
        Ok(answer.is_some())
    }

    /// Takes the row, where it is free or its holder is dead. Else notes how it stands.
    async fn take_row(&self, claim: &Claim) -> Result<Option<i64>, DbError> {
        let dead = self.seen().get(&claim.name).filter(|(_, since)| since.elapsed() >= self.lease).map(|seen| seen.0);
        if let Some(fence) = table::take(&self.db, claim, dead).await? {
            self.seen().remove(&claim.name);
            return Ok(Some(fence));
        }
        let standing = table::find(&self.db, &claim.name).await?;
        let mut seen = self.seen();
        match standing {
            Some(standing) if seen.get(&claim.name).is_some_and(|seen| seen.0 == standing) => {}
            Some(standing) => drop(seen.insert(claim.name.clone(), (standing, Instant::now()))),
            None => drop(seen.remove(&claim.name)),
        }
        Ok(None)
    }

    /// Keeps the name in Redis for a holder.
    async fn extend_in_redis(&self, claim: &Claim) {
        let Some(redis) = &self.redis else { return };
        let mut call = EXTEND.prepare_invoke();
        call.key(key(claim)).arg(&claim.token).arg(self.lease_ms());
        // Where that fails, more will ask the database, and not get the lock either.
        let _ = redis.soon(|mut connection| async move { call.invoke_async::<u8>(&mut connection).await }).await;
    }

    async fn give_up_in_redis(&self, claim: &Claim) {
        let Some(redis) = &self.redis else { return };
        let mut call = GIVE_UP.prepare_invoke();
        call.key(key(claim)).arg(&claim.token);
        // Where that fails, the name is free after a lease.
        let _ = redis.soon(|mut connection| async move { call.invoke_async::<u8>(&mut connection).await }).await;
    }

    fn lease_ms(&self) -> u64 {
        u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, (Standing, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(claim: &Claim) -> String {
    Redis::key("lock", &claim.name)
}

/// Whether who wants a lock is answered by Redis.
#[derive(Debug, Clone)]
pub struct LocksHealth(pub Redis);

#[async_trait]
impl Component for LocksHealth {
    fn name(&self) -> &'static str {
        "locks"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        if self.0.is_up() {
            return Ok(());
        }
        Err("Redis is away; locks are taken through the database alone".to_owned())
    }
}
