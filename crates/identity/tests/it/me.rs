//! What people change of themselves.

use axum::http::Method;
use kernel::Role;
use platform::{both_databases, testing::TestDb};
use serde_json::json;

use super::fixture::{PASSWORD, held, world};

const NEW: &str = "another good password";

both_databases! {
    async fn a_name_is_changed_by_whoever_saw_the_one_before(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let read = world.server.get("/api/v1/users/me").bearer(&held.access).send().await;
        let tag = read.header("etag").to_owned();
        let rename = |name: &'static str| {
            let call = world.patch("/api/v1/users/me").bearer(&held.access).header("if-match", &tag);
            call.json(&json!({ "name": name })).send()
        };
        let renamed = rename("Anna").await;
        assert_eq!((renamed.status.as_u16(), renamed.json()["name"].as_str()), (200, Some("Anna")));
        assert_ne!(renamed.header("etag"), tag);
        assert_eq!(rename("Anne").await.problem(), "/problems/precondition-failed");
        let without = world.patch("/api/v1/users/me").bearer(&held.access).json(&json!({ "name": "Anne" }));
        assert_eq!(without.send().await.problem(), "/problems/precondition-required");
    }

    async fn of_two_changes_at_once_one_is_made(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let tag = world.server.get("/api/v1/users/me").bearer(&held.access).send().await.header("etag").to_owned();
        let rename = |number: u32| {
            let call = world.patch("/api/v1/users/me").bearer(&held.access).header("if-match", &tag);
            tokio::spawn(call.json(&json!({ "name": format!("Ann {number}") })).send())
        };
        let answers = futures::future::join_all((0..6).map(rename)).await;
        let statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 5, "{statuses:?}");
    }

    async fn nobody_makes_more_of_themselves(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        for (field, value) in [("role", "admin"), ("plan", "pro"), ("email", "a@example.org"), ("permissions", "all")] {
            let mut body = json!({ "name": "Ann" });
            body[field] = value.into();
            let call = world.patch("/api/v1/users/me").bearer(&held.access).header("if-match", "*");
            assert_eq!(call.json(&body).send().await.status, 422, "{field}");
        }
        assert_eq!(world.get("/api/v1/users/me", &held.access).await["role"], "creator");
    }

    async fn a_new_password_needs_the_one_before_and_ends_all_other_sessions(test: &TestDb) {
        let world = world(test).await;
        let (one, other) = (world.newcomer("ann@example.org", Role::Creator).await, world.log_in("ann@example.org").await);
        let change = |current: &'static str, new: &'static str| {
            let call = world.server.call(Method::PUT, "/api/v1/users/me/password").bearer(&one.access);
            call.json(&json!({ "current_password": current, "new_password": new })).send()
        };
        let wrong = change("wrong password", NEW).await;
        assert_eq!((wrong.status.as_u16(), wrong.json()["errors"][0]["pointer"].as_str()), (422, Some("/current_password")));
        assert_eq!(change(PASSWORD, "short").await.status, 422);
        assert_eq!(change(PASSWORD, NEW).await.status, 204);
        assert_eq!((world.me(&one.access).await, world.me(&other.access).await), (200, 401));
        assert_eq!(world.try_log_in("ann@example.org", PASSWORD).await.status, 401);
        assert_eq!(world.try_log_in("ann@example.org", NEW).await.status, 200);
    }

    async fn of_two_new_passwords_at_once_one_is_set(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let change = |number: u32| {
            let call = world.server.call(Method::PUT, "/api/v1/users/me/password").bearer(&held.access);
            let new = format!("{NEW} {number}");
            tokio::spawn(call.json(&json!({ "current_password": PASSWORD, "new_password": new })).send())
        };
        let answers = futures::future::join_all((0..4).map(change)).await;
        let statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    }

    async fn nobody_stays_signed_in_with_a_password_that_changed_while_it_was_checked(test: &TestDb) {
        let world = world(test).await;
        let ann = world.newcomer("ann@example.org", Role::Creator).await;
        let change = world.server.call(Method::PUT, "/api/v1/users/me/password").bearer(&ann.access);
        let change = change.json(&json!({ "current_password": PASSWORD, "new_password": NEW })).send();
        let log_in = || world.try_log_in("ann@example.org", PASSWORD);
        let (changed, one, two, three) = tokio::join!(change, log_in(), log_in(), log_in());
        assert_eq!(changed.status, 204);
        for answer in [one, two, three].iter().filter(|answer| answer.status == 200) {
            assert_eq!(world.me(&held(answer).access).await, 401);
        }
        assert_eq!(world.me(&ann.access).await, 200);
    }

    async fn who_is_signed_in_cannot_guess_the_password_without_end(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let change = || {
            let call = world.server.call(Method::PUT, "/api/v1/users/me/password").bearer(&held.access);
            call.json(&json!({ "current_password": "wrong password", "new_password": NEW })).send()
        };
        for _ in 0..10 {
            assert_eq!(change().await.status, 422);
        }
        assert_eq!(change().await.status, 429);
    }
}
