//! Counting in Redis, so that the servers of a team give one quota out together. While Redis is away, each counts by itself.

use std::{sync::LazyLock, time::Duration};

use ::redis::Script;
use async_trait::async_trait;

use super::{Decision, MemoryLimiter, Outcome, Quota, RateLimiter};
use crate::{
    redis::{Away, Redis},
    server::health::{Component, Need},
};

/// How a decision is made; `now_ms` has to stand before it.
const RULE: &str = include_str!("spend.lua");
/// The time is that of Redis: servers whose clocks differ count in the same windows.
const CLOCK: &str = "local time = redis.call('TIME')\nlocal now_ms = time[1] * 1000 + math.floor(time[2] / 1000)\n";

static SPEND: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{CLOCK}{RULE}")));

/// The same sliding window as [`MemoryLimiter`], counted in Redis by one call for each decision.
#[derive(Debug)]
pub struct RedisLimiter {
    redis: Redis,
    /// Counts what was spent here, for when Redis is away.
    here: MemoryLimiter,
}

impl RedisLimiter {
    /// A limiter that counts in `redis`, and by `here` while that is away.
    pub fn new(redis: Redis, here: MemoryLimiter) -> Self {
        Self { redis, here }
    }

    async fn ask(&self, key: &str, cost: u32, quota: &Quota) -> Result<Decision, Away> {
        let window_ms = u64::try_from(quota.window.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut call = SPEND.prepare_invoke();
        call.key(Redis::key("limit", format_args!("{}:{key}", quota.name)));
        call.arg(cost).arg(quota.units).arg(window_ms);
        let answer: (u8, u32, u64, u64) =
            self.redis.soon(|mut connection| async move { call.invoke_async(&mut connection).await }).await?;
        let (is_allowed, remaining, reset_ms, wait_ms) = answer;
        let outcome = match is_allowed {
            1 => Outcome::Allowed,
            _ => Outcome::Refused { wait: Duration::from_millis(wait_ms) },
        };
        Ok(Decision { outcome, remaining, reset: Duration::from_millis(reset_ms) })
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn spend(&self, key: &str, cost: u32, quota: &Quota) -> Decision {
        let cost = cost.max(1);
        match self.ask(key, cost, quota).await {
            Ok(decision) => {
                if decision.refused().is_none() {
                    // Nobody gets a whole quota anew when Redis goes.
                    self.here.spend(key, cost, quota).await;
                }
                decision
            }
            Err(Away) => self.here.spend(key, cost, quota).await,
        }
    }

    async fn look(&self, key: &str, quota: &Quota) -> Decision {
        match self.ask(key, 0, quota).await {
            Ok(decision) => decision,
            Err(Away) => self.here.look(key, quota).await,
        }
    }
}

/// Whether the servers of a team count quotas together.
#[derive(Debug, Clone)]
pub struct LimitsHealth(pub Redis);

#[async_trait]
impl Component for LimitsHealth {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        if self.0.is_up() {
            return Ok(());
        }
        Err("Redis is away; each server counts requests by itself".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use kernel::{ManualClock, SystemClock};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::RedisServer;

    /// The rule with a clock that the test sets.
    static BY_CLOCK: LazyLock<Script> =
        LazyLock::new(|| Script::new(&format!("local now_ms = tonumber(ARGV[4])\n{RULE}")));

    const TEN: Quota = Quota { name: "test", units: 10, window: Duration::from_mins(10) };

    fn limiter(server: &RedisServer) -> RedisLimiter {
        // A machine that builds and tests at once may be slow to answer.
        let redis = Redis::open(&server.url()).unwrap().patient(Duration::from_secs(20));
        RedisLimiter::new(redis, MemoryLimiter::new(Arc::new(SystemClock), 1000))
    }

    async fn decide(redis: &Redis, (cost, quota): (u32, &Quota), now_ms: i64) -> Decision {
        let window_ms = u64::try_from(quota.window.as_millis()).unwrap();
        let mut call = BY_CLOCK.prepare_invoke();
        call.key("rule").arg(cost).arg(quota.units).arg(window_ms).arg(now_ms);
        let answer: (u8, u32, u64, u64) = call.invoke_async(&mut redis.shared()).await.unwrap();
        let wait = Duration::from_millis(answer.3);
        let outcome = if answer.0 == 1 { Outcome::Allowed } else { Outcome::Refused { wait } };
        Decision { outcome, remaining: answer.1, reset: Duration::from_millis(answer.2) }
    }

    #[test]
    fn redis_decides_as_memory_does() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).unwrap();
        let quota = (1..40_u32, 1..5_000_u64).prop_map(|(units, window_ms)| Quota {
            name: "test",
            units,
            window: Duration::from_millis(window_ms),
        });
        let steps = prop::collection::vec((0..12_u32, 0..4_000_i64), 1..40);
        let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(quota in quota, steps in steps)| {
            let clock = ManualClock::at(1_800_000_000_000);
            let memory = MemoryLimiter::new(Arc::new(clock.clone()), 100);
            runtime.block_on(async {
                ::redis::cmd("FLUSHALL").query_async::<()>(&mut redis.shared()).await.unwrap();
                for (cost, later_ms) in steps {
                    clock.jump(later_ms);
                    let expected = match cost {
                        0 => memory.look("key", &quota).await,
                        _ => memory.spend("key", cost, &quota).await,
                    };
                    let now_ms = kernel::Clock::now_ms(&clock);
                    prop_assert_eq!(decide(&redis, (cost, &quota), now_ms).await, expected);
                }
                Ok(())
            })?;
        });
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_servers_never_give_out_more_than_the_quota() {
        let server = RedisServer::start();
        let (here, there) = (Arc::new(limiter(&server)), Arc::new(limiter(&server)));
        let spends = (0..100).map(|turn| {
            let limiter = if turn % 2 == 0 { here.clone() } else { there.clone() };
            tokio::spawn(async move { limiter.spend("key", 1, &TEN).await.refused().is_none() })
        });
        let allowed =
            futures::future::join_all(spends).await.into_iter().filter(|spent| *spent.as_ref().unwrap()).count();
        assert_eq!(allowed, 10);
        assert_eq!(here.look("key", &TEN).await.remaining, 0);
        assert_eq!(there.look("other", &TEN).await.remaining, 10);
        let keeps_ms: i64 =
            ::redis::cmd("PTTL").arg("pressroom:limit:test:key").query_async(&mut here.redis.shared()).await.unwrap();
        assert!((1..=2 * 600_000).contains(&keeps_ms), "a key goes when it no longer counts: {keeps_ms}");
    }

    #[tokio::test]
    async fn while_redis_is_away_each_server_counts_on_by_itself_and_costs_nobody_time() {
        let server = RedisServer::start();
        let limiter = limiter(&server);
        for _ in 0..6 {
            limiter.spend("key", 1, &TEN).await;
        }
        server.stop();
        let health = LimitsHealth(limiter.redis.clone());
        assert_eq!(limiter.spend("key", 1, &TEN).await.remaining, 3, "what was spent here still counts");
        assert!(health.check().await.is_err());
        let begun = Instant::now();
        for key in 0..1000 {
            assert_eq!(limiter.spend(&key.to_string(), 1, &TEN).await.remaining, 9);
        }
        assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
        server.restart();
        let is_back = async {
            while health.check().await.is_err() {
                limiter.look("key", &TEN).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is_back).await.expect("it comes back");
        assert_eq!(limiter.spend("key", 1, &TEN).await.remaining, 9, "Redis was emptied");
    }
}
