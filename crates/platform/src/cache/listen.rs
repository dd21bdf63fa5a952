//! Hearing of invalidations, and knowing up to when all of them were heard.
//!
//! A process calls itself through the channel on which the others tell what they invalidated. Redis passes all calls on in one
//! order, so when it hears a call of its own, it has heard everything that was told before it called. While that is less than a
//! moment ago, what lies in its memory needs no further question.

use std::{
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use futures::StreamExt as _;

use super::{Core, Tag, team::CHANNEL};
use crate::{db::Topic, redis::Redis};

/// How long something is believed after it was known to be valid. With the time that telling takes it stays below the second
/// after which nothing old may be given out.
pub(super) const BELIEVED: Duration = Duration::from_millis(500);
/// How often a process calls itself.
const CALL_INTERVAL: Duration = Duration::from_millis(150);
/// How long a connection may be silent before it is taken for dead.
const MAX_SILENCE: Duration = Duration::from_secs(2);
/// How long to wait before listening again.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);
/// How often to tell again what could not be told.
const TELL_INTERVAL: Duration = Duration::from_millis(200);
/// How long to wait for a call through the database before waiting anew.
const CALL_TIMEOUT: Duration = Duration::from_hours(1);

/// Up to when everything was heard.
#[derive(Debug)]
pub(super) struct Hearing {
    origin: Instant,
    /// The connection that is heard now: since when, and up to when all that was told is known.
    heard: RwLock<Option<(u64, u64)>>,
}

impl Hearing {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), heard: RwLock::new(None) }
    }

    /// Milliseconds by the steady clock of this process; never 0.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Whether something that was valid at `checked_ms`, and that nobody was heard to invalidate, can be given out now.
    pub(super) fn believes(&self, checked_ms: u64) -> bool {
        let now_ms = self.now_ms();
        if is_recent(checked_ms, now_ms) {
            return true;
        }
        let heard = *self.heard.read().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|(since_ms, until_ms)| checked_ms >= since_ms && is_recent(until_ms, now_ms))
    }

    fn begin(&self) {
        let now_ms = self.now_ms();
        *self.heard.write().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, now_ms));
    }

    fn end(&self) {
        *self.heard.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Everything that was told before `called_ms` was heard.
    fn reach(&self, called_ms: u64) {
        if let Some((_, until_ms)) = &mut *self.heard.write().unwrap_or_else(PoisonError::into_inner) {
            *until_ms = called_ms.clamp(*until_ms, self.now_ms().max(*until_ms));
        }
    }
}

fn is_recent(at_ms: u64, now_ms: u64) -> bool {
    Duration::from_millis(now_ms.saturating_sub(at_ms)) < BELIEVED
}

impl Core {
    /// Hears what others tell through Redis, for as long as it is polled; where there is none, nothing.
    pub(super) async fn hear_redis(&self) {
        let Some(team) = &self.team else { return };
        loop {
            if let Err(error) = self.hear_once(team.redis(), &team.teller).await {
                tracing::debug!(%error, "listening for invalidations ended; listening again");
            }
            self.hearing.end();
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn hear_once(&self, redis: &Redis, teller: &str) -> Result<(), ::redis::RedisError> {
        let own = Redis::key("cache:calls", teller);
        let mut pubsub = redis.pubsub().await?;
        pubsub.subscribe(&[CHANNEL, own.as_str()]).await?;
        self.hearing.begin();
        let mut messages = pubsub.into_on_message();
        let hear = async {
            while let Ok(Some(message)) = tokio::time::timeout(MAX_SILENCE, messages.next()).await {
                let text: String = message.get_payload()?;
                if message.get_channel_name() == own {
                    self.hearing.reach(text.parse().unwrap_or(0));
                } else {
                    self.hear_of(text.split_once(' '));
                }
            }
            Ok(())
        };
        let call = async {
            loop {
                let (own, now_ms) = (own.as_str(), self.hearing.now_ms());
                let call = |mut connection| async move {
                    ::redis::cmd("PUBLISH").arg(own).arg(now_ms).query_async::<()>(&mut connection).await
                };
                // What cannot be called is not heard, which ends the listening.
                let _ = redis.soon(call).await;
                tokio::time::sleep(CALL_INTERVAL).await;
            }
        };
        tokio::select! {
            ended = hear => ended,
            () = call => Ok(()),
        }
    }

    /// Tells again what could not be told, for as long as it is polled.
    pub(super) async fn keep_telling(&self) {
        loop {
            tokio::time::sleep(TELL_INTERVAL).await;
            self.tell().await;
        }
    }

    /// Hears what others tell through the database, which tells it with the change itself, for as long as it is polled.
    pub(super) async fn hear_database(&self) {
        let mut calls = self.db.subscribe().await;
        loop {
            match calls.wait(Topic::Cache, CALL_TIMEOUT).await {
                Some(call) => {
                    let call = call.split_once(' ');
                    if call.is_none_or(|(teller, _)| teller != self.teller) {
                        // Whoever changed it may not reach Redis, or have died before it told.
                        self.hear_of(call);
                        self.pass_on(call).await;
                    }
                }
                // Calls may have been missed.
                None => self.ledger.name_all(),
            }
        }
    }

    /// Tells through Redis what was told through the database.
    async fn pass_on(&self, call: Option<(&str, &str)>) {
        if self.team.is_some()
            && let Some(tags) = call.and_then(|(_, tags)| Tag::split(tags))
        {
            self.ledger.name_and_tell(&tags);
            self.tell().await;
        }
    }

    /// Takes out what another process told to be invalid; what cannot be understood may be anything.
    fn hear_of(&self, call: Option<(&str, &str)>) {
        match call.map(|(teller, tags)| (teller, Tag::split(tags))) {
            Some((teller, _)) if teller == self.teller => {}
            Some((_, Some(tags))) if !tags.is_empty() => self.ledger.name(&tags),
            _ => self.ledger.name_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_checked_while_all_is_heard_is_believed_as_long_as_that_goes_on() {
        let hearing = Hearing::new();
        let now_ms = 10_000;
        // The process is ten seconds old.
        let hearing = Hearing { origin: hearing.origin.checked_sub(Duration::from_millis(now_ms)).unwrap(), ..hearing };
        let long_ago_ms = 100;
        assert!(!hearing.believes(long_ago_ms));
        assert!(hearing.believes(now_ms - 300), "for a moment without being told");
        *hearing.heard.write().unwrap() = Some((50, 60));
        assert!(!hearing.believes(long_ago_ms), "nothing was heard for long");
        hearing.reach(now_ms - 100);
        assert!(hearing.believes(long_ago_ms));
        assert!(!hearing.believes(40), "it was checked before anything was heard");
        hearing.reach(u64::MAX);
        assert!(hearing.heard.read().unwrap().unwrap().1 <= hearing.now_ms(), "nobody calls from the future");
        hearing.end();
        assert!(!hearing.believes(long_ago_ms));
    }
}
