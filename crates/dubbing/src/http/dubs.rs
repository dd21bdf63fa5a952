//! Dubs: asked for, shown, edited, made again.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use platform::{
    idempotency::Receipt,
    server::{Claimed, ETag, IfMatch, Json, List, PageBody, PageQuery, Path, Problem, Query, SignedIn},
    tasks::http::{UrgencyBody, accepted},
};

use super::shapes::{AskedBody, DubBody, EditsBody, NewDubBody, ReportBody};
use crate::desk::{Asked, Desk, DubId};

/// List dubs, the newest first
#[utoipa::path(
    get, path = "/dubs", tag = "dubs",
    params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "A page of dubs", body = PageBody<DubBody>))
)]
pub(super) async fn list(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageBody<DubBody>>, Problem> {
    let list = List::new("dubs", &());
    let page = desk.list(&actor, &list.request(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(list.body(page, |dub| DubBody::in_list(&dub))))
}

/// Have a video or a sound dubbed
///
/// The answer comes at once, with the task that makes it.
#[utoipa::path(
    post, path = "/dubs", tag = "dubs", request_body = NewDubBody,
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(10))),
    responses((status = 202, description = "It is being made", body = AskedBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn create(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Json(body): Json<NewDubBody>,
) -> Result<Response, Problem> {
    let receipt = receipt(claimed);
    let (draft, priority) = body.take()?;
    let asked = desk.create(&actor, draft, priority, &receipt).await?;
    Ok(receipt.reply(&asked).into_response())
}

/// Show a dub with all its lines
#[utoipa::path(
    get, path = "/dubs/{dub}", tag = "dubs",
    params(("dub" = uuid::Uuid, Path, description = "The dub")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The dub", body = DubBody))
)]
pub(super) async fn show(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<DubId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dub = desk.get(&actor, id).await?;
    Ok(ETag::of_version(dub.version).answer(&headers, Json(DubBody::of(&dub))))
}

/// Edit the lines of a dub
///
/// Nothing is made by this. Ask for the dub once more, and only what changed is made again.
#[utoipa::path(
    patch, path = "/dubs/{dub}", tag = "dubs", request_body = EditsBody,
    params(
        ("dub" = uuid::Uuid, Path, description = "The dub"),
        ("If-Match" = String, Header, description = "The `ETag` of what was read"),
    ),
    security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "The dub as it is now", body = DubBody),
        (status = 409, description = "It is being made, or was never made yet"),
        (status = 412, description = "It was changed in the meantime")
    )
)]
pub(super) async fn edit(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<DubId>,
    if_match: IfMatch,
    Json(body): Json<EditsBody>,
) -> Result<Response, Problem> {
    let dub = desk.get(&actor, id).await?;
    if_match.check(&ETag::of_version(dub.version))?;
    let dub = desk.edit(&actor, id, dub.version, &body.take()?).await?;
    Ok(ETag::of_version(dub.version).answer(&HeaderMap::new(), Json(DubBody::of(&dub))))
}

/// Forget a dub
///
/// Its tasks, and the files that they made, stay until they are deleted.
#[utoipa::path(
    delete, path = "/dubs/{dub}", tag = "dubs",
    params(("dub" = uuid::Uuid, Path, description = "The dub")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 204, description = "It is gone"), (status = 409, description = "It is being made"))
)]
pub(super) async fn delete(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<DubId>,
) -> Result<StatusCode, Problem> {
    desk.delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have a dub made as its lines are now
///
/// What no edit touched is not made again.
#[utoipa::path(
    post, path = "/dubs/{dub}/renders", tag = "dubs", request_body = UrgencyBody,
    params(("dub" = uuid::Uuid, Path, description = "The dub")),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(10))),
    responses(
        (status = 202, description = "It is being made", body = AskedBody, headers(("Location" = String, description = "The task"))),
        (status = 409, description = "It is being made already")
    )
)]
pub(super) async fn render(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Path(id): Path<DubId>,
    Json(body): Json<UrgencyBody>,
) -> Result<Response, Problem> {
    let receipt = receipt(claimed);
    let asked = desk.make(&actor, id, body.priority, &receipt).await?;
    Ok(receipt.reply(&asked).into_response())
}

/// Show how good a dub is, and which lines need a person
#[utoipa::path(
    get, path = "/dubs/{dub}/report", tag = "dubs",
    params(("dub" = uuid::Uuid, Path, description = "The dub")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The report", body = ReportBody), (status = 409, description = "It was never made yet"))
)]
pub(super) async fn report(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<DubId>,
) -> Result<Json<ReportBody>, Problem> {
    Ok(Json(ReportBody { languages: desk.report(&actor, id).await? }))
}

fn receipt(claimed: Claimed) -> Receipt<Asked> {
    claimed.receipt(|asked: &Asked| accepted(&asked.task, &AskedBody::of(asked)))
}
