//! Gives events their places, brings them to handlers and to the bus, and removes old ones, until it is stopped.

use std::{sync::Arc, time::Duration};

use kernel::{Clock, Rng as _};
use metrics::describe_counter;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Bus, EventHandler, Handlers, Order,
    dead_letter::{self, DEAD_LETTERS},
    in_order::{self, Delivery},
    retention,
    share::Share,
    stamp::stamp,
    stream::HandlerStream,
    take::HANDLED,
};
use crate::{
    db::{Db, DbError, Sql, Subscription, Topic},
    hex::hex,
    redis::Redis,
    rng::SystemRng,
};

/// How a relay works.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// How often it looks without being called; calls of other processes on SQLite and lost calls are found so late.
    pub poll: Duration,
    /// How long delivered events are kept.
    pub keep: Duration,
    /// How often old events are removed.
    pub clean_up: Duration,
    /// How long a process may say nothing of events that it got from a stream, before another takes them up.
    pub claim_after: Duration,
    /// How many events a stream of Redis holds at most; the others wait in the database.
    pub stream_entries: usize,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            keep: Duration::from_hours(168),
            clean_up: Duration::from_hours(1),
            claim_after: Duration::from_secs(30),
            stream_entries: 10_000,
        }
    }
}

/// The relay of one process. Any number of them may run on one database.
#[derive(Debug, Clone)]
pub struct Relay {
    db: Db,
    clock: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    handlers: Handlers,
    redis: Option<Redis>,
    options: RelayOptions,
}

impl Relay {
    pub fn new(db: Db, clock: Arc<dyn Clock>, bus: Arc<dyn Bus>, handlers: Handlers) -> Self {
        describe_counter!(HANDLED, "Events that were handled, by handler");
        describe_counter!(DEAD_LETTERS, "Events that could not be handled and were set aside, by handler");
        Self { db, clock, bus, handlers, redis: None, options: RelayOptions::default() }
    }

    /// Shares the work of handlers that take events in any order with the other processes through Redis, where there is one.
    #[must_use]
    pub fn with_redis(mut self, redis: Option<Redis>) -> Self {
        self.redis = redis;
        self
    }

    #[must_use]
    pub fn with_options(mut self, options: RelayOptions) -> Self {
        self.options = options;
        self
    }

    /// Works until `stop` is called, and has brought everything that was committed by then where it could and nobody else will.
    pub async fn run(self, stop: CancellationToken) {
        let relay = Arc::new(self);
        let mut tasks = JoinSet::new();
        // Each hears calls from before it looks for the first time.
        let (stamping, telling) = (relay.db.subscribe().await, relay.db.subscribe().await);
        for handler in relay.handlers.clone() {
            let heard = relay.db.subscribe().await;
            match handler.order() {
                Order::ByPlace => tasks.spawn(Arc::clone(&relay).serve(handler, heard, stop.clone())),
                Order::Any => tasks.spawn(Arc::clone(&relay).share(handler, stop.clone())),
            };
        }
        tasks.spawn(Arc::clone(&relay).bring_all_requeued(stop.clone()));
        tasks.spawn(Arc::clone(&relay).stamp_all(stamping, stop.clone()));
        tasks.spawn(Arc::clone(&relay).tell_all(telling, stop.clone()));
        tasks.spawn(Arc::clone(&relay).clean_up(stop.clone()));
        while tasks.join_next().await.is_some() {}
        // What is shared others take, or this process when it starts again.
        let is_shared = |handler: &dyn EventHandler| handler.order() == Order::Any && relay.redis.is_some();
        if let Err(error) = relay.bring(|handler| !is_shared(handler)).await {
            tracing::warn!(%error, "events stay for the next start");
        }
    }

    /// Brings what can be brought now: places, then each handler's events, as long as none of them has to wait, and dead letters
    /// that are to be brought again.
    pub async fn bring_now(&self) -> Result<(), DbError> {
        self.bring(|_| true).await?;
        self.bring_requeued().await
    }

    async fn bring(&self, is_wanted: impl Fn(&dyn EventHandler) -> bool) -> Result<(), DbError> {
        while stamp(&self.db).await? > 0 {}
        for handler in self.handlers.iter().filter(|handler| is_wanted(handler.as_ref())) {
            in_order::register(&self.db, handler.as_ref(), self.clock.now_ms()).await?;
            match handler.order() {
                Order::ByPlace => while self.deliver(handler.as_ref()).await? == Delivery::More {},
                Order::Any => self.share_of(Arc::clone(handler)).bring_now().await?,
            }
        }
        Ok(())
    }

    fn share_of(&self, handler: Arc<dyn EventHandler>) -> Share {
        let mut name = [0; 8];
        SystemRng.fill(&mut name);
        let entries = self.options.stream_entries;
        let stream = self.redis.clone().map(|redis| HandlerStream::new(redis, handler.name(), hex(&name), entries));
        Share::new(self.db.clone(), Arc::clone(&self.clock), handler, stream, self.options.clone())
    }

