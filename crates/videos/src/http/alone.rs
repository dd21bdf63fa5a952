//! Parts of a video alone: the narration, the subtitles.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use platform::{
    idempotency::Receipt,
    jobs::Task,
    server::{Claimed, Json, Problem, Query, SignedIn},
    tasks::http::{TaskBody, accepted},
};

use super::shapes::{FormatQuery, NewBody};
use crate::desk::{Desk, SoundOrder};

/// Have a script read aloud
#[utoipa::path(
    post, path = "/audios", tag = "videos", request_body = NewBody,
    params(FormatQuery),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(5)), ("x-max-body-bytes" = json!(4_194_304))),
    responses((status = 202, description = "It is being made", body = TaskBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn narrate(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Query(query): Query<FormatQuery>,
    Json(body): Json<NewBody>,
) -> Result<Response, Problem> {
    let receipt = receipt(claimed);
    let (draft, priority) = body.take()?;
    let task = desk.narrate(&actor, draft, SoundOrder { format: query.format, priority }, &receipt).await?;
    Ok(receipt.reply(&task).into_response())
}

/// Have the subtitles of a script made
///
/// SubRip, WebVTT and ASS, timed as the script is read aloud.
#[utoipa::path(
    post, path = "/subtitles", tag = "videos", request_body = NewBody,
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(5)), ("x-max-body-bytes" = json!(4_194_304))),
    responses((status = 202, description = "They are being made", body = TaskBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn subtitle(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Json(body): Json<NewBody>,
) -> Result<Response, Problem> {
    let receipt = receipt(claimed);
    let (draft, priority) = body.take()?;
    let task = desk.subtitle(&actor, draft, priority, &receipt).await?;
    Ok(receipt.reply(&task).into_response())
}

fn receipt(claimed: Claimed) -> Receipt<Task> {
    claimed.receipt(|task: &Task| accepted(task, &TaskBody::whole(task)))
}
