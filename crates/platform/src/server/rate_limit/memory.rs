//! Counting in memory. A key costs a few words, whatever is asked for, and there are never more keys than fit.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use kernel::Clock;

use super::{Decision, Outcome, Quota, RateLimiter};

/// Maps, so that requests seldom wait for each other.
const SHARDS: usize = 16;
/// Keys that are looked at to find the one that is missed least.
const CANDIDATES: usize = 8;

/// A sliding window of two counters: what was spent in the window before counts by how much of it still overlaps.
///
/// It never lets more than twice a quota through in any stretch of a window's length, and with even spending no more than the
/// quota itself.
#[derive(Debug)]
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<String, Spent>>>,
    keys_per_shard: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    /// Which window `current` counts, by its number since the epoch.
    window: u64,
    current: u32,
    previous: u32,
    /// When it can be forgotten.
    expires_ms: u64,
}

impl MemoryLimiter {
    /// A limiter that remembers at most `max_keys` keys.
    pub fn new(clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { clock, hasher: RandomState::new(), shards, keys_per_shard: max_keys.div_ceil(SHARDS).max(1) }
    }

    fn decide(&self, key: &str, cost: u32, quota: &Quota) -> Decision {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        // Quotas of one subject are counted apart.
        let key = format!("{}:{key}", quota.name);
        let shard = usize::try_from(self.hasher.hash_one(&key)).unwrap_or(0) % SHARDS;
        let mut spent = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = spent.get(&key).copied().unwrap_or_default();
        let decision = entry.decide(now_ms, cost, quota);
        if cost > 0 && decision.refused().is_none() {
            if spent.len() >= self.keys_per_shard && !spent.contains_key(&key) {
                make_room(&mut spent, now_ms);
            }
            spent.insert(key, entry);
        }
        decision
    }
}

#[async_trait]
impl RateLimiter for MemoryLimiter {
    async fn spend(&self, key: &str, cost: u32, quota: &Quota) -> Decision {
        self.decide(key, cost.max(1), quota)
    }

    async fn look(&self, key: &str, quota: &Quota) -> Decision {
        self.decide(key, 0, quota)
    }
}

impl Spent {
    fn decide(&mut self, now_ms: u64, cost: u32, quota: &Quota) -> Decision {
        let window_ms = u64::try_from(quota.window.as_millis()).unwrap_or(u64::MAX).max(1);
        self.slide_to(now_ms / window_ms);
        let into_ms = now_ms % window_ms;
        let used = u64::from(self.current) + weighted(self.previous, window_ms - into_ms, window_ms);
        let reset = Duration::from_millis(if self.current > 0 { 2 * window_ms - into_ms } else { window_ms - into_ms });
        let left = u64::from(quota.units).saturating_sub(used);
        if used + u64::from(cost.max(1)) > u64::from(quota.units) {
            let wait = Duration::from_millis(self.wait_ms(into_ms, window_ms, cost.max(1), quota.units));
            let remaining = u32::try_from(left).unwrap_or(u32::MAX);
            return Decision { outcome: Outcome::Refused { wait }, remaining, reset };
        }
        self.current += cost;
        self.expires_ms = (now_ms / window_ms + 2).saturating_mul(window_ms);
        let remaining = u32::try_from(left - u64::from(cost)).unwrap_or(u32::MAX);
        Decision { outcome: Outcome::Allowed, remaining, reset }
    }

    fn slide_to(&mut self, window: u64) {
        if window == self.window {
            return;
        }
        self.previous = if window == self.window.wrapping_add(1) { self.current } else { 0 };
        self.current = 0;
        self.window = window;
    }

    /// How long until `cost` will fit, when nothing else is spent. What can never fit waits for a whole window.
    fn wait_ms(self, into_ms: u64, window_ms: u64, cost: u32, units: u32) -> u64 {
        let room = |count: u32| u64::from(units).checked_sub(u64::from(count) + u64::from(cost));
        // Within this window the previous count fades; in the next, the current one does.
        if let Some(room) = room(self.current) {
            return fades_ms(self.previous, room, window_ms).saturating_sub(into_ms).max(1);
        }
        let rest_ms = window_ms - into_ms;
        room(0).map_or(window_ms, |room| rest_ms + fades_ms(self.current, room, window_ms))
    }
}

