//! Refresh tokens in the database: a chain for each session, of which the last link was not shown yet.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::SessionId;
use platform::db::{DbError, Sql, Transaction, millis, timestamp};
use sea_orm::FromQueryResult;

use super::{Store, execute, find_in, sessions};
use crate::{
    error::IdentityError,
    model::RefreshState,
    ports::{RefreshStore, SessionOf},
    tokens::SecretHash,
};

#[derive(Debug, FromQueryResult)]
struct LinkRow {
    successor: Option<String>,
    superseded_at: Option<DateTime<Utc>>,
    /// The successor of the successor.
    next: Option<String>,
}

#[async_trait]
impl RefreshStore for Store {
    async fn lock_session(&self, tx: &Transaction, token: &SecretHash) -> Result<Option<SessionOf>, IdentityError> {
        // An update that changes nothing locks the row in PostgreSQL; in SQLite the transaction is alone anyway.
        let lock = Sql::new(
            "UPDATE sessions SET last_used_at = last_used_at \
             WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = $1)",
        );
        execute(tx, lock.bind(token.as_str())).await?;
        let select = sessions::select_with_user(
            "(SELECT t.hash FROM refresh_tokens t WHERE t.session_id = s.id AND t.hash = $1)",
        );
        let select = select.bind(token.as_str());
        let row: Option<sessions::SessionOfRow> = find_in(tx, select).await?;
        row.map(sessions::SessionOfRow::read).transpose()
    }

    async fn state(&self, tx: &Transaction, token: &SecretHash) -> Result<RefreshState, IdentityError> {
        let sql = Sql::new(
            "SELECT t.successor, t.superseded_at, n.successor AS next FROM refresh_tokens t \
             LEFT JOIN refresh_tokens n ON n.hash = t.successor WHERE t.hash = $1",
        );
        let row: Option<LinkRow> = find_in(tx, sql.bind(token.as_str())).await?;
        let row = row.ok_or(IdentityError::RefreshRefused)?;
        Ok(match (row.successor, row.next, row.superseded_at) {
            (None, _, _) => RefreshState::Fresh,
            (Some(_), Some(_), _) => RefreshState::ReplacedUsed,
            (Some(_), None, Some(at)) => RefreshState::Superseded { at_ms: millis(at) },
            (Some(_), None, None) => RefreshState::ReplacedUnused,
        })
    }

    async fn insert(&self, tx: &Transaction, session: SessionId, token: &SecretHash) -> Result<(), DbError> {
        let sql = Sql::new("INSERT INTO refresh_tokens (hash, session_id) VALUES ($1, $2)");
        execute(tx, sql.bind(token.as_str()).bind(session.as_uuid())).await.map(drop)
    }

    async fn replace(
        &self,
        tx: &Transaction,
        shown: &SecretHash,
        new: &SecretHash,
        now_ms: i64,
    ) -> Result<(), DbError> {
        // The unshown successor, and whatever else led to it, leads to the new one from now on. All are of one session, whose
        // tokens an index finds.
        let supersede = Sql::new(
            "UPDATE refresh_tokens SET successor = $1, superseded_at = CASE WHEN successor IS NULL THEN $2 \
             ELSE superseded_at END \
             WHERE session_id = (SELECT session_id FROM refresh_tokens WHERE hash = $3) \
             AND (hash = (SELECT successor FROM refresh_tokens WHERE hash = $3) \
             OR successor = (SELECT successor FROM refresh_tokens WHERE hash = $3))",
        );
        execute(tx, supersede.bind(new.as_str()).bind(timestamp(now_ms)).bind(shown.as_str())).await?;
        // Shown now, it is no longer one that was superseded before anybody showed it.
        let follow = Sql::new("UPDATE refresh_tokens SET successor = $1, superseded_at = NULL WHERE hash = $2");
        execute(tx, follow.bind(new.as_str()).bind(shown.as_str())).await.map(drop)
    }
}
