//! Tests of the database and what is built on it, on SQLite and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot be set up is a failed test, in functions beside the tests too"
)]

mod cache;
mod db;
mod events;
mod failover;
mod jobs;
mod locks;
mod migrate;
mod replica;
mod server;
mod signals;
mod storage;
