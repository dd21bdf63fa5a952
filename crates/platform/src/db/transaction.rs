//! Transactions that are tried again when another was in their way.

use std::{
    error::Error,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kernel::Rng as _;
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio_util::sync::CancellationToken;

use super::{Backend, Db, DbError, DbFault, postgres::has_moved};
use crate::rng::SystemRng;

/// How often a transaction is tried before its failure is told.
const MAX_ATTEMPTS: u32 = 6;

/// The wait before the second attempt; it doubles with each.
const FIRST_WAIT_MS: u64 = 10;

/// A transaction that was begun. Statements run on it as on a connection; dropped without a commit, it is undone.
#[derive(Debug, Clone)]
pub struct Transaction {
    inner: Arc<DatabaseTransaction>,
    backend: Backend,
    hooks: Hooks,
    /// Called when another server takes the writes: this one is not waited for any more.
    moved: CancellationToken,
}

/// What is to be done once the transaction is committed.
#[derive(Clone, Default)]
struct Hooks(Arc<Mutex<Vec<Hook>>>);

type Hook = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

impl Transaction {
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Makes its changes last. Fails, and undoes them, when a clone of it is still in use.
    pub async fn commit(self) -> Result<(), DbError> {
        let in_use = |_| sea_orm::DbErr::Custom("a transaction was kept beyond its end".to_owned());
        let transaction = Arc::try_unwrap(self.inner).map_err(in_use)?;
        let committed = self.moved.run_until_cancelled(transaction.commit()).await;
        committed.unwrap_or_else(|| Err(has_moved()))?;
        let hooks = std::mem::take(&mut *self.hooks.0.lock().unwrap_or_else(PoisonError::into_inner));
        for hook in hooks {
            hook();
        }
        Ok(())
    }

    /// Calls `hook` once the whole transaction is committed; never when it is undone. A process that dies in between does not
    /// call it, so it may only hurry what would happen anyway.
    pub fn after_commit(&self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Undoes its changes.
    pub async fn rollback(self) -> Result<(), DbError> {
        match Arc::try_unwrap(self.inner) {
            Ok(transaction) => Ok(transaction.rollback().await?),
            Err(_) => Ok(()),
        }
    }

    /// Begins a part that can be undone by itself (a savepoint). Hooks of the part are hooks of the whole.
    pub async fn savepoint(&self) -> Result<Savepoint, DbError> {
        let inner = Arc::new(self.inner.begin().await?);
        Ok(Savepoint(Self { inner, ..self.clone() }))
    }
}

/// A part of a transaction; dropped without [`Self::keep`], it is undone.
#[derive(Debug)]
pub struct Savepoint(Transaction);

impl Savepoint {
    /// Makes its changes those of the whole transaction.
    pub async fn keep(self) -> Result<(), DbError> {
        let in_use = |_| sea_orm::DbErr::Custom("a savepoint was kept beyond its end".to_owned());
        Ok(Arc::try_unwrap(self.0.inner).map_err(in_use)?.commit().await?)
    }

    /// Undoes its changes.
    pub async fn undo(self) -> Result<(), DbError> {
        self.0.rollback().await
    }
}

impl Deref for Savepoint {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        &self.0
    }
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Db {
    /// Begins a transaction. In SQLite it holds the database's only writer at once, so it never fails half way.
    ///
    /// Prefer [`Self::transaction`], which tries again what another transaction hindered.
    pub async fn begin(&self) -> Result<Transaction, DbError> {
        let options = match self.backend() {
            Backend::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
            Backend::Postgres => TransactionOptions::default(),
        };
        let begin = async {
            let inner = self.writer().pool().begin_with_options(options).await?;
            if let Some(prelude) = self.writer().prelude() {
                inner.execute_unprepared(prelude).await?;
            }
            Ok(inner)
        };
        let (inner, moved) = match self.writer().primary() {
            None => (begin.await?, CancellationToken::new()),
            Some(primary) => {
                let moved = primary.admit().await?;
                (primary.run(begin).await?, moved)
            }
        };
        Ok(Transaction { inner: Arc::new(inner), backend: self.backend(), hooks: Hooks::default(), moved })
    }

    /// Runs `work` in a transaction that is committed when it succeeds, and undone when it fails.
    ///
    /// `work` is run again when the database could not serve it because of another transaction or a lost connection, so it must
    /// change nothing but the database. A commit whose answer got lost is not tried again: it may have happened.
    pub async fn transaction<T, E, F, Fut>(&self, mut work: F) -> Result<T, E>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Error + From<DbError> + 'static,
    {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(&mut work).await {
                Attempt::Done(value) => return Ok(value),
                Attempt::Unknown(error) => return Err(error),
                Attempt::Failed(error) => error,
            };
            if attempt == MAX_ATTEMPTS || !find_fault(&error).is_some_and(is_worth_another) {
                return Err(error);
            }
            tokio::time::sleep(wait_after(attempt)).await;
            attempt += 1;
        }
    }

    async fn attempt<T, E, F, Fut>(&self, work: &mut F) -> Attempt<T, E>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Error + From<DbError> + 'static,
    {
        let transaction = match self.begin().await {
            Ok(transaction) => transaction,
            Err(error) => return Attempt::Failed(error.into()),
        };
        let worked = transaction.moved.clone().run_until_cancelled_owned(work(transaction.clone())).await;
        let worked = worked.unwrap_or_else(|| Err(DbError::from(has_moved()).into()));
        if let Err(error) = &worked {
            self.note_loss(error);
        }
        match worked {
            Ok(value) => match transaction.commit().await {
                Ok(()) => Attempt::Done(value),
                Err(error) if error.fault == DbFault::Busy => Attempt::Failed(error.into()),
                Err(error) => {
                    self.note_loss(&error);
                    Attempt::Unknown(error.into())
                }
            },
            Err(error) => {
                if let Err(undoing) = transaction.rollback().await {
                    tracing::debug!(error = %undoing, "a transaction could not be undone by word; its connection ends");
                }
                Attempt::Failed(error)
            }
        }
    }
}

impl Db {
    /// A connection that was lost is a reason to look where the database is.
    fn note_loss(&self, error: &(dyn Error + 'static)) {
        if let (Some(primary), Some(error)) = (self.writer().primary(), find_source(error)) {
            primary.note(error);
        }
    }
}

enum Attempt<T, E> {
    Done(T),
    /// Nothing was changed.
    Failed(E),
    /// Whether it was committed is not known, or trying again cannot help.
    Unknown(E),
}

fn is_worth_another(fault: DbFault) -> bool {
    matches!(fault, DbFault::Busy | DbFault::Unavailable)
}

/// The sort of the database's failure that an error was made from.
pub(crate) fn find_fault(error: &(dyn Error + 'static)) -> Option<DbFault> {
    find_source(error).map(DbFault::of)
}

/// The database's failure that an error was made from.
fn find_source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DbErr> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<DbError>() {
            return Some(&error.source);
        }
        if let Some(error) = error.downcast_ref::<DbErr>() {
            return Some(error);
        }
        next = error.source();
    }
    None
}

/// A wait between a half and the whole of what doubles each time, so that those who met do not meet again.
fn wait_after(attempt: u32) -> Duration {
    let whole_ms = FIRST_WAIT_MS << attempt.min(10);
    Duration::from_millis(whole_ms / 2 + SystemRng.below(whole_ms / 2 + 1))
}
