//! The table of keys and answers.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use crate::db::migrate::{Migrations, Step, run_ddl};

/// The steps that make the table of keys and answers.
pub fn migrations() -> Migrations {
    Migrations { context: "idempotency", list: || vec![Step::expand(Keys)] }
}

struct Keys;

const UP: &[&str] = &[
    "CREATE TABLE idempotency_keys (
        owner TEXT NOT NULL,
        key TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        token UUID NOT NULL,
        reply TEXT,
        expires_at TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (owner, key)
    )",
    "CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at)",
];

impl MigrationName for Keys {
    fn name(&self) -> &'static str {
        "m20261127_000001_idempotency_keys"
    }
}

#[async_trait]
impl MigrationTrait for Keys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &["DROP TABLE idempotency_keys"]).await
    }
}
