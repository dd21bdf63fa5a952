//! The pipeline as its users see it: on real folders, databases and processes.
#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failed test, in functions beside the tests too")]

mod artifacts;
mod child;
mod failures;
mod fixture;
mod full_device;
mod processes;
mod progress;
mod publishing;
mod removal;
mod sources;
mod team;
