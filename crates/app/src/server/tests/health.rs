//! What the server says of how it is.

use platform::{both_databases, testing::TestDb};
use serde_json::json;

use super::world;

both_databases! {
    async fn a_part_that_does_not_work_is_named_and_the_rest_is_ready(test: &TestDb) {
        let world = world(test).await;
        let answer = world.server.get("/health").send().await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (503, "application/json"));
        let body = answer.json();
        let state = |name: &str| {
            let mut parts = body["components"].as_array().unwrap().iter();
            parts.find(|part| part["name"] == name).unwrap_or_else(|| panic!("{body}"))["state"].clone()
        };
        assert_eq!(state("jobs"), "unhealthy", "nobody works");
        for part in ["db", "storage", "disk", "ffmpeg"] {
            assert_eq!(state(part), "healthy", "{part}");
        }
        assert_eq!(world.server.get("/readyz").send().await.status, 200, "requests are answered without a worker");
        assert_eq!(world.server.get("/health/db").send().await.json(), json!({ "name": "db", "state": "healthy" }));
        assert_eq!(world.server.get("/health/jobs").send().await.status, 503);
        assert_eq!(world.server.get("/health/nothing").send().await.status, 404);
    }
}
