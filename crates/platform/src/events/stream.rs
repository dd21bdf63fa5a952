//! The stream of a handler in Redis: places of events that wait for it, shared out among the processes that serve it.
//!
//! The words of an event stay in the database. An entry's id is its place, so none can be added twice, and the last id says
//! where to go on; an entry goes once its event was taken, so what is in the stream is what is still to be done.

use std::time::Duration;

use redis::{
    ErrorKind, FromRedisValue, RedisError, Script,
    aio::MultiplexedConnection,
    cmd, pipe,
    streams::{StreamAutoClaimReply, StreamId, StreamInfoConsumersReply, StreamRangeReply, StreamReadReply},
};

use crate::redis::Redis;

/// The one group of each stream.
const GROUP: &str = "handlers";

/// How many entries one read brings.
const BATCH: usize = 200;

/// How long Redis may take to answer beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// A consumer that has nothing and did nothing for so long is gone.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// The stream of one handler.
#[derive(Debug, Clone)]
pub(super) struct HandlerStream {
    redis: Redis,
    key: String,
    /// The name of this process in the group.
    consumer: String,
    /// How many entries there may be.
    most: usize,
}

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last place that was ever in it; 0 for none.
    pub(super) last: i64,
    /// How many entries it has room for.
    pub(super) room: i64,
}

/// What a stream knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    /// It was not published yet.
    NotYet,
    /// It waits, or is being taken.
    Held,
    /// It was there, and is no more.
    Gone,
}

/// A connection that waits for entries.
#[derive(Debug)]
pub(super) struct Reader {
    stream: HandlerStream,
    connection: MultiplexedConnection,
}

impl HandlerStream {
    pub(super) fn new(redis: Redis, handler: &str, consumer: String, most: usize) -> Self {
        Self { redis, key: Redis::key("events", handler), consumer, most }
    }

    /// Adds events, each with its type, where `last` is still the last place, and as many as there is room for. What the
    /// handler has taken, up to `mark`, goes.
    pub(super) async fn publish(&self, last: i64, mark: i64, events: &[(i64, String)]) -> Result<Tail, RedisError> {
        let script = Script::new(include_str!("publish.lua"));
        let mut call = script.key(&self.key);
        call.arg(GROUP).arg(last).arg(mark.saturating_add(1)).arg(self.most);
        for (place, event_type) in events {
            call.arg(place).arg(event_type);
        }
        let (last, room) = call.invoke_async(&mut self.redis.shared()).await?;
        Ok(Tail { last, room })
    }

    /// Takes entries out whose events were taken.
    pub(super) async fn acknowledge(&self, ids: &[String]) -> Result<(), RedisError> {
        let mut both = pipe();
        both.atomic().cmd("XACK").arg(&self.key).arg(GROUP).arg(ids).ignore();
        both.cmd("XDEL").arg(&self.key).arg(ids).ignore();
        both.exec_async(&mut self.redis.shared()).await
    }

    /// Says that this process still works on entries, so that nobody claims them.
    pub(super) async fn keep(&self, ids: &[String]) -> Result<(), RedisError> {
        let mut keep = cmd("XCLAIM");
        keep.arg(&self.key).arg(GROUP).arg(&self.consumer).arg(0).arg(ids).arg("JUSTID");
        keep.exec_async(&mut self.redis.shared()).await
    }

    /// What the stream knows of the event at `place`.
    pub(super) async fn holding(&self, place: i64) -> Result<Holding, RedisError> {
        let id = format!("{place}-0");
        let found: StreamRangeReply =
            cmd("XRANGE").arg(&self.key).arg(&id).arg(&id).query_async(&mut self.redis.shared()).await?;
        if !found.ids.is_empty() {
            return Ok(Holding::Held);
        }
        let Tail { last, .. } = self.publish(0, 0, &[]).await?;
        Ok(if place > last { Holding::NotYet } else { Holding::Gone })
    }

