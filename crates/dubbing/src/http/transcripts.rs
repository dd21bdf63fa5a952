//! Transcripts: what is said in a video or a sound, written down.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use platform::{
    jobs::Task,
    server::{Claimed, Json, Problem, SignedIn},
    tasks::http::{TaskBody, accepted},
};

use super::shapes::NewTranscriptBody;
use crate::desk::Desk;

/// Have written down what is said
#[utoipa::path(
    post, path = "/transcripts", tag = "dubs", request_body = NewTranscriptBody,
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-cost" = json!(5))),
    responses((status = 202, description = "It is being made", body = TaskBody, headers(("Location" = String, description = "The task"))))
)]
pub(super) async fn transcribe(
    State(desk): State<Desk>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    Json(body): Json<NewTranscriptBody>,
) -> Result<Response, Problem> {
    let receipt = claimed.receipt(|task: &Task| accepted(task, &TaskBody::whole(task)));
    let (draft, priority) = body.take()?;
    let task = desk.transcribe(&actor, draft, priority, &receipt).await?;
    Ok(receipt.reply(&task).into_response())
}
