//! Shared IO, a module each: configuration, database, HTTP client, telemetry.
