//! How long values last, and what is given out where the source fails.

use std::time::Duration;

use platform::{
    cache::Policy,
    testing::{RedisServer, TestDb},
};

use super::fixture::{Down, POLICY, Place, all_things, make_table};

const SHORT: Policy = Policy {
    ttl: Duration::from_millis(300),
    absent_ttl: Duration::from_millis(300),
    grace: Duration::from_mins(1),
    ..POLICY
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_source_fails_an_old_value_serves_and_never_one_that_was_changed() {
    let (test, redis, folder) = (TestDb::sqlite().await, RedisServer::start(), tempfile::tempdir().unwrap());
    make_table(&test).await;
    let url = redis.url();
    let place = Place { test: &test, redis: Some(&url), policy: SHORT, folder: &folder };
    let (a, b) = (place.server().await, place.server().await);
    assert_eq!((a.read(1).await, a.computed()), (Ok(Some(0)), 1));
    tokio::time::sleep(SHORT.ttl).await;
    assert_eq!((a.read(1).await, a.computed()), (Ok(Some(0)), 2), "it had its time");
    tokio::time::sleep(SHORT.ttl).await;
    assert_eq!(a.read_without_source(1).await, Ok(Some(0)), "from memory");
    assert_eq!(b.read_without_source(1).await, Ok(Some(0)), "from Redis");
    a.write(1, 1, all_things()).await;
    assert_eq!(a.read_without_source(1).await, Err(Down));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(b.read_without_source(1).await, Err(Down));
    assert_eq!(b.read(1).await, Ok(Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_there_is_none_is_known_for_a_while_or_not_at_all() {
    let (test, folder) = (TestDb::sqlite().await, tempfile::tempdir().unwrap());
    make_table(&test).await;
    let place = Place { test: &test, redis: None, policy: SHORT, folder: &folder };
    let server = place.server().await;
    assert_eq!((server.read(9).await, server.read(9).await, server.computed()), (Ok(None), Ok(None), 1));
    tokio::time::sleep(SHORT.absent_ttl).await;
    assert_eq!((server.read(9).await, server.computed()), (Ok(None), 2));
    let forgetful = Place { policy: Policy { absent_ttl: Duration::ZERO, ..SHORT }, ..place }.server().await;
    assert_eq!((forgetful.read(9).await, forgetful.read(9).await, forgetful.computed()), (Ok(None), Ok(None), 2));
}
