//! What the caches of a team share in Redis: values, the count at which each tag was last named, and who computes what.
//!
//! All counts lie in one hash, together with an epoch made by chance. A Redis that was emptied has another epoch, and nothing
//! that was kept under the one before is valid any more, wherever it lies.

use std::{sync::LazyLock, time::Duration};

use ::redis::Script;
use kernel::Rng;

use super::Tag;
use crate::{
    hex::hex,
    redis::{Away, Redis},
};

/// Tags whose counts are remembered. With more a new epoch begins, and everything is computed anew once.
const MAX_TAGS: usize = 50_000;

/// What is published when tags were named: who tells it, and the tags.
pub(super) const CHANNEL: &str = "pressroom:cache:named";

/// Returns epoch, count, whether the lease was got, and of the value: milliseconds left, count, tags, bytes.
static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local counts, entry, lease = KEYS[1], KEYS[2], KEYS[3]
local new_epoch, token, lease_ms, grace_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HSETNX', counts, 'epoch', new_epoch) == 1 then redis.call('HSET', counts, 'count', 0) end
local now = redis.call('HMGET', counts, 'epoch', 'count')
local kept = redis.call('HMGET', entry, 'epoch', 'count', 'tags', 'value')
local left_ms = -1
if kept[1] == now[1] and kept[4] then
  left_ms = redis.call('PTTL', entry)
  for tag in string.gmatch(kept[3], '%S+') do
    local named = redis.call('HGET', counts, tag)
    if named and tonumber(named) > tonumber(kept[2]) then left_ms = -1 end
  end
end
local got = 0
if left_ms <= grace_ms and redis.call('SET', lease, token, 'NX', 'PX', lease_ms) then got = 1 end
if left_ms < 0 then return {now[1], now[2], got, -1, 0, '', ''} end
return {now[1], now[2], got, left_ms, kept[2], kept[3], kept[4]}
",
    )
});

/// Keeps a value, unless a tag of its was named since it began to be computed; gives up the lease.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local counts, entry, lease = KEYS[1], KEYS[2], KEYS[3]
local token, epoch, count, tags, value, left_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if redis.call('GET', lease) == token then redis.call('DEL', lease) end
if redis.call('HGET', counts, 'epoch') ~= epoch then return 0 end
for tag in string.gmatch(tags, '%S+') do
  local named = redis.call('HGET', counts, tag)
  if named and tonumber(named) > tonumber(count) then return 0 end
end
redis.call('HSET', entry, 'epoch', epoch, 'count', count, 'tags', tags, 'value', value)
redis.call('PEXPIRE', entry, left_ms)
return 1
",
    )
});

/// Names tags, and tells all who listen.
static NAME: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local counts = KEYS[1]
local new_epoch, max_tags, channel, teller, tags = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
if redis.call('HLEN', counts) > max_tags or tags == '' then redis.call('DEL', counts) end
if redis.call('HSETNX', counts, 'epoch', new_epoch) == 1 then redis.call('HSET', counts, 'count', 0) end
local count = redis.call('HINCRBY', counts, 'count', 1)
for tag in string.gmatch(tags, '%S+') do redis.call('HSET', counts, tag, count) end
redis.call('PUBLISH', channel, teller .. ' ' .. tags)
return count
",
    )
});

/// Gives up what is held with this token.
static GIVE_UP: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});

/// What [`LOOK`] returns.
type LookAnswer = (String, u64, u8, i64, u64, String, Vec<u8>);

/// When a value was computed, as the team counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) epoch: String,
    pub(super) count: u64,
}

/// A value as Redis keeps it, sealed.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) stamp: Stamp,
    pub(super) tags: String,
    pub(super) sealed: Vec<u8>,
    /// How long until Redis forgets it: until its grace has passed.
    pub(super) left: Duration,
}

/// What a look into Redis found.
#[derive(Debug)]
pub(super) struct Looked {
    /// When that was.
    pub(super) stamp: Stamp,
    /// A value that is valid, though it may be old.
    pub(super) kept: Option<Kept>,
    /// Whether the caller is the one that computes it anew.
    pub(super) is_ours: bool,
}

