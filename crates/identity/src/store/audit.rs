//! The audit log in the database: rows that are only added, and one row that is the end of their chain.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{Cursor, Page, PageRequest, UserId, Uuid};
use platform::db::{DbError, Sql, Transaction, millis, timestamp};
use sea_orm::{DbErr, FromQueryResult};

use super::{Conditions, Store, execute, find_in};
use crate::{
    error::IdentityError,
    model::AuditEntry,
    ports::{AuditFilter, AuditStore, ChainHead},
};

const COLUMNS: &str = "number, at, actor, act, subject, address, details, key_id, code";

#[derive(Debug, FromQueryResult)]
struct AuditRow {
    number: i64,
    at: DateTime<Utc>,
    actor: Option<Uuid>,
    act: String,
    subject: Option<String>,
    address: Option<String>,
    details: String,
    key_id: String,
    code: String,
}

#[derive(Debug, FromQueryResult)]
struct HeadRow {
    number: i64,
    code: String,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            number: row.number,
            at_ms: millis(row.at),
            actor: row.actor.map(UserId::from_uuid),
            act: row.act,
            subject: row.subject,
            address: row.address,
            details: row.details,
            key_id: row.key_id,
            code: row.code,
        }
    }
}

#[async_trait]
impl AuditStore for Store {
    async fn lock_head(&self, tx: &Transaction) -> Result<ChainHead, DbError> {
        execute(tx, Sql::new("UPDATE audit_head SET number = number WHERE singleton = 1")).await?;
        head(find_in(tx, Sql::new("SELECT number, code FROM audit_head WHERE singleton = 1")).await?)
    }

    async fn append(&self, tx: &Transaction, entry: &AuditEntry) -> Result<(), DbError> {
        let sql = Sql::new(format!("INSERT INTO audit_log ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"))
            .bind(entry.number)
            .bind(timestamp(entry.at_ms))
            .bind(entry.actor.map(UserId::as_uuid))
            .bind(entry.act.as_str())
            .bind(entry.subject.as_deref())
            .bind(entry.address.as_deref())
            .bind(entry.details.as_str())
            .bind(entry.key_id.as_str())
            .bind(entry.code.as_str());
        execute(tx, sql).await?;
        let follow = Sql::new("UPDATE audit_head SET number = $1, code = $2 WHERE singleton = 1");
        execute(tx, follow.bind(entry.number).bind(entry.code.as_str())).await.map(drop)
    }

    async fn head(&self) -> Result<ChainHead, DbError> {
        head(self.find_row(Sql::new("SELECT number, code FROM audit_head WHERE singleton = 1")).await?)
    }

    async fn after(&self, number: i64, count: u64) -> Result<Vec<AuditEntry>, IdentityError> {
        let mut conditions = Conditions::new();
        conditions.and("number >", Some(number));
        let sql = conditions.into_sql(&format!("SELECT {COLUMNS} FROM audit_log"), "ORDER BY number", count);
        let rows: Vec<AuditRow> = self.list_rows(sql).await?;
        Ok(rows.into_iter().map(AuditEntry::from).collect())
    }

    async fn list(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, IdentityError> {
        let after = page.after.as_ref().map(Cursor::part::<i64>).transpose()?;
        let mut conditions = Conditions::new();
        conditions.and("number <", after);
        conditions.and("act =", filter.act.as_deref());
        conditions.and("actor =", filter.actor.map(UserId::as_uuid));
        let head = format!("SELECT {COLUMNS} FROM audit_log");
        let sql = conditions.into_sql(&head, "ORDER BY number DESC", page.size.and_one_more());
        let rows: Vec<AuditRow> = self.list_rows(sql).await?;
        let entries = rows.into_iter().map(AuditEntry::from).collect();
        Ok(Page::of_one_more(entries, page.size, |entry| Cursor::of_parts(&[&entry.number.to_string()])))
    }
}

/// The migration makes the row; a database without it is not one of ours.
fn head(row: Option<HeadRow>) -> Result<ChainHead, DbError> {
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the end of the audit log".to_owned()))?;
    Ok(ChainHead { number: row.number, code: row.code })
}
