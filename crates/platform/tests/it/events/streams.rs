//! Handlers that take events in any order, shared out through a real Redis: each event once in effect, whatever fails.

use std::{collections::BTreeSet, sync::atomic::AtomicUsize};

use platform::{both_databases, redis::Redis, testing::RedisServer};
use tokio::{sync::Semaphore, task::JoinHandle};

use super::*;

/// Writes down which user registered, in any order, and counts what passes through this one of it.
#[derive(Debug)]
struct Tally {
    name: &'static str,
    count: AtomicUsize,
    /// Closed, nothing gets through.
    gate: Semaphore,
}

impl Tally {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, count: AtomicUsize::new(0), gate: Semaphore::new(Semaphore::MAX_PERMITS) })
    }

    fn closed(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, count: AtomicUsize::new(0), gate: Semaphore::new(0) })
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }
}

#[async_trait]
impl EventHandler for Tally {
    fn name(&self) -> &'static str {
        self.name
    }

    fn types(&self) -> &'static [&'static str] {
        &[UserRegistered::TYPE]
    }

    fn order(&self) -> Order {
        Order::Any
    }

    async fn handle(&self, tx: &Transaction, event: &Envelope) -> Result<(), HandlerError> {
        drop(self.gate.acquire().await?);
        let Some(registered) = event.decode::<UserRegistered>()? else { return Ok(()) };
        let insert = Sql::new("INSERT INTO tally (name, number) VALUES ($1, $2)");
        let insert = insert.bind(self.name).bind(i64::try_from(registered.user_id.as_u128())?);
        tx.execute_raw(insert.on(tx.backend())).await?;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A process that serves handlers; dropped, it is killed where it stands.
struct Process {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Process {
    async fn start(test: &TestDb, server: &RedisServer, handlers: Vec<Arc<dyn EventHandler>>) -> Self {
        Self::start_with(test, server, handlers, options()).await
    }

    async fn start_with(
        test: &TestDb,
        server: &RedisServer,
        handlers: Vec<Arc<dyn EventHandler>>,
        options: RelayOptions,
    ) -> Self {
        let db = Db::open(test.options()).await.unwrap();
        let redis = Redis::open(&server.url()).unwrap();
        db.carry_signals_over(&redis);
        let relay = Relay::new(db, Arc::new(SystemClock), Arc::new(LocalBus::default()), handlers);
        let stop = CancellationToken::new();
        let running = tokio::spawn(relay.with_redis(Some(redis)).with_options(options).run(stop.clone()));
        Self { stop, running }
    }

    async fn end(mut self) {
        self.stop.cancel();
        (&mut self.running).await.unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn options() -> RelayOptions {
    RelayOptions { poll: Duration::from_millis(200), claim_after: Duration::from_secs(1), ..RelayOptions::default() }
}

async fn set_up_tally(test: &TestDb) -> Outbox {
    let outbox = set_up(test, Arc::new(SystemClock)).await;
    test.db().writer().execute_unprepared("CREATE TABLE tally (name TEXT, number BIGINT)").await.unwrap();
    outbox
}

async fn count(test: &TestDb, name: &str) -> usize {
    usize::try_from(test.count(&format!("SELECT count(*) FROM tally WHERE name = '{name}'")).await).unwrap()
}

async fn wait_until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until `name` has taken so many events, and asserts that it has taken each once.
async fn assert_tally(test: &TestDb, name: &str, numbers: std::ops::Range<u128>) {
    let wanted = numbers.clone().count();
    wait_until(&format!("{name} takes {wanted} events"), || async { count(test, name).await >= wanted }).await;
    let query = Sql::new("SELECT number FROM tally WHERE name = $1").bind(name).on(test.db().backend());
    let rows = test.db().reader().query_all_raw(query).await.unwrap();
    let found: BTreeSet<i64> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert_eq!(rows.len(), wanted, "some came twice");
    let numbers: BTreeSet<i64> = numbers.map(|number| i64::try_from(number).unwrap()).collect();
    assert_eq!(found, numbers);
}

/// Waits until nothing is remembered of single events any more.
async fn wait_until_settled(test: &TestDb) {
    let receipts = "SELECT count(*) FROM event_receipts";
    wait_until("all receipts go", || async { test.count(receipts).await == 0 }).await;
}

/// How many entries a stream has.
async fn length(redis: &Redis, name: &str) -> usize {
    ::redis::cmd("XLEN").arg(Redis::key("events", name)).query_async(&mut redis.shared()).await.unwrap_or_default()
}

both_databases! {
    async fn ten_thousand_events_reach_four_consumers_once_each(test: &TestDb) {
        let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
        let tallies: Vec<_> = (0..4).map(|_| Tally::new("tally")).collect();
        let mut processes = Vec::new();
        for tally in &tallies {
            processes.push(Process::start(test, &server, vec![tally.clone(), Arc::new(Register)]).await);
        }
        for thousand in 0..10_u128 {
            append(test, &outbox, 1000 * (thousand + 1)..1000 * (thousand + 2)).await;
        }
        assert_tally(test, "tally", 1000..11_000).await;
        let shares: Vec<_> = tallies.iter().map(|tally| tally.count.load(Ordering::Relaxed)).collect();
        assert!(shares.iter().filter(|share| **share > 0).count() > 1, "{shares:?}");
        wait_until_settled(test).await;
        let redis = Redis::open(&server.url()).unwrap();
        wait_until("the stream is empty", || async { length(&redis, "tally").await == 0 }).await;
        // Who wants them in their order has them so, beside the others.
        assert_eq!(wait_until_registered(test.db(), 10_000).await, (1000..11_000).collect::<Vec<_>>());
        for process in processes {
            process.end().await;
        }
    }

    async fn a_consumer_that_dies_in_the_middle_loses_nothing_and_repeats_nothing(test: &TestDb) {
        let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
        for round in 0..8_u128 {
            let process = Process::start(test, &server, vec![Tally::new("tally")]).await;
            append(test, &outbox, 1000 + round * 100..1100 + round * 100).await;
            wait_until("it begins", || async { count(test, "tally").await > 0 || round > 0 }).await;
            tokio::time::sleep(Duration::from_millis(u64::try_from(round * 15).unwrap())).await;
            drop(process);
        }
        let process = Process::start(test, &server, vec![Tally::new("tally")]).await;
        assert_tally(test, "tally", 1000..1800).await;
        wait_until_settled(test).await;
        process.end().await;
        assert_tally(test, "tally", 1000..1800).await;
    }

    async fn redis_may_go_away_and_come_back_empty(test: &TestDb) {
        let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
        let mut processes = Vec::new();
        for _ in 0..2 {
            processes.push(Process::start(test, &server, vec![Tally::new("tally")]).await);
        }
        let redis = Redis::open(&server.url()).unwrap();
        append(test, &outbox, 1000..1300).await;
        // In the middle of them.
        wait_until("they begin", || async { count(test, "tally").await > 0 }).await;
        server.stop();
        append(test, &outbox, 1300..1600).await;
        assert_tally(test, "tally", 1000..1600).await;
        server.restart();
        wait_until("there is a stream again", || async {
            let made: Result<bool, _> =
                ::redis::cmd("EXISTS").arg(Redis::key("events", "tally")).query_async(&mut redis.shared()).await;
            made.unwrap_or_default()
        }).await;
        // And once more, with entries in it that nobody has got.
        append(test, &outbox, 1600..1900).await;
        drop(::redis::cmd("FLUSHALL").exec_async(&mut redis.shared()).await);
        append(test, &outbox, 1900..2000).await;
        assert_tally(test, "tally", 1000..2000).await;
        wait_until_settled(test).await;
        for process in processes {
            process.end().await;
        }
        assert_tally(test, "tally", 1000..2000).await;
    }

    async fn a_stream_of_another_life_of_the_database_begins_anew(test: &TestDb) {
        let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
        let redis = Redis::open(&server.url()).unwrap();
        let mut add = ::redis::cmd("XADD");
        add.arg(Redis::key("events", "tally")).arg("1000000-0").arg("type").arg(UserRegistered::TYPE);
        add.exec_async(&mut redis.shared()).await.unwrap();
        let process = Process::start(test, &server, vec![Tally::new("tally")]).await;
        append(test, &outbox, 1000..1100).await;
        assert_tally(test, "tally", 1000..1100).await;
        process.end().await;
    }
}

// A handler that waits holds its transaction, and with it, on SQLite, everybody who writes.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_consumer_got_and_never_took_is_taken_up_by_another() {
    let test = &TestDb::postgres().await;
    let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
    let stuck = Tally::closed("tally");
    let process = Process::start(test, &server, vec![stuck.clone()]).await;
    append(test, &outbox, 1000..1450).await;
    let redis = Redis::open(&server.url()).unwrap();
    let pending = || async {
        let mut ask = ::redis::cmd("XPENDING");
        ask.arg(Redis::key("events", "tally")).arg("handlers");
        let told: Result<::redis::Value, _> = ask.query_async(&mut redis.shared()).await;
        matches!(told, Ok(::redis::Value::Array(values)) if values.first().is_some_and(|count| *count != ::redis::Value::Int(0)))
    };
    wait_until("it gets some", pending).await;
    drop(process);
    let process = Process::start(test, &server, vec![Tally::new("tally")]).await;
    assert_tally(test, "tally", 1000..1450).await;
    process.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_handler_holds_up_no_other_and_fills_no_memory() {
    let test = &TestDb::postgres().await;
    let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
    let (slow, quick) = (Tally::closed("slow"), Tally::new("quick"));
    let options = RelayOptions { stream_entries: 150, ..options() };
    let process = Process::start_with(test, &server, vec![slow.clone(), quick], options).await;
    append(test, &outbox, 1000..1600).await;
    assert_tally(test, "quick", 1000..1600).await;
    let redis = Redis::open(&server.url()).unwrap();
    wait_until("its stream is full", || async { length(&redis, "slow").await == 150 }).await;
    assert_eq!(count(test, "slow").await, 0);
    slow.open();
    assert_tally(test, "slow", 1000..1600).await;
    wait_until_settled(test).await;
    process.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_took_out_of_the_stream_comes_from_the_database() {
    let test = &TestDb::postgres().await;
    let (outbox, server) = (set_up_tally(test).await, RedisServer::start());
    let slow = Tally::closed("slow");
    let process = Process::start(test, &server, vec![slow.clone()]).await;
    append(test, &outbox, 1000..1400).await;
    let redis = Redis::open(&server.url()).unwrap();
    wait_until("all are published", || async { length(&redis, "slow").await == 400 }).await;
    let mut trim = ::redis::cmd("XTRIM");
    trim.arg(Redis::key("events", "slow")).arg("MAXLEN").arg(0).exec_async(&mut redis.shared()).await.unwrap();
    slow.open();
    assert_tally(test, "slow", 1000..1400).await;
    wait_until_settled(test).await;
    process.end().await;
}
