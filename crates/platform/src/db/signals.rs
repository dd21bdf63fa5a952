//! Calls between those who share a database: that there is something to do, so that nobody has to look all the time.
//!
//! Within a process a call is heard at once. Between processes it travels by PostgreSQL's `NOTIFY`; on SQLite it does not, and
//! whoever waits looks again after a while. A call may get lost with its process or its connection, so it only ever hurries what
//! would be found by looking.

use std::time::Duration;

use kernel::Rng as _;
use sea_orm::{
    ConnectionTrait as _,
    sqlx::{PgPool, postgres::PgListener},
};
use tokio::{
    sync::{OnceCell, broadcast},
    time::Instant,
};

use super::{Backend, Db, DbError, Sql, Transaction};
use crate::{hex::hex, rng::SystemRng};

/// The channel of PostgreSQL that all calls share.
const CHANNEL: &str = "pressroom";

/// How many calls may wait for a slow listener; after more it hears that it missed some.
const BACKLOG: usize = 1024;

/// The wait before a lost connection for listening is made again.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

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
}

/// A call that was heard: `None` for one of unknown content, which may have been any.
type Call = Option<(Topic, String)>;

/// Hears calls from when it was made.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Call>,
}

impl Default for Signals {
    fn default() -> Self {
        let mut caller = [0; 8];
        SystemRng.fill(&mut caller);
        Self { caller: hex(&caller), sender: broadcast::channel(BACKLOG).0, listening: OnceCell::new() }
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
}

impl Db {
    /// Hears calls of this process, and on PostgreSQL of every other.
    pub async fn subscribe(&self) -> Subscription {
        let signals = self.signals();
        if let Some(pool) = self.postgres_pool() {
            let listened = || async { listen(pool.clone(), signals.caller.clone(), signals.sender.clone()) };
            signals.listening.get_or_init(listened).await;
        }
        Subscription { receiver: signals.sender.subscribe() }
    }

    /// Calls once `tx` is committed. `subject` says whom it is about, and is empty where that does not matter.
    pub async fn signal(&self, tx: &Transaction, topic: Topic, subject: &str) -> Result<(), DbError> {
        if self.backend() == Backend::Postgres {
            let payload = format!("{}:{}:{subject}", self.signals().caller, topic.name());
            let notify = Sql::new("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload);
            tx.query_one_raw(notify.on(Backend::Postgres)).await?;
        }
        let (sender, subject) = (self.signals().sender.clone(), subject.to_owned());
        tx.after_commit(move || drop(sender.send(Some((topic, subject)))));
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

/// Passes PostgreSQL's notifications of other callers on until the database is closed.
fn listen(pool: PgPool, caller: String, sender: broadcast::Sender<Call>) {
    tokio::spawn(async move {
        while !pool.is_closed() {
            if let Err(error) = pass_on(&pool, &caller, &sender).await {
                tracing::debug!(%error, "listening for calls on the database ended; listening again");
            }
            // What was called in between was missed.
            drop(sender.send(None));
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    });
}

async fn pass_on(pool: &PgPool, caller: &str, sender: &broadcast::Sender<Call>) -> Result<(), sea_orm::sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    drop(sender.send(None));
    // `None` says that the connection was lost.
    while let Some(notification) = listener.try_recv().await? {
        let (from, call) = parse(notification.payload());
        if from != caller {
            drop(sender.send(call));
        }
    }
    Ok(())
}

/// Who calls, and what.
fn parse(payload: &str) -> (&str, Call) {
    let (caller, call) = payload.split_once(':').unwrap_or_default();
    let call = call.split_once(':').and_then(|(name, subject)| {
        let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name)?;
        Some((topic, subject.to_owned()))
    });
    (caller, call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_its_caller_topic_and_subject() {
        assert_eq!(parse("me:jobs:"), ("me", Some((Topic::Jobs, String::new()))));
        assert_eq!(parse("me:progress:a:b"), ("me", Some((Topic::Progress, "a:b".to_owned()))));
        assert_eq!(parse("me:weather:wet"), ("me", None));
        assert_eq!(parse("wet"), ("", None));
    }
}
