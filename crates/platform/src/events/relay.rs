//! Gives events their places, brings them to handlers and to the bus, and removes old ones, until it is stopped.

use std::{sync::Arc, time::Duration};

use kernel::Clock;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Bus, EventHandler, Handlers,
    deliver::{self, Delivery},
    retention,
    stamp::stamp,
};
use crate::db::{Db, DbError, Sql, Subscription, Topic};

/// How a relay works.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// How often it looks without being called; calls of other processes on SQLite and lost calls are found so late.
    pub poll: Duration,
    /// How long delivered events are kept.
    pub keep: Duration,
    /// How often old events are removed.
    pub clean_up: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self { poll: Duration::from_secs(1), keep: Duration::from_hours(168), clean_up: Duration::from_hours(1) }
    }
}

/// The relay of one process. Any number of them may run on one database.
#[derive(Debug, Clone)]
pub struct Relay {
    db: Db,
    clock: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    handlers: Handlers,
    options: RelayOptions,
}

impl Relay {
    pub fn new(db: Db, clock: Arc<dyn Clock>, bus: Arc<dyn Bus>, handlers: Handlers) -> Self {
        Self { db, clock, bus, handlers, options: RelayOptions::default() }
    }

    #[must_use]
    pub fn with_options(mut self, options: RelayOptions) -> Self {
        self.options = options;
        self
    }

    /// Works until `stop` is called, and has brought everything that was committed by then where it could.
    pub async fn run(self, stop: CancellationToken) {
        let relay = Arc::new(self);
        let mut tasks = JoinSet::new();
        // Each hears calls from before it looks for the first time.
        let (stamping, telling) = (relay.db.subscribe().await, relay.db.subscribe().await);
        for handler in relay.handlers.clone() {
            let heard = relay.db.subscribe().await;
            tasks.spawn(Arc::clone(&relay).serve(handler, heard, stop.clone()));
        }
        tasks.spawn(Arc::clone(&relay).stamp_all(stamping, stop.clone()));
        tasks.spawn(Arc::clone(&relay).tell_all(telling, stop.clone()));
        tasks.spawn(Arc::clone(&relay).clean_up(stop.clone()));
        while tasks.join_next().await.is_some() {}
        if let Err(error) = relay.bring_now().await {
            tracing::warn!(%error, "events stay for the next start");
        }
    }

    /// Brings what can be brought now: places, then each handler's events, as long as none of them has to wait.
    pub async fn bring_now(&self) -> Result<(), DbError> {
        while stamp(&self.db).await? > 0 {}
        for handler in &self.handlers {
            deliver::register(&self.db, handler.as_ref(), self.clock.now_ms()).await?;
            while self.deliver(handler.as_ref()).await? == Delivery::More {}
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
                match deliver::register(&self.db, handler.as_ref(), self.clock.now_ms()).await {
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
        deliver::deliver(&self.db, handler, self.clock.now_ms()).await
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
        let events = deliver::read_after(self.db.reader(), position).await?;
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
            deliver::register(&self.db, handler.as_ref(), self.clock.now_ms()).await?;
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
