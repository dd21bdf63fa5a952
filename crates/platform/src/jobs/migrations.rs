//! The tables of jobs, of the workers that do them, and of work that a job shares out.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use crate::db::migrate::{Migrations, Step, run_ddl};

/// The steps that make the tables of jobs. They need those of events.
pub fn migrations() -> Migrations {
    Migrations { context: "jobs", list: || vec![Step::expand(Jobs), Step::expand(SharedWork)] }
}

struct Jobs;

/// What waits, runs or is delayed is found by partial indexes, so that finished jobs, however many, cost a claim nothing. That
/// of delayed jobs names their state too, or SQLite takes the index of all states and sorts what it finds.
const UP: &[&str] = &[
    "CREATE TABLE jobs (
        id UUID NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        owner TEXT NOT NULL,
        state TEXT NOT NULL,
        priority SMALLINT NOT NULL,
        tag BIGINT NOT NULL,
        payload TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        max_attempts INTEGER NOT NULL,
        run_at TIMESTAMPTZ,
        delay_ms BIGINT,
        worker_id UUID,
        cancel_requested BOOLEAN NOT NULL,
        progress TEXT,
        result TEXT,
        error TEXT,
        created_at TIMESTAMPTZ NOT NULL,
        started_at TIMESTAMPTZ,
        finished_at TIMESTAMPTZ,
        subject TEXT
    )",
    "CREATE INDEX jobs_ready ON jobs (kind, priority, tag, id) WHERE state = 'ready'",
    "CREATE INDEX jobs_ready_owner ON jobs (kind, priority, owner, tag) WHERE state = 'ready'",
    "CREATE INDEX jobs_delayed ON jobs (state, run_at) WHERE state = 'delayed'",
    "CREATE INDEX jobs_running ON jobs (worker_id) WHERE state = 'running'",
    "CREATE INDEX jobs_by_owner ON jobs (owner, id)",
    "CREATE INDEX jobs_open ON jobs (owner, id) WHERE state IN ('ready', 'delayed', 'running')",
    "CREATE INDEX jobs_by_state ON jobs (state, id)",
    "CREATE INDEX jobs_by_subject ON jobs (subject, id) WHERE subject IS NOT NULL",
    "CREATE INDEX jobs_by_kind ON jobs (kind, id)",
    "CREATE TABLE job_workers (
        id UUID NOT NULL PRIMARY KEY,
        beat BIGINT NOT NULL,
        started_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE TABLE job_schedules (
        name TEXT NOT NULL PRIMARY KEY,
        cron TEXT NOT NULL,
        next_at TIMESTAMPTZ NOT NULL
    )",
];

const DOWN: &[&str] = &["DROP TABLE job_schedules", "DROP TABLE job_workers", "DROP TABLE jobs"];

impl MigrationName for Jobs {
    fn name(&self) -> &'static str {
        "m20261127_000001_jobs"
    }
}

#[async_trait]
impl MigrationTrait for Jobs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, DOWN).await
    }
}

/// A job with a parent helps it; which worker may is told by `needs`. A piece is held by an attempt at a job, not by a lease.
struct SharedWork;

const HELPERS_UP: &[&str] = &[
    "ALTER TABLE jobs ADD COLUMN parent_id UUID",
    "ALTER TABLE jobs ADD COLUMN needs TEXT",
    "CREATE INDEX jobs_by_parent ON jobs (parent_id, state) WHERE parent_id IS NOT NULL",
    "ALTER TABLE job_workers ADD COLUMN place TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE job_workers ADD COLUMN build TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE job_pieces (
        job_id UUID NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        weight DOUBLE PRECISION NOT NULL,
        payload TEXT NOT NULL,
        taken_by UUID,
        worker_id UUID,
        attempt INTEGER,
        takes INTEGER NOT NULL,
        PRIMARY KEY (job_id, name)
    )",
];

const HELPERS_DOWN: &[&str] = &[
    "DROP TABLE job_pieces",
    "ALTER TABLE job_workers DROP COLUMN build",
    "ALTER TABLE job_workers DROP COLUMN place",
    "DELETE FROM jobs WHERE parent_id IS NOT NULL",
    "DROP INDEX jobs_by_parent",
    "ALTER TABLE jobs DROP COLUMN needs",
    "ALTER TABLE jobs DROP COLUMN parent_id",
];

impl MigrationName for SharedWork {
    fn name(&self) -> &'static str {
        "m20261128_000001_helpers"
    }
}

#[async_trait]
impl MigrationTrait for SharedWork {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, HELPERS_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, HELPERS_DOWN).await
    }
}
