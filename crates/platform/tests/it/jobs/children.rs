//! This test program started again as a worker, to be killed.
#![expect(clippy::disallowed_methods, reason = "these children are killed on purpose, which no other place allows")]

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use kernel::SystemClock;
use platform::{
    db::{Db, DbOptions, Sql},
    jobs::{JobError, Registry},
    testing::TestDb,
};
use sea_orm::ConnectionTrait as _;
use tokio_util::sync::CancellationToken;

use super::fixture::{Does, Notes, jobs_of, quick};

const ADDRESS: &str = "PLATFORM_TEST_DATABASE";

/// A process that does notes until it is killed; it ends with the test that started it.
pub(crate) fn spawn_worker(test: &TestDb) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "jobs::children::worker", "--ignored", "--nocapture"])
        .env(ADDRESS, test.address())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Writes the note's text as a number into `effects`, in the transaction that ends the job.
pub(crate) fn effects(db: &Db) -> Registry {
    let db = db.clone();
    Registry::default().with(Does::<Notes>::new(move |note, job| {
        let db = db.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let number: i32 = note.text.parse().map_err(|_| JobError::fail("no number"))?;
            let tx = db.begin().await?;
            let insert = Sql::new("INSERT INTO effects (number) VALUES ($1)").bind(number);
            tx.execute_raw(insert.on(tx.backend())).await.map_err(|error| JobError::retry(error.to_string()))?;
            let finished = job.finish_in(&tx, &note.text).await;
            finished.map_err(|error| JobError::retry(error.to_string()))?;
            tx.commit().await?;
            Ok(note.text)
        }
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by other tests as a child process"]
async fn worker() {
    std::thread::spawn(|| {
        // The end of the test that started this ends this too.
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    let address = std::env::var(ADDRESS).unwrap();
    let db = Db::open(&DbOptions { max_connections: 4, ..DbOptions::new(address.parse().unwrap()) }).await.unwrap();
    let jobs = jobs_of(&db, Arc::new(SystemClock));
    platform::jobs::Worker::new(jobs, effects(&db), quick()).run(CancellationToken::new()).await;
}
