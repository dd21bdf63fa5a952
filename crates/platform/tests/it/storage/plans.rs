//! Every query of files and uploads is served by an index.

use platform::{both_databases, testing::TestDb};

use super::desk::{Desk, user};

const ID: &str = "'019ac700-0000-7000-8000-000000000000'";

both_databases! {
    async fn every_list_of_files_and_uploads_uses_an_index(test: &TestDb) {
        let desk = Desk::new(test).await;
        for number in 0..20 {
            desk.receive(&user(number % 3), "a", b"bytes").await.unwrap();
            desk.begin(&user(number % 3), 5).await.unwrap();
        }
        let now = "'2026-11-28 00:00:00+00'";
        for (query, index) in [
            (format!("SELECT * FROM files WHERE owner = {ID} AND id < {ID} ORDER BY id DESC LIMIT 51"), "files_owner"),
            (format!("SELECT * FROM uploads WHERE expires_at < {now} ORDER BY expires_at LIMIT 100"), "uploads_expiry"),
            (
                format!(
                    "SELECT id FROM uploads WHERE state = 'receiving' AND offset_bytes = length_bytes \
                     AND expires_at >= {now} ORDER BY id LIMIT 100"
                ),
                "uploads_unfinished",
            ),
            (
                format!("SELECT * FROM upload_segments WHERE upload_id = {ID} ORDER BY start_byte"),
                "upload_segments_pkey",
            ),
            (format!("SELECT object FROM files WHERE object IN ({ID})"), "files_object_key"),
            (format!("SELECT object FROM upload_segments WHERE object IN ({ID})"), "upload_segments_object_key"),
            (format!("SELECT object FROM shelf WHERE object IN ({ID})"), "shelf_object_key"),
            ("SELECT hash FROM shelf WHERE hash IN ('a', 'b')".to_owned(), "shelf_pkey"),
            (format!("SELECT hash FROM shelf WHERE used_at < {now} ORDER BY used_at LIMIT 200"), "shelf_used"),
        ] {
            test.assert_served(&query, &[index]).await;
        }
    }
}
