//! Videos: asked for, shown, changed, made again.

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

use super::shapes::{AskedBody, ChangeBody, ListedBody, MakeQuery, NewBody, VideoBody};
use crate::{
    desk::{Asked, Desk, VideoId, VideoOrder},
    jobs::Make,
};

/// List videos, the newest first
#[utoipa::path(
    get, path = "/videos", tag = "videos",
    params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "A page of videos", body = PageBody<ListedBody>))
)]
pub(super) async fn list(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageBody<ListedBody>>, Problem> {
    let list = List::new("videos", &());
    let page = desk.list(&actor, &list.request(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(list.body(page, |video| ListedBody::of(&video))))
}

/// Have a video made
///
/// The answer comes at once, with the task that makes it.
#[utoipa::path(
    post, path = "/videos", tag = "videos", request_body = NewBody,
    params(MakeQuery),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(10)), ("x-max-body-bytes" = json!(4_194_304))),
    responses((status = 202, description = "It is being made", body = AskedBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn create(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Query(query): Query<MakeQuery>,
    Json(body): Json<NewBody>,
) -> Result<Response, Problem> {
    let receipt = receipt(claimed);
    let (draft, priority) = body.take()?;
    let asked = desk.create(&actor, draft, VideoOrder { make: query.make, priority }, &receipt).await?;
    Ok(receipt.reply(&asked).into_response())
}

/// Show a video
#[utoipa::path(
    get, path = "/videos/{video}", tag = "videos",
    params(("video" = uuid::Uuid, Path, description = "The video")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The video", body = VideoBody))
)]
pub(super) async fn show(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<VideoId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let video = desk.get(&actor, id).await?;
    Ok(ETag::of_version(video.version).answer(&headers, Json(VideoBody::of(&video))))
}

/// Change a video
///
/// Nothing is made by this. Ask for its storyboard or for the video once more, and only what changed is made again.
#[utoipa::path(
    patch, path = "/videos/{video}", tag = "videos", request_body = ChangeBody,
    params(
        ("video" = uuid::Uuid, Path, description = "The video"),
        ("If-Match" = String, Header, description = "The `ETag` of what was read"),
    ),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-max-body-bytes" = json!(4_194_304))),
    responses(
        (status = 200, description = "The video as it is now", body = VideoBody),
        (status = 412, description = "It was changed in the meantime")
    )
)]
pub(super) async fn change(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<VideoId>,
    if_match: IfMatch,
    Json(body): Json<ChangeBody>,
) -> Result<Response, Problem> {
    let video = desk.get(&actor, id).await?;
    if_match.check(&ETag::of_version(video.version))?;
    let video = desk.change(&actor, video, body.take()?).await?;
    Ok(ETag::of_version(video.version).answer(&HeaderMap::new(), Json(VideoBody::of(&video))))
}

/// Forget a video
///
/// Its tasks, and the files that they made, stay until they are deleted.
#[utoipa::path(
    delete, path = "/videos/{video}", tag = "videos",
    params(("video" = uuid::Uuid, Path, description = "The video")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    Path(id): Path<VideoId>,
) -> Result<StatusCode, Problem> {
    desk.delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have a video made as it is now
///
/// What did not change since it was made last is not made again. This is also how a storyboard is approved.
#[utoipa::path(
    post, path = "/videos/{video}/renders", tag = "videos", request_body = UrgencyBody,
    params(("video" = uuid::Uuid, Path, description = "The video")),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(10))),
    responses((status = 202, description = "It is being made", body = AskedBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn render(
    state: State<Desk>,
    actor: SignedIn,
    claimed: Claimed,
    id: Path<VideoId>,
    body: Json<UrgencyBody>,
) -> Result<Response, Problem> {
    make(state, actor, claimed, id, body, Make::Video).await
}

/// Have the storyboard of a video made as it is now
#[utoipa::path(
    post, path = "/videos/{video}/storyboards", tag = "videos", request_body = UrgencyBody,
    params(("video" = uuid::Uuid, Path, description = "The video")),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(5))),
    responses((status = 202, description = "It is being made", body = AskedBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn storyboard(
    state: State<Desk>,
    actor: SignedIn,
    claimed: Claimed,
    id: Path<VideoId>,
    body: Json<UrgencyBody>,
) -> Result<Response, Problem> {
    make(state, actor, claimed, id, body, Make::Storyboard).await
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the request")]
async fn make(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Path(id): Path<VideoId>,
    Json(body): Json<UrgencyBody>,
    make: Make,
) -> Result<Response, Problem> {
    let receipt = receipt(claimed);
    let asked = desk.make(&actor, id, VideoOrder { make, priority: body.priority }, &receipt).await?;
    Ok(receipt.reply(&asked).into_response())
}

fn receipt(claimed: Claimed) -> Receipt<Asked> {
    claimed.receipt(|asked: &Asked| accepted(&asked.task, &AskedBody::of(asked)))
}
