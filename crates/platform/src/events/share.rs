//! Serves a handler that takes events in any order: this process publishes places to the handler's stream, takes what it gets from
//! there, and brings from the database what failed, what a stream has lost, and everything while Redis is away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::{Either, select};
use kernel::Clock;
use redis::RedisError;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    EventHandler, RelayOptions,
    any_order::{self, Standing},
    in_order::Delivery,
    stream::{HandlerStream, Holding, Reader, Tail, places_of},
};
use crate::db::{Db, DbError, Subscription, Topic};

/// How many events are published at once.
const PUBLISHED: u16 = 1000;

/// How long a read waits for events; a process that ends waits for it.
const READ_WAIT: Duration = Duration::from_millis(500);

/// The wait before Redis is tried again.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

/// The least time between two looks at how far the handler is.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long a handler may stand still while its next event is in the stream, before it gets it from the database.
const STALLED: Duration = Duration::from_mins(1);

/// How this process serves one handler.
#[derive(Debug)]
pub(super) struct Share {
    db: Db,
    clock: Arc<dyn Clock>,
    handler: Arc<dyn EventHandler>,
    stream: Option<HandlerStream>,
    options: RelayOptions,
    reach: watch::Sender<Reach>,
    /// Called when something was taken.
    taken: Notify,
}

/// Whether Redis takes and gives events; `None` before it was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reach {
    reading: Option<bool>,
    publishing: Option<bool>,
}

impl Reach {
    fn is_away(self) -> bool {
        self.reading == Some(false) || self.publishing == Some(false)
    }
}

/// The event that nobody had taken when somebody looked last, and since when it is the same.
#[derive(Debug, Clone, Copy)]
struct Look {
    next: Option<i64>,
    since: Instant,
    at: Instant,
}

/// Why events could not be published.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What came of publishing.
enum Published {
    More,
    Everything,
    /// Somebody else is at it.
    Elsewhere,
    /// There is no room for more.
    Full,
}

