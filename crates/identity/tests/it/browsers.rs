//! Sessions held by a cookie, and requests that other sites have browsers send.

use axum::http::Method;
use kernel::Role;
use platform::{
    both_databases,
    testing::{Answer, TestDb},
};
use serde_json::json;

use super::fixture::{DAY_MS, PASSWORD, World, world};

/// Longer than what was looked up is believed without a Redis to ask.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(600);
const OURS: &str = "http://localhost:8080";

async fn log_in(world: &World, origin: &str) -> Answer {
    let body = json!({ "email": "ann@example.org", "password": PASSWORD, "session": "cookie" });
    world.server.post("/api/v1/auth/login").header("origin", origin).json(&body).send().await
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

both_databases! {
    async fn a_browser_is_known_by_a_cookie_that_scripts_cannot_read(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let answer = log_in(&world, OURS).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let set = answer.header("set-cookie");
        assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && set.contains("; Path=/"), "{set}");
        assert!(answer.json()["tokens"].is_null(), "a script gets no token");
        let me = world.server.get("/api/v1/users/me").header("cookie", &cookie_of(&answer)).send().await;
        assert_eq!(me.json()["email"], "ann@example.org");
    }

    async fn another_site_changes_nothing_with_the_cookie(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let cookie = cookie_of(&log_in(&world, OURS).await);
        let make_key = |headers: &[(&'static str, &str)]| {
            let mut call = world.server.post("/api/v1/api-keys").header("cookie", &cookie);
            for (name, value) in headers {
                call = call.header(name, value);
            }
            call.json(&json!({ "name": "key", "scopes": ["read:articles"] })).send()
        };
        for foreign in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        ] {
            let answer = make_key(foreign).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (403, "/problems/cross-site"), "{foreign:?}");
        }
        assert_eq!(make_key(&[("origin", OURS)]).await.status, 201);
        assert_eq!(make_key(&[("sec-fetch-site", "same-origin")]).await.status, 201);
    }

    async fn another_site_signs_nobody_in(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let answer = log_in(&world, "https://evil.example").await;
        assert_eq!(answer.problem(), "/problems/cross-site");
        assert_eq!(answer.header("set-cookie"), "");
    }

    async fn a_token_needs_no_origin_because_no_browser_adds_it(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let call = world.server.post("/api/v1/api-keys").bearer(&held.access).header("origin", "https://app.example");
        assert_eq!(call.json(&json!({ "name": "key", "scopes": ["read:articles"] })).send().await.status, 201);
    }

    async fn a_bearer_token_counts_more_than_a_cookie(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let cookie = cookie_of(&log_in(&world, OURS).await);
        let bob = world.newcomer("bob@example.org", Role::Creator).await;
        let me = world.server.get("/api/v1/users/me").header("cookie", &cookie);
        assert_eq!(me.bearer(&bob.access).send().await.json()["email"], "bob@example.org");
        let me = world.server.get("/api/v1/users/me").header("cookie", &cookie);
        assert_eq!(me.bearer("nonsense").send().await.status, 401, "and is not passed over when it does not hold");
        let me = world.server.get("/api/v1/users/me").bearer(&bob.access);
        assert_eq!(me.bearer(&bob.access).send().await.status, 401, "two of them are none");
    }

    async fn signing_out_removes_the_cookie_and_ends_the_session(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let cookie = cookie_of(&log_in(&world, OURS).await);
        let out = world.server.post("/api/v1/auth/logout").header("cookie", &cookie).header("origin", OURS).send().await;
        assert_eq!(out.status, 204);
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
        let me = world.server.get("/api/v1/users/me").header("cookie", &cookie).send().await;
        assert_eq!(me.status, 401, "who kept the cookie is not let in");
    }

    async fn a_cookie_is_good_for_as_long_as_it_is_used(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let cookie = cookie_of(&log_in(&world, OURS).await);
        let me = || world.server.call(Method::GET, "/api/v1/users/me").header("cookie", &cookie).send();
        for _ in 0..3 {
            world.clock.jump(10 * DAY_MS);
            assert_eq!(me().await.status, 200);
            world.service.flush_usage().await.unwrap();
            // Who showed the cookie a moment ago is believed for a moment, by a clock that the test does not move.
            tokio::time::sleep(MOMENT).await;
        }
        world.clock.jump(14 * DAY_MS);
        assert_eq!(me().await.status, 401);
    }
}
