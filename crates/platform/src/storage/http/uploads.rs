//! Uploads over tus 1.0: begun, asked about, added to, ended.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::tus::{self, TusHeaders};
use crate::{
    idempotency::Reply,
    server::{Claimed, Json, Path, Problem, ProblemType, SignedIn, time::rfc3339},
    storage::{Checksum, Chunk, Files, NewUpload, Upload, UploadId, UploadState},
};

/// Bytes, in order.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(super) struct Piece(#[expect(dead_code, reason = "it is only described; the body is read as a stream")] Vec<u8>);

/// How far an upload is, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum UploadStateBody {
    Receiving,
    Complete,
    Refused,
}

/// An upload as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Upload)]
pub(super) struct UploadBody {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// What the file is called.
    name: String,
    /// How long the file is.
    length_bytes: u64,
    /// How much of it is here.
    offset_bytes: u64,
    /// How far it is.
    state: UploadStateBody,
    /// Why it becomes no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The file that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid)]
    file_id: Option<String>,
    /// When it is given up unless more comes.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<&Upload> for UploadBody {
    fn from(upload: &Upload) -> Self {
        let (state, reason) = match &upload.state {
            UploadState::Receiving => (UploadStateBody::Receiving, None),
            UploadState::Complete => (UploadStateBody::Complete, None),
            UploadState::Refused(reason) => (UploadStateBody::Refused, Some(format!("it {reason}"))),
        };
        Self {
            id: upload.id.to_string(),
            name: upload.name.to_string(),
            length_bytes: upload.length_bytes,
            offset_bytes: upload.offset_bytes,
            state,
            reason,
            file_id: (state == UploadStateBody::Complete).then(|| upload.file_id().to_string()),
            expires_at: rfc3339(upload.expires_at_ms),
        }
    }
}

/// Where the upload is, in the headers that its client reads.
fn progress(upload: &Upload) -> Vec<(header::HeaderName, HeaderValue)> {
    let mut headers = vec![(tus::UPLOAD_OFFSET, HeaderValue::from(upload.offset_bytes))];
    match upload.state {
        UploadState::Receiving => {
            headers.extend(tus::http_date(upload.expires_at_ms).map(|at| (tus::UPLOAD_EXPIRES, at)));
        }
        UploadState::Complete => {
            let place = HeaderValue::from_str(&format!("/api/v1/files/{}", upload.file_id()));
            headers.extend(place.ok().map(|place| (header::CONTENT_LOCATION, place)));
        }
        UploadState::Refused(_) => {}
    }
    headers
}

fn with_progress(status: StatusCode, upload: &Upload) -> Response {
    let mut response = status.into_response();
    response.headers_mut().extend(progress(upload));
    response
}

/// Say what uploads can do
#[utoipa::path(
    options,
    path = "/api/v1/uploads",
    tag = "uploads",
    responses((status = 204, description = "Versions and extensions of tus, and the largest size, in headers"))
)]
pub(super) async fn describe(State(files): State<Files>) -> Response {
    let algorithms = Checksum::algorithms().collect::<Vec<_>>().join(",");
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(tus::VERSIONS, HeaderValue::from_static(tus::VERSION));
    headers.insert(tus::EXTENSION, HeaderValue::from_static(tus::EXTENSIONS));
    headers.insert(tus::MAX_SIZE, HeaderValue::from(files.settings().max_file_bytes));
    if let Ok(algorithms) = HeaderValue::from_str(&algorithms) {
        headers.insert(tus::CHECKSUM_ALGORITHM, algorithms);
    }
    response
}

