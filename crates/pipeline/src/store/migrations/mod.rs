//! The store's tables, in the order in which they came to be.

mod m20261120_000001_artifacts;

use sea_orm::{DatabaseConnection, FromQueryResult, Statement};
use sea_orm_migration::{
    async_trait::async_trait,
    prelude::{DynIden, IntoIden, MigrationTrait, MigratorTrait},
};

/// The table that names the migrations that were applied.
const TABLE: &str = "pipeline_migrations";

#[derive(Debug, FromQueryResult)]
struct Applied {
    version: String,
}

/// Whether exactly these migrations were applied, told by one query: opening a folder has to be quick.
pub(crate) async fn are_applied(db: &DatabaseConnection) -> bool {
    let query =
        Statement::from_string(db.get_database_backend(), format!("SELECT version FROM {TABLE} ORDER BY version"));
    // A table that is not there yet is an error, too.
    let Ok(applied) = Applied::find_by_statement(query).all(db).await else { return false };
    let known = Migrator::migrations();
    applied.iter().map(|applied| applied.version.as_str()).eq(known.iter().map(|migration| migration.name()))
}

/// Brings the store's tables up to date.
pub(crate) struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_artifacts::Migration)]
    }

    fn migration_table_name() -> DynIden {
        TABLE.into_iden()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;

    #[tokio::test]
    async fn every_migration_can_be_undone_and_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let db = platform::db::open_sqlite(&folder.path().join("test.db")).await.unwrap();
        assert!(!are_applied(&db).await);
        Migrator::up(&db, None).await.unwrap();
        assert!(are_applied(&db).await);
        db.execute_unprepared("SELECT * FROM pipeline_artifacts").await.unwrap();
        Migrator::down(&db, None).await.unwrap();
        db.execute_unprepared("SELECT * FROM pipeline_artifacts").await.unwrap_err();
        Migrator::up(&db, None).await.unwrap();
    }
}
