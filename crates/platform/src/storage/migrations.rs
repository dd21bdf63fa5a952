//! The tables of files.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use crate::db::migrate::{Migrations, Step, run_ddl};

/// The steps that make the tables of files.
pub fn migrations() -> Migrations {
    let list = || vec![Step::expand(Storage), Step::expand(Shelf), Step::expand(Seals)];
    Migrations { context: "storage", list }
}

struct Storage;

/// Keys of encrypted objects, wrapped; nothing for plain ones.
struct Seals;

/// An upload is made of segments, each an object; its file is another object, so a file is never seen growing.
/// `storage_use` counts what files have and what uploads that are under way will have.
const UP: &[&str] = &[
    "CREATE TABLE files (
        id UUID NOT NULL PRIMARY KEY,
        owner UUID NOT NULL,
        object UUID NOT NULL UNIQUE,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size_bytes BIGINT NOT NULL,
        hash TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE INDEX files_owner ON files (owner, id)",
    "CREATE TABLE uploads (
        id UUID NOT NULL PRIMARY KEY,
        owner UUID NOT NULL,
        name TEXT NOT NULL,
        length_bytes BIGINT NOT NULL,
        offset_bytes BIGINT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        expires_at TIMESTAMPTZ NOT NULL
    )",
    "CREATE INDEX uploads_expiry ON uploads (expires_at)",
    "CREATE INDEX uploads_unfinished ON uploads (id) WHERE state = 'receiving' AND offset_bytes = length_bytes",
    "CREATE TABLE upload_segments (
        upload_id UUID NOT NULL,
        start_byte BIGINT NOT NULL,
        size_bytes BIGINT NOT NULL,
        object UUID NOT NULL UNIQUE,
        PRIMARY KEY (upload_id, start_byte)
    )",
    "CREATE TABLE storage_use (owner UUID NOT NULL PRIMARY KEY, bytes BIGINT NOT NULL)",
];

const DOWN: &[&str] =
    &["DROP TABLE storage_use", "DROP TABLE upload_segments", "DROP TABLE uploads", "DROP TABLE files"];

impl MigrationName for Storage {
    fn name(&self) -> &'static str {
        "m20261127_000001_storage"
    }
}

#[async_trait]
impl MigrationTrait for Storage {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, DOWN).await
    }
}

/// What processes share is named by its content.
struct Shelf;

impl MigrationName for Shelf {
    fn name(&self) -> &'static str {
        "m20261128_000001_shelf"
    }
}

#[async_trait]
impl MigrationTrait for Shelf {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let up = [
            "CREATE TABLE shelf (
                hash TEXT NOT NULL PRIMARY KEY,
                object UUID NOT NULL UNIQUE,
                size_bytes BIGINT NOT NULL,
                used_at TIMESTAMPTZ NOT NULL
            )",
            "CREATE INDEX shelf_used ON shelf (used_at)",
        ];
        run_ddl(manager, &up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &["DROP TABLE shelf"]).await
    }
}

const SEALS_UP: &[&str] = &[
    "ALTER TABLE files ADD COLUMN seal TEXT",
    "ALTER TABLE upload_segments ADD COLUMN seal TEXT",
    "ALTER TABLE shelf ADD COLUMN seal TEXT",
];

const SEALS_DOWN: &[&str] = &[
    "ALTER TABLE shelf DROP COLUMN seal",
    "ALTER TABLE upload_segments DROP COLUMN seal",
    "ALTER TABLE files DROP COLUMN seal",
];

impl MigrationName for Seals {
    fn name(&self) -> &'static str {
        "m20261128_000002_storage_seals"
    }
}

#[async_trait]
impl MigrationTrait for Seals {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, SEALS_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, SEALS_DOWN).await
    }
}
