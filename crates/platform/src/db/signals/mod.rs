//! Calls between those who share a database: that there is something to do, so that nobody has to look all the time.
//!
//! Within a process a call is heard at once. Between processes it travels over Redis where there is one, else by PostgreSQL's
//! `NOTIFY`; where neither carries it, whoever waits looks again after a while. A call may get lost with its process or its
//! connection, so it only ever hurries what would be found by looking.

mod redis;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kernel::Rng as _;
use sea_orm::{
    ConnectionTrait as _,
    sqlx::{self, PgPool, postgres::PgListener},
};
use tokio::{
    sync::{OnceCell, broadcast},
    time::Instant,
};

use self::redis::RedisCarrier;
use super::{Backend, Db, DbError, Sql, Transaction};
use crate::{hex::hex, redis::Redis, rng::SystemRng};

/// The channel of PostgreSQL that all calls share.
const CHANNEL: &str = "pressroom";

/// How many calls may wait for a slow listener; after more it hears that it missed some.
const BACKLOG: usize = 1024;

/// The wait before a lost connection for listening is made again.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

/// What a process calls itself by, to know that calls are heard: a pooler between it and PostgreSQL may swallow them.
const ECHO: &str = "echo";

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Jobs can be claimed.
    Jobs,
    /// Running jobs are to be stopped.
    Cancellations,
    /// The state or the progress of a job changed; its id is told.
    Progress,
    /// Events wait in the outbox.
    Outbox,
    /// Events have their places and can be delivered.
    Events,
    /// What caches hold of a change is invalid; who changed it and what is told.
    Cache,
}

/// The calls of one open database.
#[derive(Debug)]
pub struct Signals {
    /// Tells this process's calls from those of others: its own it has heard already.
    caller: String,
    sender: broadcast::Sender<Call>,
    listening: OnceCell<()>,
    /// Whether PostgreSQL's notifications get here.
    is_notified: Arc<AtomicBool>,
    redis: OnceLock<RedisCarrier>,
}

/// A call that was heard: `None` for one of unknown content, which may have been any.
type Call = Option<(Topic, String)>;

/// What a payload says to the process that hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    /// Its own echo.
    Echo,
    Call(Call),
    /// What it has called itself, and the echoes of others.
    Nothing,
}

/// Hears calls from when it was made.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Call>,
}

impl Default for Signals {
    fn default() -> Self {
        let mut caller = [0; 8];
        SystemRng.fill(&mut caller);
        Self {
            caller: hex(&caller),
            sender: broadcast::channel(BACKLOG).0,
            listening: OnceCell::new(),
            is_notified: Arc::default(),
            redis: OnceLock::new(),
        }
    }
}

impl Topic {
    const ALL: [Self; 6] = [Self::Jobs, Self::Cancellations, Self::Progress, Self::Outbox, Self::Events, Self::Cache];

    fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Cancellations => "cancellations",
            Self::Progress => "progress",
            Self::Outbox => "outbox",
            Self::Events => "events",
            Self::Cache => "cache",
        }
    }

    /// Whether calls may travel over Redis, where they get lost with a process that dies after its commit. Caches have a channel of
    /// their own there, and count on the database for what was not told on it.
    fn may_get_lost(self) -> bool {
        self != Self::Cache
    }
}

impl Db {
    /// From now on calls travel over Redis as long as it is there. All processes on a database do so, or none.
    pub fn carry_signals_over(&self, redis: &Redis) {
        let Signals { caller, sender, redis: carrier, .. } = self.signals();
        carrier.get_or_init(|| RedisCarrier::start(redis, caller, sender));
    }

    /// Whether calls of other processes are heard here. Where they are not, whoever waits for them has to look more often.
    pub fn hears_others(&self) -> bool {
        let signals = self.signals();
        match signals.redis.get() {
            Some(redis) => redis.is_up(),
            None => signals.is_notified.load(Ordering::Relaxed),
        }
    }

    /// Hears calls of this process, and of every other as far as something carries them.
    pub async fn subscribe(&self) -> Subscription {
        let signals = self.signals();
        if let Some(pool) = self.postgres_pool() {
            let ear = Ear {
                pool: pool.clone(),
                caller: signals.caller.clone(),
                sender: signals.sender.clone(),
                is_notified: Arc::clone(&signals.is_notified),
            };
            signals.listening.get_or_init(|| async { drop(tokio::spawn(ear.listen())) }).await;
        }
        Subscription { receiver: signals.sender.subscribe() }
    }

