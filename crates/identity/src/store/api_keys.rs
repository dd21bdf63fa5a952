//! API keys in the database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{ApiKeyId, Cursor, Page, PageRequest, Permission, Permissions, UserId, Uuid};
use platform::db::{DbError, Sql, Transaction, millis, timestamp};
use sea_orm::FromQueryResult;

use super::{Conditions, Store, count_in, execute, note_used, optional_millis, stored, users};
use crate::{
    error::IdentityError,
    model::ApiKey,
    ports::{ApiKeyOf, ApiKeyStore},
    tokens::SecretHash,
};

const COLUMNS: &str = "k.id AS key_id, k.user_id AS key_user_id, k.name AS key_name, k.hint, k.scopes, \
     k.created_at AS key_created_at, k.expires_at AS key_expires_at, k.last_used_at AS key_last_used_at";

#[derive(Debug, FromQueryResult)]
struct ApiKeyRow {
    key_id: Uuid,
    key_user_id: Uuid,
    key_name: String,
    hint: String,
    scopes: String,
    key_created_at: DateTime<Utc>,
    key_expires_at: Option<DateTime<Utc>>,
    key_last_used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, FromQueryResult)]
struct ApiKeyOfRow {
    #[sea_orm(nested)]
    key: ApiKeyRow,
    #[sea_orm(nested)]
    user: users::UserRow,
}

impl ApiKeyRow {
    fn read(self) -> Result<ApiKey, IdentityError> {
        let scopes: Result<Permissions, _> = self.scopes.split_whitespace().map(str::parse::<Permission>).collect();
        Ok(ApiKey {
            id: ApiKeyId::from_uuid(self.key_id),
            user_id: UserId::from_uuid(self.key_user_id),
            name: stored("name", self.key_name.parse())?,
            hint: self.hint,
            scopes: stored("scope", scopes)?,
            created_at_ms: millis(self.key_created_at),
            expires_at_ms: optional_millis(self.key_expires_at),
            last_used_at_ms: optional_millis(self.key_last_used_at),
        })
    }
}

#[async_trait]
impl ApiKeyStore for Store {
    async fn insert(&self, tx: &Transaction, key: &ApiKey, secret: &SecretHash) -> Result<(), DbError> {
        let scopes: Vec<_> = key.scopes.iter().map(Permission::name).collect();
        let sql = Sql::new(
            "INSERT INTO api_keys (id, user_id, hash, name, hint, scopes, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(key.id.as_uuid())
        .bind(key.user_id.as_uuid())
        .bind(secret.as_str())
        .bind(key.name.as_str())
        .bind(key.hint.as_str())
        .bind(scopes.join(" "))
        .bind(timestamp(key.created_at_ms))
        .bind(key.expires_at_ms.map(timestamp));
        execute(tx, sql).await.map(drop)
    }

    async fn count(&self, tx: &Transaction, user: UserId) -> Result<u64, DbError> {
        count_in(tx, Sql::new("SELECT COUNT(*) FROM api_keys WHERE user_id = $1").bind(user.as_uuid())).await
    }

    async fn find_by_secret(&self, secret: &SecretHash) -> Result<Option<ApiKeyOf>, IdentityError> {
        let users = users::COLUMNS;
        let sql = Sql::new(format!(
            "SELECT {COLUMNS}, {users} FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.hash = $1"
        ));
        let row: Option<ApiKeyOfRow> = self.find_row(sql.bind(secret.as_str())).await?;
        row.map(|row| Ok(ApiKeyOf { key: row.key.read()?, user: row.user.read()? })).transpose()
    }

    async fn list(&self, user: UserId, page: &PageRequest) -> Result<Page<ApiKey>, IdentityError> {
        let after = page.after.as_ref().map(Cursor::part::<Uuid>).transpose()?;
        let mut conditions = Conditions::new();
        conditions.and("k.user_id =", Some(user.as_uuid()));
        conditions.and("k.id <", after);
        let head = format!("SELECT {COLUMNS} FROM api_keys k");
        let sql = conditions.into_sql(&head, "ORDER BY k.id DESC", page.size.and_one_more());
        let rows: Vec<ApiKeyRow> = self.list_rows(sql).await?;
        let keys = rows.into_iter().map(ApiKeyRow::read).collect::<Result<_, _>>()?;
        Ok(Page::of_one_more(keys, page.size, |key: &ApiKey| Cursor::of_parts(&[&key.id.to_string()])))
    }

    async fn remove(&self, tx: &Transaction, id: ApiKeyId, user: UserId) -> Result<bool, DbError> {
        let sql = Sql::new("DELETE FROM api_keys WHERE id = $1 AND user_id = $2");
        Ok(execute(tx, sql.bind(id.as_uuid()).bind(user.as_uuid())).await? == 1)
    }

    async fn note_used(&self, tx: &Transaction, used_at_ms: &[(ApiKeyId, i64)]) -> Result<(), DbError> {
        let rows: Vec<_> = used_at_ms.iter().map(|(id, at_ms)| (id.as_uuid(), *at_ms)).collect();
        note_used(tx, "api_keys", &rows).await
    }
}
