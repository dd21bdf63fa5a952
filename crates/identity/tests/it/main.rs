//! Identity over HTTP and in its service, on SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "what cannot be set up is a failed test, in functions beside the tests too")]

mod admin;
mod api_keys;
mod audit;
mod browsers;
mod fixture;
mod leaks;
mod mail;
mod me;
mod plans;
mod refresh;
mod sign_in;
mod signing_keys;
mod team;
