//! Events: written in the transaction of their cause, delivered at least once to handlers whose checkpoints commit with their
//! effects.
//!
//! ```text
//! Outbox::append    a row without a place, in the caller's transaction
//! Relay             gives places to rows that are committed, one relay at a time: what has a place has no gap before it
//! EventHandler      gets each event in a transaction with what says that it was taken: in order, one at a time, or in any order,
//!                   many at a time, shared out among the processes by a stream of Redis
//! Bus               tells whoever listens live; nothing depends on it
//! ```
//!
//! The order of commits is not the order of ids or of a sequence: a transaction that began early may commit late, and a reader
//! that had passed its number would never see it. So rows get their places only after their commit, from a counter whose row
//! is locked while they are given (see the decision record on the outbox).

mod any_order;
mod bus;
mod dead_letter;
mod envelope;
mod handler;
mod in_order;
mod migrations;
mod outbox;
mod relay;
mod retention;
mod share;
mod stamp;
mod stream;
mod take;

pub use bus::{Bus, BusError, LocalBus};
pub use dead_letter::DeadLetter;
pub use envelope::{DecodeError, Envelope};
pub use handler::{EventHandler, HandlerError, Handlers, Order};
pub use migrations::migrations;
pub use outbox::Outbox;
pub use relay::{Relay, RelayOptions};