    /// Forgets the stream: it is of another life of the database.
    pub(super) async fn remove(&self) -> Result<(), RedisError> {
        cmd("DEL").arg(&self.key).exec_async(&mut self.redis.shared()).await
    }

    /// Leaves the group, unless entries of this process are still open: those are claimed by others.
    pub(super) async fn leave(&self) -> Result<(), RedisError> {
        self.remove_consumers(|name, _| name == self.consumer).await
    }

    /// Removes consumers that died long ago.
    pub(super) async fn forget_the_dead(&self) -> Result<(), RedisError> {
        self.remove_consumers(|_, idle| idle > FORGOTTEN).await
    }

    async fn remove_consumers(&self, is_gone: impl Fn(&str, Duration) -> bool) -> Result<(), RedisError> {
        let mut shared = self.redis.shared();
        let list: StreamInfoConsumersReply =
            cmd("XINFO").arg("CONSUMERS").arg(&self.key).arg(GROUP).query_async(&mut shared).await?;
        for consumer in list.consumers {
            let idle = Duration::from_millis(u64::try_from(consumer.idle).unwrap_or(u64::MAX));
            // With a consumer go the entries that it holds.
            if consumer.pending == 0 && is_gone(&consumer.name, idle) {
                let mut remove = cmd("XGROUP");
                remove.arg("DELCONSUMER").arg(&self.key).arg(GROUP).arg(&consumer.name);
                remove.exec_async(&mut shared).await?;
            }
        }
        Ok(())
    }

    /// Connects, and makes stream and group where they are not there.
    pub(super) async fn reader(&self) -> Result<Reader, RedisError> {
        let mut connection = self.redis.own().await?;
        let mut make = cmd("XGROUP");
        make.arg("CREATE").arg(&self.key).arg(GROUP).arg("0").arg("MKSTREAM");
        match within(Duration::ZERO, make.exec_async(&mut connection)).await {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            made => made?,
        }
        Ok(Reader { stream: self.clone(), connection })
    }
}

impl Reader {
    /// The ids of entries that nobody has got yet; waits at most so long for the first.
    pub(super) async fn read(&mut self, at_most: Duration) -> Result<Vec<String>, RedisError> {
        let HandlerStream { key, consumer, .. } = &self.stream;
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(consumer).arg("COUNT").arg(BATCH);
        read.arg("BLOCK").arg(at_most.as_millis().max(1) as u64).arg("STREAMS").arg(key).arg(">");
        let reply: Option<StreamReadReply> = self.ask(at_most, &read).await?;
        let keys = reply.map(|reply| reply.keys).unwrap_or_default();
        Ok(ids_of(keys.into_iter().flat_map(|key| key.ids)))
    }

    /// Takes over entries of processes that have said nothing of them for `idle`.
    pub(super) async fn claim(&mut self, idle: Duration) -> Result<Vec<String>, RedisError> {
        let HandlerStream { key, consumer, .. } = &self.stream;
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(key).arg(GROUP).arg(consumer).arg(idle.as_millis() as u64).arg("0").arg("COUNT").arg(BATCH);
        let reply: StreamAutoClaimReply = self.ask(Duration::ZERO, &claim).await?;
        Ok(ids_of(reply.claimed.into_iter()))
    }

    async fn ask<T: FromRedisValue>(&mut self, at_most: Duration, command: &redis::Cmd) -> Result<T, RedisError> {
        within(at_most, command.query_async(&mut self.connection)).await
    }
}

fn ids_of(entries: impl Iterator<Item = StreamId>) -> Vec<String> {
    entries.map(|entry| entry.id).collect()
}

/// A server that went away without a word must not be waited for.
async fn within<T>(at_most: Duration, asked: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    let answered = tokio::time::timeout(at_most + PATIENCE, asked).await;
    answered.unwrap_or_else(|_| Err((ErrorKind::Io, "no answer in time").into()))
}

