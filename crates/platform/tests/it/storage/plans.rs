//! Every query of files and uploads is served by an index.

use platform::{
    both_databases,
    db::{Backend, Sql},
    testing::TestDb,
};
use sea_orm::ConnectionTrait as _;

use super::desk::{Desk, user};

both_databases! {
    async fn every_list_of_files_and_uploads_uses_an_index(test: &TestDb) {
        let desk = Desk::new(test).await;
        for number in 0..20 {
            desk.receive(&user(number % 3), "a", b"bytes").await.unwrap();
            desk.begin(&user(number % 3), 5).await.unwrap();
        }
        let id = "(SELECT id FROM files ORDER BY id DESC LIMIT 1)";
        let owner = "(SELECT owner FROM files ORDER BY id DESC LIMIT 1)";
        let now = if test.db().backend() == Backend::Postgres { "now()" } else { "'2026'" };
        for query in [
            format!("SELECT * FROM files WHERE owner = {owner} AND id < {id} ORDER BY id DESC LIMIT 51"),
            format!("SELECT * FROM uploads WHERE expires_at < {now} ORDER BY expires_at LIMIT 100"),
            format!(
                "SELECT id FROM uploads WHERE state = 'receiving' AND offset_bytes = length_bytes AND expires_at >= {now} \
                 ORDER BY id LIMIT 100"
            ),
            format!("SELECT * FROM upload_segments WHERE upload_id = {id} ORDER BY start_byte"),
            format!("SELECT object FROM files WHERE object IN ({id}) UNION ALL SELECT object FROM upload_segments WHERE object IN ({id})"),
        ] {
            let plan = explain(test, &query).await;
            let (bad, good) = match test.db().backend() {
                Backend::Postgres => ("Seq Scan", "Index"),
                Backend::Sqlite => ("SCAN uploads\n", "USING"),
            };
            assert!(plan.contains(good), "{query}\n{plan}");
            assert!(!plan.contains(bad) && !plan.contains("TEMP B-TREE") && !plan.contains("Sort Key"), "{query}\n{plan}");
        }
    }
}

async fn explain(test: &TestDb, query: &str) -> String {
    let db = test.db();
    let (explain, column) = match db.backend() {
        Backend::Postgres => ("EXPLAIN", 0),
        Backend::Sqlite => ("EXPLAIN QUERY PLAN", 3),
    };
    // Small tables are read whole whatever indexes they have; what counts is whether an index could serve.
    let tx = db.begin().await.unwrap();
    if db.backend() == Backend::Postgres {
        for off in ["seqscan", "sort", "bitmapscan"] {
            tx.execute_unprepared(&format!("SET LOCAL enable_{off} = off")).await.unwrap();
        }
    }
    let rows = tx.query_all_raw(Sql::new(format!("{explain} {query}")).on(db.backend())).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<String>(column).unwrap() + "\n").collect()
}
