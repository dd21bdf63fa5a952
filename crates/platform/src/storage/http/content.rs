//! The bytes of files: shown in a player, or saved; whole, or the parts that are asked for.

use std::ops::Range;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{disposition::Disposition, range::Selection};
use crate::{
    server::{Path, Problem, ProblemType, Query, SignedIn},
    storage::{ByteStream, File, FileId, Files, StorageError},
};

/// What opens a file to others than its owner.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkQuery {
    /// The token of a link.
    #[param(max_length = 128)]
    token: Option<String>,
}

/// The bytes of a file, of its own media type.
#[derive(Debug, ToSchema)]
#[schema(value_type = serde_json::Value)]
struct Content(#[expect(dead_code, reason = "it is only described; files are sent as streams")] Bytes);

/// What is asked for, and how.
struct Asked {
    method: Method,
    headers: HeaderMap,
    disposition: Disposition,
}

/// Play a file
///
/// For players: any part of it may be asked for.
#[utoipa::path(
    get,
    path = "/api/v1/stream/{file}",
    tag = "files",
    params(("file" = String, Path, format = Uuid, description = "The id of the file"), LinkQuery),
    security((), ("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0))),
    responses(
        (status = 200, description = "The whole file", content_type = "*/*", body = Content),
        (status = 206, description = "The parts that were asked for", content_type = "*/*", body = Content),
        (status = 304, description = "It is what the asker has"),
        (status = 416, description = "The file has no such part"),
    )
)]
pub(super) async fn stream(
    State(files): State<Files>,
    actor: Option<SignedIn>,
    Path(id): Path<FileId>,
    Query(link): Query<LinkQuery>,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, Problem> {
    let file = open(&files, actor, id, link).await?;
    send(&files, &file, Asked { method, headers, disposition: Disposition::Inline }).await
}

/// Save a file
///
/// The owner gets it, and whoever has a link to it.
#[utoipa::path(
    get,
    path = "/api/v1/download/{file}",
    tag = "files",
    params(("file" = String, Path, format = Uuid, description = "The id of the file"), LinkQuery),
    security((), ("bearer" = []), ("cookie" = [])),
    extensions(("x-time-limit-s" = json!(0))),
    responses(
        (status = 200, description = "The whole file", content_type = "*/*", body = Content),
        (status = 206, description = "The parts that were asked for", content_type = "*/*", body = Content),
        (status = 307, description = "It is had from the store of files, at the address in `Location`"),
        (status = 304, description = "It is what the asker has"),
        (status = 416, description = "The file has no such part"),
    )
)]
pub(super) async fn download(
    State(files): State<Files>,
    actor: Option<SignedIn>,
    Path(id): Path<FileId>,
    Query(link): Query<LinkQuery>,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, Problem> {
    let file = open(&files, actor, id, link).await?;
    let asked = Asked { method, headers, disposition: Disposition::Attachment };
    match lead_to_store(&files, &file, &asked).await? {
        Some(response) => Ok(response),
        None => send(&files, &file, asked).await,
    }
}

/// The way to the store, for who asks for bytes without a condition that only this server understands.
async fn lead_to_store(files: &Files, file: &File, asked: &Asked) -> Result<Option<Response>, Problem> {
    let conditions = [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE];
    if asked.method != Method::GET || conditions.iter().any(|name| asked.headers.contains_key(name)) {
        return Ok(None);
    }
    let disposition = asked.disposition.header(&file.name);
    let Some(url) = files.direct_url(file, content_type(file, asked.disposition), disposition).await? else {
        return Ok(None);
    };
    let url = HeaderValue::from_str(url.as_str()).map_err(|error| Problem::internal(&error))?;
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    response.headers_mut().insert(header::LOCATION, url);
    // The address opens the file for whoever sees it, and not for long.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(Some(response))
}

/// The file, for its owner, else for who has a link to it.
async fn open(files: &Files, actor: Option<SignedIn>, id: FileId, link: LinkQuery) -> Result<File, Problem> {
    let mut refusal = Problem::new(ProblemType::Unauthenticated);
    if let Some(SignedIn(actor)) = actor {
        match files.get(&actor, id).await {
            Ok(file) => return Ok(file),
            Err(error) => refusal = error.into(),
        }
    }
    match link.token {
        Some(token) => Ok(files.open_link(id, &token).await?),
        None => Err(refusal),
    }
}

async fn send(files: &Files, file: &File, asked: Asked) -> Result<Response, Problem> {
    let tag = format!("\"{}\"", file.hash.to_hex());
    if let Some(value) = text(&asked.headers, &header::IF_MATCH)
        && !lists(value, &tag, Comparison::Strong)
    {
        return Err(Problem::new(ProblemType::PreconditionFailed));
    }
    let is_known =
        text(&asked.headers, &header::IF_NONE_MATCH).is_some_and(|value| lists(value, &tag, Comparison::Weak));
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { select(files, file, &asked, &tag).await? };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).map_err(|error| Problem::internal(&error))?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A browser may keep it, and asks each time whether it may still show it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::CONTENT_DISPOSITION, asked.disposition.header(&file.name));
    Ok(response)
}

