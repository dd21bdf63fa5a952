//! Reads that a replica may serve, and the primary where it cannot.

use async_trait::async_trait;
use metrics::counter;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::{
    Db,
    postgres::{Refusal, Replica},
};

/// The metric of reads that a replica may serve.
pub const READS: &str = "db_reads_total";

/// How new what is read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Every change is seen that was committed before the read, by whichever process.
    Latest,
    /// What was changed within the last seconds may be missing, as many as the replica may be behind.
    Recent,
}

/// Reads from a replica where there is one that is new enough, and from [`Db::reader`] otherwise. It changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct ReplicaReader<'a> {
    db: &'a Db,
    freshness: Freshness,
}

impl Db {
    /// For queries of lists and other reads that are many. Whoever decides something by what is read takes [`Self::reader`] or a
    /// transaction.
    pub fn replica_reader(&self, freshness: Freshness) -> ReplicaReader<'_> {
        ReplicaReader { db: self, freshness }
    }

    /// Why the replica is not read from; nothing where it is, or where there is none.
    pub fn replica_fault(&self) -> Option<String> {
        self.inner.replica.as_ref().and_then(Replica::fault)
    }

    /// Whether reads may go to a replica.
    pub fn has_replica(&self) -> bool {
        self.inner.replica.is_some()
    }
}

impl ReplicaReader<'_> {
    async fn read<T, F>(&self, read: impl FnOnce(&Replica) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let replica = self.db.inner.replica.as_ref()?;
        let outcome = match replica.admit(self.freshness).await {
            Ok(()) => match replica.run(read(replica)).await {
                Ok(done) => {
                    counter!(READS, "from" => "replica", "because" => "fresh").increment(1);
                    return Some(done);
                }
                // A statement that is wrong fails on the primary too, and is told from there.
                Err(error) => {
                    tracing::debug!(%error, "a read failed on the replica; the primary is asked");
                    "failed"
                }
            },
            Err(Refusal::Behind) => "behind",
            Err(Refusal::Off) => "off",
        };
        counter!(READS, "from" => "primary", "because" => outcome).increment(1);
        None
    }
}

fn no_writes() -> DbErr {
    DbErr::Custom("a reader changes nothing; use the writer or a transaction".to_owned())
}

#[async_trait]
impl ConnectionTrait for ReplicaReader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.backend().as_sea_orm()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(no_writes())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(no_writes())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let read = |replica: &Replica| {
            let (connection, statement) = (replica.connection().clone(), statement.clone());
            async move { connection.query_one_raw(statement).await }
        };
        match self.read(read).await {
            Some(row) => Ok(row),
            None => self.db.reader().query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let read = |replica: &Replica| {
            let (connection, statement) = (replica.connection().clone(), statement.clone());
            async move { connection.query_all_raw(statement).await }
        };
        match self.read(read).await {
            Some(rows) => Ok(rows),
            None => self.db.reader().query_all_raw(statement).await,
        }
    }
}
