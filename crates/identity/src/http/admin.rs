//! Users and the audit log, for admins.

use axum::{extract::State, http::HeaderMap, response::Response};
use kernel::{Plan, Role, UserId};
use platform::server::{ETag, IfMatch, Json, List, PageBody, Path, Problem, Query, SignedIn, check_length};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Http,
    shapes::{self, AuditBody, UserBody},
};
use crate::{
    model::{Origin, Status, UserChange, UserFilter},
    ports::AuditFilter,
};

/// Which users to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    #[param(schema_with = shapes::role)]
    role: Option<Role>,
    #[param(schema_with = shapes::plan)]
    plan: Option<Plan>,
    #[param(schema_with = shapes::status)]
    status: Option<Status>,
    /// What the mail address begins with.
    #[param(max_length = 254)]
    email: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// Which entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// What was done, such as `session.created`.
    #[param(max_length = 64)]
    act: Option<String>,
    /// Who did it.
    #[param(value_type = Option<uuid::Uuid>)]
    actor: Option<UserId>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// What is changed of a user; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChangeBody {
    #[schema(schema_with = shapes::role)]
    role: Option<Role>,
    #[schema(schema_with = shapes::plan)]
    plan: Option<Plan>,
    /// Somebody banned is thrown out at once.
    #[schema(schema_with = shapes::status)]
    status: Option<Status>,
}

/// The filters that a cursor belongs to.
#[derive(Serialize)]
struct UserFilters<'a>(Option<Role>, Option<Plan>, Option<Status>, Option<&'a str>);

/// List users
#[utoipa::path(
    get, path = "/admin/users", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(UserQuery),
    responses((status = 200, description = "Newest first", body = PageBody<UserBody>))
)]
pub(super) async fn list(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    Query(query): Query<UserQuery>,
) -> Result<Json<PageBody<UserBody>>, Problem> {
    let UserQuery { role, plan, status, email, limit, cursor } = query;
    check_length("email", email.as_deref(), 254)?;
    let list = List::new("users", &UserFilters(role, plan, status, email.as_deref()));
    let page = list.request(limit, cursor.as_deref())?;
    let email_prefix = email.map(|prefix| prefix.to_lowercase());
    let filter = UserFilter { role, plan, status, email_prefix };
    Ok(Json(list.body(http.service.list_users(&actor, &filter, &page).await?, UserBody::from)))
}

/// Show a user
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(("id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The user", body = UserBody), (status = 404, description = "There is none"))
)]
pub(super) async fn show(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    Path(id): Path<UserId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user = http.service.show_user(&actor, id).await?;
    Ok(ETag::of_version(user.version).answer(&headers, Json(UserBody::from(user))))
}

/// Change role, plan or status of a user
#[utoipa::path(
    patch, path = "/admin/users/{id}", tag = "admin", request_body = UserChangeBody,
    security(("bearer" = []), ("cookie" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The user"),
        ("If-Match" = String, Header, description = "The `ETag` of what was read"),
    ),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody),
        (status = 409, description = "It would leave no admin"),
        (status = 412, description = "It was changed in the meantime"),
    )
)]
#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
pub(super) async fn update(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    origin: Origin,
    Path(id): Path<UserId>,
    if_match: IfMatch,
    Json(body): Json<UserChangeBody>,
) -> Result<Response, Problem> {
    let user = http.service.show_user(&actor, id).await?;
    if_match.check(&ETag::of_version(user.version))?;
    let change = UserChange { role: body.role, plan: body.plan, status: body.status };
    let user = http.service.change_user(&actor, &user, change, origin).await?;
    Ok(ETag::of_version(user.version).answer(&HeaderMap::new(), Json(UserBody::from(user))))
}

/// List the audit log
#[utoipa::path(
    get, path = "/admin/audit", tag = "admin",
    security(("bearer" = []), ("cookie" = [])),
    params(AuditQuery),
    responses((status = 200, description = "Newest first", body = PageBody<AuditBody>))
)]
pub(super) async fn list_audit(
    State(http): State<Http>,
    SignedIn(actor): SignedIn,
    Query(query): Query<AuditQuery>,
) -> Result<Json<PageBody<AuditBody>>, Problem> {
    check_length("act", query.act.as_deref(), 64)?;
    let list = List::new("audit", &(&query.act, query.actor));
    let page = list.request(query.limit, query.cursor.as_deref())?;
    let filter = AuditFilter { act: query.act, actor: query.actor };
    Ok(Json(list.body(http.service.list_audit(&actor, &filter, &page).await?, AuditBody::from)))
}
