//! Calls over Redis, for databases that carry none: SQLite, and PostgreSQL behind a pooler that gives each transaction another
//! connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use redis::{ErrorKind, RedisError};
use tokio::{
    sync::{broadcast, mpsc},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{BACKLOG, Call, Heard, RECONNECT_WAIT, echo, parse};
use crate::redis::Redis;

/// How many calls are sent at once.
const BATCH: usize = 100;

/// How often a process calls itself, to know that calls get through.
const ECHO_INTERVAL: Duration = Duration::from_secs(3);

/// After how long without an echo the connection is made anew.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// Sends and hears calls until it is dropped.
#[derive(Debug)]
pub(super) struct RedisCarrier {
    outgoing: mpsc::Sender<String>,
    is_up: Arc<AtomicBool>,
    _stop: DropGuard,
}

/// The side that hears.
struct Ear {
    redis: Redis,
    caller: String,
    sender: broadcast::Sender<Call>,
    outgoing: mpsc::WeakSender<String>,
    is_up: Arc<AtomicBool>,
}

impl RedisCarrier {
    pub(super) fn start(redis: &Redis, caller: &str, sender: &broadcast::Sender<Call>) -> Self {
        let (outgoing, waiting) = mpsc::channel(BACKLOG);
        let (is_up, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let ear = Ear {
            redis: redis.clone(),
            caller: caller.to_owned(),
            sender: sender.clone(),
            outgoing: outgoing.downgrade(),
            is_up: Arc::clone(&is_up),
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(ear.listen()));
        tokio::spawn(stop.clone().run_until_cancelled_owned(send_all(redis.clone(), waiting)));
        Self { outgoing, is_up, _stop: stop.drop_guard() }
    }

    /// Whether calls get through.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Where to send calls; what there is no room for is lost, as it only hurries.
    pub(super) fn outgoing(&self) -> mpsc::Sender<String> {
        self.outgoing.clone()
    }
}

fn channel() -> String {
    Redis::key("signals", "calls")
}

async fn send_all(redis: Redis, mut waiting: mpsc::Receiver<String>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut calls = redis::pipe();
        for payload in batch.drain(..) {
            calls.cmd("PUBLISH").arg(channel()).arg(payload).ignore();
        }
        if let Err(error) = calls.exec_async(&mut redis.shared()).await {
            tracing::debug!(%error, "calls could not be sent over Redis");
        }
    }
}

impl Ear {
    async fn listen(self) {
        loop {
            if let Err(error) = self.pass_on().await {
                tracing::debug!(%error, "listening for calls on Redis ended; listening again");
            }
            if self.is_up.swap(false, Ordering::Relaxed) {
                // The last calls may have been missed.
                drop(self.sender.send(None));
            }
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    }

    async fn pass_on(&self) -> Result<(), RedisError> {
        let mut connection = self.redis.pubsub().await?;
        let subscribed = tokio::time::timeout(MAX_SILENCE, connection.subscribe(channel())).await;
        subscribed.unwrap_or_else(|_| Err(silence()))?;
        let mut messages = connection.into_on_message();
        let (mut ticks, mut heard_at) = (tokio::time::interval(ECHO_INTERVAL), Instant::now());
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Ok(()) };
                    if self.hear(&message.get_payload::<String>().unwrap_or_default()) == Heard::Echo {
                        heard_at = Instant::now();
                    }
                }
                _ = ticks.tick() => {
                    if heard_at.elapsed() > MAX_SILENCE {
                        return Err(silence());
                    }
                    let Some(outgoing) = self.outgoing.upgrade() else { return Ok(()) };
                    // A queue that is full says that nothing gets through.
                    drop(outgoing.try_send(echo(&self.caller)));
                }
            }
        }
    }

    fn hear(&self, payload: &str) -> Heard {
        let heard = parse(payload, &self.caller);
        match &heard {
            Heard::Echo => {
                if !self.is_up.swap(true, Ordering::Relaxed) {
                    drop(self.sender.send(None));
                }
            }
            Heard::Call(call) => drop(self.sender.send(call.clone())),
            Heard::Nothing => {}
        }
        heard
    }
}

fn silence() -> RedisError {
    (ErrorKind::Io, "nothing was heard in time").into()
}