/// What `count` of the window before still counts when `rest_ms` of it overlap, rounded up.
fn weighted(count: u32, rest_ms: u64, window_ms: u64) -> u64 {
    (u128::from(count) * u128::from(rest_ms)).div_ceil(u128::from(window_ms)).try_into().unwrap_or(u64::MAX)
}

/// How far into a window the count of the one before has faded to `room`.
fn fades_ms(count: u32, room: u64, window_ms: u64) -> u64 {
    if u64::from(count) <= room {
        return 0;
    }
    let overlap_ms = u128::from(room) * u128::from(window_ms) / u128::from(count);
    window_ms - u64::try_from(overlap_ms).unwrap_or(window_ms).min(window_ms)
}

/// Forgets what has run out; where nothing has, the key of a few that spent least.
fn make_room(spent: &mut HashMap<String, Spent>, now_ms: u64) {
    let before = spent.len();
    spent.retain(|_, entry| entry.expires_ms > now_ms);
    if spent.len() < before {
        return;
    }
    let least = spent.iter().take(CANDIDATES).min_by_key(|(_, entry)| entry.current.max(entry.previous));
    if let Some(key) = least.map(|(key, _)| key.clone()) {
        spent.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use kernel::ManualClock;

    use super::*;

    const TEN: Quota = Quota { name: "test", units: 10, window: Duration::from_mins(1) };

    fn limiter(max_keys: usize) -> (ManualClock, MemoryLimiter) {
        let clock = ManualClock::at(60_000);
        (clock.clone(), MemoryLimiter::new(Arc::new(clock), max_keys))
    }

    #[tokio::test]
    async fn a_quota_is_spent_and_comes_back() {
        let (clock, limiter) = limiter(100);
        for left in (0..10).rev() {
            assert_eq!(limiter.spend("a", 1, &TEN).await.remaining, left);
        }
        let refused = limiter.spend("a", 1, &TEN).await;
        let wait = refused.refused().unwrap();
        assert_eq!(limiter.spend("b", 1, &TEN).await.remaining, 9, "others are not touched");
        clock.jump(i64::try_from(wait.as_millis()).unwrap() - 1);
        assert!(limiter.spend("a", 1, &TEN).await.refused().is_some(), "a moment too early");
        clock.jump(1);
        assert!(limiter.spend("a", 1, &TEN).await.refused().is_none(), "after the wait that was told");
    }

    #[tokio::test]
    async fn a_burst_at_the_turn_of_a_window_does_not_double_the_quota() {
        let (clock, limiter) = limiter(100);
        clock.jump(59_999);
        limiter.spend("a", 10, &TEN).await;
        clock.jump(2);
        assert!(limiter.spend("a", 1, &TEN).await.refused().is_some());
        clock.jump(29_999);
        assert_eq!(limiter.look("a", &TEN).await.remaining, 5, "half of the window before has passed");
    }

    #[tokio::test]
    async fn a_cost_is_spent_whole_or_not_at_all() {
        let (_, limiter) = limiter(100);
        limiter.spend("a", 4, &TEN).await;
        assert!(limiter.spend("a", 7, &TEN).await.refused().is_some());
        assert_eq!(limiter.spend("a", 6, &TEN).await.remaining, 0);
        assert!(limiter.spend("a", 11, &TEN).await.refused().is_some());
    }

    #[tokio::test]
    async fn keys_never_outgrow_their_room_and_who_spent_most_is_remembered() {
        let (_, limiter) = limiter(SHARDS * 4);
        limiter.spend("flood", 10, &TEN).await;
        for visitor in 0..10_000 {
            limiter.spend(&visitor.to_string(), 1, &TEN).await;
        }
        let keys: usize = limiter.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(keys <= SHARDS * 4, "{keys}");
        assert!(limiter.spend("flood", 1, &TEN).await.refused().is_some());
    }

    #[tokio::test]
    async fn a_clock_that_jumps_back_locks_nobody_out_for_long() {
        let (clock, limiter) = limiter(100);
        clock.jump(7_200_000);
        limiter.spend("a", 10, &TEN).await;
        clock.jump(-3_600_000);
        assert!(limiter.spend("a", 1, &TEN).await.refused().is_none());
    }
}
