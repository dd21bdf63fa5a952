//! Acts that are done once, however often they are asked for: the answer is stored in the transaction of the effect, under the
//! key that the asker chose, and given again to whoever asks again.
//!
//! A service takes a [`Receipt`] and keeps it in its transaction; whoever calls it says what the answer looks like.

mod migrations;
mod store;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};

pub use migrations::migrations;
pub use store::{Claiming, Idempotency};

use crate::db::{DbError, Transaction};

/// An answer as it is stored and sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// Names and values of headers.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// An answer in JSON. What cannot be written as JSON has no body: types of answers are tested to be writable.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { body, ..Self::empty(status) }.header("content-type", "application/json")
    }

    /// Sends a header along.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// The right to do an act under its key, until it is done or given up.
#[derive(Debug)]
pub struct Claim {
    idempotency: Idempotency,
    row: store::Row,
    is_kept: AtomicBool,
}

impl Claim {
    /// Whether the answer was written into a transaction.
    pub fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Acquire)
    }

    /// Stores the answer of an act that had no transaction of its own.
    pub async fn complete(&self, reply: &Reply) -> Result<(), DbError> {
        self.idempotency.complete(&self.row, reply).await
    }

    /// Gives the right up, unless the answer is stored: the act may be asked for again.
    pub async fn release(&self) -> Result<(), DbError> {
        self.idempotency.release(&self.row).await
    }

    async fn keep(&self, tx: &Transaction, reply: &Reply) -> Result<(), DbError> {
        self.idempotency.keep(tx, &self.row, reply).await?;
        self.is_kept.store(true, Ordering::Release);
        Ok(())
    }
}

/// What an act leaves in its transaction for whoever asks for it again: an answer made from its result, of type `T`.
pub struct Receipt<T> {
    claim: Option<Arc<Claim>>,
    render: Box<dyn Fn(&T) -> Reply + Send + Sync>,
}

impl<T> Receipt<T> {
    /// The receipt of an act under `claim`; `render` makes the answer from the result.
    pub fn new(claim: Option<Arc<Claim>>, render: impl Fn(&T) -> Reply + Send + Sync + 'static) -> Self {
        Self { claim, render: Box::new(render) }
    }

    /// None, for acts that nobody asks for twice: those of the command line and of tests.
    pub fn none() -> Self {
        Self::new(None, |_| Reply::empty(204))
    }

    /// Writes the answer into the transaction that makes `result`. Fails where another took the act over in the meantime,
    /// so that the transaction is undone.
    pub async fn keep(&self, tx: &Transaction, result: &T) -> Result<(), DbError> {
        match &self.claim {
            Some(claim) => claim.keep(tx, &self.reply(result)).await,
            None => Ok(()),
        }
    }

    /// The answer for `result`.
    pub fn reply(&self, result: &T) -> Reply {
        (self.render)(result)
    }
}

impl<T> fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("is_claimed", &self.claim.is_some()).finish_non_exhaustive()
    }
}
