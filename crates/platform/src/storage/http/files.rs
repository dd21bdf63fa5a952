//! Files: sent in one go, listed, looked at, linked and removed.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::multipart;
use crate::{
    idempotency::Reply,
    server::{Claimed, Json, List, PageBody, PageQuery, Path, Problem, Query, SignedIn, time::rfc3339},
    storage::{File, FileId, Files},
};

/// A file as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = File)]
pub(super) struct FileBody {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// What its owner called it.
    #[schema(example = "talk.mp4")]
    name: String,
    /// What it holds, by its content.
    #[schema(example = "video/mp4")]
    media_type: String,
    /// How large it is.
    size_bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    hash: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Where it is played, for its owner.
    #[schema(example = "/api/v1/stream/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55")]
    stream_url: String,
    /// Where it is saved, for its owner.
    #[schema(example = "/api/v1/download/0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55")]
    download_url: String,
}

impl From<&File> for FileBody {
    fn from(file: &File) -> Self {
        let File { id, name, media_type, size_bytes, hash, created_at_ms, .. } = file;
        Self {
            id: id.to_string(),
            name: name.to_string(),
            media_type: media_type.to_string(),
            size_bytes: *size_bytes,
            hash: hash.to_hex().to_string(),
            created_at: rfc3339(*created_at_ms),
            stream_url: format!("/api/v1/stream/{id}"),
            download_url: format!("/api/v1/download/{id}"),
        }
    }
}

/// A file in a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is only described; the body is read as a stream")]
pub(super) struct FileForm {
    /// The file, with its name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Send a file in one go
///
/// What it holds is found by looking into it. For large files, and where connections break off, there are uploads.
#[utoipa::path(
    post,
    path = "/api/v1/files",
    tag = "files",
    request_body(content = FileForm, content_type = "multipart/form-data"),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0)), ("x-max-body-bytes" = json!(super::MAX_UPLOAD_BODY_BYTES)), ("x-cost" = json!(10))),
    responses((status = 201, description = "The file", body = FileBody, headers(("Location" = String, description = "Where it is"))))
)]
pub(super) async fn create(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    claimed: Claimed,
    request: Request,
) -> Result<Reply, Problem> {
    let receipt = claimed.receipt(|file: &File| {
        Reply::json(201, &FileBody::from(file)).header("location", format!("/api/v1/files/{}", file.id))
    });
    files.require_writing(&actor)?;
    let mut form = multipart::Form::read(request).await?;
    let part = form.file().await?;
    let file = files.receive(&actor, &part.name, part.body, &receipt).await?;
    Ok(receipt.reply(&file))
}

/// List files, the newest first
#[utoipa::path(
    get,
    path = "/api/v1/files",
    tag = "files",
    params(PageQuery),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "A page of files", body = PageBody<FileBody>))
)]
pub(super) async fn list(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageBody<FileBody>>, Problem> {
    let list = List::new("files", &());
    let page = files.list(&actor, &list.request(query.limit, query.cursor.as_deref())?).await?;
    Ok(Json(list.body(page, |file| FileBody::from(&file))))
}

/// Show a file
#[utoipa::path(
    get,
    path = "/api/v1/files/{file}",
    tag = "files",
    params(("file" = String, Path, format = Uuid, description = "The id of the file")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The file", body = FileBody))
)]
pub(super) async fn show(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Path(id): Path<FileId>,
) -> Result<Json<FileBody>, Problem> {
    Ok(Json(FileBody::from(&files.get(&actor, id).await?)))
}

/// Remove a file
///
/// Links to it open nothing from then on.
#[utoipa::path(
    delete,
    path = "/api/v1/files/{file}",
    tag = "files",
    params(("file" = String, Path, format = Uuid, description = "The id of the file")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Path(id): Path<FileId>,
) -> Result<StatusCode, Problem> {
    files.delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A link that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLink {
    /// For how many seconds it opens the file; as long as is allowed where it is absent or more than that.
    #[schema(minimum = 1)]
    expires_in_s: Option<u64>,
}

/// A link that opens a file for whoever has it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkBody {
    /// Where the file is saved.
    download_url: String,
    /// Where the file is played.
    stream_url: String,
    /// When the link opens nothing any more.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Make a link to a file
///
/// It opens this one file, without signing in, until it expires or the file is removed.
#[utoipa::path(
    post,
    path = "/api/v1/files/{file}/links",
    tag = "files",
    params(("file" = String, Path, format = Uuid, description = "The id of the file")),
    request_body = NewLink,
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 201, description = "The link", body = LinkBody))
)]
pub(super) async fn create_link(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Path(id): Path<FileId>,
    Json(new): Json<NewLink>,
) -> Result<(StatusCode, Json<LinkBody>), Problem> {
    if new.expires_in_s == Some(0) {
        return Err(Problem::field("/expires_in_s", "a link holds for a second at least"));
    }
    let link = files.link(&actor, id, new.expires_in_s.map(Duration::from_secs)).await?;
    let body = LinkBody {
        download_url: format!("/api/v1/download/{id}?token={}", link.token),
        stream_url: format!("/api/v1/stream/{id}?token={}", link.token),
        expires_at: rfc3339(link.expires_at_ms),
    };
    Ok((StatusCode::CREATED, Json(body)))
}
