//! Caches of servers that share a database and a Redis, or have lost it.

mod bounds;
mod fixture;
mod levels;
mod stale;
