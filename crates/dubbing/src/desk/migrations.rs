//! The table of dubs.

use platform::{
    db::migrate::{Migrations, Step, run_ddl},
    documents,
};
use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use super::TABLE;

/// The steps that make the table of dubs.
pub fn migrations() -> Migrations {
    Migrations { context: "dubs", list: || vec![Step::expand(Dubs)] }
}

struct Dubs;

impl MigrationName for Dubs {
    fn name(&self) -> &'static str {
        "m20261127_000001_dubs"
    }
}

#[async_trait]
impl MigrationTrait for Dubs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = documents::create_table(TABLE);
        run_ddl(manager, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &[&format!("DROP TABLE {TABLE}")]).await
    }
}
