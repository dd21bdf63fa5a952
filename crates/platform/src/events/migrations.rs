//! The tables of events.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use crate::db::migrate::{Migrations, Step, run_ddl};

/// The steps that make the tables of events.
pub fn migrations() -> Migrations {
    Migrations { context: "events", list: || vec![Step::expand(Events), Step::expand(Receipts)] }
}

struct Events;

/// What handlers have taken that get events in any order, and what is needed to bring a dead letter again.
struct Receipts;

/// `position` is empty until a relay gives the event its place; `event_head` counts the places that were given.
const UP: &[&str] = &[
    "CREATE TABLE events (
        id UUID NOT NULL PRIMARY KEY,
        position BIGINT,
        type TEXT NOT NULL,
        version INTEGER NOT NULL,
        payload TEXT NOT NULL,
        occurred_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE INDEX events_without_place ON events (id) WHERE position IS NULL",
    "CREATE UNIQUE INDEX events_position ON events (position) WHERE position IS NOT NULL",
    "CREATE TABLE event_head (id SMALLINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL)",
    "INSERT INTO event_head (id, position) VALUES (1, 0)",
    "CREATE TABLE event_handlers (
        name TEXT NOT NULL PRIMARY KEY,
        position BIGINT NOT NULL,
        attempts INTEGER NOT NULL,
        retry_at TIMESTAMPTZ,
        seen_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE TABLE event_dead_letters (
        handler TEXT NOT NULL,
        event_id UUID NOT NULL,
        type TEXT NOT NULL,
        payload TEXT NOT NULL,
        reason TEXT NOT NULL,
        failed_at TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (handler, event_id)
    )",
];

const DOWN: &[&str] =
    &["DROP TABLE event_dead_letters", "DROP TABLE event_handlers", "DROP TABLE event_head", "DROP TABLE events"];

/// A receipt with `retry_at` is of an event that failed and waits; without it, the event was taken.
const RECEIPTS_UP: &[&str] = &[
    "CREATE TABLE event_receipts (
        handler TEXT NOT NULL,
        position BIGINT NOT NULL,
        attempts INTEGER NOT NULL,
        retry_at TIMESTAMPTZ,
        PRIMARY KEY (handler, position)
    )",
    "CREATE INDEX event_receipts_waiting ON event_receipts (handler, retry_at) WHERE retry_at IS NOT NULL",
    "ALTER TABLE event_dead_letters ADD COLUMN position BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE event_dead_letters ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE event_dead_letters ADD COLUMN occurred_at TIMESTAMPTZ",
    "ALTER TABLE event_dead_letters ADD COLUMN requeued_at TIMESTAMPTZ",
    "CREATE INDEX event_dead_letters_requeued ON event_dead_letters (handler, event_id) WHERE requeued_at IS NOT NULL",
];

const RECEIPTS_DOWN: &[&str] = &[
    "DROP INDEX event_dead_letters_requeued",
    "ALTER TABLE event_dead_letters DROP COLUMN requeued_at",
    "ALTER TABLE event_dead_letters DROP COLUMN occurred_at",
    "ALTER TABLE event_dead_letters DROP COLUMN version",
    "ALTER TABLE event_dead_letters DROP COLUMN position",
    "DROP TABLE event_receipts",
];

impl MigrationName for Events {
    fn name(&self) -> &'static str {
        "m20261127_000001_events"
    }
}

#[async_trait]
impl MigrationTrait for Events {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, DOWN).await
    }
}

impl MigrationName for Receipts {
    fn name(&self) -> &'static str {
        "m20261128_000001_receipts"
    }
}

#[async_trait]
impl MigrationTrait for Receipts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, RECEIPTS_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, RECEIPTS_DOWN).await
    }
}