impl Share {
    pub(super) fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        handler: Arc<dyn EventHandler>,
        stream: Option<HandlerStream>,
        options: RelayOptions,
    ) -> Self {
        Self { db, clock, handler, stream, options, reach: watch::Sender::default(), taken: Notify::new() }
    }

    /// Works until `stop` is called.
    pub(super) async fn run(self, stop: CancellationToken) {
        let heard = (self.db.subscribe().await, self.db.subscribe().await);
        let streaming = async {
            if let Some(stream) = &self.stream {
                tokio::join!(self.publish_all(stream, heard.0, &stop), self.take_all(stream, &stop));
            }
        };
        tokio::join!(streaming, self.sweep_all(heard.1, &stop));
    }

    /// Brings everything that can be brought now from the database.
    pub(super) async fn bring_now(&self) -> Result<(), DbError> {
        while any_order::retry(&self.db, self.handler.as_ref(), self.clock.now_ms()).await? == Delivery::More {}
        while self.bring().await? == Delivery::More {}
        any_order::move_mark(&self.db, self.handler.as_ref()).await
    }

    async fn bring(&self) -> Result<Delivery, DbError> {
        any_order::take_untaken(&self.db, self.handler.as_ref(), self.clock.now_ms()).await
    }

    async fn publish_all(&self, stream: &HandlerStream, mut heard: Subscription, stop: &CancellationToken) {
        let mut last = 0;
        while !stop.is_cancelled() {
            let published = self.publish(stream, &mut last).await;
            let wait = match published {
                Ok(Published::More) => Duration::ZERO,
                Ok(Published::Full | Published::Elsewhere) => LOOK_INTERVAL,
                Ok(Published::Everything) => {
                    tokio::select! {
                        _ = heard.wait(Topic::Events, self.options.poll) => heard.forget(),
                        () = stop.cancelled() => {}
                    }
                    Duration::ZERO
                }
                Err(PublishError::Db(error)) => {
                    tracing::warn!(%error, "events wait for the database");
                    self.options.poll
                }
                Err(PublishError::Redis(error)) => {
                    self.note_reach(&error, |reach| &mut reach.publishing);
                    RECONNECT_WAIT
                }
            };
            drop(tokio::time::timeout(wait, stop.cancelled()).await);
        }
    }

    async fn publish(&self, stream: &HandlerStream, last: &mut i64) -> Result<Published, PublishError> {
        let Standing { mark, head } = any_order::standing(&self.db, self.handler.as_ref()).await?;
        let events = any_order::places_after(&self.db, self.handler.as_ref(), mark.max(*last), PUBLISHED).await?;
        let Tail { last: now, room } = stream.publish(*last, mark, &events).await?;
        self.reach.send_if_modified(|reach| reach.publishing.replace(true) != Some(true));
        let was = std::mem::replace(last, now);
        if now > head && now > self.head().await? {
            tracing::warn!(
                handler = self.handler.name(),
                "the database is an older one than the stream of events; the stream begins anew"
            );
            stream.remove().await?;
            *last = 0;
            return Ok(Published::More);
        }
        Ok(match events.last() {
            _ if room <= 0 => Published::Full,
            // The stream is a new one.
            _ if now < was => Published::More,
            Some((place, _)) if *place > now => Published::Elsewhere,
            _ if events.len() == usize::from(PUBLISHED) => Published::More,
            _ => Published::Everything,
        })
    }

    /// The last place, as the database that is written to knows it.
    async fn head(&self) -> Result<i64, DbError> {
        use sea_orm::ConnectionTrait as _;
        let head = crate::db::Sql::new("SELECT position FROM event_head WHERE id = 1").on(self.db.backend());
        let head = self.db.writer().query_one_raw(head).await?;
        Ok(head.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
    }

    async fn take_all(&self, stream: &HandlerStream, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.read_and_take(stream, stop).await {
                self.note_reach(&error, |reach| &mut reach.reading);
                drop(tokio::time::timeout(RECONNECT_WAIT, stop.cancelled()).await);
            }
        }
        if !self.reach.borrow().is_away()
            && let Err(error) = stream.leave().await
        {
            tracing::debug!(%error, "the group of a stream could not be left");
        }
    }

    async fn read_and_take(&self, stream: &HandlerStream, stop: &CancellationToken) -> Result<(), RedisError> {
        let mut reader = stream.reader().await?;
        stream.forget_the_dead().await?;
        self.reach.send_if_modified(|reach| reach.reading.replace(true) != Some(true));
        let mut claimed_at: Option<Instant> = None;
        while !stop.is_cancelled() {
            let ids = if claimed_at.is_none_or(|at| at.elapsed() > self.options.claim_after / 2) {
                let ids = self.claim(&mut reader).await?;
                // There may be more.
                claimed_at = ids.is_empty().then(Instant::now);
                ids
            } else {
                reader.read(READ_WAIT).await?
            };
            if !ids.is_empty() {
                self.take(stream, &ids, stop).await?;
            }
        }
        Ok(())
    }

    async fn claim(&self, reader: &mut Reader) -> Result<Vec<String>, RedisError> {
        let ids = reader.claim(self.options.claim_after).await?;
        if !ids.is_empty() {
            tracing::info!(
                handler = self.handler.name(),
                count = ids.len(),
                "events of a process that is gone are taken up"
            );
        }
        Ok(ids)
    }

    /// Takes the events of entries, and holds on to them while the database is away.
    async fn take(&self, stream: &HandlerStream, ids: &[String], stop: &CancellationToken) -> Result<(), RedisError> {
        let places = places_of(ids);
        let take = async {
            loop {
                let now_ms = self.clock.now_ms();
                match any_order::take_places(&self.db, self.handler.as_ref(), &places, now_ms).await {
                    Ok(()) => return true,
                    Err(error) => tracing::warn!(%error, "events wait for the database"),
                }
                if stop.run_until_cancelled(tokio::time::sleep(self.options.poll)).await.is_none() {
                    return false;
                }
            }
        };
        let keep = async {
            loop {
                tokio::time::sleep(self.options.claim_after / 3).await;
                if let Err(error) = stream.keep(ids).await {
                    tracing::debug!(%error, "entries could not be kept from being claimed");
                }
            }
        };
        let is_taken = match select(std::pin::pin!(take), std::pin::pin!(keep)).await {
            Either::Left((is_taken, _)) => is_taken,
            Either::Right(((), _)) => false,
        };
        if is_taken {
            self.taken.notify_one();
            stream.acknowledge(ids).await?;
        }
        Ok(())
    }

    async fn sweep_all(&self, mut heard: Subscription, stop: &CancellationToken) {
        let (mut look, mut changed) = (None, self.reach.subscribe());
        while !stop.is_cancelled() {
            let wait = match self.sweep(&mut look).await {
                Ok(Delivery::More) => continue,
                Ok(Delivery::Done) => self.options.poll,
                Ok(Delivery::Wait(wait)) => wait.min(self.options.poll),
                Err(error) => {
                    tracing::warn!(%error, "events wait for the database");
                    self.options.poll
                }
            };
            let called = async {
                let is_reading = self.stream.is_some() && !self.reach.borrow().is_away();
                tokio::select! {
                    () = self.taken.notified() => tokio::time::sleep(LOOK_INTERVAL).await,
                    // From the stream they come by themselves.
                    _ = heard.wait(Topic::Events, wait), if !is_reading => heard.forget(),
                    _ = changed.changed() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            };
            stop.run_until_cancelled(called).await;
        }
    }

    /// Does what no stream does: moves the mark, tries again what failed, and brings what would not come otherwise.
    async fn sweep(&self, look: &mut Option<Look>) -> Result<Delivery, DbError> {
        let handler = self.handler.as_ref();
        any_order::move_mark(&self.db, handler).await?;
        let retried = any_order::retry(&self.db, handler, self.clock.now_ms()).await?;
        let brought = if self.must_bring(look).await? { self.bring().await? } else { Delivery::Done };
        Ok(match (retried, brought) {
            (Delivery::More, _) | (_, Delivery::More) => Delivery::More,
            (Delivery::Wait(wait), _) => Delivery::Wait(wait),
            _ => Delivery::Done,
        })
    }

    /// Whether the next event has to come from the database.
    async fn must_bring(&self, look: &mut Option<Look>) -> Result<bool, DbError> {
        let Some(stream) = &self.stream else { return Ok(true) };
        if self.reach.borrow().is_away() {
            return Ok(true);
        }
        if look.is_some_and(|look| look.at.elapsed() < self.options.poll) {
            return Ok(false);
        }
        let (next, at) = (any_order::first_untaken(&self.db, self.handler.as_ref()).await?, Instant::now());
        let since = look.filter(|look| look.next == next).map_or(at, |look| look.since);
        *look = Some(Look { next, since, at });
        let Some(next) = next.filter(|_| since < at) else { return Ok(false) };
        // A stream that was emptied is filled again; one that somebody took entries from is not.
        let is_gone = stream.holding(next).await.is_ok_and(|holding| holding == Holding::Gone);
        if is_gone || since.elapsed() > STALLED {
            tracing::warn!(
                handler = self.handler.name(),
                place = next,
                "an event did not come from its stream; the database brings it"
            );
            return Ok(true);
        }
        Ok(false)
    }

    fn note_reach(&self, error: &RedisError, which: impl Fn(&mut Reach) -> &mut Option<bool>) {
        let has_changed = self.reach.send_if_modified(|reach| which(reach).replace(false) != Some(false));
        if has_changed {
            tracing::warn!(handler = self.handler.name(), %error, "Redis is away; events come from the database");
        } else {
            tracing::debug!(%error, "Redis is still away");
        }
    }
}