/// For how long whoever computes has the others wait, and for how long before its end a value is old.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) lease: Duration,
    pub(super) grace: Duration,
}

/// The caches of a team in Redis.
#[derive(Debug)]
pub(super) struct Team {
    redis: Redis,
    /// Tells this process from others.
    pub(super) teller: String,
    counts: String,
}

impl Team {
    pub(super) fn new(redis: Redis, teller: String) -> Self {
        Self { redis, teller, counts: Redis::key("cache", "counts") }
    }

    pub(super) fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Looks for the value of `key`. Whoever finds none, or an old one, may be the one that computes it.
    pub(super) async fn look(&self, key: &str, times: Times, rng: &dyn Rng) -> Result<Looked, Away> {
        let (entry, lease) = keys(key);
        let mut call = LOOK.prepare_invoke();
        call.key(&self.counts)
            .key(entry)
            .key(lease)
            .arg(chance(rng))
            .arg(&self.teller)
            .arg(millis(times.lease))
            .arg(millis(times.grace));
        let answer: LookAnswer =
            self.redis.soon(|mut connection| async move { call.invoke_async(&mut connection).await }).await?;
        let (epoch, count, is_ours, left_ms, kept_count, tags, sealed) = answer;
        let kept = u64::try_from(left_ms).ok().map(|left_ms| Kept {
            stamp: Stamp { epoch: epoch.clone(), count: kept_count },
            tags,
            sealed,
            left: Duration::from_millis(left_ms),
        });
        Ok(Looked { stamp: Stamp { epoch, count }, kept, is_ours: is_ours == 1 })
    }

    /// Keeps a value that began to be computed at its stamp; whether it is still valid.
    pub(super) async fn keep(&self, key: &str, kept: &Kept) -> Result<bool, Away> {
        let (entry, lease) = keys(key);
        let mut call = KEEP.prepare_invoke();
        call.key(&self.counts)
            .key(entry)
            .key(lease)
            .arg(&self.teller)
            .arg(&kept.stamp.epoch)
            .arg(kept.stamp.count)
            .arg(&kept.tags)
            .arg(&kept.sealed)
            .arg(millis(kept.left).max(1));
        self.redis.soon(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }

    /// Lets others compute what the caller could not.
    pub(super) async fn give_up(&self, key: &str) -> Result<(), Away> {
        let mut call = GIVE_UP.prepare_invoke();
        call.key(keys(key).1).arg(&self.teller);
        self.redis.soon(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }

    /// Whether no tag was named since `stamp`.
    pub(super) async fn is_valid(&self, stamp: &Stamp, tags: &[Tag]) -> Result<bool, Away> {
        let mut command = ::redis::cmd("HMGET");
        command.arg(&self.counts).arg("epoch");
        for tag in tags {
            command.arg(tag.to_string());
        }
        let answer: Vec<Option<String>> =
            self.redis.soon(|mut connection| async move { command.query_async(&mut connection).await }).await?;
        let (epoch, named) = answer.split_first().map_or((None, &[][..]), |(epoch, named)| (epoch.as_ref(), named));
        let is_old = |named: &Option<String>| {
            named.as_ref().is_none_or(|count| count.parse::<u64>().is_ok_and(|count| count <= stamp.count))
        };
        Ok(epoch == Some(&stamp.epoch) && named.iter().all(is_old))
    }

    /// Makes all that hangs on these tags invalid, everywhere. Without tags, makes everything so.
    pub(super) async fn name(&self, tags: &[Tag], rng: &dyn Rng) -> Result<(), Away> {
        let mut call = NAME.prepare_invoke();
        call.key(&self.counts).arg(chance(rng)).arg(MAX_TAGS).arg(CHANNEL).arg(&self.teller).arg(Tag::join(tags));
        self.redis.soon(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }
}

/// The keys of a value, and of the lease of whoever computes it.
fn keys(key: &str) -> (String, String) {
    (Redis::key("cache", key), Redis::key("cache-lease", key))
}

/// Sixteen digits that nobody else has.
pub(super) fn chance(rng: &dyn Rng) -> String {
    let mut bytes = [0; 8];
    rng.fill(&mut bytes);
    hex(&bytes)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
