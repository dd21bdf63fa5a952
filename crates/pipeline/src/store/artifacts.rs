//! The rows of artifacts: looked up many at a time, written when an artifact is whole.

use std::{collections::HashMap, time::Duration};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, TransactionTrait,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;

use super::{
    Store,
    entity::{artifact, artifact_file},
};
use crate::{FileRef, Key, StoreError, error::blocking};

/// How many keys one statement names; SQLite takes 32,766 parameters.
const KEYS_PER_STATEMENT: usize = 500;

/// An artifact that was just made.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) key: Key,
    pub(crate) stage: &'a str,
    pub(crate) version: u32,
    pub(crate) output: Value,
    pub(crate) elapsed: Duration,
}

impl Store {
    /// The outputs of those of `keys` whose artifact is whole. One that lost a file counts as not made.
    pub(crate) async fn find(&self, keys: &[Key]) -> Result<HashMap<Key, Value>, StoreError> {
        let mut rows = Vec::new();
        for keys in keys.chunks(KEYS_PER_STATEMENT) {
            let keys = keys.iter().map(ToString::to_string);
            rows.extend(artifact::Entity::find().filter(artifact::Column::Key.is_in(keys)).all(self.db()).await?);
        }
        if rows.is_empty() {
            return Ok(HashMap::new());
        }
        let store = self.clone();
        blocking(move || Ok(rows.into_iter().filter_map(|row| store.whole_output(&row)).collect())).await
    }

    /// Says that an artifact is whole. Its files were kept before.
    pub(crate) async fn save(&self, record: Record<'_>) -> Result<(), StoreError> {
        let key = record.key.to_string();
        let now_ms = self.now_ms();
        let files = FileRef::all_in(&record.output).into_iter().map(|file| artifact_file::ActiveModel {
            artifact_key: Set(key.clone()),
            name: Set(file.name()),
            size_bytes: Set(i64::try_from(file.size_bytes()).unwrap_or(i64::MAX)),
        });
        let files: Vec<_> = files.collect();
        let row = artifact::ActiveModel {
            key: Set(key.clone()),
            stage: Set(record.stage.to_owned()),
            version: Set(i64::from(record.version)),
            output: Set(record.output.to_string()),
            elapsed_ms: Set(i64::try_from(record.elapsed.as_millis()).unwrap_or(i64::MAX)),
            created_at_ms: Set(now_ms),
            last_used_at_ms: Set(now_ms),
        };
        // A row of this key is of an artifact that lost a file; its list of files goes with it. The first statement
        // writes, so that the transaction waits for its turn instead of failing half way.
        let transaction = self.db().begin().await?;
        artifact::Entity::delete_by_id(key).exec(&transaction).await?;
        artifact::Entity::insert(row).exec_without_returning(&transaction).await?;
        for files in files.chunks(KEYS_PER_STATEMENT) {
            artifact_file::Entity::insert_many(files.to_vec())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(&transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Notes that these artifacts were used now, so that they are removed last.
    pub(crate) async fn touch(&self, keys: &[Key]) -> Result<(), StoreError> {
        for keys in keys.chunks(KEYS_PER_STATEMENT) {
            artifact::Entity::update_many()
                .col_expr(artifact::Column::LastUsedAtMs, Expr::value(self.now_ms()))
                .filter(artifact::Column::Key.is_in(keys.iter().map(ToString::to_string)))
                .exec(self.db())
                .await?;
        }
        Ok(())
    }

    fn whole_output(&self, row: &artifact::Model) -> Option<(Key, Value)> {
        let key = row.key.parse().ok()?;
        let output: Value = serde_json::from_str(&row.output).ok()?;
        if self.are_whole(&FileRef::all_in(&output)) {
            Some((key, output))
        } else {
            tracing::warn!(
                stage = row.stage,
                key = row.key,
                "a file of this artifact is missing or cut; making it again"
            );
            None
        }
    }
}
