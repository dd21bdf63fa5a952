//! The tables of events.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use crate::db::migrate::{Migrations, Step, run_ddl};

/// The steps that make the tables of events.
pub fn migrations() -> Migrations {
    Migrations { context: "events", list: || vec![Step::expand(Events)] }
}

struct Events;

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
