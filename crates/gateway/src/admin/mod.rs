//! What the operator asks the gateway and tells it, over an address of its own.

mod access;
mod client;
mod listen;
mod routes;
mod settings;
mod status;

pub use access::{Access, AccessError, TOKEN_VARIABLE, find_token};
pub use client::{AdminClient, AdminError};
pub use listen::{AdminListenError, AdminServer};
pub use routes::AdminParts;
pub use settings::{AdminAddress, AdminAddressError, AdminSettings};
pub use status::{FleetHealth, GatewayStatus, UpstreamStatus};
