//! Tests of the database and what is built on it, on SQLite and on PostgreSQL.

mod db;
mod events;
mod jobs;
mod migrate;
mod server;
mod storage;
