//! Events: written in the transaction of their cause, delivered at least once to handlers whose checkpoints commit with their
//! effects.
//!
//! ```text
//! Outbox::append    a row without a place, in the caller's transaction
//! Relay             gives places to rows that are committed, one relay at a time: what has a place has no gap before it
//! EventHandler      gets each event in order, in a transaction with its own checkpoint
//! Bus               tells whoever listens live; nothing depends on it
//! ```
//!
//! The order of commits is not the order of ids or of a sequence: a transaction that began early may commit late, and a reader
//! that had passed its number would never see it. So rows get their places only after their commit, from a counter whose row
//! is locked while they are given (see the decision record on the outbox).

mod bus;
mod deliver;
mod envelope;
mod migrations;
mod outbox;
mod relay;
mod retention;
mod stamp;

pub use bus::{Bus, BusError, LocalBus};
pub use deliver::{DeadLetter, EventHandler, HandlerError, Handlers};
pub use envelope::{DecodeError, Envelope};
pub use migrations::migrations;
pub use outbox::Outbox;
pub use relay::{Relay, RelayOptions};
