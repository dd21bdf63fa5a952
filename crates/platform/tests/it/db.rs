//! Transactions, their failures, and connections that are cut.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::ErrorKind;
use platform::{
    all_databases,
    db::{Backend, Db, DbError, DbFault, DbOptions, Pooler, Sql, millis, timestamp},
    testing::{PostgresServer, TestDb},
};
use sea_orm::ConnectionTrait as _;

const ITEMS: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE, count INTEGER NOT NULL DEFAULT 0)";

async fn make_items(db: &Db) {
    db.writer().execute_unprepared(ITEMS).await.unwrap();
}

fn insert(db: &Db, id: i32, name: &str) -> sea_orm::Statement {
    Sql::new("INSERT INTO items (id, name) VALUES ($1, $2)").bind(id).bind(name).on(db.backend())
}

async fn count(db: &Db) -> i64 {
    let row = db.reader().query_one_raw(Sql::new("SELECT count(*) FROM items").on(db.backend())).await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

all_databases! {
    async fn what_a_transaction_wrote_is_read_after_it(test: &TestDb) {
        let db = test.db();
        make_items(db).await;
        let done: Result<(), DbError> = db
            .transaction(|tx| async move {
                tx.execute_raw(insert(db, 1, "one")).await?;
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(count(db).await, 1);
    }

    async fn a_transaction_that_fails_leaves_nothing(test: &TestDb) {
        let db = test.db();
        make_items(db).await;
        let done: Result<(), DbError> = db
            .transaction(|tx| async move {
                tx.execute_raw(insert(db, 1, "one")).await?;
                tx.execute_raw(insert(db, 2, "one")).await?;
                Ok(())
            })
            .await;
        let error = done.unwrap_err();
        assert_eq!((error.fault, error.kind()), (DbFault::Taken, ErrorKind::Conflict), "{error}");
        assert!(error.constraint().is_some_and(|name| name.contains("name")), "{:?}", error.constraint());
        assert_eq!(count(db).await, 0);
    }

    async fn a_transaction_that_is_dropped_leaves_nothing(test: &TestDb) {
        let db = test.db();
        make_items(db).await;
        let tx = db.begin().await.unwrap();
        tx.execute_raw(insert(db, 1, "one")).await.unwrap();
        drop(tx);
        assert_eq!(count(db).await, 0);
        db.writer().execute_raw(insert(db, 1, "one")).await.unwrap();
    }

    async fn a_savepoint_is_undone_by_itself(test: &TestDb) {
        let db = test.db();
        make_items(db).await;
        let tx = db.begin().await.unwrap();
        tx.execute_raw(insert(db, 1, "one")).await.unwrap();
        let part = tx.savepoint().await.unwrap();
        part.execute_raw(insert(db, 2, "two")).await.unwrap();
        part.undo().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(db).await, 1);
    }

    async fn transactions_of_many_tasks_all_count(test: &TestDb) {
        let db = test.db();
        make_items(db).await;
        db.writer().execute_raw(insert(db, 1, "one")).await.unwrap();
        db.writer().execute_raw(insert(db, 2, "two")).await.unwrap();
        let tasks = (0..6).map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                // Every second one locks the rows in the other order, which is a deadlock where rows are locked.
                let order = if task % 2 == 0 { [1, 2] } else { [2, 1] };
                db.transaction(|tx| async move {
                    for id in order {
                        let add = Sql::new("UPDATE items SET count = count + 1 WHERE id = $1").bind(id);
                        tx.execute_raw(add.on(tx.backend())).await?;
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    Ok::<_, DbError>(())
                })
                .await
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        let rows = db.reader().query_all_raw(Sql::new("SELECT count FROM items").on(db.backend())).await.unwrap();
        let counts: Vec<i32> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        assert_eq!(counts, [6, 6]);
    }

    async fn times_ids_and_bytes_are_read_back_as_they_were_written(test: &TestDb) {
        let db = test.db();
        let types = if db.backend() == Backend::Postgres { "id UUID, at TIMESTAMPTZ" } else { "id BLOB, at TEXT" };
        db.writer().execute_unprepared(&format!("CREATE TABLE moments ({types})")).await.unwrap();
        let id = kernel::Uuid::from_u128(0x0193_a5c4_7b1e_7c3a_9f00_2b6d_1e8a_4c55);
        // Whole seconds and fractions sort by time also where they are kept as text.
        let times = [1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_010, 1_700_000_001_000];
        for at_ms in times.iter().rev() {
            let row = Sql::new("INSERT INTO moments VALUES ($1, $2)").bind(id).bind(timestamp(*at_ms));
            db.writer().execute_raw(row.on(db.backend())).await.unwrap();
        }
        let rows = Sql::new("SELECT id, at FROM moments WHERE at >= $1 ORDER BY at").bind(timestamp(times[1]));
        let rows = db.reader().query_all_raw(rows.on(db.backend())).await.unwrap();
        let read: Vec<i64> = rows.iter().map(|row| millis(row.try_get_by_index(1).unwrap())).collect();
        assert_eq!(read, times[1..]);
        assert_eq!(rows[0].try_get_by_index::<kernel::Uuid>(0).unwrap(), id);
    }
}

#[tokio::test]
async fn readers_of_sqlite_cannot_write_and_see_each_commit() {
    let test = TestDb::sqlite().await;
    make_items(test.db()).await;
    assert!(test.db().reader().execute_raw(insert(test.db(), 1, "one")).await.is_err());
    for id in 1..50 {
        test.db().writer().execute_raw(insert(test.db(), id, &id.to_string())).await.unwrap();
        assert_eq!(count(test.db()).await, i64::from(id));
    }
}

#[tokio::test]
async fn a_long_statement_of_postgres_is_ended() {
    let test = TestDb::postgres().await;
    let options = DbOptions { statement_timeout: Duration::from_millis(200), ..test.options().clone() };
    let db = Db::open(&options).await.unwrap();
    let started = Instant::now();
    let error = DbError::from(db.writer().execute_unprepared("SELECT pg_sleep(600)").await.unwrap_err());
    assert_eq!((error.fault, error.kind()), (DbFault::Timeout, ErrorKind::Unavailable), "{error}");
    assert!(error.retry_after().is_some());
    assert!(started.elapsed() < Duration::from_mins(2));
    db.close().await.unwrap();
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_is_told_from_a_server_and_mixes_nothing_up() {
    let test = TestDb::pooled().await;
    let error = Db::open(&DbOptions { pooler: Pooler::None, ..test.options().clone() }).await.unwrap_err();
    assert!(error.to_string().contains("set `database.pooler` to `transaction`"), "{error}");
    let hasty = DbOptions { statement_timeout: Duration::from_millis(200), ..test.options().clone() };
    let hasty = Db::open(&hasty).await.unwrap();
    let error = DbError::from(hasty.writer().execute_unprepared("SELECT pg_sleep(600)").await.unwrap_err());
    assert_eq!(error.fault, DbFault::Timeout, "{error}");
    hasty.close().await.unwrap();

    // More clients than sessions, and each statement has another number of values.
    let clients = (1..=8_i64).map(|client| {
        let options = DbOptions { max_connections: 2, ..test.options().clone() };
        tokio::spawn(async move {
            let db = Db::open(&options).await.unwrap();
            assert!(!db.can_listen());
            for round in 0..20 {
                let values = client + round % 3;
                let places: Vec<_> = (1..=values).map(|place| format!("${place}::bigint")).collect();
                let sum = Sql::new(format!("SELECT {}", places.join(" + ")));
                let sum = (0..values).fold(sum, |sum, _| sum.bind(client));
                let row = db.reader().query_one_raw(sum.on(db.backend())).await.unwrap().unwrap();
                assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), client * values);
            }
            db.close().await.unwrap();
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    test.remove().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_database_that_is_not_are_told_apart() {
    let nowhere = DbOptions::new("postgres://me:secret@127.0.0.1:1/x".parse().unwrap());
    let error = Db::open(&nowhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("is it running") && !error.to_string().contains("secret"), "{error}");
    let missing = PostgresServer::shared().url("no_such_database");
    let error = Db::open(&DbOptions::new(missing.parse().unwrap())).await.unwrap_err();
    assert_eq!(error.fault, DbFault::Refused, "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = Db::open(&DbOptions::new(platform::db::Target::file(folder.path()))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

/// When the server of PostgreSQL was started, while it answers.
async fn start_time(db: &Db) -> Option<String> {
    let query = Sql::new("SELECT pg_postmaster_start_time()::text").on(db.backend());
    db.reader().query_one_raw(query).await.ok().flatten()?.try_get_by_index(0).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_and_a_server_that_restarts_are_survived() {
    let server = PostgresServer::own(&[]);
    let test = TestDb::on(&server).await;
    let db = test.db();
    make_items(db).await;
    let attempts = Arc::new(AtomicU32::new(0));
    let cut: Result<(), DbError> = db
        .transaction(|tx| {
            let attempts = Arc::clone(&attempts);
            async move {
                tx.execute_raw(insert(db, 1, "one")).await?;
                if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
                    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
                    db.writer().execute_unprepared(cut).await?;
                }
                tx.execute_raw(insert(db, 2, "two")).await?;
                Ok(())
            }
        })
        .await;
    cut.unwrap();
    assert!(attempts.load(Ordering::SeqCst) > 1);
    assert_eq!(count(db).await, 2);

    // It takes a moment to go, and then each connection to it fails once.
    let before = start_time(db).await.unwrap();
    server.crash();
    let started = Instant::now();
    while start_time(db).await.is_none_or(|time| time == before) {
        assert!(started.elapsed() < Duration::from_mins(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(count(db).await, 2);
    test.remove().await;
}
