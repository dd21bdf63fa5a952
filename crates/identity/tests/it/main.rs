//! Identity over HTTP and in its service, on SQLite and PostgreSQL.

mod access_matrix;
mod admin;
mod api_keys;
mod audit;
mod browsers;
mod fixture;
mod leaks;
mod mail;
mod me;
mod refresh;
mod sign_in;
mod signing_keys;
