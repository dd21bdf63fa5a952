//! Statements outside of transactions: bounded in time, and for PostgreSQL run where writes are taken.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    TransactionTrait as _,
};

use super::{error::is_lost, postgres::Primary};

/// Connections of a pool on which single statements run. Clones share them.
#[derive(Debug, Clone)]
pub struct Connection {
    pool: DatabaseConnection,
    /// The server of PostgreSQL behind it, where that is waited for.
    primary: Option<Primary>,
    /// What has to come first in each transaction, where there is a pooler.
    prelude: Option<Arc<str>>,
    repeat: Repeat,
}

/// Whether a statement whose connection was lost is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It may have happened.
    Never,
    /// It changes nothing.
    WhenLost,
}

impl Connection {
    pub(super) fn of_sqlite(pool: DatabaseConnection) -> Self {
        Self { pool, primary: None, prelude: None, repeat: Repeat::Never }
    }

    pub(super) fn of_primary(
        pool: DatabaseConnection,
        primary: Primary,
        prelude: Option<Arc<str>>,
        repeat: Repeat,
    ) -> Self {
        Self { pool, primary: Some(primary), prelude, repeat }
    }

    pub(super) fn of_replica(pool: DatabaseConnection, prelude: Option<Arc<str>>) -> Self {
        Self { pool, primary: None, prelude, repeat: Repeat::Never }
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) fn primary(&self) -> Option<&Primary> {
        self.primary.as_ref()
    }

    pub(super) fn prelude(&self) -> Option<&str> {
        self.prelude.as_deref()
    }

    /// Runs a statement within its time, and a reading one once more when its connection was lost.
    async fn run<T, F>(&self, statement: impl Fn() -> F) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let Some(primary) = &self.primary else { return statement().await };
        match primary.run(statement()).await {
            Err(error) if self.repeat == Repeat::WhenLost && is_lost(&error) => primary.run(statement()).await,
            done => done,
        }
    }

    /// A transaction around a single statement, where a pooler would give its parts to different sessions.
    async fn bracket(&self) -> Result<Option<DatabaseTransaction>, DbErr> {
        let Some(prelude) = &self.prelude else { return Ok(None) };
        let tx = self.pool.begin().await?;
        tx.execute_unprepared(prelude).await?;
        Ok(Some(tx))
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let once = async || {
            let Some(tx) = self.bracket().await? else { return self.pool.execute_raw(statement.clone()).await };
            let done = tx.execute_raw(statement.clone()).await?;
            tx.commit().await.map(|()| done)
        };
        self.run(once).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let once = async || {
            let Some(tx) = self.bracket().await? else { return self.pool.execute_unprepared(sql).await };
            let done = tx.execute_unprepared(sql).await?;
            tx.commit().await.map(|()| done)
        };
        self.run(once).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let once = async || {
            let Some(tx) = self.bracket().await? else { return self.pool.query_one_raw(statement.clone()).await };
            let row = tx.query_one_raw(statement.clone()).await?;
            tx.commit().await.map(|()| row)
        };
        self.run(once).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let once = async || {
            let Some(tx) = self.bracket().await? else { return self.pool.query_all_raw(statement.clone()).await };
            let rows = tx.query_all_raw(statement.clone()).await?;
            tx.commit().await.map(|()| rows)
        };
        self.run(once).await
    }
}
