//! Those who do something because something happened.

use std::sync::Arc;

use async_trait::async_trait;

use super::Envelope;
use crate::db::Transaction;

/// Why a handler could not take an event.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// The handlers that a relay serves.
pub type Handlers = Vec<Arc<dyn EventHandler>>;

/// In which order a handler gets its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By their places, one after the other, in one process at a time. An event that fails holds up those behind it.
    ByPlace,
    /// In any order, and many at a time: all processes share the work, through Redis where there is one. An event that fails
    /// holds up nothing.
    Any,
}

/// Does something because something happened.
///
/// An event comes at least once, and what a handler writes in `tx` takes effect exactly once: it is committed together with
/// what says that the event was taken. So a handler writes to the database only; for anything else it enqueues a job in `tx`.
#[async_trait]
pub trait EventHandler: std::fmt::Debug + Send + Sync {
    /// The name under which it is remembered what it has taken; it never changes, and nor does [`Self::order`] under it. A new
    /// handler begins with the oldest event that is kept.
    fn name(&self) -> &'static str;

    /// The types of events that it takes, such as `task.created`.
    fn types(&self) -> &'static [&'static str];

    /// In which order it gets them.
    fn order(&self) -> Order {
        Order::ByPlace
    }

    /// Takes an event. After some failures the event is set aside as a dead letter, so that the next ones have their turn.
    async fn handle(&self, tx: &Transaction, event: &Envelope) -> Result<(), HandlerError>;

    /// Takes several events by their places, all or none: where it fails, what it wrote is undone and each comes by itself. Worth
    /// writing where one statement does for many.
    async fn handle_all(&self, tx: &Transaction, events: &[Envelope]) -> Result<(), HandlerError> {
        for event in events {
            self.handle(tx, event).await?;
        }
        Ok(())
    }
}
