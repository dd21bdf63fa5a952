//! Measures how many empty jobs a second are enqueued and run, in an empty table and, in turn, in one with a million finished
//! jobs: what disturbs one of them disturbs the other.
//!
//! `cargo run -p platform --example queue_speed --features testing [sqlite|postgres] [finished jobs]` prints a line of JSON for
//! each sort of job: the medians of jobs a second in both tables.

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use kernel::{SystemClock, TimeOrderedIds};
use platform::{
    db::{Backend, Db, Sql, migrate},
    events,
    jobs::{self, JobContext, JobError, JobHandler, JobKind, Jobs, NewJob, Registry, Worker, WorkerOptions},
    rng::SystemRng,
    testing::{PostgresServer, TestDb},
};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const JOBS: usize = 10_000;
const ROUNDS: usize = 5;

struct Empty;

impl JobKind for Empty {
    const NAME: &'static str = "empty";
    type Payload = ();
    type Output = ();
}

#[derive(Debug)]
struct DoNothing;

impl JobHandler for DoNothing {
    type Kind = Empty;

    async fn run(&self, (): (), _: JobContext) -> Result<(), JobError> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next();
    let finished: u32 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    for (name, backend) in [("sqlite", Backend::Sqlite), ("postgres", Backend::Postgres)] {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            measure(name, backend, finished).await?;
        }
    }
    Ok(())
}

async fn measure(name: &str, backend: Backend, finished: u32) -> Result<()> {
    // A server that keeps what it has promised: the shared one of the tests does not wait for its disk.
    let server = (backend == Backend::Postgres).then(|| PostgresServer::own(&[]));
    let (empty, full) = (open(server.as_ref()).await?, open(server.as_ref()).await?);
    // What a copy is made of.
    run(&queue(full.db()), "ann").await?;
    fill(full.db(), finished).await?;
    for (sort, owner) in [("jobs", ""), ("tasks with events", "ann")] {
        let (mut in_empty, mut in_full) = (Vec::new(), Vec::new());
        run(&queue(empty.db()), owner).await?;
        run(&queue(full.db()), owner).await?;
        for _ in 0..ROUNDS {
            in_empty.push(run(&queue(empty.db()), owner).await?);
            in_full.push(run(&queue(full.db()), owner).await?);
        }
        let (empty, full) = (median(in_empty), median(in_full));
        let line = json!({ "database": name, "sort": sort, "per_second": empty, "finished": finished, "per_second_beside_finished": full });
        writeln!(std::io::stdout(), "{line}")?;
    }
    empty.remove().await;
    full.remove().await;
    Ok(())
}

async fn open(server: Option<&PostgresServer>) -> Result<TestDb> {
    let test = match server {
        Some(server) => TestDb::on(server).await,
        None => TestDb::sqlite().await,
    };
    migrate::up(test.db(), &[events::migrations(), jobs::migrations()]).await?;
    Ok(test)
}

fn queue(db: &Db) -> Jobs {
    let ids = TimeOrderedIds::new(Arc::new(SystemClock), Arc::new(SystemRng));
    Jobs::new(db.clone(), Arc::new(SystemClock), Arc::new(ids), Arc::new(SystemRng))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Enqueues and runs all jobs, and returns how many a second that were.
async fn run(jobs: &Jobs, owner: &str) -> Result<f64> {
    let stop = CancellationToken::new();
    let options = WorkerOptions { concurrency: 256, ..WorkerOptions::default() };
    let registry = Registry::default().with(DoNothing);
    let worker = tokio::spawn(Worker::new(jobs.clone(), registry, options).run(stop.clone()));
    let started = Instant::now();
    let ids = jobs.enqueue_all((0..JOBS).map(|_| NewJob::<Empty>::new(()).owned_by(owner))).await?;
    let first = *ids.first().context("no job was enqueued")?;
    while !is_done(jobs, first).await? {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let elapsed = started.elapsed();
    stop.cancel();
    worker.await?;
    Ok(JOBS as f64 / elapsed.as_secs_f64())
}

/// Whether nothing waits or runs of what was enqueued last.
async fn is_done(jobs: &Jobs, first: jobs::JobId) -> Result<bool> {
    let db = jobs.db();
    let query = Sql::new(
        "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'ready' AND id >= $1 UNION ALL
            SELECT 1 FROM jobs WHERE state = 'running' AND id >= $1 LIMIT 1) AS open",
    );
    let row = db.reader().query_one_raw(query.bind(first.as_uuid()).on(db.backend())).await?;
    Ok(row.context("no count")?.try_get_by_index::<i64>(0)? == 0)
}

/// Copies finished jobs until there are so many.
async fn fill(db: &Db, count: u32) -> Result<()> {
    let (id, limit) = match db.backend() {
        Backend::Postgres => ("gen_random_uuid()", "generate_series(1, $1)"),
        Backend::Sqlite => (
            "randomblob(16)",
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n)",
        ),
    };
    let insert = Sql::new(format!(
        "INSERT INTO jobs (id, kind, owner, state, priority, tag, payload, attempts, max_attempts, cancel_requested, result,
            created_at, started_at, finished_at)
        SELECT {id}, 'empty', 'ann', 'succeeded', 2, 1, 'null', 1, 5, FALSE, 'null', created_at, created_at, created_at
        FROM (SELECT created_at FROM jobs LIMIT 1) AS one, {limit} AS many"
    ));
    let tx = db.begin().await?;
    if db.backend() == Backend::Postgres {
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    }
    tx.execute_raw(insert.bind(i32::try_from(count)?).on(db.backend())).await?;
    tx.commit().await?;
    db.writer().execute_unprepared("ANALYZE").await?;
    Ok(())
}
