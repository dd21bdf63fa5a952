//! Artifacts, the files they name, and the hashes of the user's files.

use sea_orm_migration::prelude::{
    ColumnDef, DbErr, DeriveIden, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait,
    SchemaManager, Table, async_trait,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum PipelineArtifacts {
    Table,
    Key,
    Stage,
    Version,
    Output,
    ElapsedMs,
    CreatedAtMs,
    LastUsedAtMs,
}

#[derive(DeriveIden)]
enum PipelineArtifactFiles {
    Table,
    ArtifactKey,
    Name,
    SizeBytes,
}

#[derive(DeriveIden)]
enum PipelineSources {
    Table,
    Path,
    SizeBytes,
    ModifiedNs,
    Inode,
    Hash,
    HashedAtMs,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A process that is killed half way must leave either no table or all of them.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let artifacts = Table::create()
            .table(PipelineArtifacts::Table)
            .col(ColumnDef::new(PipelineArtifacts::Key).text().not_null().primary_key())
            .col(ColumnDef::new(PipelineArtifacts::Stage).text().not_null())
            .col(ColumnDef::new(PipelineArtifacts::Version).big_integer().not_null())
            .col(ColumnDef::new(PipelineArtifacts::Output).text().not_null())
            .col(ColumnDef::new(PipelineArtifacts::ElapsedMs).big_integer().not_null())
            .col(ColumnDef::new(PipelineArtifacts::CreatedAtMs).big_integer().not_null())
            .col(ColumnDef::new(PipelineArtifacts::LastUsedAtMs).big_integer().not_null())
            .to_owned();
        manager.create_table(artifacts).await?;
        let by_use = Index::create()
            .name("pipeline_artifacts_last_used")
            .table(PipelineArtifacts::Table)
            .col(PipelineArtifacts::LastUsedAtMs)
            .to_owned();
        manager.create_index(by_use).await?;

        let files = Table::create()
            .table(PipelineArtifactFiles::Table)
            .col(ColumnDef::new(PipelineArtifactFiles::ArtifactKey).text().not_null())
            .col(ColumnDef::new(PipelineArtifactFiles::Name).text().not_null())
            .col(ColumnDef::new(PipelineArtifactFiles::SizeBytes).big_integer().not_null())
            .primary_key(Index::create().col(PipelineArtifactFiles::ArtifactKey).col(PipelineArtifactFiles::Name))
            .foreign_key(
                ForeignKey::create()
                    .from(PipelineArtifactFiles::Table, PipelineArtifactFiles::ArtifactKey)
                    .to(PipelineArtifacts::Table, PipelineArtifacts::Key)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(files).await?;

        let sources = Table::create()
            .table(PipelineSources::Table)
            .col(ColumnDef::new(PipelineSources::Path).text().not_null().primary_key())
            .col(ColumnDef::new(PipelineSources::SizeBytes).big_integer().not_null())
            .col(ColumnDef::new(PipelineSources::ModifiedNs).big_integer().not_null())
            .col(ColumnDef::new(PipelineSources::Inode).big_integer().not_null())
            .col(ColumnDef::new(PipelineSources::Hash).text().not_null())
            .col(ColumnDef::new(PipelineSources::HashedAtMs).big_integer().not_null())
            .to_owned();
        manager.create_table(sources).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(PipelineSources::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(PipelineArtifactFiles::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(PipelineArtifacts::Table).to_owned()).await
    }
}
