//! One use of the caches: a sort of values with its policy, and how it finds one, from the nearest level to the farthest.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Caches, Computed, Core, Policy, Reach, Tag,
    counts::Counts,
    disk::MAX_VALUE_BYTES,
    flight::{Flights, Landed, Part, wait},
    team::{Stamp, Times},
    value::{Begun, Filed, Held, Key, Lifetime, Plain},
};
use crate::db::{DbError, Transaction};

/// The most things that a value may hang on. One that hangs on more is not kept.
const MAX_TAGS: usize = 32;
/// The first and the longest pause between two looks at what another server computes.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Values of one sort, kept near. Clones share everything.
pub struct Cached<V> {
    inner: Arc<Inner<V>>,
}

impl<V> std::fmt::Debug for Cached<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").field("policy", &self.inner.policy).finish_non_exhaustive()
    }
}

impl<V> Clone for Cached<V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<V> {
    core: Arc<Core>,
    policy: Policy,
    memory: moka::future::Cache<[u8; 32], Arc<Held<V>>>,
    flights: Flights<Arc<Held<V>>>,
    counts: Counts,
}

/// What was found on the way to the source.
struct Way<V> {
    begun: Begun,
    /// A value that had its time and may serve where the source fails.
    old: Option<Arc<Held<V>>>,
}

impl<V> Cached<V>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    pub(super) fn new(core: Arc<Core>, policy: Policy) -> Self {
        let bytes = core.memory_bytes / 100 * u64::from(policy.memory_percent);
        let memory = moka::future::Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, held: &Arc<Held<V>>| held.size_bytes)
            .time_to_live(policy.ttl.max(policy.absent_ttl) + policy.grace)
            .build();
        let counts = Counts::of(policy.name);
        Self { inner: Arc::new(Inner { core, policy, memory, flights: Flights::default(), counts }) }
    }

    /// The value of `key`, `None` where it is known that there is none: from memory, from Redis, from the disk, or else as
    /// `compute` finds it, which is then kept for whoever comes next.
    ///
    /// However many ask at once, it is computed once, also by several servers. A failure is not kept; where an old value may
    /// still serve, it is given out instead.
    pub async fn get_or_compute<E, F, Fut>(&self, key: &str, compute: F) -> Result<Option<Arc<V>>, E>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<Computed<V>, E>> + Send,
        E: Send,
    {
        let inner = &self.inner;
        let key = Key::new(&inner.policy, key);
        let came_ms = inner.core.hearing.now_ms();
        loop {
            if let Some(held) = inner.find_here(&key).await {
                inner.counts.memory_hit.increment(1);
                return Ok(held.value.clone());
            }
            let flight = match inner.flights.join(&key.text) {
                Part::Lead(lead) => {
                    let found = inner.find_or_compute(&key, compute).await;
                    lead.land(found.as_ref().ok().cloned());
                    return found.map(|held| held.value.clone());
                }
                Part::Follow(flight) => flight,
            };
            match wait(flight).await {
                // One that began before a change that whoever asks may know of is not for them.
                Landed::With(held) if inner.may_share(&held, came_ms) => {
                    inner.counts.memory_shared.increment(1);
                    return Ok(held.value.clone());
                }
                Landed::With(_) | Landed::Lost => {}
                // Its failure is its own: each of the others asks for itself, as if there were no cache.
                Landed::Failed => return inner.find_or_compute(&key, compute).await.map(|held| held.value.clone()),
            }
        }
    }

    /// Once `tx` is committed, the value of `key` is not given out any more: here at once, elsewhere within a second.
    pub async fn invalidate_in(&self, tx: &Transaction, key: &str) -> Result<(), DbError> {
        Caches { core: self.inner.core.clone() }.invalidate_in(tx, &[self.tag(key)]).await
    }

    /// The tag that the value of `key` hangs on by itself.
    pub fn tag(&self, key: &str) -> Tag {
        Key::new(&self.inner.policy, key).tag
    }
}

