//! Documents of users: values of one type, each kept with its owner and a version, in a table of its context.
//!
//! A document is changed by replacing the version that was read: of two who change it at the same time, one is told. Lists read
//! summaries only: a page of documents could be as large as all of them.

use std::{marker::PhantomData, sync::Arc};

use chrono::{DateTime, Utc};
use kernel::{Clock, Cursor, Page, PageError, PageRequest, UserId, Uuid};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use serde::{Serialize, de::DeserializeOwned};

use crate::db::{Backend, Db, DbError, Freshness, Sql, Transaction, millis, timestamp};

/// What stands in a row, with the value or the summary in the third place.
fn columns(value: &str) -> String {
    format!("id, owner, {value}, version, created_at, updated_at")
}

/// A value that is kept as a document.
pub trait Kept: Serialize + DeserializeOwned {
    /// What a list shows of it.
    type Summary: Serialize + DeserializeOwned;

    fn summary(&self) -> Self::Summary;
}

/// The documents of one table. Clones are the same documents.
#[derive(Debug)]
pub struct Documents<T> {
    db: Db,
    clock: Arc<dyn Clock>,
    table: &'static str,
    value: PhantomData<fn() -> T>,
}

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<T> {
    pub id: Uuid,
    pub owner: UserId,
    pub value: T,
    /// Raised by each change, from 1.
    pub version: i64,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// Why documents could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The statements that make a table of documents, for the migrations of its context.
pub fn create_table(table: &str) -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE {table} (
                id UUID NOT NULL PRIMARY KEY,
                owner UUID NOT NULL,
                value TEXT NOT NULL,
                summary TEXT NOT NULL,
                version BIGINT NOT NULL,
                created_at TIMESTAMPTZ NOT NULL,
                updated_at TIMESTAMPTZ NOT NULL
            )"
        ),
        format!("CREATE INDEX {table}_owner ON {table} (owner, id)"),
    ]
}

impl<T> Clone for Documents<T> {
    fn clone(&self) -> Self {
        Self { db: self.db.clone(), clock: Arc::clone(&self.clock), table: self.table, value: PhantomData }
    }
}

impl<T: Kept> Documents<T> {
    /// The documents in `table`, which [`create_table`] made.
    pub fn new(db: Db, clock: Arc<dyn Clock>, table: &'static str) -> Self {
        Self { db, clock, table, value: PhantomData }
    }

    /// The database that they are in.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Makes a document.
    pub async fn insert(&self, tx: &Transaction, id: Uuid, owner: UserId, value: T) -> Result<Document<T>, DbError> {
        let now_ms = self.clock.now_ms();
        let document = Document { id, owner, value, version: 1, created_at_ms: now_ms, updated_at_ms: now_ms };
        let insert =
            Sql::new(format!("INSERT INTO {} ({}) VALUES ", self.table, columns("value, summary"))).tuples(1, 7);
        let insert = insert
            .bind(id)
            .bind(owner.as_uuid())
            .bind(write(&document.value)?)
            .bind(write(&document.value.summary())?)
            .bind(document.version)
            .bind(timestamp(now_ms))
            .bind(timestamp(now_ms));
        tx.execute_raw(insert.on(tx.backend())).await?;
        Ok(document)
    }

    /// A document of this owner; those of others are not there.
    pub async fn find(&self, id: Uuid, owner: UserId) -> Result<Option<Document<T>>, DbError> {
        self.read_one(self.db.reader(), id, owner, "").await
    }

    /// The same in a transaction, in which nobody else changes it any more.
    pub async fn lock(&self, tx: &Transaction, id: Uuid, owner: UserId) -> Result<Option<Document<T>>, DbError> {
        let lock = if tx.backend() == Backend::Postgres { "FOR UPDATE" } else { "" };
        self.read_one(&**tx, id, owner, lock).await
    }

    async fn read_one(
        &self,
        db: &impl ConnectionTrait,
        id: Uuid,
        owner: UserId,
        lock: &str,
    ) -> Result<Option<Document<T>>, DbError> {
        let (columns, table) = (columns("value"), self.table);
        let one = Sql::new(format!("SELECT {columns} FROM {table} WHERE id = $1 AND owner = $2 {lock}"));
        let row = db.query_one_raw(one.bind(id).bind(owner.as_uuid()).on(self.db.backend())).await?;
        Ok(row.map(|row| read(&row)).transpose()?)
    }

    /// What there is of an owner's documents, the newest first.
    pub async fn list(&self, owner: UserId, page: &PageRequest) -> Result<Page<Document<T::Summary>>, ListError> {
        let after = page.after.as_ref().map(Cursor::part).transpose()?.unwrap_or(Uuid::max());
        let limit = page.size.and_one_more();
        let list = Sql::new(format!(
            "SELECT {} FROM {} WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT {limit}",
            columns("summary"),
            self.table
        ));
        let list = list.bind(owner.as_uuid()).bind(after);
        let reader = self.db.replica_reader(Freshness::Latest);
        let rows = reader.query_all_raw(list.on(self.db.backend())).await.map_err(DbError::from)?;
        let documents = rows.iter().map(read).collect::<Result<_, _>>().map_err(DbError::from)?;
        Ok(Page::of_one_more(documents, page.size, |document: &Document<T::Summary>| {
            Cursor::of_parts(&[&document.id.to_string()])
        }))
    }

    /// Replaces the value of a document that was read; nothing where it was changed or removed since.
    pub async fn replace(
        &self,
        tx: &Transaction,
        document: Document<T>,
        value: T,
    ) -> Result<Option<Document<T>>, DbError> {
        let now_ms = self.clock.now_ms();
        let update = Sql::new(format!(
            "UPDATE {} SET value = $1, summary = $2, version = $3, updated_at = $4 WHERE id = $5 AND version = $6",
            self.table
        ));
        let version = document.version + 1;
        let update = update
            .bind(write(&value)?)
            .bind(write(&value.summary())?)
            .bind(version)
            .bind(timestamp(now_ms))
            .bind(document.id)
            .bind(document.version);
        let is_there = tx.execute_raw(update.on(tx.backend())).await?.rows_affected() == 1;
        Ok(is_there.then_some(Document { value, version, updated_at_ms: now_ms, ..document }))
    }

    /// Removes a document of this owner, and says whether it was there.
    pub async fn delete(&self, tx: &Transaction, id: Uuid, owner: UserId) -> Result<bool, DbError> {
        let delete = Sql::new(format!("DELETE FROM {} WHERE id = $1 AND owner = $2", self.table));
        Ok(tx.execute_raw(delete.bind(id).bind(owner.as_uuid()).on(tx.backend())).await?.rows_affected() == 1)
    }
}

fn write(value: &impl Serialize) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbErr::Json(error.to_string()).into())
}

fn read<T: DeserializeOwned>(row: &QueryResult) -> Result<Document<T>, DbErr> {
    let value: String = row.try_get_by_index(2)?;
    let (created_at, updated_at): (DateTime<Utc>, DateTime<Utc>) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
    Ok(Document {
        id: row.try_get_by_index(0)?,
        owner: UserId::from_uuid(row.try_get_by_index(1)?),
        value: serde_json::from_str(&value).map_err(|error| DbErr::Json(error.to_string()))?,
        version: row.try_get_by_index(3)?,
        created_at_ms: millis(created_at),
        updated_at_ms: millis(updated_at),
    })
}
