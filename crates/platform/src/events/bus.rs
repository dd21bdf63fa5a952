//! Tells live listeners of events; a port, so that a distributed bus can take the place of the one in the process.

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::Envelope;

/// How many events may wait for a slow listener before it misses some.
const BACKLOG: usize = 1024;

/// Why events could not be told.
#[derive(Debug, thiserror::Error)]
#[error("the bus does not take events: {0}")]
pub struct BusError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What carries events that have their places to whoever listens now, such as an open stream to a browser.
///
/// It may lose what nobody was there to hear. What must not be lost is done by an [`super::EventHandler`], which reads the
/// database.
#[async_trait]
pub trait Bus: std::fmt::Debug + Send + Sync {
    /// Tells these events, in their order.
    async fn publish(&self, events: &[Envelope]) -> Result<(), BusError>;

    /// Hears events from now on.
    fn subscribe(&self) -> broadcast::Receiver<Envelope>;
}

/// The bus of one process. Every process tells its own listeners, so each has all events of the database.
#[derive(Debug)]
pub struct LocalBus(broadcast::Sender<Envelope>);

impl Default for LocalBus {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        for event in events {
            // Nobody may be listening, which is no fault.
            drop(self.0.send(event.clone()));
        }
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Envelope> {
        self.0.subscribe()
    }
}
