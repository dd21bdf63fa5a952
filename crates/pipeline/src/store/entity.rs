//! The rows of the store.

pub(crate) mod artifact {
    use sea_orm::entity::prelude::*;

    /// A finished artifact.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pipeline_artifacts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key: String,
        pub(crate) stage: String,
        pub(crate) version: i64,
        /// The stage's output as JSON.
        #[sea_orm(column_type = "Text")]
        pub(crate) output: String,
        /// How long it took to make, in milliseconds.
        pub(crate) elapsed_ms: i64,
        pub(crate) created_at_ms: i64,
        pub(crate) last_used_at_ms: i64,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod artifact_file {
    use sea_orm::entity::prelude::*;

    /// A file that an artifact names.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pipeline_artifact_files")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) artifact_key: String,
        /// Its name in the folder of files.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
        pub(crate) size_bytes: i64,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod source {
    use sea_orm::entity::prelude::*;

    /// The hash of a user's file as it was when last seen.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pipeline_sources")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) path: String,
        pub(crate) size_bytes: i64,
        pub(crate) modified_ns: i64,
        pub(crate) inode: i64,
        pub(crate) hash: String,
        pub(crate) hashed_at_ms: i64,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