/// The places that ids of entries name; whoever else writes to the stream may have given others.
pub(super) fn places_of(ids: &[String]) -> Vec<i64> {
    ids.iter().filter_map(|id| id.strip_suffix("-0")?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::RedisServer;

    fn events(places: std::ops::RangeInclusive<i64>) -> Vec<(i64, String)> {
        places.map(|place| (place, "user.registered".to_owned())).collect()
    }

    fn stream(redis: &Redis, consumer: &str) -> HandlerStream {
        HandlerStream::new(redis.clone(), "register", consumer.to_owned(), 10)
    }

    async fn read(reader: &mut Reader) -> Vec<i64> {
        places_of(&reader.read(Duration::from_millis(10)).await.unwrap())
    }

    #[tokio::test]
    async fn two_who_publish_add_each_place_once_and_leave_none_out() {
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).unwrap();
        let (one, two) = (stream(&redis, "one"), stream(&redis, "two"));
        assert_eq!(one.publish(0, 0, &events(1..=3)).await.unwrap(), Tail { last: 3, room: 7 });
        // The other had not heard of it.
        assert_eq!(two.publish(0, 0, &events(2..=5)).await.unwrap(), Tail { last: 3, room: 7 });
        assert_eq!(two.publish(3, 0, &events(4..=5)).await.unwrap(), Tail { last: 5, room: 5 });
        assert_eq!(read(&mut one.reader().await.unwrap()).await, [1, 2, 3, 4, 5]);
        assert_eq!(read(&mut two.reader().await.unwrap()).await, [0; 0], "each entry goes to one");
    }

    #[tokio::test]
    async fn a_stream_takes_no_more_than_it_may_until_something_was_taken() {
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).unwrap();
        let stream = stream(&redis, "one");
        assert_eq!(stream.publish(0, 0, &events(1..=12)).await.unwrap(), Tail { last: 10, room: 0 });
        let mut reader = stream.reader().await.unwrap();
        let ids = reader.read(Duration::from_millis(10)).await.unwrap();
        stream.acknowledge(&ids[1..4]).await.unwrap();
        assert_eq!(stream.publish(10, 0, &events(11..=12)).await.unwrap(), Tail { last: 12, room: 1 });
        assert_eq!(stream.holding(1).await.unwrap(), Holding::Held);
        assert_eq!(stream.holding(2).await.unwrap(), Holding::Gone);
        assert_eq!(stream.holding(13).await.unwrap(), Holding::NotYet);
        // What the handler has taken otherwise goes too.
        assert_eq!(stream.publish(12, 11, &[]).await.unwrap(), Tail { last: 12, room: 9 });
    }

    #[tokio::test]
    async fn what_a_dead_consumer_held_is_claimed_and_what_a_living_one_works_on_is_not() {
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).unwrap();
        let (dead, alive) = (stream(&redis, "dead"), stream(&redis, "alive"));
        dead.publish(0, 0, &events(1..=2)).await.unwrap();
        let ids = dead.reader().await.unwrap().read(Duration::from_millis(10)).await.unwrap();
        let mut reader = alive.reader().await.unwrap();
        assert_eq!(reader.claim(Duration::from_mins(1)).await.unwrap(), [""; 0]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        dead.keep(&ids[..1]).await.unwrap();
        assert_eq!(reader.claim(Duration::from_millis(1500)).await.unwrap(), ids[1..]);
        dead.leave().await.unwrap();
        dead.acknowledge(&ids[..1]).await.unwrap();
        dead.leave().await.unwrap();
        alive.acknowledge(&ids[1..]).await.unwrap();
        assert_eq!(alive.publish(2, 0, &[]).await.unwrap(), Tail { last: 2, room: 10 });
    }

    #[test]
    fn ids_that_name_no_place_are_passed_over() {
        assert_eq!(places_of(&["7-0", "8-1", "x-0", ""].map(str::to_owned)), [7]);
    }
}
