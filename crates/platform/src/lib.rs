//! Shared IO, a module each: configuration, database, events, jobs, files, HTTP client, resources of the machine, chance, telemetry.

pub mod config;
pub mod db;
pub mod events;
pub mod http;
pub mod idempotency;
pub mod jobs;
pub mod resources;
pub mod rng;
pub mod secrets;
pub mod server;
pub mod storage;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
