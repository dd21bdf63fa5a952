//! The document of all routes, as it is served and as it is checked in.

use std::path::Path;

use platform::{server::openapi, testing::TestDb};

use super::world;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_checked_in() {
    let test = TestDb::sqlite().await;
    let served = openapi::write(&world(&test).await.server.document).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &served).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == served, "docs/openapi.json is old; UPDATE_DOCS=1 cargo test -p pressroom writes it");
}
