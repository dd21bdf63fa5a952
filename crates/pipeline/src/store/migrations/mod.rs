//! The store's tables, in the order in which they came to be.

mod m20261120_000001_artifacts;

use sea_orm_migration::{
    async_trait::async_trait,
    prelude::{DynIden, IntoIden, MigrationTrait, MigratorTrait},
};

/// Brings the store's tables up to date.
pub(crate) struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_artifacts::Migration)]
    }

    fn migration_table_name() -> DynIden {
        "pipeline_migrations".into_iden()
    }
}
