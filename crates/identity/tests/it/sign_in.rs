//! Signing up and in, and what whoever fails learns.

use identity::{IdentitySettings, SignUp};
use kernel::Role;
use platform::{both_databases, testing::TestDb};
use serde_json::json;

use super::fixture::{DAY_MS, MINUTE_MS, PASSWORD, held, settings, world, world_with};

both_databases! {
    async fn who_signs_up_can_sign_in(test: &TestDb) {
        let world = world(test).await;
        let body = json!({ "email": "Ann@Example.org", "name": "Ann", "password": PASSWORD });
        let made = world.server.post("/api/v1/auth/sign-up").json(&body).send().await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!((made.json()["role"].as_str(), made.json()["plan"].as_str()), (Some("creator"), Some("free")));
        let held = world.log_in("ann@example.org").await;
        let me = world.get("/api/v1/users/me", &held.access).await;
        assert_eq!(me["email"], "ann@example.org");
        assert!(me["last_login_at"].is_string());
    }

    async fn nobody_signs_up_twice_or_as_more_than_they_may(test: &TestDb) {
        let world = world(test).await;
        let body = json!({ "email": "ann@example.org", "name": "Ann", "password": PASSWORD });
        assert_eq!(world.server.post("/api/v1/auth/sign-up").json(&body).send().await.status, 201);
        let again = json!({ "email": "ANN@example.org", "name": "Eve", "password": PASSWORD });
        let answer = world.server.post("/api/v1/auth/sign-up").json(&again).send().await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (409, "/problems/conflict"));
        for (field, value) in [("role", "admin"), ("plan", "enterprise"), ("status", "active"), ("id", "1")] {
            let mut more = json!({ "email": "eve@example.org", "name": "Eve", "password": PASSWORD });
            more[field] = value.into();
            let answer = world.server.post("/api/v1/auth/sign-up").json(&more).send().await;
            assert_eq!(answer.status, 422, "{field}");
            assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"));
        }
    }

    async fn what_is_no_address_name_or_password_is_named(test: &TestDb) {
        let world = world(test).await;
        let cases = [
            ("email", json!("ann")),
            ("email", json!("ann@example.org\r\nBcc: eve@example.org")),
            ("name", json!("Ann\nINFO signed in")),
            ("name", json!("")),
            ("password", json!("short")),
            ("password", json!("aaaaaaaaaaaa")),
            ("password", json!(7)),
        ];
        for (field, value) in cases {
            let mut body = json!({ "email": "ann@example.org", "name": "Ann", "password": PASSWORD });
            body[field] = value;
            let answer = world.server.post("/api/v1/auth/sign-up").json(&body).send().await;
            assert_eq!(answer.problem(), "/problems/validation", "{body}");
            assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{field}"), "{body}");
        }
    }

    async fn where_it_is_closed_nobody_signs_up(test: &TestDb) {
        let world = world_with(test, IdentitySettings { sign_up: SignUp::Closed, ..settings() }).await;
        let body = json!({ "email": "ann@example.org", "name": "Ann", "password": PASSWORD });
        assert_eq!(world.server.post("/api/v1/auth/sign-up").json(&body).send().await.status, 403);
    }

    async fn a_wrong_password_an_unknown_address_and_a_banned_user_look_and_cost_the_same(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await;
        world.user("ann@example.org", Role::Creator).await;
        world.user("banned@example.org", Role::Creator).await;
        let users = world.get("/api/v1/admin/users?email=banned", &admin.access).await;
        let path = format!("/api/v1/admin/users/{}", users["items"][0]["id"].as_str().unwrap());
        let ban = world.patch(&path).bearer(&admin.access).header("if-match", "*").json(&json!({ "status": "banned" }));
        assert_eq!(ban.send().await.status, 200);
        let mut seen = Vec::new();
        for (email, password) in [
            ("ann@example.org", "wrong password"),
            ("nobody@example.org", PASSWORD),
            ("banned@example.org", PASSWORD),
        ] {
            let (hashes, acts) = (world.service.hash_count(), world.acts(&admin.access).await.len());
            let answer = world.try_log_in(email, password).await;
            let mut body = answer.json();
            body["request_id"].take();
            let written = world.acts(&admin.access).await.len() - acts;
            seen.push((answer.status, body, world.service.hash_count() - hashes, written));
        }
        assert_eq!(seen[0].0, 401);
        assert_eq!((seen[0].2, seen[0].3), (1, 1), "one hash, one entry");
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
    }

    async fn guesses_are_throttled_whether_or_not_there_is_such_a_user(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        for email in ["ann@example.org", "nobody@example.org"] {
            for _ in 0..10 {
                assert_eq!(world.try_log_in(email, "wrong password").await.status, 401);
            }
            let hashes = world.service.hash_count();
            let answer = world.try_log_in(email, PASSWORD).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (429, "/problems/rate-limited"), "{email}");
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
            assert_eq!(world.service.hash_count(), hashes, "nothing is hashed for who is throttled");
        }
        // Its owner, elsewhere, is not locked out by those guesses.
        let elsewhere = world.server.post("/api/v1/auth/login").from("198.51.100.9");
        let answer = elsewhere.json(&json!({ "email": "ann@example.org", "password": PASSWORD })).send().await;
        assert_eq!(answer.status, 200);
        world.clock.jump(30 * MINUTE_MS);
        world.log_in("ann@example.org").await;
    }

    async fn a_session_ends_when_it_is_signed_out_of(test: &TestDb) {
        let world = world(test).await;
        let (one, other) = (world.newcomer("ann@example.org", Role::Creator).await, world.log_in("ann@example.org").await);
        let sessions = world.get("/api/v1/auth/sessions", &one.access).await;
        assert_eq!(sessions["items"].as_array().unwrap().len(), 2);
        assert_eq!(world.server.post("/api/v1/auth/logout").bearer(&one.access).send().await.status, 204);
        assert_eq!((world.me(&one.access).await, world.me(&other.access).await), (401, 200));
        assert_eq!(world.refresh(&one.refresh).await.status, 401);
        assert_eq!(world.refresh(&other.refresh).await.status, 200);
    }

    async fn all_sessions_end_when_everything_is_signed_out_of(test: &TestDb) {
        let world = world(test).await;
        let (one, other) = (world.newcomer("ann@example.org", Role::Creator).await, world.log_in("ann@example.org").await);
        let bystander = world.newcomer("bob@example.org", Role::Creator).await;
        assert_eq!(world.server.post("/api/v1/auth/logout-all").bearer(&one.access).send().await.status, 204);
        assert_eq!((world.me(&one.access).await, world.me(&other.access).await), (401, 401));
        assert_eq!(world.refresh(&other.refresh).await.status, 401);
        assert_eq!(world.me(&bystander.access).await, 200);
    }

    async fn one_session_is_ended_from_another_but_never_by_somebody_else(test: &TestDb) {
        let world = world(test).await;
        let (one, other) = (world.newcomer("ann@example.org", Role::Creator).await, world.log_in("ann@example.org").await);
        let eve = world.newcomer("eve@example.org", Role::Admin).await;
        let sessions = world.get("/api/v1/auth/sessions", &one.access).await;
        let mut items = sessions["items"].as_array().unwrap().iter();
        let id = items.find(|session| session["is_current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/auth/sessions/{id}");
        assert_eq!(world.delete(&path).bearer(&eve.access).send().await.status, 404);
        assert_eq!(world.me(&other.access).await, 200);
        assert_eq!(world.delete(&path).bearer(&one.access).send().await.status, 204);
        assert_eq!(world.me(&other.access).await, 401);
        assert_eq!(world.delete(&path).bearer(&one.access).send().await.status, 404);
    }

    async fn an_access_token_is_good_for_a_quarter_of_an_hour(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        world.clock.jump(15 * MINUTE_MS - 1);
        assert_eq!(world.me(&held.access).await, 200);
        world.clock.jump(1);
        let answer = world.server.get("/api/v1/users/me").bearer(&held.access).send().await;
        assert_eq!(answer.problem(), "/problems/unauthenticated");
        assert!(answer.json()["detail"].as_str().unwrap().contains("run out"));
        // Who renews a session still sends what has run out.
        let renew = world.server.post("/api/v1/auth/refresh").bearer(&held.access);
        let answer = renew.json(&json!({ "refresh_token": held.refresh })).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn a_session_ends_for_want_of_use_and_at_its_age(test: &TestDb) {
        let world = world(test).await;
        let idle = world.newcomer("ann@example.org", Role::Creator).await;
        let mut used = world.log_in("ann@example.org").await;
        for _ in 0..8 {
            world.clock.jump(10 * DAY_MS);
            used = held(&world.refresh(&used.refresh).await);
            world.service.flush_usage().await.unwrap();
        }
        assert_eq!(world.refresh(&idle.refresh).await.status, 401, "not used for two weeks");
        world.clock.jump(10 * DAY_MS);
        assert_eq!(world.refresh(&used.refresh).await.status, 401, "ninety days old");
    }

    async fn a_replayed_sign_in_opens_one_session(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let send = || {
            let call = world.server.post("/api/v1/auth/login").header("idempotency-key", "k1");
            call.json(&json!({ "email": "ann@example.org", "password": PASSWORD })).send()
        };
        let (first, second) = (send().await, send().await);
        assert_eq!(first.body, second.body);
        let sessions = world.get("/api/v1/auth/sessions", &held(&first).access).await;
        assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    }
}