/// Begin an upload
///
/// The first piece may come along, as the body. See <https://tus.io> for clients in most languages.
#[utoipa::path(
    post,
    path = "/api/v1/uploads",
    tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "`1.0.0`"),
        ("Upload-Length" = u64, Header, description = "How many bytes there will be"),
        ("Upload-Metadata" = Option<String>, Header, description = "`filename` and the name in Base64"),
        ("Upload-Checksum" = Option<String>, Header, description = "What the piece hashes to, as `sha1 BASE64`"),
    ),
    request_body(content = Option<Piece>, content_type = "application/offset+octet-stream"),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0)), ("x-max-body-bytes" = json!(super::MAX_UPLOAD_BODY_BYTES)), ("x-cost" = json!(10))),
    responses((status = 201, description = "It has begun", headers(
        ("Location" = String, description = "Where pieces are sent to"),
        ("Upload-Offset" = u64, description = "How many bytes are here"),
    )))
)]
pub(super) async fn create(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    headers: TusHeaders,
    claimed: Claimed,
    body: Body,
) -> Result<Response, Problem> {
    let new = NewUpload { name: headers.name()?, length_bytes: headers.length()? };
    let checksum = headers.checksum()?;
    let receipt = claimed.receipt(|upload: &Upload| {
        Reply::empty(201).header("location", place(upload)).header("upload-offset", upload.offset_bytes.to_string())
    });
    let mut upload = files.begin_upload(&actor, new, &receipt).await?;
    if headers.has_piece() {
        upload = files.append(&actor, upload.id, chunk(0, body, checksum)).await?;
    }
    let mut response = with_progress(StatusCode::CREATED, &upload);
    let place = HeaderValue::from_str(&place(&upload)).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

/// Ask how far an upload is
///
/// `HEAD`, as tus clients send it, gets the headers alone.
#[utoipa::path(
    get,
    path = "/api/v1/uploads/{upload}",
    tag = "uploads",
    params(("upload" = String, Path, format = Uuid, description = "The id of the upload")),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0))),
    responses((status = 200, description = "How far it is", body = UploadBody, headers(
        ("Upload-Offset" = u64, description = "How many bytes are here"),
        ("Upload-Length" = u64, description = "How many there will be"),
    )))
)]
pub(super) async fn show(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Path(id): Path<UploadId>,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, Problem> {
    if method == Method::HEAD && headers.get(tus::RESUMABLE).is_none_or(|version| version != tus::VERSION) {
        let problem = Problem::new(ProblemType::PreconditionFailed);
        return Err(problem.header(tus::VERSIONS, HeaderValue::from_static(tus::VERSION)));
    }
    let upload = if method == Method::HEAD {
        files.resume_upload(&actor, id).await?
    } else {
        files.get_upload(&actor, id).await?
    };
    if method == Method::HEAD && matches!(upload.state, UploadState::Refused(_)) {
        // Clients of the protocol begin anew, or tell their user, where an upload is gone.
        return Err(Problem::new(ProblemType::Gone));
    }
    let mut response = Json(UploadBody::from(&upload)).into_response();
    response.headers_mut().extend(progress(&upload));
    response.headers_mut().insert(tus::UPLOAD_LENGTH, HeaderValue::from(upload.length_bytes));
    Ok(response)
}

/// Add to an upload
///
/// When the last byte is here, the file is looked into, and the answer says how that ended: the upload is complete, or the
/// file was refused.
#[utoipa::path(
    patch,
    path = "/api/v1/uploads/{upload}",
    tag = "uploads",
    params(
        ("upload" = String, Path, format = Uuid, description = "The id of the upload"),
        ("Tus-Resumable" = String, Header, description = "`1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "How many bytes are here already"),
        ("Upload-Checksum" = Option<String>, Header, description = "What the piece hashes to, as `sha1 BASE64`"),
    ),
    request_body(content = Piece, content_type = "application/offset+octet-stream"),
    security(("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0)), ("x-max-body-bytes" = json!(super::MAX_UPLOAD_BODY_BYTES))),
    responses(
        (status = 204, description = "It is here", headers(
            ("Upload-Offset" = u64, description = "How many bytes are here"),
            ("Content-Location" = String, description = "The file, where that was the last piece"),
        )),
        (status = 409, description = "The upload is at another byte, or complete"),
        (status = 460, description = "The piece does not hash to its checksum; nothing of it is kept"),
    )
)]
pub(super) async fn append(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Path(id): Path<UploadId>,
    headers: TusHeaders,
    body: Body,
) -> Result<Response, Problem> {
    if !headers.has_piece() {
        return Err(
            Problem::new(ProblemType::UnsupportedMediaType).detail(format!("send the piece as `{}`", tus::PIECE))
        );
    }
    let chunk = chunk(headers.offset()?, body, headers.checksum()?);
    let upload = files.append(&actor, id, chunk).await?;
    Ok(with_progress(StatusCode::NO_CONTENT, &upload))
}

/// End an upload
///
/// What came of it is removed; the file of an upload that is complete stays.
#[utoipa::path(
    delete,
    path = "/api/v1/uploads/{upload}",
    tag = "uploads",
    params(
        ("upload" = String, Path, format = Uuid, description = "The id of the upload"),
        ("Tus-Resumable" = String, Header, description = "`1.0.0`"),
    ),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(files): State<Files>,
    SignedIn(actor): SignedIn,
    Path(id): Path<UploadId>,
    _headers: TusHeaders,
) -> Result<StatusCode, Problem> {
    files.end_upload(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn place(upload: &Upload) -> String {
    format!("/api/v1/uploads/{}", upload.id)
}

fn chunk(offset: u64, body: Body, checksum: Option<Checksum>) -> Chunk {
    Chunk { offset, body: body.into_data_stream().map_err(Into::into).boxed(), checksum }
}
