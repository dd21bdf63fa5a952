//! What the log holds: names of requests and users, and nothing that would let anybody in or tell who somebody is.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use kernel::Role;
use platform::{db::Backend, testing::TestDb};
use serde_json::json;
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::SubscriberExt};

use super::fixture::{PASSWORD, world};

#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of the whole process: where tests share one, what the others do must leave no trace either.
#[tokio::test]
async fn the_log_names_requests_and_users_and_no_secret_and_no_address() {
    let buffer = Buffer::default();
    let layer = tracing_subscriber::fmt::layer().json().with_writer(buffer.clone());
    let levels = tracing_subscriber::filter::Targets::new()
        .with_target("identity", tracing::Level::TRACE)
        .with_target("platform", tracing::Level::TRACE);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(levels))).unwrap();

    let test = TestDb::open(Backend::Sqlite).await;
    let world = world(&test).await;
    let held = world.newcomer("ann@example.org", Role::Creator).await;
    world.try_log_in("ann@example.org", "wrong password\nINFO forged line").await;
    let key = world.server.post("/api/v1/api-keys").bearer(&held.access).header("idempotency-key", "k1");
    let key = key.json(&json!({ "name": "key", "scopes": ["read:articles"] })).send().await.json();
    let key = key["key"].as_str().unwrap();
    world.server.get("/api/v1/users/me?token=in-the-query").bearer(key).header("x-request-id", "mine").send().await;
    world.server.get("/api/v1/in-the-path").header("x-request-id", "a\tforged=\"1\"").send().await;
    world.refresh(&held.refresh).await;
    world.server.post("/api/v1/auth/password-reset").json(&json!({ "email": "ann@example.org" })).send().await;

    let log = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains(r#""request_id":"mine""#) && log.contains(r#""route":"/api/v1/users/me""#), "{log}");
    assert!(log.contains(r#""user_id":"#), "{log}");
    for secret in [
        "ann@example.org",
        "example.org",
        PASSWORD,
        "wrong password",
        "in-the-query",
        "in-the-path",
        "forged",
        key,
        held.access.as_str(),
        held.refresh.as_str(),
    ] {
        assert!(!log.contains(secret), "the log holds {secret}: {log}");
    }
}
