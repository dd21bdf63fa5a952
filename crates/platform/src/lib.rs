//! Shared IO, a module each: configuration, database, HTTP client, resources of the machine, telemetry.

pub mod config;
pub mod db;
pub mod http;
pub mod resources;
pub mod telemetry;