impl<V> Inner<V>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// A value in memory that can be given out without asking anybody.
    async fn find_here(&self, key: &Key) -> Option<Arc<Held<V>>> {
        let held = self.memory.get(&key.hash).await?;
        (held.is_fresh(&self.core) && held.is_believed(&self.core)).then_some(held)
    }

    /// Whether what was computed for another will do for somebody who came at `came_ms`.
    fn may_share(&self, held: &Held<V>, came_ms: u64) -> bool {
        !held.was_named(&self.core) && (held.begun.at_ms >= came_ms || held.is_believed(&self.core))
    }

    async fn find_or_compute<E, F, Fut>(&self, key: &Key, compute: F) -> Result<Arc<Held<V>>, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Computed<V>, E>>,
    {
        let mut way = Way { begun: Begun::now(&self.core), old: None };
        if let Some(held) = self.find_kept(key, &mut way).await {
            return Ok(held);
        }
        match compute().await {
            Ok(computed) => {
                self.counts.computed.increment(1);
                Ok(self.keep(key, way.begun, computed).await)
            }
            Err(error) => {
                self.give_up(key).await;
                if let Some(held) = self.still_valid(way.old).await {
                    self.counts.stale.increment(1);
                    return Ok(held);
                }
                self.counts.failed.increment(1);
                Err(error)
            }
        }
    }

    /// A value that some level has, and that nobody invalidated.
    async fn find_kept(&self, key: &Key, way: &mut Way<V>) -> Option<Arc<Held<V>>> {
        if let Some(held) = self.check_memory(key, way).await {
            self.counts.memory_checked.increment(1);
            return Some(held);
        }
        if let Some(held) = self.look_into_redis(key, way).await {
            self.counts.redis_hit.increment(1);
            return Some(held);
        }
        if self.policy.reach != Reach::TeamAndDisk {
            return None;
        }
        let held = self.look_onto_disk(key, way).await;
        if held.is_some() { &self.counts.disk_hit } else { &self.counts.disk_miss }.increment(1);
        held
    }

    /// What lies in memory and is still valid, as the team says.
    async fn check_memory(&self, key: &Key, way: &mut Way<V>) -> Option<Arc<Held<V>>> {
        let held = self.memory.get(&key.hash).await?;
        let is_fresh = held.is_fresh(&self.core);
        if !is_fresh && self.policy.grace.is_zero() {
            return None;
        }
        let held = self.still_valid(Some(held)).await?;
        if is_fresh {
            return Some(held);
        }
        way.old = Some(held);
        None
    }

    /// The value, if nobody invalidated it. Where nobody can say so, it counts as invalid.
    async fn still_valid(&self, held: Option<Arc<Held<V>>>) -> Option<Arc<Held<V>>> {
        let held = held?;
        let at_ms = self.core.hearing.now_ms();
        if held.is_believed(&self.core) {
            return Some(held);
        }
        let (team, stamp) = (self.core.team.as_ref()?, held.begun.stamp.as_ref()?);
        let is_valid = team.is_valid(stamp, &held.tags).await.ok()?;
        if !is_valid || held.was_named(&self.core) {
            return None;
        }
        held.note_checked(at_ms);
        Some(held)
    }

    /// What the team has. Where another server computes it, waits for that. Else notes when the caller begins to compute it.
    async fn look_into_redis(&self, key: &Key, way: &mut Way<V>) -> Option<Arc<Held<V>>> {
        let (core, team) = (&self.core, self.core.team.as_ref()?);
        let times = Times { lease: self.policy.patience, grace: self.policy.grace };
        let until = Instant::now() + self.policy.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            way.begun = Begun::now(core);
            // Redis is asked once it knows what was invalidated here until now; the count shows what is from now on.
            // To look afterwards for what it did not know would be too late: it may have been told in between.
            if core.ledger.has_untold() {
                core.tell().await;
            }
            if core.ledger.has_untold() {
                self.counts.redis_away.increment(1);
                return None;
            }
            let Ok(looked) = team.look(&key.text, times, core.rng.as_ref()).await else {
                self.counts.redis_away.increment(1);
                return None;
            };
            way.begun.stamp = Some(looked.stamp);
            let is_kept = looked.kept.is_some();
            let held = looked.kept.and_then(|kept| {
                let plain = Plain::open(core, key, &kept)?;
                let begun = Begun { stamp: Some(kept.stamp), ..way.begun.clone() };
                let fresh = kept.left.saturating_sub(self.policy.grace);
                plain.hold(core, begun, fresh).map(Arc::new)
            });
            match held {
                Some(held) if held.is_fresh(core) && !held.was_named(core) => {
                    self.memory.insert(key.hash, held.clone()).await;
                    return Some(held);
                }
                Some(held) => way.old = Some(held),
                // What cannot be read is computed anew, whoever wrote it.
                None if is_kept => return None,
                None => {}
            }
            if looked.is_ours || Instant::now() >= until {
                self.counts.redis_miss.increment(1);
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What the disk has and the team says is valid. It goes to the nearer levels too.
    async fn look_onto_disk(&self, key: &Key, way: &mut Way<V>) -> Option<Arc<Held<V>>> {
        let (core, team) = (&self.core, self.core.team.as_ref()?);
        way.begun.stamp.as_ref()?;
        let bytes = core.disk.read(&key.file_name(), core.system_time()).await?;
        let Filed { plain, stamp, lifetime } = Filed::read(core, key, &bytes)?;
        let begun = Begun { stamp: Some(stamp.clone()), ..way.begun.clone() };
        if !team.is_valid(&stamp, &plain.tags).await.ok()? {
            return None;
        }
        let held = Arc::new(plain.hold(core, begun, lifetime.fresh)?);
        if held.was_named(core) {
            return None;
        }
        if lifetime.fresh.is_zero() {
            way.old = Some(held);
            return None;
        }
        self.memory.insert(key.hash, held.clone()).await;
        self.keep_in_redis(key, &plain, &stamp, lifetime).await;
        Some(held)
    }

    /// Keeps what was computed wherever it may lie. A tag that was named meanwhile makes it invalid there as well.
    ///
    /// That there is nothing stays in memory, which is bounded: strangers ask for as many things that are not there as they like.
    async fn keep(&self, key: &Key, begun: Begun, computed: Computed<V>) -> Arc<Held<V>> {
        let Computed { value, mut tags } = computed;
        tags.push(key.tag);
        let is_found = value.is_some();
        let lifetime = self.lifetime(is_found);
        let value = value.map(Arc::new);
        let plain = Plain::of(value.as_deref(), tags);
        let stamp = begun.stamp.clone();
        let held = Arc::new(Held::new(&self.core, value, plain.as_ref(), begun, lifetime.fresh));
        let Some(plain) = plain.filter(|plain| plain.tags.len() <= MAX_TAGS && !lifetime.fresh.is_zero()) else {
            self.give_up(key).await;
            return held;
        };
        self.memory.insert(key.hash, held.clone()).await;
        let Some(stamp) = stamp else { return held };
        if !is_found || plain.json.len() > MAX_VALUE_BYTES || !self.keep_in_redis(key, &plain, &stamp, lifetime).await {
            self.give_up(key).await;
            return held;
        }
        if self.policy.reach == Reach::TeamAndDisk {
            let filed = Filed { plain, stamp, lifetime };
            if let Some(bytes) = filed.write(&self.core, key) {
                self.core.disk.write(&key.file_name(), bytes).await;
            }
        }
        held
    }

    /// Whether Redis took it, and the lease with it.
    async fn keep_in_redis(&self, key: &Key, plain: &Plain, stamp: &Stamp, lifetime: Lifetime) -> bool {
        let Some(team) = &self.core.team else { return false };
        let left = lifetime.fresh + lifetime.grace;
        let Some(kept) = plain.seal(&self.core, key, stamp, left) else { return false };
        team.keep(&key.text, &kept).await == Ok(true)
    }

    /// Lets other servers compute what this one does not keep.
    async fn give_up(&self, key: &Key) {
        if let Some(team) = &self.core.team {
            // Where Redis is away, the lease ends by itself.
            let _ = team.give_up(&key.text).await;
        }
    }

    /// How long a value lasts, up to a tenth less than the policy says.
    fn lifetime(&self, is_found: bool) -> Lifetime {
        let Policy { ttl, absent_ttl, grace, .. } = self.policy;
        if !is_found {
            return Lifetime { fresh: absent_ttl, grace };
        }
        let tenth_ms = u64::try_from(ttl.as_millis() / 10).unwrap_or(u64::MAX);
        let less = Duration::from_millis(self.core.rng.below(tenth_ms.saturating_add(1)));
        Lifetime { fresh: ttl.saturating_sub(less), grace }
    }
}
