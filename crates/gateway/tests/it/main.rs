//! The gateway as its clients, its upstreams and its operator meet it: over real connections, and with real programs behind it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

mod acme;
mod balancing;
mod ending;
mod fleet;
mod headers;
mod http2;
mod limits;
mod passing;
mod retries;
mod smuggling;
mod sticky;
mod support;
mod tls;
mod websockets;
