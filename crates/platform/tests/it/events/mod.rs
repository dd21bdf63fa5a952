//! Events: nothing lost, nothing twice, nothing in between, whatever fails.

mod dead_letters;
mod streams;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kernel::{
    Clock, ManualClock, SystemClock, TimeOrderedIds, Uuid,
    events::{Event as _, TaskCreated, UserRegistered},
};
use platform::{
    all_databases,
    db::{Backend, Db, DbError, Sql, Transaction, migrate},
    events::{
        self, Bus as _, DeadLetter, Envelope, EventHandler, HandlerError, LocalBus, Order, Outbox, Relay, RelayOptions,
    },
    rng::SystemRng,
    testing::TestDb,
};
use proptest::prelude::*;
use sea_orm::ConnectionTrait as _;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Writes down which user registered, and fails over user 13.
#[derive(Debug)]
struct Register;

#[async_trait]
impl EventHandler for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn types(&self) -> &'static [&'static str] {
        &[UserRegistered::TYPE]
    }

    async fn handle(&self, tx: &Transaction, event: &Envelope) -> Result<(), HandlerError> {
        let Some(registered) = event.decode::<UserRegistered>()? else { return Ok(()) };
        let number = i64::try_from(registered.user_id.as_u128())?;
        let insert = Sql::new("INSERT INTO register (number) VALUES ($1)").bind(number);
        tx.execute_raw(insert.on(tx.backend())).await?;
        match number {
            13 => Err("thirteen is unlucky".into()),
            14 => panic!("fourteen panics"),
            _ => Ok(()),
        }
    }
}

async fn set_up(test: &TestDb, clock: Arc<dyn Clock>) -> Outbox {
    migrate::up(test.db(), &[events::migrations()]).await.unwrap();
    let place = if test.db().backend() == Backend::Postgres { "BIGSERIAL" } else { "INTEGER" };
    let table = &format!("CREATE TABLE register (place {place} PRIMARY KEY, number BIGINT)");
    test.db().writer().execute_unprepared(table).await.unwrap();
    let ids = TimeOrderedIds::new(Arc::clone(&clock), Arc::new(SystemRng));
    Outbox::new(test.db().clone(), clock, Arc::new(ids))
}

fn relay(db: &Db, clock: Arc<dyn Clock>) -> Relay {
    Relay::new(db.clone(), clock, Arc::new(LocalBus::default()), vec![Arc::new(Register)])
}

fn user(number: u128) -> UserRegistered {
    UserRegistered { user_id: Uuid::from_u128(number) }
}

async fn append(test: &TestDb, outbox: &Outbox, numbers: impl IntoIterator<Item = u128>) {
    let users: Vec<_> = numbers.into_iter().map(user).collect();
    let users = &users;
    let done: Result<(), DbError> =
        test.db().transaction(|tx| async move { outbox.append_all(&tx, users).await }).await;
    done.unwrap();
}

