//! The table of videos.

use platform::{
    db::migrate::{Migrations, Step, run_ddl},
    documents,
};
use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

use super::TABLE;

/// The steps that make the table of videos.
pub fn migrations() -> Migrations {
    Migrations { context: "videos", list: || vec![Step::expand(Videos)] }
}

struct Videos;

impl MigrationName for Videos {
    fn name(&self) -> &'static str {
        "m20261127_000001_videos"
    }
}

#[async_trait]
impl MigrationTrait for Videos {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = documents::create_table(TABLE);
        run_ddl(manager, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &[&format!("DROP TABLE {TABLE}")]).await
    }
}
