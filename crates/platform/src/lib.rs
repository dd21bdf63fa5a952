//! Shared IO, a module each: caches, configuration, database, documents, events, jobs and tasks, files, HTTP client and server,
//! locks, memory, resources of the machine, chance, telemetry.

pub mod cache;
pub mod config;
pub mod db;
pub mod documents;
pub mod events;
mod heartbeat;
mod hex;
pub mod http;
pub mod idempotency;
pub mod jobs;
pub mod locks;
pub mod memory;
pub mod redis;
pub mod resources;
pub mod rng;
pub mod secrets;
pub mod server;
pub mod storage;
pub mod tasks;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
