//! Reads from a replica: what was written is seen at once, and one that is late, gone or none is left alone.

use std::time::{Duration, Instant};

use platform::{
    db::{Db, DbOptions, Freshness, Servers, Sql},
    testing::{PostgresCluster, PostgresServer},
};
use sea_orm::ConnectionTrait as _;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_mins(2);

async fn open(primary: &str, replica: &str) -> Db {
    let replica = Some(Servers::replica(replica).unwrap());
    let options =
        DbOptions { replica, replica_max_lag: Duration::from_secs(1), ..DbOptions::new(primary.parse().unwrap()) };
    Db::open(&options).await.unwrap()
}

async fn open_cluster(cluster: &PostgresCluster) -> Db {
    open(&cluster.primary_url("test"), &cluster.replica_url("test")).await
}

async fn add(db: &Db, id: i64) {
    let insert = Sql::new("INSERT INTO items (id) VALUES ($1)").bind(id);
    db.writer().execute_raw(insert.on(db.backend())).await.unwrap();
}

/// How many items there are, and whether a replica says so.
async fn count(db: &Db, freshness: Freshness) -> (i64, bool) {
    let query = Sql::new("SELECT count(*), pg_is_in_recovery() FROM items").on(db.backend());
    let row = db.replica_reader(freshness).query_one_raw(query).await.unwrap().unwrap();
    (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())
}

async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "waited until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wait_until_used(db: &Db) {
    wait_until("the replica is read from", async || count(db, Freshness::Latest).await.1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_read_whichever_process_wrote_it() {
    let cluster = PostgresCluster::start().await;
    cluster.create_database("test").await;
    let (ours, theirs) = (open_cluster(&cluster).await, open_cluster(&cluster).await);
    ours.writer().execute_unprepared("CREATE TABLE items (id BIGINT PRIMARY KEY)").await.unwrap();
    wait_until_used(&ours).await;
    wait_until_used(&theirs).await;
    let mut from_replica = 0;
    for id in 1..=100 {
        let (writer, reader) = if id % 2 == 0 { (&ours, &theirs) } else { (&theirs, &ours) };
        add(writer, id).await;
        let (found, is_replica) = count(reader, Freshness::Latest).await;
        assert_eq!(found, id);
        from_replica += usize::from(is_replica);
    }
    assert!(from_replica > 50, "{from_replica} of 100 reads went to the replica");
    let writing = ours.replica_reader(Freshness::Latest).execute_unprepared("DELETE FROM items").await;
    assert!(writing.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_late_or_gone_is_left_alone_and_found_again() {
    let cluster = PostgresCluster::start().await;
    cluster.create_database("test").await;
    let db = open_cluster(&cluster).await;
    db.writer().execute_unprepared("CREATE TABLE items (id BIGINT PRIMARY KEY)").await.unwrap();
    wait_until_used(&db).await;

    cluster.pause_replay().await;
    add(&db, 1).await;
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(count(&db, Freshness::Latest).await, (1, false), "the primary has it");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "waiting once is enough: {:?}", started.elapsed());
    wait_until("it is told", async || db.replica_fault().is_some()).await;
    let fault = db.replica_fault().unwrap();
    assert!(fault.contains("behind"), "{fault}");
    assert_eq!(count(&db, Freshness::Recent).await, (1, false));
    cluster.resume_replay().await;
    wait_until_used(&db).await;
    assert_eq!(count(&db, Freshness::Recent).await, (1, true));

    cluster.kill_replica();
    for _ in 0..100 {
        assert_eq!(count(&db, Freshness::Latest).await.0, 1);
    }
    wait_until("it is told", async || db.replica_fault().is_some()).await;
    cluster.restart_replica();
    wait_until_used(&db).await;

    cluster.promote_replica().await;
    wait_until("it is told", async || db.replica_fault().is_some_and(|fault| fault.contains("no replica"))).await;
    add(&db, 2).await;
    assert_eq!(count(&db, Freshness::Latest).await, (2, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_replica_of_the_database_is_not_read_from() {
    let cluster = PostgresCluster::start().await;
    let server = PostgresServer::shared();
    let expected = [
        (server.url("postgres"), server.url("postgres"), "no replica"),
        (server.url("postgres"), cluster.replica_url("postgres"), "another database"),
        (server.url("postgres"), "postgres://127.0.0.1:1/postgres".to_owned(), ""),
    ];
    for (primary, replica, reason) in expected {
        let db = open(&primary, &replica).await;
        let is_told = async || db.replica_fault().is_some_and(|fault| fault.contains(reason));
        wait_until(reason, is_told).await;
        let query = Sql::new("SELECT pg_is_in_recovery()").on(db.backend());
        let row = db.replica_reader(Freshness::Recent).query_one_raw(query).await.unwrap().unwrap();
        assert!(!row.try_get_by_index::<bool>(0).unwrap(), "{reason}");
        db.close().await.unwrap();
    }
}
