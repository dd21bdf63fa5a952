//! Jobs: work that is asked for now and done later, by any of the workers on a database.
//!
//! ```text
//! Jobs::enqueue       a row, in the caller's transaction where that is wanted
//! Worker::run         claims rows, runs their handlers, writes how they ended
//! Jobs::list, cancel  what their owners see and do
//! ```
//!
//! A job is begun at least once and ends exactly once: it is its worker's as long as its row says so, and an end is written
//! only then. How workers that died are told is in [`lease`], who is next in [`claim`] and [`tags`], how a job shares its work out
//! in [`pieces`].

mod claim;
mod context;
mod delayed;
mod error;
mod kind;
mod lease;
mod migrations;
mod model;
mod pieces;
mod queue;
mod reads;
mod schedule;
mod settle;
mod tags;
mod tasks;
mod worker;

pub use context::{JobContext, StopReason};
pub use error::{JobError, JobsError};
pub use kind::{JobHandler, JobKind, Policy, Registry};
pub use lease::Profile;
pub use migrations::migrations;
pub use model::{ChoiceError, JobFailure, JobId, JobProgress, JobState, Priority};
pub use pieces::{Company, Held, NewPiece, Piece, Pieces};
pub use queue::{HelpingJob, Jobs, NewJob};
pub use schedule::Schedule;
pub use tasks::{QueueDepth, Task, TaskFilter};
pub use worker::{Worker, WorkerOptions};

#[cfg(test)]
mod tests;