    /// Calls once `tx` is committed. `subject` says whom it is about, and is empty where that does not matter.
    pub async fn signal(&self, tx: &Transaction, topic: Topic, subject: &str) -> Result<(), DbError> {
        let signals = self.signals();
        let payload = format!("{}:{}:{subject}", signals.caller, topic.name());
        let redis =
            signals.redis.get().filter(|redis| topic.may_get_lost() && redis.is_up()).map(RedisCarrier::outgoing);
        if redis.is_none() && self.backend() == Backend::Postgres {
            let notify = Sql::new("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload.clone());
            tx.query_one_raw(notify.on(Backend::Postgres)).await?;
        }
        let (sender, subject) = (signals.sender.clone(), subject.to_owned());
        tx.after_commit(move || {
            drop(sender.send(Some((topic, subject))));
            if let Some(redis) = redis {
                drop(redis.try_send(payload));
            }
        });
        Ok(())
    }
}

impl Subscription {
    /// Waits for a call about `topic`, at most so long. Returns its subject, or `None` when anything may have happened.
    pub async fn wait(&mut self, topic: Topic, at_most: Duration) -> Option<String> {
        let until = Instant::now() + at_most;
        loop {
            match tokio::time::timeout_at(until, self.receiver.recv()).await {
                Ok(Ok(Some((heard, subject)))) if heard == topic => return Some(subject),
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => return None,
                Ok(Err(broadcast::error::RecvError::Closed)) => {
                    tokio::time::sleep_until(until).await;
                    return None;
                }
            }
        }
    }

    /// Forgets the calls that were made until now.
    pub fn forget(&mut self) {
        self.receiver = self.receiver.resubscribe();
    }
}

/// Hears PostgreSQL's notifications.
struct Ear {
    pool: PgPool,
    caller: String,
    sender: broadcast::Sender<Call>,
    is_notified: Arc<AtomicBool>,
}

impl Ear {
    /// Passes calls of others on until the database is closed.
    async fn listen(self) {
        while !self.pool.is_closed() {
            if let Err(error) = self.pass_on().await {
                tracing::debug!(%error, "listening for calls on the database ended; listening again");
            }
            self.is_notified.store(false, Ordering::Relaxed);
            // What was called in between was missed.
            drop(self.sender.send(None));
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    }

    async fn pass_on(&self) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        drop(self.sender.send(None));
        sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(echo(&self.caller)).execute(&self.pool).await?;
        // `None` says that the connection was lost.
        while let Some(notification) = listener.try_recv().await? {
            match parse(notification.payload(), &self.caller) {
                Heard::Echo => self.is_notified.store(true, Ordering::Relaxed),
                Heard::Call(call) => drop(self.sender.send(call)),
                Heard::Nothing => {}
            }
        }
        Ok(())
    }
}

fn echo(caller: &str) -> String {
    format!("{caller}:{ECHO}:")
}

/// What a payload says to `me`.
fn parse(payload: &str, me: &str) -> Heard {
    let (caller, call) = payload.split_once(':').unwrap_or_default();
    match call.split_once(':') {
        Some((ECHO, _)) if caller == me => Heard::Echo,
        Some((ECHO, _)) => Heard::Nothing,
        _ if caller == me => Heard::Nothing,
        Some((name, subject)) => {
            let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name);
            Heard::Call(topic.map(|topic| (topic, subject.to_owned())))
        }
        None => Heard::Call(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_its_caller_topic_and_subject() {
        let call = |topic, subject: &str| Heard::Call(Some((topic, subject.to_owned())));
        assert_eq!(parse("you:jobs:", "me"), call(Topic::Jobs, ""));
        assert_eq!(parse("you:progress:a:b", "me"), call(Topic::Progress, "a:b"));
        assert_eq!(parse("you:weather:wet", "me"), Heard::Call(None));
        assert_eq!(parse("wet", "me"), Heard::Call(None));
    }

    #[test]
    fn ones_own_calls_are_known_already_and_ones_echo_says_that_calls_are_heard() {
        assert_eq!(parse("me:jobs:", "me"), Heard::Nothing);
        assert_eq!(parse(&echo("me"), "me"), Heard::Echo);
        assert_eq!(parse(&echo("you"), "me"), Heard::Nothing);
    }
}
