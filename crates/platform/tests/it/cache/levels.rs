//! From which level a value comes, and which values are none.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::future::join_all;
use platform::{
    cache::{Computed, Policy, Reach},
    redis::Redis,
    testing::{RedisServer, TestDb},
};

use super::fixture::{Down, POLICY, Place, all_things, make_table};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_misses_at_once_on_two_servers_compute_once() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    let url = redis.url();
    let place = Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder };
    let servers = [place.server().await, place.server().await];
    let computed = AtomicU32::new(0);
    let computed = &computed;
    let reads = (0..1000).map(|turn| {
        let things = servers[turn % 2].things.clone();
        async move {
            let compute = || async {
                computed.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok::<_, Down>(Computed::found(7))
            };
            things.get_or_compute("key", compute).await.unwrap().map(|value| *value)
        }
    });
    assert!(join_all(reads).await.iter().all(|value| *value == Some(7)));
    assert_eq!(computed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_thousand_misses_at_once_compute_once_and_failures_are_everybodys_own() {
    let (test, folder) = (TestDb::sqlite().await, tempfile::tempdir().unwrap());
    let server = Place { test: &test, redis: None, policy: POLICY, folder: &folder }.server().await;
    let computed = AtomicU32::new(0);
    let read = |key: &'static str, result: Result<i64, Down>| {
        let (things, computed) = (server.things.clone(), &computed);
        async move {
            let compute = || async {
                computed.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(200)).await;
                result.map(Computed::found)
            };
            things.get_or_compute(key, compute).await.map(|found| found.map(|value| *value))
        }
    };
    assert!(join_all((0..1000).map(|_| read("good", Ok(7)))).await.iter().all(|value| *value == Ok(Some(7))));
    assert_eq!(computed.swap(0, Ordering::SeqCst), 1);
    assert!(join_all((0..20).map(|_| read("bad", Err(Down)))).await.iter().all(|value| *value == Err(Down)));
    assert_eq!(computed.load(Ordering::SeqCst), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_computes_and_goes_away_leaves_it_to_another() {
    let (test, folder) = (TestDb::sqlite().await, tempfile::tempdir().unwrap());
    let server = Place { test: &test, redis: None, policy: POLICY, folder: &folder }.server().await;
    let gone = server.things.get_or_compute("key", std::future::pending::<Result<Computed<i64>, Down>>);
    let waits = server.things.get_or_compute("key", || async { Ok::<_, Down>(Computed::found(7)) });
    let waits = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::select! {
            biased;
            _ = tokio::time::timeout(Duration::from_millis(50), gone) => {}
        }
        waits.await
    });
    assert_eq!(waits.await.unwrap().unwrap().as_deref(), Some(&7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_goes_from_each_level_to_the_nearer_ones() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    make_table(&test).await;
    let url = redis.url();
    let policy = Policy { reach: Reach::TeamAndDisk, ..POLICY };
    let place = Place { test: &test, redis: Some(&url), policy, folder: &folder };
    let first = place.server().await;
    assert_eq!(first.read(1).await, Ok(Some(0)));
    let second = place.server().await;
    assert_eq!((second.read(1).await, second.computed()), (Ok(Some(0)), 0), "from Redis");

    let connection = Redis::open(&url).unwrap();
    forget_values(&connection).await;
    let third = place.server().await;
    assert_eq!((third.read(1).await, third.computed()), (Ok(Some(0)), 0), "from the disk");
    let elsewhere = tempfile::tempdir().unwrap();
    let fourth = Place { folder: &elsewhere, ..place }.server().await;
    assert_eq!((fourth.read(1).await, fourth.computed()), (Ok(Some(0)), 0), "it went from the disk to Redis");

    // Another shape is another value.
    let newer = Place { policy: Policy { version: 2, ..policy }, ..place }.server().await;
    assert_eq!((newer.read(1).await, newer.computed()), (Ok(Some(0)), 1));

    // What was changed meanwhile is old on every level.
    first.write(1, 8, all_things()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    forget_values(&connection).await;
    let fifth = place.server().await;
    assert_eq!((fifth.read(1).await, fifth.computed()), (Ok(Some(8)), 1));

    // A Redis that was emptied knows of no change: nothing from before counts.
    redis.restart();
    let sixth = place.server().await;
    let is_back = async { while sixth.read(1).await != Ok(Some(8)) || sixth.computed() == 0 {} };
    tokio::time::timeout(Duration::from_secs(20), is_back).await.expect("it is computed");
}

/// Removes values from Redis, as it does when it has no room, and leaves what is known of changes.
async fn forget_values(redis: &Redis) {
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("pressroom:cache:things:*").query_async(&mut redis.shared()).await.unwrap();
    assert!(!keys.is_empty());
    redis::cmd("DEL").arg(keys).query_async::<()>(&mut redis.shared()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_wrote_into_redis_is_not_believed() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    make_table(&test).await;
    let url = redis.url();
    let place = Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder };
    let first = place.server().await;
    first.write(2, 2, all_things()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((first.read(1).await, first.read(2).await), (Ok(Some(0)), Ok(Some(2))));
    let shared = &mut Redis::open(&url).unwrap().shared();
    let keys: Vec<String> = redis::cmd("KEYS").arg("pressroom:cache:things:*").query_async(shared).await.unwrap();
    assert_eq!(keys.len(), 2);
    for key in &keys {
        assert!(!key.ends_with(":1") && !key.ends_with(":2"), "keys are hashed: {key}");
        let value: Vec<u8> = redis::cmd("HGET").arg(key).arg("value").query_async(shared).await.unwrap();
        assert!(!value.is_ascii(), "values are sealed");
    }
    // Each gets the other's value.
    let copies: Vec<Vec<Vec<u8>>> = {
        let mut copies = Vec::new();
        for key in &keys {
            copies.push(redis::cmd("HGETALL").arg(key).query_async(shared).await.unwrap());
        }
        copies
    };
    for (key, copy) in keys.iter().zip(copies.iter().rev()) {
        redis::cmd("HSET").arg(key).arg(copy).query_async::<()>(shared).await.unwrap();
    }
    let second = place.server().await;
    assert_eq!((second.read(1).await, second.read(2).await), (Ok(Some(0)), Ok(Some(2))));
    assert_eq!(second.computed(), 2, "it asked the source");
}
