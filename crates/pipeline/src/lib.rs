//! Stages whose results are kept: an artifact that exists is never made again.
//!
//! A context lists its stages; [`Run::make`] and [`Run::make_all`] run the ones whose artifact is not there yet. The
//! key of an artifact is the hash of its stage's name, version and input. Files go to a content-addressed folder, a
//! row in SQLite says that the artifact is whole. See `docs/add-a-stage.md`. With a [`Team`] a stage is made by several workers,
//! which share artifacts through an [`Exchange`].

mod error;
mod exchange;
mod fan_out;
mod file;
pub mod job;
mod key;
mod progress;
mod publish;
mod run;
mod stage;
mod store;
mod team;

pub use error::{Failure, StageError, StoreError};
pub use exchange::{Exchange, ExchangeError, migrations};
pub use fan_out::FanOut;
pub use file::{FileRef, SourceRef, TempFile};
pub use key::Key;
pub use progress::{Advance, Item, Outcome, Progress, ProgressPlan, ProgressReceiver, Reporter};
pub use publish::{publish, publish_bytes};
pub use run::{Made, Run, RunOptions};
pub use stage::{SharedStage, Stage, StageContext};
pub use store::{Collected, Limits, Store, collect, place_of};
pub use team::{Helping, Team};
