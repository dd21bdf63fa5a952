//! API keys of one's own.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kernel::{ApiKeyId, Permission};
use platform::{
    idempotency::Reply,
    server::{Claimed, Json, List, PageBody, PageQuery, Path, Problem, Query, SignedIn},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Http,
    shapes::{self, ApiKeyBody},
};
use crate::{
    model::{Name, NewApiKey, Origin},
    service::MadeApiKey,
};

/// Ten years: longer is for ever, which is said by leaving it out.
const MAX_DAYS: u16 = 3650;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKeyBody {
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    name: Name,
    /// What it may do; never more than its owner.
    #[schema(schema_with = shapes::permissions)]
    scopes: Vec<Permission>,
    /// Days until it ends; absent for never.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u16>,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKeyMade {
    #[serde(flatten)]
    api_key: ApiKeyBody,
    /// The key itself. It is shown this once.
    key: String,
}

/// List one's own API keys
#[utoipa::path(
    get, path = "/api-keys", tag = "api-keys",
    security(("bearer" = []), ("cookie" = [])),
    params(PageQuery),
    responses((status = 200, description = "Newest first", body = PageBody<ApiKeyBody>))
)]
pub(super) async fn list(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageBody<ApiKeyBody>>, Problem> {
    let list = List::new("api-keys", &());
    let page = list.request(query.limit, query.cursor.as_deref())?;
    Ok(Json(list.body(http.service.list_api_keys(&actor, &page).await?, ApiKeyBody::from)))
}

/// Make an API key
#[utoipa::path(
    post, path = "/api-keys", tag = "api-keys", request_body = NewApiKeyBody,
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(5))),
    responses((status = 201, description = "The key, which is shown this once", body = ApiKeyMade))
)]
pub(super) async fn create(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    claimed: Claimed,
    Json(body): Json<NewApiKeyBody>,
) -> Result<Response, Problem> {
    if let Some(days) = body.expires_in_days.filter(|days| !(1..=MAX_DAYS).contains(days)) {
        return Err(Problem::field("/expires_in_days", format!("{days} is not between 1 and {MAX_DAYS}")));
    }
    let receipt = claimed.receipt(|made: &MadeApiKey| {
        let key = made.secret.expose().to_owned();
        Reply::json(201, &ApiKeyMade { api_key: made.key.clone().into(), key })
    });
    let scopes = body.scopes.into_iter().collect();
    let new = NewApiKey { name: body.name, scopes, expires_in_days: body.expires_in_days };
    let made = http.service.create_api_key(&actor, new, origin, &receipt).await?;
    Ok(receipt.reply(&made).into_response())
}

/// End an API key
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = "api-keys",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = uuid::Uuid, Path, description = "The key")),
    responses((status = 204, description = "It has ended"), (status = 404, description = "There is none"))
)]
pub(super) async fn revoke(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    http.service.revoke_api_key(&actor, id, origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
