//! The account of whoever asks.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use platform::server::{ETag, IfMatch, Json, Problem, SignedIn};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Http, shapes::UserBody};
use crate::model::{Name, Origin, Password};

/// What one changes of oneself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MeChange {
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Name,
}

/// A new password, and the one before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    #[schema(value_type = String, format = Password, max_length = 512)]
    current_password: SecretString,
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 512)]
    new_password: Password,
}

/// Show one's own account
#[utoipa::path(
    get, path = "/users/me", tag = "users",
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The account", body = UserBody, headers(("ETag" = String, description = "Its version"))))
)]
pub(super) async fn show(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user = http.service.show_me(&actor).await?;
    Ok(ETag::of_version(user.version).answer(&headers, Json(UserBody::from(user))))
}

/// Change one's own account
#[utoipa::path(
    patch, path = "/users/me", tag = "users", request_body = MeChange,
    security(("bearer" = []), ("cookie" = [])),
    params(("If-Match" = String, Header, description = "The `ETag` of what was read")),
    responses(
        (status = 200, description = "The account as it is now", body = UserBody),
        (status = 412, description = "It was changed in the meantime"),
        (status = 428, description = "`If-Match` is missing"),
    )
)]
pub(super) async fn update(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    if_match: IfMatch,
    Json(change): Json<MeChange>,
) -> Result<Response, Problem> {
    let user = http.service.show_me(&actor).await?;
    if_match.check(&ETag::of_version(user.version))?;
    let user = http.service.rename_me(&actor, &user, change.name).await?;
    Ok(ETag::of_version(user.version).answer(&HeaderMap::new(), Json(UserBody::from(user))))
}

/// Change one's own password
#[utoipa::path(
    put, path = "/users/me/password", tag = "users", request_body = PasswordChange,
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(10))),
    responses(
        (status = 204, description = "It is changed, and all other sessions have ended"),
        (status = 422, description = "The current password is wrong, or the new one too weak"),
    )
)]
pub(super) async fn change_password(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    http.service.change_password(&actor, &change.current_password, &change.new_password, origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
