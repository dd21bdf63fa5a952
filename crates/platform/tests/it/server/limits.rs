//! How much anybody may ask for, and who they are taken for.

use axum::http::StatusCode;
use kernel::Uuid;
use platform::{both_databases, testing::TestDb};
use serde_json::json;

use super::fixture::world_with;

both_databases! {
    async fn a_user_is_limited_and_told_how_much_is_left(test: &TestDb) {
        let world = world_with(test, |parts| parts.settings.user_units_per_minute = 5).await;
        let create = || world.server.post("/notes").bearer("user-1").json(&json!({ "text": "a" })).send();
        let first = create().await;
        assert_eq!(first.status, StatusCode::CREATED);
        assert_eq!(first.header("ratelimit-policy"), "\"user\";q=5;w=60");
        assert!(first.header("ratelimit").starts_with("\"user\";r=2;t="), "{}", first.header("ratelimit"));
        let refused = create().await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (429, "/problems/rate-limited"));
        let wait: i64 = refused.header("retry-after").parse().unwrap();
        assert_eq!(world.server.get("/me").bearer("user-1").send().await.status, StatusCode::OK, "a cheaper one fits");
        assert_eq!(world.server.get("/me").bearer("user-2").send().await.status, StatusCode::OK, "another user");
        world.clock.jump(wait * 1000 + 60_000);
        assert_eq!(create().await.status, StatusCode::CREATED);
    }

    async fn strangers_are_limited_by_their_network(test: &TestDb) {
        let world = world_with(test, |parts| parts.settings.address_units_per_minute = 2).await;
        let ask = |address: &'static str| world.server.get("/notes").from(address).send();
        assert_eq!(ask("2001:db8::1").await.status, StatusCode::OK);
        assert_eq!(ask("2001:db8::2").await.status, StatusCode::OK);
        assert_eq!(ask("2001:db8::3").await.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(ask("2001:db8:0:1::3").await.status, StatusCode::OK);
    }

    async fn guesses_at_tokens_are_limited_as_well(test: &TestDb) {
        let world = world_with(test, |parts| parts.settings.address_units_per_minute = 3).await;
        for _ in 0..3 {
            assert_eq!(world.server.get("/me").bearer("guess").send().await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(world.server.get("/me").bearer("guess").send().await.status, StatusCode::TOO_MANY_REQUESTS);
    }

    async fn a_forwarded_address_counts_only_where_a_trusted_proxy_says_it(test: &TestDb) {
        let world = world_with(test, |parts| parts.settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
        let seen = |peer: &'static str, forwarded: &'static str| {
            let call = world.server.get("/me").bearer("user-1").from(peer).header("x-forwarded-for", forwarded);
            async move { call.send().await.json().as_str().unwrap().split_once(' ').unwrap().1.to_owned() }
        };
        assert_eq!(seen("203.0.113.9", "127.0.0.1").await, "203.0.113.9");
        assert_eq!(seen("10.0.0.1", "127.0.0.1, 203.0.113.9").await, "203.0.113.9");
        assert_eq!(seen("10.0.0.1", "203.0.113.9, 10.1.1.1").await, "203.0.113.9");
    }

    async fn who_spoofs_an_address_is_still_limited_and_sees_no_numbers(test: &TestDb) {
        let world = world_with(test, |parts| parts.settings.address_units_per_minute = 2).await;
        let ask = |forwarded: &str| world.server.get("/metrics").header("x-forwarded-for", forwarded).send();
        assert_eq!(ask("127.0.0.1").await.status, StatusCode::NOT_FOUND);
        assert_eq!(ask("198.51.100.1").await.status, StatusCode::NOT_FOUND);
        assert_eq!(ask("198.51.100.2").await.status, StatusCode::TOO_MANY_REQUESTS);
    }

    async fn who_asks_is_told_to_the_handler(test: &TestDb) {
        let world = world_with(test, |_| {}).await;
        let answer = world.server.get("/me").bearer("user-7").send().await;
        assert_eq!(answer.json(), format!("{} 192.0.2.1", Uuid::from_u128(7)));
    }
}
