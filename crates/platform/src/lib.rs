//! Shared IO, a module each: configuration, database, HTTP client, resources of the machine, telemetry.

pub mod db;
pub mod http;
pub mod resources;
