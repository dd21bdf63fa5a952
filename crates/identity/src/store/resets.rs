//! Links to new passwords in the database.

use async_trait::async_trait;
use kernel::{UserId, Uuid};
use platform::db::{DbError, Sql, Transaction, timestamp};
use sea_orm::ConnectionTrait;

use super::{Store, execute};
use crate::{ports::ResetStore, tokens::SecretHash};

#[async_trait]
impl ResetStore for Store {
    async fn put(
        &self,
        tx: &Transaction,
        user: UserId,
        secret: &SecretHash,
        expires_at_ms: i64,
    ) -> Result<(), DbError> {
        let sql = Sql::new(
            "INSERT INTO password_resets (user_id, hash, expires_at) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at",
        );
        let sql = sql.bind(user.as_uuid()).bind(secret.as_str()).bind(timestamp(expires_at_ms));
        execute(tx, sql).await.map(drop)
    }

    async fn remove(&self, tx: &Transaction, user: UserId) -> Result<(), DbError> {
        execute(tx, Sql::new("DELETE FROM password_resets WHERE user_id = $1").bind(user.as_uuid())).await.map(drop)
    }

    async fn take(&self, tx: &Transaction, secret: &SecretHash, now_ms: i64) -> Result<Option<UserId>, DbError> {
        let sql = Sql::new("DELETE FROM password_resets WHERE hash = $1 AND expires_at > $2 RETURNING user_id");
        let sql = sql.bind(secret.as_str()).bind(timestamp(now_ms));
        let row = tx.query_one_raw(sql.on(tx.backend())).await?;
        Ok(row.map(|row| row.try_get_by_index::<Uuid>(0)).transpose()?.map(UserId::from_uuid))
    }
}
