//! Sessions in the database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{SessionId, UserId, Uuid};
use platform::db::{DbError, Sql, Transaction, millis, timestamp};
use sea_orm::FromQueryResult;

use super::{Store, execute, known, note_used, users};
use crate::{
    error::IdentityError,
    model::{Session, SessionKind},
    ports::{SessionOf, SessionStore},
    tokens::SecretHash,
};

/// The columns of a [`SessionRow`], of a table named `s`.
pub(super) const COLUMNS: &str = "s.id AS session_id, s.user_id AS session_user_id, s.kind, \
     s.created_at AS session_created_at, s.last_used_at, s.expires_at AS session_expires_at";

#[derive(Debug, FromQueryResult)]
pub(super) struct SessionRow {
    session_id: Uuid,
    session_user_id: Uuid,
    kind: String,
    session_created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    session_expires_at: DateTime<Utc>,
}

#[derive(Debug, FromQueryResult)]
pub(super) struct SessionOfRow {
    #[sea_orm(nested)]
    session: SessionRow,
    #[sea_orm(nested)]
    user: users::UserRow,
}

impl SessionRow {
    fn read(self) -> Result<Session, IdentityError> {
        Ok(Session {
            id: SessionId::from_uuid(self.session_id),
            user_id: UserId::from_uuid(self.session_user_id),
            kind: known("kind of session", SessionKind::find(&self.kind))?,
            created_at_ms: millis(self.session_created_at),
            last_used_at_ms: millis(self.last_used_at),
            expires_at_ms: millis(self.session_expires_at),
        })
    }
}

impl SessionOfRow {
    pub(super) fn read(self) -> Result<SessionOf, IdentityError> {
        Ok(SessionOf { session: self.session.read()?, user: self.user.read()? })
    }
}

/// Selects sessions that were not revoked, with their users.
pub(super) fn select_with_user(condition: &str) -> Sql {
    let users = users::COLUMNS;
    Sql::new(format!(
        "SELECT {COLUMNS}, {users} FROM sessions s JOIN users u ON u.id = s.user_id \
         WHERE {condition} = $1 AND s.revoked_at IS NULL"
    ))
}

#[async_trait]
impl SessionStore for Store {
    async fn insert(&self, tx: &Transaction, session: &Session, cookie: Option<&SecretHash>) -> Result<(), DbError> {
        let sql = Sql::new(
            "INSERT INTO sessions (id, user_id, kind, cookie_hash, created_at, last_used_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(session.id.as_uuid())
        .bind(session.user_id.as_uuid())
        .bind(session.kind.name())
        .bind(cookie.map(SecretHash::as_str))
        .bind(timestamp(session.created_at_ms))
        .bind(timestamp(session.last_used_at_ms))
        .bind(timestamp(session.expires_at_ms));
        execute(tx, sql).await.map(drop)
    }

    async fn find(&self, id: SessionId) -> Result<Option<SessionOf>, IdentityError> {
        let row: Option<SessionOfRow> = self.find_row(select_with_user("s.id").bind(id.as_uuid())).await?;
        row.map(SessionOfRow::read).transpose()
    }

    async fn find_by_cookie(&self, cookie: &SecretHash) -> Result<Option<SessionOf>, IdentityError> {
        let row: Option<SessionOfRow> = self.find_row(select_with_user("s.cookie_hash").bind(cookie.as_str())).await?;
        row.map(SessionOfRow::read).transpose()
    }

    async fn list(&self, user: UserId, now_ms: i64) -> Result<Vec<Session>, IdentityError> {
        let sql = Sql::new(format!(
            "SELECT {COLUMNS} FROM sessions s WHERE s.user_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 \
             ORDER BY s.id DESC LIMIT 200"
        ));
        let rows: Vec<SessionRow> = self.list_rows(sql.bind(user.as_uuid()).bind(timestamp(now_ms))).await?;
        rows.into_iter().map(SessionRow::read).collect()
    }

    async fn revoke(&self, tx: &Transaction, id: SessionId, user: UserId, now_ms: i64) -> Result<bool, DbError> {
        let sql = Sql::new("UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND user_id = $3 AND revoked_at IS NULL");
        let sql = sql.bind(timestamp(now_ms)).bind(id.as_uuid()).bind(user.as_uuid());
        Ok(execute(tx, sql).await? == 1)
    }

    async fn revoke_all(
        &self,
        tx: &Transaction,
        user: UserId,
        except: Option<SessionId>,
        now_ms: i64,
    ) -> Result<u64, DbError> {
        let sql =
            Sql::new("UPDATE sessions SET revoked_at = $1 WHERE user_id = $2 AND id <> $3 AND revoked_at IS NULL");
        let except = except.map_or(Uuid::nil(), SessionId::as_uuid);
        execute(tx, sql.bind(timestamp(now_ms)).bind(user.as_uuid()).bind(except)).await
    }

    async fn note_used(&self, tx: &Transaction, used_at_ms: &[(SessionId, i64)]) -> Result<(), DbError> {
        let rows: Vec<_> = used_at_ms.iter().map(|(id, at_ms)| (id.as_uuid(), *at_ms)).collect();
        note_used(tx, "sessions", &rows).await
    }

    async fn remove_ended(&self, before_ms: i64) -> Result<u64, DbError> {
        self.write(Sql::new("DELETE FROM sessions WHERE expires_at < $1").bind(timestamp(before_ms))).await
    }
}
