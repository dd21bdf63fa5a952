//! The audit log: every act that matters, and no change of it without a trace.

use identity::{BreakReason, Verification};
use kernel::Role;
use platform::{both_databases, db::Sql, testing::TestDb};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::fixture::{PASSWORD, World, world};

async fn execute(test: &TestDb, sql: &str) {
    test.db().writer().execute_raw(Sql::new(sql).on(test.db().backend())).await.unwrap();
}

/// A log of ten entries.
async fn written(test: &TestDb) -> World {
    let world = world(test).await;
    world.user("ann@example.org", Role::Creator).await;
    for _ in 0..9 {
        world.log_in("ann@example.org").await;
    }
    assert_eq!(world.service.verify_audit().await.unwrap(), Verification::Whole { entries: 10 });
    world
}

both_databases! {
    async fn acts_that_matter_are_written_down_with_who_and_from_where(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        world.try_log_in("ann@example.org", "wrong password").await;
        let key = json!({ "name": "key", "scopes": ["read:articles"] });
        world.server.post("/api/v1/api-keys").bearer(&held.access).json(&key).send().await;
        world.server.post("/api/v1/auth/logout").bearer(&held.access).send().await;
        let expected = [
            "user.created", "session.created", "user.created", "session.created", "session.refused", "api_key.created",
            "session.ended",
        ];
        assert_eq!(world.acts(&admin.access).await, expected);
        let page = world.get("/api/v1/admin/audit?act=api_key.created", &admin.access).await;
        let entry = &page["items"][0];
        assert_eq!(entry["address"], "192.0.2.1");
        assert_eq!(entry["details"], json!({ "scopes": ["read:articles"] }));
        let actor = entry["actor"].as_str().unwrap();
        let by = world.get(&format!("/api/v1/admin/audit?actor={actor}"), &admin.access).await;
        assert_eq!(by["items"].as_array().unwrap().len(), 3);
    }

    async fn no_secret_and_no_mail_address_is_written_down(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await;
        world.try_log_in("ann@example.org", "wrong password").await;
        world.try_log_in("admin@example.org", PASSWORD).await;
        let log = world.get("/api/v1/admin/audit", &admin.access).await.to_string();
        for secret in ["example.org", PASSWORD, "wrong password", "prr_", "prs_"] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }

    async fn acts_at_once_make_one_chain(test: &TestDb) {
        let world = world(test).await;
        let logins = (0..20).map(|_| {
            let call = world.server.post("/api/v1/auth/login").from("198.51.100.1");
            tokio::spawn(call.json(&json!({ "email": "nobody@example.org", "password": PASSWORD })).send())
        });
        futures::future::join_all(logins.collect::<Vec<_>>()).await;
        assert_eq!(world.service.verify_audit().await.unwrap(), Verification::Whole { entries: 20 });
    }

    async fn a_changed_entry_is_found(test: &TestDb) {
        let world = written(test).await;
        execute(test, "UPDATE audit_log SET act = 'user.unbanned' WHERE number = 4").await;
        let broken = Verification::Broken { number: 4, reason: BreakReason::Changed };
        assert_eq!(world.service.verify_audit().await.unwrap(), broken);
    }

    async fn a_missing_entry_is_found(test: &TestDb) {
        let world = written(test).await;
        execute(test, "DELETE FROM audit_log WHERE number = 4").await;
        let broken = Verification::Broken { number: 5, reason: BreakReason::Gap };
        assert_eq!(world.service.verify_audit().await.unwrap(), broken);
        execute(test, "UPDATE audit_log SET number = number - 1 WHERE number = 5").await;
        let broken = Verification::Broken { number: 4, reason: BreakReason::Changed };
        assert_eq!(world.service.verify_audit().await.unwrap(), broken, "closing the gap does not help");
    }

    async fn entries_cut_off_at_the_end_are_found(test: &TestDb) {
        let world = written(test).await;
        execute(test, "DELETE FROM audit_log WHERE number > 7").await;
        let broken = Verification::Broken { number: 7, reason: BreakReason::CutOff };
        assert_eq!(world.service.verify_audit().await.unwrap(), broken);
    }

    async fn an_entry_put_in_is_found(test: &TestDb) {
        let world = written(test).await;
        execute(
            test,
            "INSERT INTO audit_log (number, at, actor, act, subject, address, details, key_id, code) \
             SELECT 11, at, actor, act, subject, address, details, key_id, code FROM audit_log WHERE number = 10",
        )
        .await;
        execute(test, "UPDATE audit_head SET number = 11").await;
        let broken = Verification::Broken { number: 11, reason: BreakReason::Changed };
        assert_eq!(world.service.verify_audit().await.unwrap(), broken);
    }
}
