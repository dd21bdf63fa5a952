//! Locks between servers that share a database and a Redis, or have lost it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::{SystemClock, TimeOrderedIds};
use platform::{
    both_databases,
    db::{Db, migrate},
    locks::{self, Lease, LockError, Locks, LocksHealth},
    redis::Redis,
    rng::SystemRng,
    server::health::Component as _,
    testing::{RedisServer, TestDb},
};
use sea_orm::ConnectionTrait as _;
use secrecy::SecretString;

/// Short, so that tests are; long enough for a machine that does much at once.
const LEASE: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_secs(30);

/// The locks of a server of its own.
async fn server(test: &TestDb, redis: Option<&SecretString>) -> Locks {
    migrate::up(test.db(), &[locks::migrations()]).await.unwrap();
    let ids = TimeOrderedIds::new(Arc::new(SystemClock), Arc::new(SystemRng));
    let redis = redis.map(|url| Redis::open(url).unwrap().patient(Duration::from_secs(5)));
    Locks::new(Db::open(test.options()).await.unwrap(), redis, Arc::new(ids)).leased_for(LEASE)
}

async fn take(locks: &Locks) -> Lease {
    let take = async {
        loop {
            if let Some(lease) = locks.try_take("sweep").await.unwrap() {
                return lease;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, take).await.expect("the lock comes free")
}

async fn is_free(locks: &Locks) -> bool {
    locks.try_take("sweep").await.unwrap().is_some()
}

/// Leaves a lock as a process does that is killed: nothing is given up.
async fn die_with(test: &TestDb, lease: Lease) {
    let row = "UPDATE locks SET holder = 'a process that died', fence = fence + 1";
    test.db().writer().execute_unprepared(row).await.unwrap();
    tokio::time::timeout(PATIENCE, lease.lost().cancelled()).await.expect("it is noticed");
}

both_databases! {
    async fn one_of_many_holds_it_and_the_next_has_a_greater_number(test: &TestDb) {
        let redis = RedisServer::start();
        let url = redis.url();
        let (a, b) = (server(test, Some(&url)).await, server(test, Some(&url)).await);
        let held = take(&a).await;
        assert!(!is_free(&b).await && !is_free(&a).await);
        assert!(b.try_take("another").await.unwrap().is_some());
        // It is kept for far longer than a lease.
        let until = Instant::now() + 2 * LEASE;
        while Instant::now() < until {
            assert!(!is_free(&b).await && !held.is_lost());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let fence = held.fence();
        held.release().await;
        let next = b.try_take("sweep").await.unwrap().expect("it is free");
        assert!(next.fence() > fence);
        drop(next);
        take(&a).await.release().await;
    }

    async fn a_lock_whose_holder_died_is_taken_after_a_lease_and_not_before(test: &TestDb) {
        let redis = RedisServer::start();
        let url = redis.url();
        let (a, b) = (server(test, Some(&url)).await, server(test, Some(&url)).await);
        let held = take(&a).await;
        let fence = held.fence();
        die_with(test, held).await;
        let died = Instant::now();
        assert!(!is_free(&b).await);
        let next = take(&b).await;
        assert!(died.elapsed() >= LEASE, "{:?}", died.elapsed());
        assert!(next.fence() > fence + 1);
    }

    async fn whoever_lost_it_changes_nothing_more(test: &TestDb) {
        let held = take(&server(test, None).await).await;
        let (db, held) = (test.db(), &held);
        let checked = db.transaction(|tx| async move { held.check_in(&tx).await }).await;
        assert!(checked.is_ok(), "{checked:?}");
        // Another takes it as soon as it may, while this one still believes that it holds it.
        let row = "UPDATE locks SET holder = 'another', fence = fence + 1";
        test.db().writer().execute_unprepared(row).await.unwrap();
        let refused = db.transaction(|tx| async move { held.check_in(&tx).await }).await;
        assert!(matches!(refused, Err(LockError::Lost { .. })), "{refused:?}");
        tokio::time::timeout(PATIENCE, held.lost().cancelled()).await.expect("it is told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_never_two_holders_whatever_becomes_of_redis() {
    let (test, redis) = (TestDb::sqlite().await, RedisServer::start());
    let (url, nowhere) = (redis.url(), "redis://127.0.0.1:1/0".into());
    // One of them never reaches Redis, and one has none.
    let servers = [
        server(&test, Some(&url)).await,
        server(&test, Some(&url)).await,
        server(&test, Some(&nowhere)).await,
        server(&test, None).await,
    ];
    let (holders, taken) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let until = Instant::now() + Duration::from_secs(4);
    let work = servers.into_iter().map(|locks| {
        let (holders, taken) = (holders.clone(), taken.clone());
        tokio::spawn(async move {
            let mut last = 0;
            while Instant::now() < until {
                if let Some(lease) = locks.try_take("sweep").await.unwrap() {
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    assert!(lease.fence() > last);
                    last = lease.fence();
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    holders.fetch_sub(1, Ordering::SeqCst);
                    taken.fetch_add(1, Ordering::SeqCst);
                    lease.release().await;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    });
    let trouble = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            redis.stop();
            tokio::time::sleep(Duration::from_millis(300)).await;
            redis.restart();
        }
    };
    let (ended, ()) = tokio::join!(futures::future::join_all(work), trouble);
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert!(taken.load(Ordering::SeqCst) >= 10, "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_keeps_its_lock_while_redis_is_emptied_and_says_on_what_it_runs() {
    let (test, redis) = (TestDb::sqlite().await, RedisServer::start());
    let url = redis.url();
    let (a, b) = (server(&test, Some(&url)).await, server(&test, Some(&url)).await);
    let held = take(&a).await;
    redis.stop();
    let health = LocksHealth(Redis::open(&url).unwrap().patient(Duration::from_secs(5)));
    assert_eq!(health.check().await, Ok(()), "nobody noticed yet");
    let ping = |mut connection| async move { redis::cmd("PING").query_async::<()>(&mut connection).await };
    health.0.soon(ping).await.unwrap_err();
    assert!(health.check().await.is_err());
    assert!(!is_free(&b).await);
    redis.restart();
    let until = Instant::now() + LEASE;
    while Instant::now() < until {
        assert!(!is_free(&b).await && !held.is_lost());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    held.release().await;
    take(&b).await.release().await;
}
