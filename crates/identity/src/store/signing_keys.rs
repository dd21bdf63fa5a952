//! Signing keys in the database, sealed.

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use platform::db::{Backend, DbError, Sql, Transaction, millis, timestamp};
use sea_orm::FromQueryResult;

use super::{Store, count_in, execute, stored};
use crate::{error::IdentityError, ports::SigningKeyStore, tokens::StoredKey};

#[derive(Debug, FromQueryResult)]
struct SigningKeyRow {
    id: String,
    sealed_seed: String,
    created_at: DateTime<Utc>,
}

#[async_trait]
impl SigningKeyStore for Store {
    async fn list(&self) -> Result<Vec<StoredKey>, IdentityError> {
        let sql =
            Sql::new("SELECT id, sealed_seed, created_at FROM signing_keys ORDER BY created_at DESC, id LIMIT 100");
        let rows: Vec<SigningKeyRow> = self.list_rows(sql).await?;
        let read = |row: SigningKeyRow| {
            let sealed_seed = stored("signing key", URL_SAFE_NO_PAD.decode(row.sealed_seed))?;
            Ok(StoredKey { id: row.id, sealed_seed, created_at_ms: millis(row.created_at) })
        };
        rows.into_iter().map(read).collect()
    }

    async fn insert(&self, tx: &Transaction, key: &StoredKey, unless_after_ms: i64) -> Result<bool, DbError> {
        if tx.backend() == Backend::Postgres {
            // Servers that start together would each make a key.
            execute(tx, Sql::new("LOCK TABLE signing_keys IN EXCLUSIVE MODE")).await?;
        }
        let newer =
            Sql::new("SELECT COUNT(*) FROM signing_keys WHERE created_at > $1").bind(timestamp(unless_after_ms));
        if count_in(tx, newer).await? > 0 {
            return Ok(false);
        }
        let sql = Sql::new("INSERT INTO signing_keys (id, sealed_seed, created_at) VALUES ($1, $2, $3)");
        let sql = sql.bind(key.id.as_str()).bind(URL_SAFE_NO_PAD.encode(&key.sealed_seed));
        execute(tx, sql.bind(timestamp(key.created_at_ms))).await?;
        Ok(true)
    }
}
