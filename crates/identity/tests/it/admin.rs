//! What admins do with users.

use kernel::Role;
use platform::{
    both_databases,
    db::Sql,
    testing::{Answer, TestDb},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::fixture::{PASSWORD, World, world};

async fn id_of(world: &World, admin: &str, email: &str) -> String {
    let users = world.get(&format!("/api/v1/admin/users?email={email}"), admin).await;
    users["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn change(world: &World, admin: &str, email: &str, body: Value) -> Answer {
    let path = format!("/api/v1/admin/users/{}", id_of(world, admin, email).await);
    let tag = world.server.get(&path).bearer(admin).send().await.header("etag").to_owned();
    world.patch(&path).bearer(admin).header("if-match", &tag).json(&body).send().await
}

both_databases! {
    async fn users_are_found_by_what_they_are(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        for (email, role) in [("ann@example.org", Role::Creator), ("a_n@example.org", Role::Viewer)] {
            world.user(email, role).await;
        }
        let emails = async |query: &str| {
            let page = world.get(&format!("/api/v1/admin/users{query}"), &admin).await;
            let items = page["items"].as_array().unwrap().iter();
            items.map(|user| user["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(emails("").await, ["a_n@example.org", "ann@example.org", "admin@example.org"]);
        assert_eq!(emails("?role=creator").await, ["ann@example.org"]);
        assert_eq!(emails("?email=AN").await, ["ann@example.org"]);
        assert_eq!(emails("?email=a_n").await, ["a_n@example.org"], "what is a wildcard elsewhere is a letter here");
        assert_eq!(emails("?email=%25").await, [""; 0]);
        assert_eq!(emails("?role=creator&plan=free&status=active&limit=1").await, ["ann@example.org"]);
        let odd = world.server.get("/api/v1/admin/users?role=owner").bearer(&admin).send().await;
        assert_eq!(odd.problem(), "/problems/validation");
    }

    async fn a_cursor_is_good_for_its_filters_only(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        world.user("ann@example.org", Role::Creator).await;
        let page = world.get("/api/v1/admin/users?limit=1", &admin).await;
        let cursor = page["next_cursor"].as_str().unwrap();
        let next = world.get(&format!("/api/v1/admin/users?limit=1&cursor={cursor}"), &admin).await;
        assert_eq!(next["items"][0]["email"], "admin@example.org");
        let other = world.server.get(&format!("/api/v1/admin/users?role=creator&cursor={cursor}"));
        assert_eq!(other.bearer(&admin).send().await.status, 422);
    }

    async fn a_new_role_takes_effect_at_once(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        let ann = world.newcomer("ann@example.org", Role::Creator).await.access;
        let list = || world.server.get("/api/v1/admin/users").bearer(&ann).send();
        assert_eq!(list().await.status, 403);
        let changed = change(&world, &admin, "ann@example.org", json!({ "role": "admin", "plan": "pro" })).await;
        assert_eq!((changed.json()["role"].as_str(), changed.json()["plan"].as_str()), (Some("admin"), Some("pro")));
        assert_eq!(list().await.status, 200, "with the token from before");
    }

    async fn who_is_banned_is_thrown_out_and_kept_out(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        let ann = world.newcomer("ann@example.org", Role::Creator).await;
        let key = world.server.post("/api/v1/api-keys").bearer(&ann.access);
        let key = key.json(&json!({ "name": "key", "scopes": ["read:articles"] })).send().await.json();
        let key = key["key"].as_str().unwrap();
        assert_eq!((world.me(&ann.access).await, world.me(key).await), (200, 200));
        assert_eq!(change(&world, &admin, "ann@example.org", json!({ "status": "banned" })).await.status, 200);
        assert_eq!((world.me(&ann.access).await, world.me(key).await), (401, 401));
        assert_eq!(world.refresh(&ann.refresh).await.status, 401);
        assert_eq!(world.try_log_in("ann@example.org", PASSWORD).await.status, 401);
        assert_eq!(change(&world, &admin, "ann@example.org", json!({ "status": "active" })).await.status, 200);
        assert_eq!(world.me(&ann.access).await, 401, "sessions from before stay ended");
        world.log_in("ann@example.org").await;
    }

    async fn other_contexts_are_told_of_new_changed_and_banned_users(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        world.user("ann@example.org", Role::Creator).await;
        change(&world, &admin, "ann@example.org", json!({ "plan": "pro" })).await;
        change(&world, &admin, "ann@example.org", json!({ "status": "banned" })).await;
        let sql = Sql::new("SELECT type, payload FROM events ORDER BY id").on(test.db().backend());
        let rows = test.db().reader().query_all_raw(sql).await.unwrap();
        let events: Vec<(String, String)> =
            rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect();
        let types: Vec<_> = events.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(types, ["user.registered", "user.registered", "user.changed", "user.disabled"]);
        assert!(events[2].1.contains(r#""plan":"pro""#), "{}", events[2].1);
        assert!(events.iter().all(|(_, payload)| !payload.contains("example.org")));
    }

    async fn the_last_admin_stays_one(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        for body in [json!({ "role": "viewer" }), json!({ "status": "banned" })] {
            let answer = change(&world, &admin, "admin@example.org", body).await;
            assert_eq!(answer.problem(), "/problems/conflict");
        }
        world.user("second@example.org", Role::Admin).await;
        assert_eq!(change(&world, &admin, "admin@example.org", json!({ "role": "viewer" })).await.status, 200);
        assert_eq!(world.server.get("/api/v1/admin/users").bearer(&admin).send().await.status, 403);
    }

    async fn of_two_admins_who_demote_each_other_one_stays(test: &TestDb) {
        let world = world(test).await;
        let one = world.newcomer("one@example.org", Role::Admin).await.access;
        let two = world.newcomer("two@example.org", Role::Admin).await.access;
        let (id_one, id_two) = (id_of(&world, &one, "one").await, id_of(&world, &one, "two").await);
        let demote = |admin: &str, id: &str| {
            let call = world.patch(&format!("/api/v1/admin/users/{id}")).bearer(admin).header("if-match", "*");
            tokio::spawn(call.json(&json!({ "role": "viewer" })).send())
        };
        let answers = futures::future::join_all([demote(&one, &id_two), demote(&two, &id_one)]).await;
        let done = answers.into_iter().filter(|answer| answer.as_ref().unwrap().status == 200).count();
        assert_eq!(done, 1);
    }

    async fn an_admin_changes_nothing_that_is_not_theirs_to_change(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await.access;
        for body in [json!({ "password": "another good password" }), json!({ "email": "x@example.org" }), json!({ "role": "owner" })] {
            assert_eq!(change(&world, &admin, "admin@example.org", body).await.status, 422);
        }
        let nobody = world.server.get("/api/v1/admin/users/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55").bearer(&admin);
        assert_eq!(nobody.send().await.problem(), "/problems/not-found");
    }
}
