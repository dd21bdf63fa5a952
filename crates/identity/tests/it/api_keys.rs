//! API keys: shown once, no more than their scopes, no more than their owner.

use kernel::Role;
use platform::{
    both_databases,
    db::Sql,
    testing::{Answer, TestDb},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::fixture::{DAY_MS, World, world};

async fn make(world: &World, token: &str, body: &Value) -> Answer {
    world.server.post("/api/v1/api-keys").bearer(token).json(body).send().await
}

both_databases! {
    async fn a_key_is_shown_once_and_then_known_by_how_it_begins(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let made = make(&world, &held.access, &json!({ "name": "Backup", "scopes": ["read:articles"] })).await;
        assert_eq!(made.status, 201, "{made:?}");
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let listed = world.get("/api/v1/api-keys", &held.access).await;
        assert_eq!(listed["items"][0]["name"], "Backup");
        assert!(key.starts_with(listed["items"][0]["hint"].as_str().unwrap()));
        assert!(!listed.to_string().contains(&key));
        let row = test.db().reader().query_one_raw(Sql::new("SELECT hash FROM api_keys").on(test.db().backend()));
        let hash: String = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert!(!hash.contains(&key[4..]));
        assert_eq!(world.me(&key).await, 200);
    }

    async fn a_key_cannot_have_a_scope_that_its_owner_has_not(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        for scopes in [json!(["manage:users"]), json!(["read:articles", "use:ai"]), json!([]), json!(["everything"])] {
            let answer = make(&world, &held.access, &json!({ "name": "key", "scopes": scopes })).await;
            assert_eq!(answer.problem(), "/problems/validation", "{scopes}");
            assert!(answer.json()["errors"][0]["pointer"].as_str().unwrap().starts_with("/scopes"), "{scopes}");
        }
    }

    async fn a_key_does_what_its_scopes_say_and_loses_what_its_owner_loses(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await;
        let other = world.newcomer("other@example.org", Role::Admin).await;
        let key = |scope: &'static str| {
            let (world, admin) = (&world, &admin);
            async move {
                let made = make(world, &admin.access, &json!({ "name": "key", "scopes": [scope] })).await;
                made.json()["key"].as_str().unwrap().to_owned()
            }
        };
        let (manages, reads) = (key("manage:users").await, key("read:articles").await);
        let list = |key: &str| world.server.get("/api/v1/admin/users").bearer(key).send();
        assert_eq!((list(&manages).await.status.as_u16(), list(&reads).await.status.as_u16()), (200, 403));
        let users = world.get("/api/v1/admin/users?email=admin", &other.access).await;
        let path = format!("/api/v1/admin/users/{}", users["items"][0]["id"].as_str().unwrap());
        let demote = world.patch(&path).bearer(&other.access).header("if-match", "*").json(&json!({ "role": "viewer" }));
        assert_eq!(demote.send().await.status, 200);
        assert_eq!(list(&manages).await.status, 403);
    }

    async fn a_key_is_no_login(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let made = make(&world, &held.access, &json!({ "name": "key", "scopes": ["read:articles"] })).await.json();
        let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
        let more = make(&world, key, &json!({ "name": "key", "scopes": ["read:articles"] })).await;
        assert_eq!(more.problem(), "/problems/forbidden");
        for call in [
            world.server.get("/api/v1/api-keys"),
            world.delete(&format!("/api/v1/api-keys/{id}")),
            world.server.get("/api/v1/auth/sessions"),
            world.server.post("/api/v1/auth/logout-all"),
        ] {
            assert_eq!(call.bearer(key).send().await.status, 403);
        }
    }

    async fn a_key_ends_at_its_time_and_at_once_when_it_is_revoked(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let body = json!({ "name": "key", "scopes": ["read:articles"], "expires_in_days": 1 });
        let short = make(&world, &held.access, &body).await.json()["key"].as_str().unwrap().to_owned();
        let made = make(&world, &held.access, &json!({ "name": "key", "scopes": ["read:articles"] })).await.json();
        let (long, path) = (made["key"].as_str().unwrap(), format!("/api/v1/api-keys/{}", made["id"].as_str().unwrap()));
        assert_eq!((world.me(&short).await, world.me(long).await), (200, 200));
        let eve = world.newcomer("eve@example.org", Role::Creator).await;
        assert_eq!(world.delete(&path).bearer(&eve.access).send().await.status, 404, "somebody else's");
        assert_eq!(world.delete(&path).bearer(&held.access).send().await.status, 204);
        assert_eq!(world.me(long).await, 401);
        world.clock.jump(DAY_MS);
        assert_eq!(world.me(&short).await, 401);
    }

    async fn the_last_use_is_written_down_without_a_write_for_each(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let key = make(&world, &held.access, &json!({ "name": "key", "scopes": ["read:articles"] })).await.json()["key"]
            .as_str()
            .unwrap()
            .to_owned();
        for _ in 0..5 {
            world.me(&key).await;
        }
        assert!(world.get("/api/v1/api-keys", &held.access).await["items"][0]["last_used_at"].is_null());
        world.service.flush_usage().await.unwrap();
        assert!(world.get("/api/v1/api-keys", &held.access).await["items"][0]["last_used_at"].is_string());
    }

    async fn a_key_made_twice_under_one_idempotency_key_is_made_once(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let send = || {
            let call = world.server.post("/api/v1/api-keys").bearer(&held.access).header("idempotency-key", "k1");
            tokio::spawn(call.json(&json!({ "name": "key", "scopes": ["read:articles"] })).send())
        };
        let answers = futures::future::join_all((0..6).map(|_| send())).await;
        let made: Vec<_> = answers.into_iter().map(Result::unwrap).filter(|answer| answer.status == 201).collect();
        assert!(!made.is_empty() && made.windows(2).all(|pair| pair[0].body == pair[1].body));
        assert_eq!(send().await.unwrap().body, made[0].body, "the answer shows the key again");
        assert_eq!(world.get("/api/v1/api-keys", &held.access).await["items"].as_array().unwrap().len(), 1);
    }

    async fn keys_are_listed_page_by_page_and_only_to_their_owner(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        for number in 0..5 {
            let body = json!({ "name": format!("key {number}"), "scopes": ["read:articles"] });
            assert_eq!(make(&world, &held.access, &body).await.status, 201);
        }
        let (mut names, mut path) = (Vec::new(), "/api/v1/api-keys?limit=2".to_owned());
        loop {
            let page = world.get(&path, &held.access).await;
            names.extend(page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/api-keys?limit=2&cursor={cursor}");
        }
        assert_eq!(names, ["key 4", "key 3", "key 2", "key 1", "key 0"]);
        let eve = world.newcomer("eve@example.org", Role::Creator).await;
        assert_eq!(world.get("/api/v1/api-keys", &eve.access).await["items"], json!([]));
    }
}
