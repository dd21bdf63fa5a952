//! Many servers behind one address: requests are shared out among those that are well, and a server comes, goes or is
//! replaced without a request lost.

pub mod admin;
pub mod file;
pub mod fleet;
pub mod gateway;
pub mod pool;
pub mod settings;
pub mod upstream;

mod answer;
mod balance;
mod checker;
mod client;
mod connection;
mod forward;
mod headers;
mod health;
mod metrics;
mod redirect;
mod room;
mod serve;
mod sticky;
mod tls;
mod upgrade;
mod upload;

pub use gateway::{Gateway, GatewayError, Surroundings};
pub use pool::Pool;
pub use tls::TlsFault;
pub use upstream::{Health, Role, Target, Upstream, UpstreamId};
