//! Where a request comes from, for the audit log.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use platform::server::ClientAddress;

use crate::model::Origin;

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { address: parts.extensions.get::<ClientAddress>().map(|client| client.0) })
    }
}