async fn select(files: &Files, file: &File, asked: &Asked, tag: &str) -> Result<Response, Problem> {
    // Parts fit together only where they are of the same file: a range under another tag, or a date, gets it whole.
    let is_same = text(&asked.headers, &header::IF_RANGE).is_none_or(|known| known == tag);
    let range = text(&asked.headers, &header::RANGE).filter(|_| is_same);
    let selection = range.map_or(Selection::Whole, |range| Selection::read(range, file.size_bytes));
    let kind = content_type(file, asked.disposition);
    let is_head = asked.method == Method::HEAD;
    let (status, range) = match selection {
        Selection::Nothing => {
            let known = content_range(&format!("*/{}", file.size_bytes))?;
            let problem = Problem::new(ProblemType::RangeNotSatisfiable);
            let detail = format!("the file has {} bytes", file.size_bytes);
            return Err(problem.detail(detail).header(header::CONTENT_RANGE, known));
        }
        Selection::Parts(parts) => return many_parts(files, file, Parts { ranges: parts, kind, is_head }),
        Selection::Whole => (StatusCode::OK, 0..file.size_bytes),
        Selection::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
    };
    let length = range.end - range.start;
    let body = if is_head { Body::empty() } else { Body::from_stream(files.read(file, range.clone()).await?) };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        response.headers_mut().insert(header::CONTENT_RANGE, content_range(&place(&range, file.size_bytes))?);
    }
    Ok(response)
}

struct Parts {
    ranges: Vec<Range<u64>>,
    kind: HeaderValue,
    is_head: bool,
}

/// Several parts in one body (RFC 9110, section 15.3.7.2). What separates them holds a hash of the file, which no file holds.
fn many_parts(files: &Files, file: &File, parts: Parts) -> Result<Response, Problem> {
    let Parts { ranges, kind, is_head } = parts;
    let boundary = format!("part-{}", &file.hash.to_hex()[..32]);
    let kind = kind.to_str().map_err(|error| Problem::internal(&error))?.to_owned();
    let head = |range: &Range<u64>| {
        let place = place(range, file.size_bytes);
        format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {place}\r\n\r\n")
    };
    let end = format!("\r\n--{boundary}--\r\n");
    let heads: Vec<(String, Range<u64>)> = ranges.into_iter().map(|range| (head(&range), range)).collect();
    let length = heads.iter().map(|(head, range)| head.len() as u64 + range.end - range.start).sum::<u64>();
    let length = length + end.len() as u64;
    let body = if is_head { Body::empty() } else { Body::from_stream(join(files.clone(), file.clone(), heads, end)) };
    let mut response = (StatusCode::PARTIAL_CONTENT, body).into_response();
    let kind = HeaderValue::from_str(&format!("multipart/byteranges; boundary={boundary}"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind.map_err(|error| Problem::internal(&error))?);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Each part behind its head, opened when its turn comes.
fn join(files: Files, file: File, heads: Vec<(String, Range<u64>)>, end: String) -> ByteStream {
    let parts = futures::stream::iter(heads).then(move |(head, range)| {
        let (files, file) = (files.clone(), file.clone());
        async move {
            let bytes = files.read(&file, range).await?;
            let head = futures::stream::once(std::future::ready(Ok::<_, StorageError>(Bytes::from(head))));
            Ok::<_, StorageError>(head.chain(bytes))
        }
    });
    parts.try_flatten().chain(futures::stream::once(std::future::ready(Ok(Bytes::from(end))))).boxed()
}

/// What the bytes are. On a page of this server nothing is shown that could run there.
fn content_type(file: &File, disposition: Disposition) -> HeaderValue {
    let hidden = HeaderValue::from_static("application/octet-stream");
    if disposition == Disposition::Inline && !file.media_type.is_shown() {
        return hidden;
    }
    let media_type = file.media_type.as_str();
    let charset = if media_type.starts_with("text/") { "; charset=utf-8" } else { "" };
    HeaderValue::from_str(&format!("{media_type}{charset}")).unwrap_or(hidden)
}

fn place(range: &Range<u64>, size: u64) -> String {
    format!("{}-{}/{size}", range.start, range.end - 1)
}

fn content_range(place: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(&format!("bytes {place}")).map_err(|error| Problem::internal(&error))
}

/// The value of a header that is there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of tags has `tag`.
fn lists(list: &str, tag: &str, comparison: Comparison) -> bool {
    let is_tag = |entry: &str| {
        let entry = if comparison == Comparison::Weak { entry.trim_start_matches("W/") } else { entry };
        entry == "*" || entry == tag
    };
    list.split(',').map(str::trim).any(is_tag)
}
