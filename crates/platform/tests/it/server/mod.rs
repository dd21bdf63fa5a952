//! The HTTP server: what every request goes through.

mod fixture;
mod idempotency;
mod layers;
mod limits;
mod sockets;
