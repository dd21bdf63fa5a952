//! Nobody is given an old value a second after it was changed, whatever is away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use platform::testing::{RedisServer, TestDb};

use super::fixture::{POLICY, Place, Server, all_things, make_table};

/// After which nothing old may be given out.
const BOUND: Duration = Duration::from_secs(1);

/// Changes a thing on one server again and again while another is read all the time. Returns the longest time after a change
/// at which the old value was still given out.
async fn longest_stale(writer: &Server, reader: &Server, changes: std::ops::Range<i64>) -> Duration {
    let mut longest = Duration::ZERO;
    for value in changes {
        writer.write(1, value, all_things()).await;
        let committed = Instant::now();
        // Nobody who wrote it reads anything older.
        assert_eq!(writer.read(1).await, Ok(Some(value)));
        loop {
            let begun = committed.elapsed();
            let seen = reader.read(1).await.unwrap();
            if seen == Some(value) {
                break;
            }
            longest = longest.max(begun);
            assert!(begun < 2 * BOUND, "{seen:?} is still read after {begun:?}, {value} was written");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // It lies in the reader's memory for a while.
        for _ in 0..10 {
            reader.read(1).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    longest
}

async fn pair(place: Place<'_>) -> (Arc<Server>, Arc<Server>) {
    make_table(place.test).await;
    (place.server().await, place.server().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_is_seen_on_b() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    let url = redis.url();
    let (a, b) = pair(Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder }).await;
    let longest = longest_stale(&a, &b, 1..20).await;
    assert!(longest < BOUND, "{longest:?}");
    assert!(b.computed() <= 2 * 20, "b computed {} times", b.computed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_is_seen_on_b_while_redis_is_away_and_after_it_came_back_empty() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    let url = redis.url();
    let (a, b) = pair(Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder }).await;
    assert!(longest_stale(&a, &b, 1..3).await < BOUND);
    redis.stop();
    let longest = longest_stale(&a, &b, 3..6).await;
    assert!(longest < BOUND, "{longest:?}");
    redis.restart();
    let longest = longest_stale(&a, &b, 6..16).await;
    assert!(longest < BOUND, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_could_not_tell_through_redis_is_told_by_the_database() {
    let (test, redis, folder) = (TestDb::postgres().await, RedisServer::start(), tempfile::tempdir().unwrap());
    make_table(&test).await;
    let (url, nowhere) = (redis.url(), "redis://127.0.0.1:1/0".into());
    let place = Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder };
    let a = Place { redis: Some(&nowhere), ..place }.server().await;
    let (b, c) = (place.server().await, place.server().await);
    c.read(1).await.unwrap();
    // The connection that hears calls is made.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (reader, changes) in [(&b, 1..8), (&c, 8..16)] {
        let longest = longest_stale(&a, reader, changes).await;
        assert!(longest < BOUND, "{longest:?}");
    }
    drop((a, b, c));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_began_to_be_computed_before_a_change_is_not_kept_after_it() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    let url = redis.url();
    let (a, b) = pair(Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder }).await;
    for (round, writer) in [&a, &b].into_iter().enumerate() {
        let (id, value) = (i64::try_from(round).unwrap() + 1, 5);
        let key = id.to_string();
        // The change comes after the value was read, and before it is kept.
        let slow = a.things.get_or_compute(&key, || async {
            writer.write(id, value, all_things()).await;
            // The others are told.
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok::<_, ()>(platform::cache::Computed::found(-1).tagged(all_things()))
        });
        assert_eq!(slow.await.map(|found| found.map(|found| *found)), Ok(Some(-1)));
        tokio::time::sleep(BOUND).await;
        assert_eq!((a.read(id).await, b.read(id).await), (Ok(Some(value)), Ok(Some(value))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_invalidated_by_itself() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    let url = redis.url();
    let (a, b) = pair(Place { test: &test, redis: Some(&url), policy: POLICY, folder: &folder }).await;
    // That there is none is known too.
    for id in [2, 3] {
        assert_eq!((a.read(id).await, b.read(id).await), (Ok(None), Ok(None)));
    }
    assert_eq!((a.computed(), b.computed()), (2, 2), "each knows by itself that there is none");
    a.write(2, 7, a.things.tag("2")).await;
    assert_eq!(a.read(2).await, Ok(Some(7)));
    tokio::time::sleep(BOUND).await;
    assert_eq!(b.read(2).await, Ok(Some(7)));
    let computed = b.computed();
    assert_eq!((a.read(3).await, b.read(3).await), (Ok(None), Ok(None)));
    assert_eq!((a.computed(), b.computed()), (3, computed), "only that key was looked up again");
}