/// In the order in which they were written.
async fn registered(db: &Db) -> Vec<i64> {
    let rows = db
        .reader()
        .query_all_raw(Sql::new("SELECT number FROM register ORDER BY place").on(db.backend()))
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn wait_until_registered(db: &Db, count: usize) -> Vec<i64> {
    let started = Instant::now();
    loop {
        let found = registered(db).await;
        if found.len() >= count {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

all_databases! {
    async fn events_come_in_their_order_and_once_to_each_handler(test: &TestDb) {
        let outbox = set_up(test, Arc::new(SystemClock)).await;
        append(test, &outbox, 100..400).await;
        let created = TaskCreated { task_id: Uuid::from_u128(1), kind: "notes".to_owned(), owner: "ann".to_owned() };
        let created = &created;
        let outbox_of = &outbox;
        let done: Result<(), DbError> = test.db().transaction(|tx| async move { outbox_of.append(&tx, created).await }).await;
        done.unwrap();
        let relay = relay(test.db(), Arc::new(SystemClock));
        relay.bring_now().await.unwrap();
        relay.bring_now().await.unwrap();
        assert_eq!(registered(test.db()).await, (100..400).collect::<Vec<_>>());
    }

    async fn what_is_undone_is_never_told(test: &TestDb) {
        let outbox = set_up(test, Arc::new(SystemClock)).await;
        let tx = test.db().begin().await.unwrap();
        outbox.append(&tx, &user(1)).await.unwrap();
        drop(tx);
        append(test, &outbox, [2]).await;
        relay(test.db(), Arc::new(SystemClock)).bring_now().await.unwrap();
        assert_eq!(registered(test.db()).await, [2]);
    }

    async fn an_event_is_brought_soon_after_its_commit(test: &TestDb) {
        let outbox = set_up(test, Arc::new(SystemClock)).await;
        let options = RelayOptions { poll: Duration::from_hours(1), ..RelayOptions::default() };
        let bus = Arc::new(LocalBus::default());
        let mut live = bus.subscribe();
        let relay = Relay::new(test.db().clone(), Arc::new(SystemClock), bus, vec![Arc::new(Register)]);
        let stop = CancellationToken::new();
        let running = tokio::spawn(relay.with_options(options).run(stop.clone()));
        // The first may be found by its first look, the others are not; live listeners hear of what came after they did.
        for number in 1..=3 {
            append(test, &outbox, [number]).await;
            wait_until_registered(test.db(), usize::try_from(number).unwrap()).await;
        }
        let started = Instant::now();
        for number in 4.. {
            append(test, &outbox, [number]).await;
            if let Ok(heard) = tokio::time::timeout(Duration::from_secs(1), live.recv()).await {
                let heard = heard.unwrap().decode::<UserRegistered>().unwrap().unwrap();
                assert!((1..=number).any(|number| user(number) == heard), "{heard:?}");
                break;
            }
            assert!(started.elapsed() < PATIENCE);
        }
        stop.cancel();
        running.await.unwrap();
    }

    async fn a_relay_that_ends_between_commit_and_delivery_loses_nothing(test: &TestDb) {
        let outbox = set_up(test, Arc::new(SystemClock)).await;
        for round in 0..10_u128 {
            let stop = CancellationToken::new();
            let running = tokio::spawn(relay(test.db(), Arc::new(SystemClock)).run(stop));
            append(test, &outbox, (0..30).map(|number| 1000 + round * 30 + number)).await;
            tokio::time::sleep(Duration::from_millis(u64::try_from(round * 3).unwrap())).await;
            // Killed, not told to end: what it was doing is undone.
            running.abort();
        }
        // One that was killed a moment ago may still hold what it was bringing.
        let relay = relay(test.db(), Arc::new(SystemClock));
        let started = Instant::now();
        let found = loop {
            relay.bring_now().await.unwrap();
            let found = registered(test.db()).await;
            if found.len() >= 300 {
                break found;
            }
            assert!(started.elapsed() < PATIENCE, "{found:?}");
        };
        assert_eq!(found, (1000..1300).collect::<Vec<_>>());
    }

    async fn many_relays_bring_each_event_once(test: &TestDb) {
        let outbox = set_up(test, Arc::new(SystemClock)).await;
        let stop = CancellationToken::new();
        let relays: Vec<_> =
            (0..4).map(|_| tokio::spawn(relay(test.db(), Arc::new(SystemClock)).run(stop.clone()))).collect();
        for number in 0..40 {
            append(test, &outbox, 1000 + number * 5..1005 + number * 5).await;
        }
        let found = wait_until_registered(test.db(), 200).await;
        stop.cancel();
        for relay in relays {
            relay.await.unwrap();
        }
        assert_eq!(found, (1000..1200).collect::<Vec<_>>());
        assert_eq!(registered(test.db()).await.len(), 200);
    }

    async fn an_event_that_cannot_be_handled_holds_up_the_next_ones_only_for_a_while(test: &TestDb) {
        let clock = ManualClock::at(1_700_000_000_000);
        let outbox = set_up(test, Arc::new(clock.clone())).await;
        append(test, &outbox, 12..=15).await;
        let relay = relay(test.db(), Arc::new(clock.clone()));
        relay.bring_now().await.unwrap();
        // What came before it is done, what it wrote is undone, and what follows waits.
        assert_eq!(registered(test.db()).await, [12]);
        for _ in 0..12 {
            clock.jump(60_000);
            relay.bring_now().await.unwrap();
        }
        assert_eq!(registered(test.db()).await, [12, 15]);
        let mut dead = DeadLetter::list(test.db(), 10).await.unwrap();
        dead.reverse();
        let reasons: Vec<_> = dead.iter().map(|letter| letter.reason.as_str()).collect();
        assert_eq!(reasons, ["thirteen is unlucky", "the handler panicked"]);
        assert!(dead.iter().all(|letter| letter.handler == "register" && letter.event_type == "user.registered"));
    }

    async fn old_events_go_once_everybody_has_them(test: &TestDb) {
        let clock = ManualClock::at(1_700_000_000_000);
        let outbox = set_up(test, Arc::new(clock.clone())).await;
        let options = RelayOptions { poll: Duration::from_millis(20), clean_up: Duration::from_millis(50), ..RelayOptions::default() };
        append(test, &outbox, [1, 2]).await;
        clock.jump(8 * 24 * 3_600_000);
        append(test, &outbox, [3]).await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(relay(test.db(), Arc::new(clock.clone())).with_options(options).run(stop.clone()));
        let started = Instant::now();
        loop {
            let rows = Sql::new("SELECT count(*) FROM events").on(test.db().backend());
            let row = test.db().reader().query_one_raw(rows).await.unwrap().unwrap();
            if row.try_get_by_index::<i64>(0).unwrap() == 1 {
                break;
            }
            assert!(started.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        running.await.unwrap();
        assert_eq!(registered(test.db()).await, [1, 2, 3]);
    }
}

/// What happens next in a story of transactions that overlap.
#[derive(Debug, Clone)]
enum Step {
    Begin,
    Append(usize),
    Commit(usize),
    Undo(usize),
    Bring,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Begin),
        5 => any::<usize>().prop_map(Step::Append),
        3 => any::<usize>().prop_map(Step::Commit),
        1 => any::<usize>().prop_map(Step::Undo),
        3 => Just(Step::Bring),
    ];
    proptest::collection::vec(step, 1..50)
}

/// Plays a story, and returns the numbers that were committed.
async fn play(test: &TestDb, outbox: &Outbox, story: &[Step], first: &mut u128) -> Vec<i64> {
    let relay = relay(test.db(), Arc::new(SystemClock));
    let (mut open, mut committed): (Vec<(Transaction, Vec<i64>)>, Vec<i64>) = (Vec::new(), Vec::new());
    for step in story {
        match step {
            // More would wait for a connection.
            Step::Begin if open.len() < 5 => open.push((test.db().begin().await.unwrap(), Vec::new())),
            Step::Append(which) if !open.is_empty() => {
                let place = which % open.len();
                let (tx, numbers) = &mut open[place];
                *first += 1;
                outbox.append(tx, &user(*first)).await.unwrap();
                numbers.push(i64::try_from(*first).unwrap());
            }
            Step::Commit(which) if !open.is_empty() => {
                let (tx, numbers) = open.remove(which % open.len());
                tx.commit().await.unwrap();
                committed.extend(numbers);
            }
            Step::Undo(which) if !open.is_empty() => {
                let (tx, _) = open.remove(which % open.len());
                tx.rollback().await.unwrap();
            }
            Step::Bring => {
                relay.bring_now().await.unwrap();
                let mut found = registered(test.db()).await;
                found.sort_unstable();
                let mut wanted = committed.clone();
                wanted.sort_unstable();
                assert_eq!(found, wanted, "what is committed is told, once, and nothing else");
            }
            _ => {}
        }
    }
    drop(open);
    relay.bring_now().await.unwrap();
    committed
}

/// Transactions that overlap in any way, on the database where they can: each event that is committed is told once, whenever
/// the relay looks.
#[test]
fn whatever_order_transactions_commit_in_no_event_is_lost_or_repeated() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (test, outbox) = runtime.block_on(async {
        let test = TestDb::postgres().await;
        let outbox = set_up(&test, Arc::new(SystemClock)).await;
        (test, outbox)
    });
    let first = std::cell::Cell::new(100_u128);
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&steps(), |story| {
        runtime.block_on(async {
            test.db().writer().execute_unprepared("DELETE FROM register").await.unwrap();
            let mut next = first.get();
            let mut committed = play(&test, &outbox, &story, &mut next).await;
            first.set(next);
            let mut found = registered(test.db()).await;
            found.sort_unstable();
            committed.sort_unstable();
            prop_assert_eq!(found, committed);
            Ok(())
        })
    });
    runtime.block_on(test.remove());
    outcome.unwrap();
}
