//! The public halves of the keys that sign access tokens.

use axum::{extract::State, http::header, response::IntoResponse};
use platform::server::{Json, Problem};

use super::Http;

/// Public keys of access tokens
///
/// Empty where tokens are signed with the secret key of the installation.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth",
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517)", body = Object))
)]
pub(super) async fn show(State(http): State<Http>) -> Result<impl IntoResponse, Problem> {
    let keys = http.service.public_keys().await?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=60")], Json(keys)))
}
