//! Measures how many events a second four consumers take that share them through Redis, and whether each took effect once.
//!
//! `cargo run -p platform --example event_speed --features testing [sqlite|postgres]` prints a line of JSON for each database and
//! each way of writing: a statement for each event, or one for as many as come at once.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use async_trait::async_trait;
use kernel::{
    SystemClock, TimeOrderedIds, Uuid,
    events::{Event as _, UserRegistered},
};
use platform::{
    db::{Backend, Db, DbError, Sql, Transaction, migrate},
    events::{self, Envelope, EventHandler, HandlerError, LocalBus, Order, Outbox, Relay},
    redis::Redis,
    rng::SystemRng,
    testing::{PostgresServer, RedisServer, TestDb},
};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const EVENTS: usize = 10_000;
const CONSUMERS: usize = 4;
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_mins(5);

/// How an effect is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// A statement for each event.
    Each,
    /// One for as many as come at once.
    Together,
}

/// Writes a row for each event.
#[derive(Debug)]
struct Tally {
    writing: Writing,
    count: Arc<AtomicUsize>,
}

#[async_trait]
impl EventHandler for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn types(&self) -> &'static [&'static str] {
        &[UserRegistered::TYPE]
    }

    fn order(&self) -> Order {
        Order::Any
    }

    async fn handle(&self, tx: &Transaction, event: &Envelope) -> Result<(), HandlerError> {
        self.insert(tx, std::slice::from_ref(event)).await
    }

    async fn handle_all(&self, tx: &Transaction, events: &[Envelope]) -> Result<(), HandlerError> {
        match self.writing {
            Writing::Together => self.insert(tx, events).await?,
            Writing::Each => {
                for event in events {
                    self.handle(tx, event).await?;
                }
            }
        }
        let (count, taken) = (Arc::clone(&self.count), events.len());
        tx.after_commit(move || {
            count.fetch_add(taken, Ordering::Relaxed);
        });
        Ok(())
    }
}

impl Tally {
    async fn insert(&self, tx: &Transaction, events: &[Envelope]) -> Result<(), HandlerError> {
        let mut insert = Sql::new("INSERT INTO tally (number) VALUES ").tuples(events.len(), 1);
        for event in events {
            let Some(registered) = event.decode::<UserRegistered>()? else { continue };
            insert = insert.bind(i64::try_from(registered.user_id.as_u128())?);
        }
        tx.execute_raw(insert.on(tx.backend())).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let wanted = std::env::args().nth(1);
    for (name, backend) in [("sqlite", Backend::Sqlite), ("postgres", Backend::Postgres)] {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            measure(name, backend).await?;
        }
    }
    Ok(())
}

async fn measure(name: &str, backend: Backend) -> Result<()> {
    // A server that keeps what it has promised: the shared one of the tests does not wait for its disk.
    let server = (backend == Backend::Postgres).then(|| PostgresServer::own(&[]));
    for (writes, writing) in [("each", Writing::Each), ("together", Writing::Together)] {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let test = match &server {
                Some(server) => TestDb::on(server).await,
                None => TestDb::sqlite().await,
            };
            rates.push(run(&test, writing).await?);
            test.remove().await;
        }
        rates.sort_by(f64::total_cmp);
        let line = json!({
            "database": name, "writes": writes, "events": EVENTS, "consumers": CONSUMERS,
            "per_second": rates[ROUNDS / 2], "lost": 0, "repeated": 0,
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

/// Has all events taken, and returns how many a second that were, from their commit to the last effect.
async fn run(test: &TestDb, writing: Writing) -> Result<f64> {
    migrate::up(test.db(), &[events::migrations()]).await?;
    test.db().writer().execute_unprepared("CREATE TABLE tally (number BIGINT)").await?;
    let (server, count, stop) = (RedisServer::start(), Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let mut consumers = Vec::new();
    for _ in 0..CONSUMERS {
        let db = Db::open(test.options()).await?;
        let redis = Redis::open(&server.url())?;
        db.carry_signals_over(&redis);
        let tally = Arc::new(Tally { writing, count: Arc::clone(&count) });
        let relay = Relay::new(db, Arc::new(SystemClock), Arc::new(LocalBus::default()), vec![tally]);
        consumers.push(tokio::spawn(relay.with_redis(Some(redis)).run(stop.clone())));
    }
    // Until everybody listens.
    tokio::time::sleep(Duration::from_secs(2)).await;
    append(test.db()).await?;
    let started = Instant::now();
    while count.load(Ordering::Relaxed) < EVENTS {
        anyhow::ensure!(
            started.elapsed() < PATIENCE,
            "{} of {EVENTS} events were taken",
            count.load(Ordering::Relaxed)
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let elapsed = started.elapsed();
    stop.cancel();
    for consumer in consumers {
        consumer.await?;
    }
    let (rows, numbers) =
        (test.count("SELECT count(*) FROM tally").await, test.count("SELECT count(DISTINCT number) FROM tally").await);
    anyhow::ensure!(
        [rows, numbers].iter().all(|count| usize::try_from(*count) == Ok(EVENTS)),
        "{rows} effects of {numbers} events"
    );
    Ok(EVENTS as f64 / elapsed.as_secs_f64())
}

async fn append(db: &Db) -> Result<()> {
    let ids = TimeOrderedIds::new(Arc::new(SystemClock), Arc::new(SystemRng));
    let outbox = Outbox::new(db.clone(), Arc::new(SystemClock), Arc::new(ids));
    let users: Vec<_> = (0..EVENTS).map(|number| UserRegistered { user_id: Uuid::from_u128(number as u128) }).collect();
    let (outbox, users) = (&outbox, &users);
    let appended: Result<(), DbError> = db.transaction(|tx| async move { outbox.append_all(&tx, users).await }).await;
    Ok(appended?)
}