    /// Serves a handler that takes events in any order, once it is known.
    async fn share(self: Arc<Self>, handler: Arc<dyn EventHandler>, stop: CancellationToken) {
        let share = self.share_of(Arc::clone(&handler)).run(stop.clone());
        let stay_known = async {
            while !stop.is_cancelled() {
                match in_order::register(&self.db, handler.as_ref(), self.clock.now_ms()).await {
                    Ok(()) => drop(tokio::time::timeout(self.options.clean_up, stop.cancelled()).await),
                    Err(error) => self.give_way(&error, &stop).await,
                }
            }
        };
        tokio::join!(share, stay_known);
    }

    async fn bring_all_requeued(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.bring_requeued().await {
                tracing::warn!(%error, "dead letters wait for the database");
            }
            drop(tokio::time::timeout(self.options.poll, stop.cancelled()).await);
        }
    }

    async fn bring_requeued(&self) -> Result<(), DbError> {
        for handler in &self.handlers {
            while dead_letter::bring_requeued(&self.db, handler.as_ref(), self.clock.now_ms()).await? {}
        }
        Ok(())
    }

    async fn stamp_all(self: Arc<Self>, mut heard: Subscription, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match stamp(&self.db).await {
                Ok(1..) => {}
                Ok(0) => self.pause(&mut heard, Topic::Outbox, self.options.poll, &stop).await,
                Err(error) => self.give_way(&error, &stop).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, handler: Arc<dyn EventHandler>, mut heard: Subscription, stop: CancellationToken) {
        let mut registered_at: Option<Instant> = None;
        while !stop.is_cancelled() {
            if registered_at.is_none_or(|at| at.elapsed() > self.options.clean_up) {
                match in_order::register(&self.db, handler.as_ref(), self.clock.now_ms()).await {
                    Ok(()) => registered_at = Some(Instant::now()),
                    Err(error) => {
                        self.give_way(&error, &stop).await;
                        continue;
                    }
                }
            }
            match self.deliver(handler.as_ref()).await {
                Ok(Delivery::More) => {}
                Ok(Delivery::Done) => self.pause(&mut heard, Topic::Events, self.options.poll, &stop).await,
                Ok(Delivery::Wait(wait)) => {
                    // Calls about later events do not make the failed one ready.
                    drop(tokio::time::timeout(wait.min(self.options.poll), stop.cancelled()).await);
                }
                Err(error) => self.give_way(&error, &stop).await,
            }
        }
    }

    async fn deliver(&self, handler: &dyn EventHandler) -> Result<Delivery, DbError> {
        in_order::deliver(&self.db, handler, self.clock.now_ms()).await
    }

    /// Tells the bus of events that get their places from now on.
    async fn tell_all(self: Arc<Self>, mut heard: Subscription, stop: CancellationToken) {
        let mut position = None;
        while !stop.is_cancelled() {
            match self.tell(position).await {
                Ok(told) if Some(told) == position => {
                    self.pause(&mut heard, Topic::Events, self.options.poll, &stop).await;
                }
                Ok(told) => position = Some(told),
                Err(error) => self.give_way(&error, &stop).await,
            }
        }
    }

    /// Tells what follows `position`, and returns the place of the last event; at first the place where the last one is.
    async fn tell(&self, position: Option<i64>) -> Result<i64, DbError> {
        use sea_orm::ConnectionTrait as _;
        let Some(position) = position else {
            let head = Sql::new("SELECT position FROM event_head WHERE id = 1").on(self.db.backend());
            let head = self.db.reader().query_one_raw(head).await?;
            return Ok(head.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0));
        };
        let events = in_order::read_after(self.db.reader(), position).await?;
        if let Err(error) = self.bus.publish(&events).await {
            tracing::warn!(%error, "events could not be told to live listeners");
        }
        Ok(events.last().map_or(position, |event| event.position))
    }

    async fn clean_up(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.remove_old().await {
                Ok(1..) => continue,
                Ok(0) => {}
                Err(error) => tracing::warn!(%error, "old events could not be removed"),
            }
            drop(tokio::time::timeout(self.options.clean_up, stop.cancelled()).await);
        }
    }

    /// Every handler is known first, a new one too: nothing is removed that one of them has not had.
    async fn remove_old(&self) -> Result<u64, DbError> {
        for handler in &self.handlers {
            in_order::register(&self.db, handler.as_ref(), self.clock.now_ms()).await?;
        }
        retention::remove_old(&self.db, self.clock.now_ms(), self.options.keep).await
    }

    async fn pause(&self, heard: &mut Subscription, topic: Topic, at_most: Duration, stop: &CancellationToken) {
        tokio::select! {
            // What was called until now is found by one look.
            _ = heard.wait(topic, at_most) => heard.forget(),
            () = stop.cancelled() => {}
        }
    }

    /// The database is away or busy; what was to be done stays in it.
    async fn give_way(&self, error: &DbError, stop: &CancellationToken) {
        tracing::warn!(%error, "events wait for the database");
        drop(tokio::time::timeout(self.options.poll, stop.cancelled()).await);
    }
}
