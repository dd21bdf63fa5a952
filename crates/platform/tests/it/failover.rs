//! A PostgreSQL that fails over to its replica under work: nothing that was acknowledged is lost, and nothing is restarted.

use std::{sync::Arc, time::Duration};

use kernel::{ErrorKind, SystemClock};
use platform::{
    db::{Db, DbError, DbOptions, Sql, migrate},
    events,
    jobs::{self, Jobs, JobsError},
    testing::PostgresCluster,
};
use sea_orm::ConnectionTrait as _;
use tokio::sync::Semaphore;

use crate::jobs::fixture::{PATIENCE, Running, jobs_of, note, notes, quick};

const ORDERS: &str = "CREATE TABLE orders (key TEXT PRIMARY KEY, job UUID NOT NULL)";

async fn open(cluster: &PostgresCluster) -> Db {
    let options =
        DbOptions { acquire_timeout: Duration::from_secs(30), ..DbOptions::new(cluster.url("test").parse().unwrap()) };
    Db::open(&options).await.unwrap()
}

/// Takes an order once, whatever its client has to ask: the job and the key are written together.
async fn order(jobs: &Jobs, key: &str) -> Result<(), JobsError> {
    jobs.db()
        .transaction(|tx| async move {
            let find = Sql::new("SELECT 1 FROM orders WHERE key = $1").bind(key).on(tx.backend());
            if tx.query_one_raw(find).await.map_err(DbError::from)?.is_some() {
                return Ok(());
            }
            let id = jobs.enqueue_in(&tx, note(key)).await?;
            let insert = Sql::new("INSERT INTO orders (key, job) VALUES ($1, $2)").bind(key).bind(id.as_uuid());
            tx.execute_raw(insert.on(tx.backend())).await.map_err(DbError::from)?;
            Ok(())
        })
        .await
}

async fn count(db: &Db, query: &str) -> i64 {
    let row = db.reader().query_one_raw(Sql::new(query).on(db.backend())).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_death_of_the_server_that_took_it() {
    let cluster = PostgresCluster::start().await;
    cluster.create_database("test").await;
    cluster.make_synchronous().await;
    let db = open(&cluster).await;
    migrate::up(&db, &[events::migrations(), jobs::migrations()]).await.unwrap();
    db.writer().execute_unprepared(ORDERS).await.unwrap();
    let jobs = jobs_of(&db, Arc::new(SystemClock));
    let worker = Running::start(&jobs, notes(async |note, _| Ok(note.text)), quick());

    let acknowledged = Arc::new(Semaphore::new(0));
    let clients = (0..4).map(|client| {
        let (jobs, acknowledged) = (jobs.clone(), acknowledged.clone());
        tokio::spawn(async move {
            for number in 0..25 {
                let key = format!("{client}-{number}");
                // As a client does with an idempotency key: it asks until it has an answer.
                while let Err(error) = order(&jobs, &key).await {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                acknowledged.add_permits(1);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    let some = tokio::time::timeout(PATIENCE, acknowledged.acquire_many(30)).await;
    some.expect("orders are taken").unwrap().forget();
    cluster.kill_primary();
    cluster.promote_replica().await;
    for client in clients {
        tokio::time::timeout(PATIENCE, client).await.expect("orders are taken again").unwrap();
    }

    assert_eq!(count(&db, "SELECT count(*) FROM orders").await, 100);
    assert_eq!(count(&db, "SELECT count(*) FROM jobs").await, 100, "an order is one job");
    let missing = "SELECT count(*) FROM orders WHERE job NOT IN (SELECT id FROM jobs)";
    assert_eq!(count(&db, missing).await, 0);
    let done = async {
        while count(&db, "SELECT count(*) FROM jobs WHERE state = 'succeeded'").await < 100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("every job is done");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_any_more_is_left_for_the_one_that_does() {
    let cluster = PostgresCluster::start().await;
    cluster.create_database("test").await;
    let db = open(&cluster).await;
    db.writer().execute_unprepared("CREATE TABLE items (id BIGINT PRIMARY KEY)").await.unwrap();
    let before = db.begin().await.unwrap();
    cluster.fence_primary().await;
    let insert = |id: i64| Sql::new("INSERT INTO items (id) VALUES ($1)").bind(id).on(db.backend());
    let writing = db.transaction(async |tx| {
        tx.execute_raw(insert(1)).await?;
        Ok::<_, DbError>(())
    });
    let (written, ()) = tokio::join!(writing, cluster.promote_replica());
    written.unwrap();
    // The transaction that was begun before is none of the new server.
    let late = async {
        before.execute_raw(insert(2)).await?;
        before.commit().await
    };
    assert!(late.await.is_err());
    assert_eq!(count(&db, "SELECT count(*) FROM items WHERE id = 1 AND NOT pg_is_in_recovery()").await, 1);
    assert_eq!(count(&db, "SELECT count(*) FROM items").await, 1);
}
