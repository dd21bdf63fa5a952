//! Two servers of a team: what is taken away on one is soon taken away on the other.

use std::time::{Duration, Instant};

use kernel::{ManualClock, Role};
use platform::{
    redis::Redis,
    testing::{RedisServer, TestDb},
};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fixture::{World, settings, world_of};

/// How long what was taken away may still be good elsewhere.
const BOUND: Duration = Duration::from_secs(1);

/// A server with its own connections, which hears what others do.
async fn server(test: &TestDb, redis: &Redis) -> (World, DropGuard) {
    let caches = test.caches_on(Some(redis));
    let stop = CancellationToken::new();
    tokio::spawn({
        let (caches, stop) = (caches.clone(), stop.clone());
        async move { caches.run(stop).await }
    });
    (world_of(test, settings(), ManualClock::at(1_800_000_000_000), caches).await, stop.drop_guard())
}

/// How long after `since` the other server still lets somebody in.
async fn let_in_for(world: &World, shown: &str, since: Instant) -> Duration {
    let mut last = Duration::ZERO;
    loop {
        let asked = since.elapsed();
        if world.me(shown).await == 401 {
            return last;
        }
        last = asked;
        assert!(last < 2 * BOUND, "still let in after {last:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_away_on_one_server_is_soon_refused_by_the_other() {
    let (test, redis) = (TestDb::sqlite().await, RedisServer::start());
    let open = || Redis::open(&redis.url()).unwrap().patient(Duration::from_secs(5));
    let ((a, _a), (b, _b)) = (server(&test, &open()).await, server(&test, &open()).await);
    for has_redis in [true, false] {
        let held = a.newcomer(&format!("ann-{has_redis}@example.org"), Role::Creator).await;
        let body = json!({ "name": "key", "scopes": ["read:articles"] });
        let made = a.server.post("/api/v1/api-keys").bearer(&held.access).json(&body).send().await.json();
        let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
        if !has_redis {
            redis.stop();
        }
        for world in [&a, &b] {
            assert_eq!((world.me(key).await, world.me(&held.access).await), (200, 200));
        }
        let path = format!("/api/v1/api-keys/{id}");
        assert_eq!(a.delete(&path).bearer(&held.access).send().await.status, 204);
        let revoked = Instant::now();
        assert_eq!(a.me(key).await, 401, "at once where it was revoked");
        let longest = let_in_for(&b, key, revoked).await;
        assert!(longest < BOUND, "{longest:?}");
        assert_eq!((a.me(&held.access).await, b.me(&held.access).await), (200, 200));
        assert_eq!(a.server.post("/api/v1/auth/logout-all").bearer(&held.access).send().await.status, 204);
        let longest = let_in_for(&b, &held.access, Instant::now()).await;
        assert!(longest < BOUND, "{longest:?}");
    }
}
