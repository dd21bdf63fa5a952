//! Keys of EdDSA: published, replaced, shared by servers.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Role;
use platform::{both_databases, db::Sql, testing::TestDb};
use ring::signature::{ED25519, UnparsedPublicKey};
use sea_orm::ConnectionTrait;

use super::fixture::{DAY_MS, MINUTE_MS, PASSWORD, World, ed_dsa, held, settings, world, world_at, world_with};

async fn published(world: &World) -> Vec<serde_json::Value> {
    let keys = world.server.get("/.well-known/jwks.json").send().await;
    assert_eq!(keys.status, 200);
    keys.json()["keys"].as_array().unwrap().clone()
}

both_databases! {
    async fn anybody_can_check_a_token_with_the_published_key(test: &TestDb) {
        let world = world_with(test, ed_dsa()).await;
        let token = world.newcomer("ann@example.org", Role::Creator).await.access;
        let keys = published(&world).await;
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = URL_SAFE_NO_PAD.decode(keys[0]["x"].as_str().unwrap()).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).unwrap();
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], &header["kid"]), (&"EdDSA".into(), &keys[0]["kid"]));
        assert_eq!(keys[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>(), ["alg", "crv", "kid", "kty", "use", "x"]);
    }

    async fn a_secret_key_is_not_published(test: &TestDb) {
        let world = world(test).await;
        world.newcomer("ann@example.org", Role::Creator).await;
        assert_eq!(published(&world).await, [serde_json::Value::Null; 0]);
    }

    async fn a_new_key_signs_when_it_is_due_and_nobody_is_signed_out(test: &TestDb) {
        let world = world_with(test, ed_dsa()).await;
        let before = world.newcomer("ann@example.org", Role::Creator).await;
        let first = published(&world).await[0]["kid"].clone();
        world.clock.jump(30 * DAY_MS);
        world.service.rotate_keys().await.unwrap();
        let keys = published(&world).await;
        assert_eq!(keys.len(), 2);
        assert!(keys[0]["kid"] != first && keys[1]["kid"] == first);
        world.service.rotate_keys().await.unwrap();
        assert_eq!(published(&world).await.len(), 2, "one is enough");
        let after = held(&world.try_log_in("ann@example.org", PASSWORD).await);
        assert_eq!((world.me(&before.access).await, world.me(&after.access).await), (401, 200), "thirty days have passed");
        world.clock.jump(20 * MINUTE_MS);
        assert_eq!(published(&world).await.len(), 1, "the old one has signed nothing that still holds");
    }

    async fn a_token_of_another_server_with_a_newer_key_is_believed(test: &TestDb) {
        let one = world_with(test, ed_dsa()).await;
        one.newcomer("ann@example.org", Role::Creator).await;
        let other = world_at(test, ed_dsa(), one.clock.clone()).await;
        other.clock.jump(30 * DAY_MS);
        other.service.rotate_keys().await.unwrap();
        let token = other.log_in("ann@example.org").await.access;
        assert_eq!(one.me(&token).await, 200);
    }

    async fn servers_that_start_together_make_one_key(test: &TestDb) {
        let world = world_with(test, ed_dsa()).await;
        let mut others = Vec::new();
        for _ in 0..4 {
            others.push(world_at(test, ed_dsa(), world.clock.clone()).await);
        }
        let reading = others.iter().map(|other| other.service.public_keys());
        let keys: Vec<_> = futures::future::join_all(reading).await.into_iter().map(Result::unwrap).collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
        assert_eq!(keys[0]["keys"].as_array().unwrap().len(), 1);
    }

    async fn a_private_key_lies_sealed_in_the_database(test: &TestDb) {
        let world = world_with(test, ed_dsa()).await;
        let token = world.newcomer("ann@example.org", Role::Creator).await.access;
        let row = test.db().reader().query_one_raw(Sql::new("SELECT sealed_seed FROM signing_keys").on(test.db().backend()));
        let sealed: String = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
        // The name of the key that sealed it, a nonce, 32 bytes, a tag.
        assert_eq!(URL_SAFE_NO_PAD.decode(sealed).unwrap().len(), 8 + 12 + 32 + 16);
        // With the operator's change to the secret key alone, what was signed before still holds.
        let changed = world_at(test, settings(), world.clock.clone()).await;
        assert_eq!(changed.me(&token).await, 200);
    }
}
