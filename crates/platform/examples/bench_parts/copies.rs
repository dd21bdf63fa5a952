//! Many tasks out of one that the server made itself.

use anyhow::{Result, ensure};
use kernel::Uuid;
use platform::db::{Backend, Db, DbOptions, Sql};
use sea_orm::ConnectionTrait as _;

/// Copies a task of the database at `address` so often, each time under a new id.
pub(crate) async fn make(address: &str, task: Uuid, count: u32) -> Result<()> {
    let db = Db::open(&DbOptions::new(address.parse()?)).await?;
    let (id, numbers) = match db.backend() {
        Backend::Postgres => ("gen_random_uuid()", "generate_series(1, $2)"),
        Backend::Sqlite => (
            "randomblob(16)",
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) SELECT i FROM n)",
        ),
    };
    let columns = "kind, owner, state, priority, tag, payload, attempts, max_attempts, run_at, delay_ms, worker_id, \
        cancel_requested, progress, result, error, created_at, started_at, finished_at";
    let copy = Sql::new(format!(
        "INSERT INTO jobs (id, {columns}) SELECT {id}, {columns} FROM (SELECT * FROM jobs WHERE id = $1) AS one, {numbers} AS many"
    ));
    let copy = copy.bind(task).bind(i32::try_from(count)?);
    let made = db.writer().execute_raw(copy.on(db.backend())).await?.rows_affected();
    ensure!(made == u64::from(count), "{made} of {count} copies were made; is there a task {task}?");
    db.writer().execute_unprepared("ANALYZE").await?;
    Ok(db.close().await?)
}
