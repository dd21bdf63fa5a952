//! Shared IO, a module each: configuration, database, HTTP client, resources of the machine, chance, telemetry.

pub mod config;
pub mod db;
pub mod http;
pub mod resources;
pub mod rng;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
