//! What is asked for twice is done once.

use std::{sync::atomic::Ordering, time::Duration};

use axum::http::{Method, StatusCode};
use platform::{
    both_databases,
    db::Sql,
    idempotency::{Claiming, Reply},
    testing::TestDb,
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::fixture::world;

both_databases! {
    async fn the_same_request_is_answered_again_and_not_done_again(test: &TestDb) {
        let world = world(test).await;
        let send = || world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1").json(&json!({ "text": "a" })).send();
        let first = send().await;
        let second = send().await;
        assert_eq!((first.status, first.header("location")), (StatusCode::CREATED, "/notes/a"));
        assert_eq!((second.status, second.header("location")), (StatusCode::CREATED, "/notes/a"));
        assert_eq!(first.body, second.body);
        assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
        assert_eq!(world.notes.count("a").await, 1);
    }

    async fn a_key_belongs_to_one_request_of_one_user(test: &TestDb) {
        let world = world(test).await;
        let send = |user: &'static str, text: &'static str| {
            let call = world.server.post("/notes").bearer(user).header("idempotency-key", "k1");
            call.json(&json!({ "text": text })).send()
        };
        assert_eq!(send("user-1", "a").await.status, StatusCode::CREATED);
        let other = send("user-1", "b").await;
        assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "/problems/idempotency-key-reused"));
        assert_eq!(send("user-2", "b").await.status, StatusCode::CREATED, "another user's key is another key");
        assert_eq!((world.notes.count("a").await, world.notes.count("b").await), (1, 1));
    }

    async fn two_at_once_are_done_once(test: &TestDb) {
        let world = world(test).await;
        let send = || {
            let call = world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1");
            tokio::spawn(call.json(&json!({ "text": "slow" })).send())
        };
        let first = send();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let second = send().await.unwrap();
        assert_eq!((second.status.as_u16(), second.problem().as_str()), (409, "/problems/request-in-flight"));
        assert_eq!(second.header("retry-after"), "1");
        assert_eq!(first.await.unwrap().status, StatusCode::CREATED);
        let answers = futures::future::join_all((0..8).map(|_| send())).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap().status == StatusCode::CREATED));
        assert_eq!(world.notes.count("slow").await, 1);
    }

    async fn many_at_once_are_done_once(test: &TestDb) {
        let world = world(test).await;
        let send = |_| {
            let call = world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1");
            tokio::spawn(call.json(&json!({ "text": "race" })).send())
        };
        for answer in futures::future::join_all((0..20).map(send)).await {
            let status = answer.unwrap().status;
            assert!(status == StatusCode::CREATED || status == StatusCode::CONFLICT, "{status}");
        }
        assert_eq!(world.notes.count("race").await, 1);
    }

    async fn what_failed_may_be_tried_again_under_its_key(test: &TestDb) {
        let world = world(test).await;
        let send = |stars: u8| {
            let call = world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1");
            call.json(&json!({ "text": "a", "stars": stars })).send()
        };
        assert_eq!(send(6).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(send(5).await.status, StatusCode::CREATED);
    }

    async fn an_answer_is_forgotten_after_a_day(test: &TestDb) {
        let world = world(test).await;
        let send = || world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1").json(&json!({ "text": "a" })).send();
        send().await;
        world.clock.jump(24 * 60 * 60 * 1000 - 1);
        assert_eq!(send().await.header("idempotency-replayed"), "true");
        world.clock.jump(1);
        assert_eq!(send().await.header("idempotency-replayed"), "");
        assert_eq!(world.notes.count("a").await, 2);
    }

    async fn a_claim_of_a_process_that_died_is_taken_over_after_its_lease(test: &TestDb) {
        let world = world(test).await;
        let send = || world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1").json(&json!({ "text": "a" })).send();
        send().await;
        // As the row stands when a process dies between its claim and its commit.
        let claim = Sql::new("UPDATE idempotency_keys SET reply = NULL").on(test.db().backend());
        test.db().writer().execute_raw(claim).await.unwrap();
        assert_eq!(send().await.status, StatusCode::CONFLICT);
        world.clock.jump(24 * 60 * 60 * 1000);
        assert_eq!(send().await.status, StatusCode::CREATED);
    }

    async fn an_act_that_outlasts_its_lease_keeps_its_claim(test: &TestDb) {
        let world = world(test).await;
        let Claiming::Granted(claim) = world.idempotency.claim("user:1", "k1", b"upload").await.unwrap() else { panic!() };
        world.clock.jump(15 * 60 * 1000);
        assert_eq!(world.idempotency.remove_expired().await.unwrap(), 0);
        claim.complete(&Reply::empty(204)).await.unwrap();
        let again = world.idempotency.claim("user:1", "k1", b"upload").await.unwrap();
        assert!(matches!(again, Claiming::Replay(Reply { status: 204, .. })), "{again:?}");
        world.clock.jump(48 * 60 * 60 * 1000);
        assert_eq!(world.idempotency.remove_expired().await.unwrap(), 1);
    }

    async fn an_act_without_a_transaction_is_answered_again_too(test: &TestDb) {
        let world = world(test).await;
        let send = || world.server.post("/ping").bearer("user-1").header("idempotency-key", "k1").send();
        assert_eq!(send().await.json(), 0);
        assert_eq!(send().await.json(), 0);
        assert_eq!(world.notes.written.load(Ordering::SeqCst), 1);
    }

    async fn an_odd_key_is_refused(test: &TestDb) {
        let world = world(test).await;
        for key in ["", " ", "a b", &"x".repeat(256)] {
            let answer = world.server.post("/ping").header("idempotency-key", key).send().await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{key:?}");
        }
        let twice = world.server.post("/ping").header("idempotency-key", "a").header("idempotency-key", "b");
        assert_eq!(twice.send().await.status, StatusCode::UNPROCESSABLE_ENTITY);
        let get = world.server.call(Method::GET, "/notes").header("idempotency-key", "a b");
        assert_eq!(get.send().await.status, StatusCode::OK, "only acts have keys");
    }

    async fn stored_answers_are_sealed(test: &TestDb) {
        let world = world(test).await;
        let call = world.server.post("/notes").bearer("user-1").header("idempotency-key", "k1");
        call.json(&json!({ "text": "shown-once" })).send().await;
        let row = test.db().writer().query_one_raw(Sql::new("SELECT reply FROM idempotency_keys").on(test.db().backend()));
        let reply: String = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert!(!reply.is_empty() && !reply.contains("shown-once"));
        let decoded = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &reply).unwrap();
        assert!(!decoded.windows(10).any(|window| window == b"shown-once"));
    }
}
