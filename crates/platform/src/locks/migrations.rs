//! The table of locks.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use crate::db::migrate::{Migrations, Step, run_ddl};

/// The steps that make the table of locks.
pub fn migrations() -> Migrations {
    Migrations { context: "locks", list: || vec![Step::expand(Locks)] }
}

struct Locks;

/// A row stays when its lock is given up, so that its number never comes again.
const UP: &[&str] = &["CREATE TABLE locks (
        name TEXT NOT NULL PRIMARY KEY,
        fence BIGINT NOT NULL,
        holder TEXT,
        beat BIGINT NOT NULL
    )"];

impl MigrationName for Locks {
    fn name(&self) -> &'static str {
        "m20261128_000001_locks"
    }
}

#[async_trait]
impl MigrationTrait for Locks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &["DROP TABLE locks"]).await
    }
}
