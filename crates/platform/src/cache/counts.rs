//! Numbers of a cache: how often which level had what was asked for.

use metrics::{Counter, counter, describe_counter};

const REQUESTS: &str = "cache_requests_total";

/// The numbers of one cache, found once.
pub(super) struct Counts {
    /// In memory, and known to be valid.
    pub(super) memory_hit: Counter,
    /// In memory, and valid as Redis says.
    pub(super) memory_checked: Counter,
    /// From another who asked for the same at the same time.
    pub(super) memory_shared: Counter,
    pub(super) redis_hit: Counter,
    pub(super) redis_miss: Counter,
    pub(super) redis_away: Counter,
    pub(super) disk_hit: Counter,
    pub(super) disk_miss: Counter,
    pub(super) computed: Counter,
    pub(super) failed: Counter,
    /// An old value, because computing it anew failed.
    pub(super) stale: Counter,
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

impl Counts {
    pub(super) fn of(cache: &'static str) -> Self {
        describe_counter!(REQUESTS, "What was asked of caches, by cache, level and outcome");
        let count = |level: &'static str, outcome: &'static str| counter!(REQUESTS, "cache" => cache, "level" => level, "outcome" => outcome);
        Self {
            memory_hit: count("memory", "hit"),
            memory_checked: count("memory", "checked"),
            memory_shared: count("memory", "shared"),
            redis_hit: count("redis", "hit"),
            redis_miss: count("redis", "miss"),
            redis_away: count("redis", "away"),
            disk_hit: count("disk", "hit"),
            disk_miss: count("disk", "miss"),
            computed: count("source", "computed"),
            failed: count("source", "failed"),
            stale: count("source", "stale"),
        }
    }
}
