//! The HTTP server: what every request goes through before and after its handler, and what handlers are written with.
//!
//! A context writes handlers and their routes ([`utoipa_axum::router::OpenApiRouter`]); [`router::assemble`] puts everything
//! else around them, and [`listen::Server`] answers.

pub mod auth;
pub mod body;
pub mod client_address;
pub mod etag;
pub mod extract;
pub mod headers;
pub mod health;
pub mod idempotency;
pub mod listen;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod policy;
pub mod problem;
pub mod process;
pub mod rate_limit;
pub mod request_id;
pub mod router;
pub mod settings;
pub mod status;
pub mod time;

mod admission;
mod documentation;
mod outermost;
mod system;
mod upkeep;

pub use auth::{Authenticator, SignedIn};
pub use client_address::ClientAddress;
pub use etag::{ETag, IfMatch};
pub use extract::{Json, Path, Query, check_length};
pub use idempotency::Claimed;
pub use page::{List, PageBody, PageQuery};
pub use problem::{FieldFault, Problem, ProblemType};
